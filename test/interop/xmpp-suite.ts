// What must hold on every XMPP server: the adapter on a real one, with an independent client at the other end.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { adapter } from '../../adapters/xmpp/index.ts';
import { type Adapter, type Finding, GatewayError, type Message } from '../../src/contract/index.ts';
import { sampleEvent } from '../peers/events.ts';
import { type FakeHub, fakeHub } from '../peers/hub.ts';
import { type Stanza, startXmppUser, type XmppUser, xml } from '../peers/xmpp-user.ts';
import { until } from '../servers/process.ts';
import type { XmppServer, XmppServerOptions } from '../servers/prosody.ts';

export const secret = 'gehëim 😀';
export const sms = 'sms.xmpp.example';
export const sip = 'sip.xmpp.example';
/** Held by no adapter but those that a step starts for itself. */
export const spare = 'spare.xmpp.example';
export const serverOptions: XmppServerOptions = {
  components: [
    { domain: sms, secret },
    { domain: sip, secret },
    { domain: spare, secret },
  ],
  users: [
    { username: 'alice', password: 'wonderland' },
    { username: 'offline', password: 'x' },
  ],
};

const number = `xmpp:+447700900123@${sms}`;
const bob = `xmpp:bob\\40other.net@${sip}`;
const bobJid = `bob\\40other.net@${sip}`;
const aliceBare = 'xmpp:alice@xmpp.example';
const receipts = 'urn:xmpp:receipts';
const markers = 'urn:xmpp:chat-markers:0';
const chatStates = 'http://jabber.org/protocol/chatstates';
const signal = new AbortController().signal;

export interface Site {
  server: XmppServer;
  adapter: Adapter;
  hub: FakeHub;
  alice: XmppUser;
}

/** The adapter's options for a server; `more` overrides. */
export function settings(server: Pick<XmppServer, 'componentPort'>, more: Record<string, unknown> = {}) {
  return adapter.options.parse({
    port: server.componentPort,
    domains: [
      { domain: sms, secret, shows: ['tel'] },
      { domain: sip, secret, shows: ['sip'] },
    ],
    reconnect: { firstMs: 50, maxMs: 500 },
    ...more,
  });
}

/** An adapter that is up. */
export async function openAdapter(t: TestContext, server: XmppServer, more: Record<string, unknown> = {}) {
  const hub = fakeHub();
  const xmpp = adapter.create('jabber', settings(server, more));
  t.after(() => xmpp.stop());
  await xmpp.start(hub);
  assert.deepEqual(hub.statuses.at(-1), { state: 'up' });
  return { adapter: xmpp, hub };
}

/** The adapter and Alice on a server that runs. */
export async function openSite(t: TestContext, server: XmppServer, more: Record<string, unknown> = {}): Promise<Site> {
  const { adapter: xmpp, hub } = await openAdapter(t, server, more);
  return { server, adapter: xmpp, hub, alice: await openAlice(t, server) };
}

async function openAlice(t: TestContext, { c2sPort: port, host }: XmppServer): Promise<XmppUser> {
  const alice = await startXmppUser({ port, host, username: 'alice', password: 'wonderland' });
  t.after(() => alice.stop());
  return alice;
}

const message = (to: string, said: Partial<Message>, from = bob) =>
  sampleEvent('message', from, to, { text: {}, wants: [], ...said });
const body = (stanza: Stanza) => stanza.getChildText('body');
const chat = (to: string, text: string | undefined, ...more: Stanza[]) =>
  xml('message', { to, type: 'chat', id: `c-${crypto.randomUUID()}` }, text && xml('body', {}, text), ...more);

const scripts = [
  'Straße ',
  'Ελλάδα ',
  'Привет ',
  '你好世界',
  'こんにちは',
  '안녕 ',
  'שלום ',
  'مرحبا ',
  'नमस्ते ',
  '👩‍👩‍👧‍👦🏳️‍🌈',
];
const long = Array.from({ length: 400 }, (_, i) => scripts[i % scripts.length])
  .join('')
  .slice(0, 2000)
  .toWellFormed();

