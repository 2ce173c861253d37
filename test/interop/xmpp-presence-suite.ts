// What must hold of presence and subscriptions on every XMPP server, with an independent client at the other end.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { adapter as xmpp } from '../../adapters/xmpp/index.ts';
import { type EventOf, GatewayError } from '../../src/contract/index.ts';
import { sampleEvent } from '../peers/events.ts';
import { type Stanza, startXmppUser, type XmppUser, xml } from '../peers/xmpp-user.ts';
import { until } from '../servers/process.ts';
import type { XmppServer } from '../servers/prosody.ts';
import { openAdapter, settings, sip, sms } from './xmpp-suite.ts';

const bobJid = `bob\\40other.net@${sip}`;
const bob = `xmpp:${bobJid}`;
const carol = `xmpp:carol@${sip}`;
const alice = 'xmpp:alice@xmpp.example';
const signal = new AbortController().signal;

async function openAlice({ c2sPort: port, host }: XmppServer): Promise<XmppUser> {
  const user = await startXmppUser({ port, host, username: 'alice', password: 'wonderland' });
  // RFC 6121 s.2.1.3: a client that never asked for its roster hears nothing of subscriptions.
  await user.ask(xml('iq', { type: 'get' }, xml('query', { xmlns: 'jabber:iq:roster' })));
  return user;
}

/** How the contact stands in Alice's roster. */
async function standing(user: XmppUser, jid: string): Promise<string> {
  const roster = await user.ask(xml('iq', { type: 'get' }, xml('query', { xmlns: 'jabber:iq:roster' })));
  const items = roster.getChild('query', 'jabber:iq:roster')?.children ?? [];
  const item = items.find((one): one is Stanza => typeof one !== 'string' && one.attrs.jid === jid);
  return item ? `${item.attrs.subscription}${item.attrs.ask === undefined ? '' : ' ask'}` : 'absent';
}

/** The steps that share one server. */
export async function runPresenceSuite(t: TestContext, server: XmppServer): Promise<void> {
  const opened = await openAdapter(t, server);
  const { hub } = opened;
  let { adapter } = opened;
  t.after(() => adapter.stop());
  let user = await openAlice(server);
  t.after(() => user.stop());
  const presence = (said: Partial<EventOf<'presence'>>, from = bob) =>
    adapter.deliver(sampleEvent('presence', from, alice, said), signal);
  const subscription = (action: EventOf<'subscription'>['action'], from = bob) =>
    adapter.deliver(sampleEvent('subscription', from, alice, { action }), signal);
  const say = (type: string | undefined, to = bobJid, ...more: Stanza[]) =>
    user.say(xml('presence', { to, ...(type === undefined ? {} : { type }) }, ...more));
  const hears = (type: string | undefined, from = bobJid) =>
    user.hears(({ name, attrs }) => name === 'presence' && attrs.type === type && attrs.from === from, `${type}`);
  /** The next draft of that kind after `work`. */
  const draftAfter = async (work: () => Promise<unknown>, matches: (said: string) => boolean) => {
    const before = hub.drafts.length;
    await work();
    const outlines = () =>
      hub.drafts.slice(before).map((draft) => ({
        draft,
        said: draft.type === 'subscription' ? draft.action : draft.type === 'presence' ? draft.availability : '',
      }));
    await until(() => outlines().some(({ said }) => matches(said)), 'such a draft');
    return outlines().find(({ said }) => matches(said))?.draft;
  };
  const draftOf = (work: () => Promise<unknown>, said: string) => draftAfter(work, (one) => one === said);

  await t.test(
    'RFC 6121 s.3.1: she asks, is approved, and sees each device with show, status and priority',
    async () => {
      const asked = await draftOf(() => say('subscribe'), 'request');
      assert.deepEqual(asked, { type: 'subscription', from: alice, to: bob, action: 'request' });
      assert.equal(await standing(user, bobJid), 'none ask');
      await subscription('approve');
      await hears('subscribed');
      assert.equal(await standing(user, bobJid), 'to');
      await presence({ availability: 'extended-away', notes: { en: 'lunch' }, priority: 3 }, `${bob}/ID-desk`);
      await presence({ availability: 'chat' }, `${bob}/ID-phone`);
      const desk = await hears(undefined, `${bobJid}/ID-desk`);
      assert.deepEqual(
        ['show', 'status', 'priority'].map((name) => desk.getChildText(name)),
        ['xa', 'lunch', '3'],
      );
      assert.equal((await hears(undefined, `${bobJid}/ID-phone`)).getChildText('show'), 'chat');
      await presence({ availability: 'unavailable' }, `${bob}/ID-desk`);
      await hears('unavailable', `${bobJid}/ID-desk`);
    },
  );

  await t.test(
    'RFC 6121 s.3.1.3: he asks; while she thinks about it a fetch says nothing and costs him nothing',
    async () => {
      await subscription('request');
      await hears('subscribe');
      const answer = await draftOf(() => subscription('fetch'), 'unknown');
      assert.deepEqual(answer, { type: 'presence', from: alice, to: bob, availability: 'unknown' });
      const approved = await draftOf(() => say('subscribed'), 'approve');
      assert.deepEqual(approved, { type: 'subscription', from: alice, to: bob, action: 'approve' });
      await hub.untilDraft((draft) => draft.type === 'presence' && draft.availability === 'available');
      assert.equal(await standing(user, bobJid), 'both');
    },
  );

  await t.test('RFC 6121 s.3.1.3: a request that is repeated after the approval is approved at once', async () => {
    await draftOf(() => subscription('request'), 'approve');
  });

  await t.test('RFC 6121 s.4.4: what she broadcasts arrives with show, statuses, priority and idle time', async () => {
    const since = new Date(Date.now() - 60_000).toISOString();
    const said = [
      xml('show', {}, 'dnd'),
      xml('status', { 'xml:lang': 'en' }, 'writing'),
      xml('status', { 'xml:lang': 'de' }, 'schreibt'),
      xml('priority', {}, '-5'),
      xml('idle', { xmlns: 'urn:xmpp:idle:1', since }),
    ];
    const draft = await draftOf(() => user.say(xml('presence', {}, ...said)), 'busy');
    assert.deepEqual(draft, {
      type: 'presence',
      from: `xmpp:${user.jid}`,
      to: bob,
      availability: 'busy',
      notes: { en: 'writing', de: 'schreibt' },
      priority: -5,
      idleSince: since,
    });
  });

  const moodNode = 'http://jabber.org/protocol/mood';
  const activityNode = 'http://jabber.org/protocol/activity';
  /** She publishes something about herself (XEP-0163). */
  const publish = async (node: string, payload: Stanza) => {
    const publication = xml('publish', { node }, xml('item', { id: 'current' }, payload));
    await user.ask(
      xml('iq', { type: 'set' }, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, publication)),
    );
  };
  /** Her presence from one device is told again with that mood and that activity. */
  const untilSaid = (moods: string[] | undefined, activities: string[] | undefined, since: number) =>
    until(
      () =>
        hub.drafts
          .slice(since)
          .some(
            (draft) =>
              draft.type === 'presence' &&
              draft.to === bob &&
              draft.from === `xmpp:${user.jid}` &&
              isDeepStrictEqual([draft.moods, draft.activities], [moods, activities]),
          ),
      `her device with ${moods} and ${activities}; heard ${JSON.stringify(hub.drafts.slice(since))}`,
      15_000,
    );

  await t.test('reference sip 3.4: the mood and the activity that she publishes are part of her presence', async () => {
    let since = hub.drafts.length;
    await presence({ availability: 'available' }, `${bob}/ID-desk`);
    await publish(moodNode, xml('mood', { xmlns: moodNode }, xml('happy'), xml('text', {}, 'it is done')));
    await untilSaid(['happy'], undefined, since);
    since = hub.drafts.length;
    await publish(activityNode, xml('activity', { xmlns: activityNode }, xml('working', {}, xml('in_a_meeting'))));
    await untilSaid(['happy'], ['meeting'], since);
    since = hub.drafts.length;
    await publish(moodNode, xml('mood', { xmlns: moodNode }));
    await untilSaid(undefined, ['meeting'], since);
    since = hub.drafts.length;
    await user.say(xml('presence', {}, xml('show', {}, 'dnd')));
    await untilSaid(undefined, ['meeting'], since);
  });

  await t.test('reference sip 3.4: his mood and his activity reach her client, and are taken back', async () => {
    const hearsNews = (said: RegExp, since: number) =>
      until(
        () => user.heard.slice(since).some((one) => one.attrs.from === bobJid && said.test(one.toString())),
        `${said}; heard ${user.heard.slice(since).join(' ').slice(0, 2000)}`,
        15_000,
      );
    let since = user.heard.length;
    await presence({ availability: 'available', moods: ['happy'], activities: ['on-the-phone'] }, `${bob}/ID-desk`);
    await hearsNews(/<mood [^>]*><happy *\/><\/mood>/, since);
    await hearsNews(/<activity [^>]*><talking><on_the_phone *\/><\/talking><\/activity>/, since);
    since = user.heard.length;
    await presence({ availability: 'available', activities: ['on-the-phone'] }, `${bob}/ID-desk`);
    await hearsNews(/<mood [^>]*\/>/, since);
    assert.ok(!user.heard.slice(since).some((one) => one.toString().includes('<activity')), 'only what is new');
    since = user.heard.length;
    await presence({ availability: 'unavailable' }, `${bob}/ID-desk`);
    await hearsNews(/<activity [^>]*\/>/, since);
  });

  await t.test('RFC 6121 s.4.3, RFC 8048 s.7.2: a fetch is answered with the presence of her device', async () => {
    const draft = await draftOf(() => subscription('fetch'), 'busy');
    assert.equal(draft?.from, `xmpp:${user.jid}`);
  });

  await t.test(
    'RFC 6121 s.4.6: presence directed at somebody who is no contact arrives, and so does its end',
    async () => {
      const to = carol.slice('xmpp:'.length);
      assert.equal((await draftOf(() => say(undefined, to), 'available'))?.to, carol);
      assert.equal((await draftOf(() => say('unavailable', to), 'unavailable'))?.to, carol);
    },
  );

  await t.test('RFC 6121 s.4.5, s.4.3.2: when she leaves he hears it, and a fetch says that she is away', async () => {
    const { jid } = user;
    const left = await draftOf(() => user.stop(), 'unavailable');
    assert.equal(left?.from, `xmpp:${jid}`);
    const draft = await draftOf(() => subscription('fetch'), 'unavailable');
    assert.deepEqual(draft, { type: 'presence', from: alice, to: bob, availability: 'unavailable' });
  });

  await t.test(
    'RFC 6121 s.4.2: when she comes back she is announced, and asks how he is (RFC 8048 s.6.2)',
    async () => {
      const before = hub.drafts.length;
      user = await openAlice(server);
      const later = () => hub.drafts.slice(before);
      await until(
        () => later().some((draft) => draft.type === 'presence' && draft.availability === 'available'),
        'presence',
      );
      await until(() => later().some((draft) => draft.type === 'subscription' && draft.action === 'fetch'), 'a fetch');
    },
  );

  await t.test('she leaves while the gateway is away: it asks when it is back', async () => {
    await adapter.stop();
    await user.stop();
    const draft = await draftOf(async () => {
      adapter = xmpp.create('jabber', settings(server));
      await adapter.start(hub);
    }, 'unavailable');
    assert.deepEqual([draft?.from, draft?.to], [alice, bob]);
    user = await openAlice(server);
  });

  await t.test('RFC 6121 s.3.2: he takes the approval back; she is told', async () => {
    await subscription('deny');
    await hears('unsubscribed');
    assert.equal(await standing(user, bobJid), 'from');
  });

  await t.test('RFC 6121 s.3.3: he stops watching, and hears no more of her', async () => {
    await subscription('cancel');
    await until(async () => (await standing(user, bobJid)) === 'none', 'no subscription is left');
    const before = hub.drafts.length;
    await user.say(xml('presence', {}, xml('show', {}, 'away')));
    await draftOf(() => say('unavailable', carol.slice('xmpp:'.length)), 'unavailable');
    const heard = hub.drafts.slice(before).filter((draft) => draft.type === 'presence' && draft.to === bob);
    assert.ok(heard.every((draft) => draft.type === 'presence' && draft.availability === 'unavailable'));
  });

  await t.test('RFC 6121 s.3.1.3: she says no to a stranger', async () => {
    await subscription('request', carol);
    const jid = carol.slice('xmpp:'.length);
    await hears('subscribe', jid);
    const draft = await draftOf(() => say('unsubscribed', jid), 'deny');
    assert.deepEqual([draft?.from, draft?.to], [alice, carol]);
  });

  await t.test('RFC 6121 s.3.3: she stops watching', async () => {
    await draftOf(() => say('subscribe'), 'request');
    await subscription('approve');
    await until(async () => (await standing(user, bobJid)) === 'to', 'she watches');
    await draftOf(() => say('unsubscribe'), 'cancel');
    assert.equal(await standing(user, bobJid), 'none');
  });

  await t.test('somebody who cannot exist: the error is shown, and nothing stays open in the roster', async (st) => {
    st.after(() => {
      hub.onPublish = undefined;
    });
    hub.onPublish = () => {
      throw new GatewayError('not-found', 'nobody is called that');
    };
    const nobody = `nonsense@${sms}`;
    await say('subscribe', nobody);
    const error = await hears('error', nobody);
    assert.match(error.toString(), /item-not-found.*nobody is called that/);
    await until(async () => !(await standing(user, nobody)).includes('ask'), 'the request is closed');
  });
}