/** The steps that share one server. */
export async function runSuite(t: TestContext, server: XmppServer): Promise<void> {
  const site = await openSite(t, server);
  const { hub, alice } = site;
  const deliver = (event: Parameters<Adapter['deliver']>[0]) => site.adapter.deliver(event, signal);

  await t.test('a message to us carries body, subject, thread, language, id and what its sender wants', async () => {
    const stanza = xml(
      'message',
      { to: `+447700900123@${sms}`, type: 'chat', id: 'm-1', 'xml:lang': 'de' },
      xml('subject', {}, 'Betreff'),
      xml('body', {}, 'Grüße 👋🏽'),
      xml('body', { 'xml:lang': 'en' }, 'regards'),
      xml('thread', {}, 'th-1'),
      xml('request', { xmlns: receipts }),
      xml('markable', { xmlns: markers }),
    );
    await alice.say(stanza);
    const draft = await hub.untilDraft(({ type }) => type === 'message');
    assert.deepEqual(draft, {
      type: 'message',
      from: `xmpp:${alice.jid}`,
      to: number,
      text: { de: 'Grüße 👋🏽', en: 'regards' },
      subject: { de: 'Betreff' },
      thread: 'th-1',
      nativeId: 'm-1',
      wants: ['delivered', 'displayed'],
    });
  });

  await t.test('a message from us carries the same', async () => {
    const event = message(aliceBare, {
      text: { '': 'hello 👋🏽', fr: 'bonjour' },
      subject: { '': 'greeting' },
      thread: 'th-2',
      wants: ['delivered', 'displayed'],
    });
    assert.deepEqual(await deliver(event), { state: 'sent' });
    const stanza = await alice.hears(({ attrs }) => attrs.id === event.id, 'the message');
    assert.equal(stanza.attrs.from, bobJid);
    assert.equal(stanza.attrs.type, 'chat');
    assert.equal(body(stanza), 'hello 👋🏽');
    assert.match(stanza.toString(), /<body xml:lang="fr">bonjour<\/body>/);
    assert.equal(stanza.getChildText('subject'), 'greeting');
    assert.equal(stanza.getChildText('thread'), 'th-2');
    assert.ok(stanza.getChild('request', receipts) && stanza.getChild('markable', markers));
    assert.equal(stanza.getChild('origin-id', 'urn:xmpp:sid:0')?.attrs.id, event.id);
  });

  await t.test('2,000 characters in ten scripts arrive whole, both ways', async () => {
    const event = message(aliceBare, { text: { '': long } });
    await deliver(event);
    assert.equal(body(await alice.hears(({ attrs }) => attrs.id === event.id, 'the message')), long);
    await alice.say(chat(bobJid, long));
    await hub.untilDraft((draft) => draft.type === 'message' && Object.values(draft.text).includes(long));
  });

  await t.test('XEP-0184, XEP-0333: receipts go both ways', async () => {
    await alice.say(chat(bobJid, undefined, xml('received', { xmlns: receipts, id: 'e1' })));
    await alice.say(chat(bobJid, undefined, xml('displayed', { xmlns: markers, id: 'e1' })));
    await hub.untilDraft((draft) => draft.type === 'receipt' && draft.of === 'e1' && draft.state === 'delivered');
    await hub.untilDraft((draft) => draft.type === 'receipt' && draft.of === 'e1' && draft.state === 'displayed');
    const to = `xmpp:${alice.jid}`;
    await deliver(sampleEvent('receipt', bob, to, { of: 'c1', state: 'delivered' }));
    await deliver(sampleEvent('receipt', bob, to, { of: 'c1', state: 'displayed' }));
    await alice.hears((stanza) => stanza.getChild('received', receipts)?.attrs.id === 'c1', 'received');
    await alice.hears((stanza) => stanza.getChild('displayed', markers)?.attrs.id === 'c1', 'displayed');
  });

  await t.test('XEP-0085: chat states go both ways', async () => {
    for (const [said, meant] of [
      ['composing', 'composing'],
      ['paused', 'paused'],
      ['gone', 'gone'],
    ] as const) {
      const before = hub.draftsOf('typing').length;
      await alice.say(chat(bobJid, undefined, xml(said, { xmlns: chatStates })));
      await until(() => hub.draftsOf('typing').length > before, said);
      assert.equal(hub.draftsOf('typing').at(-1)?.state, meant);
      await deliver(sampleEvent('typing', bob, `xmpp:${alice.jid}`, { state: meant }));
      await alice.hears((stanza) => stanza.getChild(said, chatStates) !== undefined, said);
    }
  });

  await t.test('a failed message is told to its sender as an error with its own id and words', async () => {
    const receipt = { of: 'c-lost', state: 'failed', reason: 'not-found', text: 'no such number' } as const;
    await deliver(sampleEvent('receipt', number, `xmpp:${alice.jid}`, receipt));
    const error = await alice.hears(({ attrs }) => attrs.type === 'error' && attrs.id === 'c-lost', 'the error');
    assert.ok(error.getChild('error')?.getChild('item-not-found', 'urn:ietf:params:xml:ns:xmpp-stanzas'));
    assert.match(error.toString(), /no such number/);
  });

  await t.test('a message that the hub refuses is answered with the reason in XMPP words', async (st) => {
    st.after(() => {
      hub.onPublish = undefined;
    });
    hub.onPublish = () => {
      throw new GatewayError('throttled', 'too many messages: wait a minute');
    };
    await alice.say(xml('message', { to: bobJid, type: 'chat', id: 'c-full' }, xml('body', {}, 'x')));
    const error = await alice.hears(({ attrs }) => attrs.id === 'c-full', 'the error');
    assert.match(error.toString(), /type="wait".*resource-constraint.*wait a minute/);
  });

  await t.test('RFC 6121 s.8.5.1: a message to nobody fails, at once or with a receipt', async () => {
    const event = message('xmpp:nobody@xmpp.example', { text: { '': 'x' } });
    const reason = await deliver(event).then(
      async () => {
        const draft = await hub.untilDraft((one) => one.type === 'receipt' && one.of === event.id);
        return draft.type === 'receipt' ? draft.reason : undefined;
      },
      (error: GatewayError) => error.reason,
    );
    assert.equal(reason, 'not-found');
  });

  await t.test('text that XML cannot say is mended, and the stream lives', async () => {
    const event = message(aliceBare, { text: { '': 'bell \u0007 escape \u001b half \ud83d nul \0 end \uffff' } });
    await deliver(event);
    const stanza = await alice.hears(({ attrs }) => attrs.id === event.id, 'the message');
    assert.equal(body(stanza), 'bell \ufffd escape \ufffd half \ufffd nul \ufffd end \ufffd');
    assert.equal(hub.statuses.at(-1)?.state, 'up');
    assert.ok(!hub.statuses.some(({ state }) => state === 'down'), 'no stream was lost');
  });

  await t.test('what makes a server close the stream is never written', async () => {
    const before = hub.statuses.length;
    const hostile: Array<[string, Promise<unknown>]> = [
      ['a foreign sender', deliver(message(aliceBare, { text: { '': 'x' } }, 'xmpp:bob@elsewhere.example'))],
      ['700 kB', deliver(message(aliceBare, { text: { '': 'x'.repeat(700_000) } }))],
    ];
    const reasons = await Promise.all(hostile.map(([, sent]) => sent.catch((error: GatewayError) => error.reason)));
    assert.deepEqual(reasons, ['not-allowed', 'too-large']);
    for (const name of [
      'a\\20b',
      'ＡＢ',
      '\u00ad',
      '\u2060',
      'ß',
      '𝒳',
      'x'.repeat(1023),
      '\u0340',
      '\\5c\\40',
      'a#b%c',
    ]) {
      for (const [from, to] of [
        [`xmpp:${name}@${sip}`, aliceBare],
        [bob, `xmpp:${name}@xmpp.example`],
      ] as const) {
        const event = message(to, { text: { '': 'x' } }, from);
        await deliver(event).catch((error: unknown) => assert.ok(error instanceof GatewayError, String(error)));
        // A server may take offence only later, over its own bounce.
        await deliver(message(aliceBare, { text: { '': 'between' } }));
      }
    }
    const after = message(aliceBare, { text: { '': 'still here' } });
    await deliver(after);
    await alice.hears(({ attrs }) => attrs.id === after.id, 'the message after them');
    assert.equal(hub.statuses.length, before, 'no stream was lost');
  });

  await t.test('a stanza over our own limit is refused with words, and the stream lives', async (st) => {
    const narrow = await openAdapter(st, server, {
      domains: [{ domain: spare, secret, shows: ['sip'] }],
      maxStanzaBytes: 10_000,
    });
    const to = `bob\\40other.net@${spare}`;
    await alice.say(xml('message', { to, type: 'chat', id: 'c-long' }, xml('body', {}, 'x'.repeat(20_000))));
    const deep = Array.from({ length: 100 }).reduce<Stanza>((inner) => xml('a', { xmlns: 'x' }, inner), xml('a'));
    await alice.say(xml('message', { to, type: 'chat', id: 'c-deep' }, xml('body', {}, 'x'), deep));
    for (const id of ['c-long', 'c-deep']) {
      const error = await alice.hears(({ attrs }) => attrs.id === id, id);
      assert.ok(error.getChild('error')?.getChild('policy-violation', 'urn:ietf:params:xml:ns:xmpp-stanzas'), id);
    }
    await alice.say(chat(to, 'short'));
    await narrow.hub.untilDraft((draft) => draft.type === 'message' && Object.values(draft.text).includes('short'));
    assert.ok(!narrow.hub.statuses.some(({ state }) => state === 'down'), 'no stream was lost');
  });

  await t.test('while our store is away a stanza is kept and published later, in order', async (st) => {
    st.after(() => {
      hub.onPublish = undefined;
    });
    const before = hub.draftsOf('message').length;
    hub.onPublish = () => {
      throw new GatewayError('unavailable', 'the store restarts');
    };
    for (let i = 0; i < 20; i++) await alice.say(chat(bobJid, `kept ${i}`));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(hub.draftsOf('message').length, before);
    hub.onPublish = undefined;
    await until(() => hub.draftsOf('message').length === before + 20, '20 drafts');
    const kept = hub.draftsOf('message').slice(before);
    assert.deepEqual(
      kept.map(({ text }) => Object.values(text)[0]),
      kept.map((_, i) => `kept ${i}`),
    );
  });

  await t.test('doctor: the right secret is accepted, a wrong one and a closed port are told apart', async () => {
    const on = { domains: [{ domain: spare, secret, shows: ['tel'] }] };
    assert.deepEqual(
      (await findings(server, on)).map(({ state }) => state),
      ['ok'],
    );
    const [wrong] = await findings(server, { domains: [{ domain: spare, secret: 'wrong', shows: ['tel'] }] });
    assert.equal(wrong?.state, 'failed');
    assert.match(
      `${wrong?.what} ${wrong?.advice}`,
      /refuses the secret.*Component "spare.xmpp.example".*ejabberd_service/s,
    );
    assert.ok(!wrong?.advice?.includes('wrong'), 'a secret is never printed');
    const [closed] = await findings({ componentPort: 1 }, on);
    assert.match(`${closed?.what}`, /nothing listens at 127.0.0.1:1/);
  });

  await t.test('2,000 messages in one burst arrive in order, each proven taken', async () => {
    const events = Array.from({ length: 2000 }, (_, i) => message(aliceBare, { text: { '': `burst ${i}` } }));
    await Promise.all(events.map(deliver));
    const ids = new Set(events.map(({ id }) => id));
    const arrived = () => alice.heard.filter(({ attrs }) => ids.has(attrs.id ?? ''));
    await until(() => arrived().length >= 2000, '2,000 messages', 20_000);
    assert.deepEqual(
      arrived().map(({ attrs }) => attrs.id),
      events.map(({ id }) => id),
    );
  });

  await t.test('500 messages from a client are published in order', async () => {
    const before = hub.draftsOf('message').length;
    for (let i = 0; i < 500; i++) await alice.say(chat(bobJid, `count ${i}`));
    await until(() => hub.draftsOf('message').length === before + 500, '500 drafts');
    const counted = hub.draftsOf('message').slice(before);
    assert.deepEqual(
      counted.map(({ text }) => Object.values(text)[0]),
      counted.map((_, i) => `count ${i}`),
    );
  });

  await t.test('XEP-0030, 0199, 0092, 0202: it says what it is, is alive, and what it cannot', async () => {
    const ask = (to: string, query: Stanza) => alice.ask(xml('iq', { type: 'get', to }, query));
    const gateway = await ask(sms, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }));
    assert.match(gateway.toString(), /type="sms"/);
    const person = await ask(`+447700900123@${sms}`, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }));
    assert.match(person.toString(), /type="sms".*urn:xmpp:receipts/);
    await ask(sip, xml('query', { xmlns: 'http://jabber.org/protocol/disco#items' }));
    await ask(bobJid, xml('ping', { xmlns: 'urn:xmpp:ping' }));
    assert.match((await ask(sms, xml('query', { xmlns: 'jabber:iq:version' }))).toString(), /Dragoman/);
    assert.match((await ask(sms, xml('time', { xmlns: 'urn:xmpp:time' }))).toString(), /<utc>20\d\d-/);
    await assert.rejects(ask(sms, xml('query', { xmlns: 'urn:example:nothing' })), /service-unavailable/);
  });

  await t.test(
    'whoever subscribes to somebody whose network has no presence may write without a warning',
    async (st) => {
      st.after(() => {
        hub.onPublish = undefined;
      });
      hub.onPublish = ({ type }) => {
        if (type === 'subscription' || type === 'presence')
          throw new GatewayError('unsupported', 'telephones say nothing');
        return undefined;
      };
      const telephone = `+447700900123@${sms}`;
      // RFC 6121 s.2.1.3: a client that never asked for its roster hears nothing of subscriptions.
      await alice.ask(xml('iq', { type: 'get' }, xml('query', { xmlns: 'jabber:iq:roster' })));
      await alice.say(xml('presence', { type: 'subscribe', to: telephone }));
      const from = (type: string | undefined) => (stanza: Stanza) =>
        stanza.name === 'presence' && stanza.attrs.from === telephone && stanza.attrs.type === type;
      await alice.hears(from('subscribed'), 'subscribed');
      await alice.hears(from(undefined), 'available');
    },
  );

  await t.test('a server that restarts in the middle of a burst loses nothing', async (st) => {
    const events = Array.from({ length: 300 }, (_, i) => message(aliceBare, { text: { '': `restart ${i}` } }));
    // As the hub does it: the same event again until it is taken.
    const deliverUntilTaken = async (event: Message) => {
      for (;;) {
        const failure = await deliver(event).catch((error: GatewayError) => error);
        if (!(failure instanceof GatewayError)) return;
        assert.ok(!failure.isFinal, `${failure.reason} ${failure.message}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const delivering = events.map(async (event, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 2));
      await deliverUntilTaken(event);
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await server.restart();
    const sessions = [alice, await openAlice(st, server)];
    await Promise.all(delivering);
    await hub.untilStatus('up');
    const missing = () => {
      const heard = new Set(sessions.flatMap((session) => session.heard.map(({ attrs }) => attrs.id)));
      return events.filter(({ id }) => !heard.has(id));
    };
    // What a server put aside while she logged in waits for her next log-in.
    for (let i = 0; i < 3 && missing().length > 0; i++) {
      await until(() => missing().length === 0, 'every message', 2000).catch(async () => {
        sessions.push(await openAlice(st, server));
      });
    }
    await until(() => missing().length === 0, 'every message');
    assert.ok(hub.statuses.some(({ state }) => state === 'down'));
  });
}

/** What `dragoman doctor` says of one component. */
export async function findings(server: Pick<XmppServer, 'componentPort'>, more: Record<string, unknown> = {}) {
  const options = settings(server, { domains: [{ domain: sms, secret, shows: ['tel'] }], ...more });
  const found: Finding[] = [];
  for await (const finding of adapter.diagnose?.(options, signal) ?? []) found.push(finding);
  return found;
}

/** A message over a connection of its own, both ways: for servers that are set up differently. */
export async function sayHello(t: TestContext, server: XmppServer, more: Record<string, unknown>): Promise<void> {
  const { adapter: xmpp, hub, alice } = await openSite(t, server, more);
  const event = message(aliceBare, { text: { '': 'hello 👋🏽' } });
  await xmpp.deliver(event, signal);
  assert.equal(body(await alice.hears(({ attrs }) => attrs.id === event.id, 'the message')), 'hello 👋🏽');
  await alice.say(chat(bobJid, 'and back'));
  await hub.untilDraft((draft) => draft.type === 'message' && Object.values(draft.text).includes('and back'));
}
