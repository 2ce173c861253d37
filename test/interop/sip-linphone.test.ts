// Linphone as a phone of ours: digest, CPIM that it refuses, and notifications in its own way.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Draft, type EventOf, parseAddress } from '../../src/contract/index.ts';
import { message, open, signal } from '../adapters/sip/adapter-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { needs } from '../servers/debian.ts';
import { startLinphone } from '../servers/linphone.ts';
import { startLinphoneFriends } from '../servers/linphone-friends.ts';
import { until } from '../servers/process.ts';

const bob = 'sip:bob@native.example';

test('reference sip 3.12: Linphone registers with digest, is written to, and its bare IMDN by Call-ID is our receipt', async (t) => {
  if (!needs(t, 'linphone')) return;
  const { sip, hub, port } = await open(t, {
    nativeDomains: ['native.example'],
    // Linphone finds the way back by the address of the sender alone.
    domains: [{ domain: '127.0.0.1', shows: ['xmpp'], home: 'xmpp.example' }],
    auth: { realm: 'native.example', users: { bob: { password: 'secret' } } },
    t1Ms: 500,
    t2Ms: 4000,
  });
  const phone = await startLinphone();
  t.after(() => phone.stop());
  await phone.register(bob, `sip:127.0.0.1:${port}`, 'secret');
  const event = message(bob, { from: parseAddress(`sip:alice@127.0.0.1:${port}`), wants: ['delivered'] });
  assert.deepEqual(await sip.deliver(event, signal), { state: 'sent' });
  assert.match(await phone.event(/Content: "hello"/), /hello/);
  const draft = await hub.untilDraft(({ type }) => type === 'receipt', 15_000);
  assert.deepEqual(draft.type === 'receipt' && [draft.of, draft.state], [event.id, 'delivered']);
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ state }) => state),
    ['delivered'],
    'the failure of the attempt that it refused is not the message’s',
  );
});

const friends = ['sip:alice%40xmpp.example@gw.example', 'sip:dave%40xmpp.example@gw.example'] as const;
const [alice, dave] = friends;

async function openWithFriends(t: TestContext, more: Partial<Parameters<typeof open>[1]> = {}) {
  const opened = await open(t, {
    nativeDomains: ['native.example'],
    domains: [{ domain: 'gw.example', shows: ['xmpp'], home: 'xmpp.example' }],
    auth: { realm: 'native.example', users: { bob: { password: 'secret' } } },
    watchers: { notifyPauseMs: 100 },
    t1Ms: 500,
    t2Ms: 4000,
    ...more,
  });
  const { sip, hub } = opened;
  const asked = async () => {
    for (const friend of friends) {
      await hub.untilDraft((draft) => draft.type === 'subscription' && draft.to === friend, 20_000);
    }
  };
  const approve = (friend: string) =>
    sip.deliver(sampleEvent('subscription', friend, bob, { action: 'approve' }), signal);
  const tell = (friend: string, said: Partial<EventOf<'presence'>>) =>
    sip.deliver(sampleEvent('presence', `${friend};gr=desk`, bob, said), signal);
  return { ...opened, asked, approve, tell };
}

const account = { user: 'bob', domain: 'native.example', password: 'secret', friends };

test('RFC 5367 s.3: Linphone watches all its friends with one SUBSCRIBE, shows how each is, and says goodbye', async (t) => {
  if (!needs(t, 'linphone', 'python')) return;
  const { hub, port, asked, approve, tell } = await openWithFriends(t);
  const phone = await startLinphoneFriends({ ...account, registrar: port, listServer: 'sip:lists@gw.example' });
  t.after(() => phone.stop());
  const shows = (line: string) => until(() => phone.output().includes(`\n${line}\n`), line, 15_000);
  await asked();
  await approve(alice);
  await tell(alice, { availability: 'available', notes: { en: 'at my desk' } });
  await shows(`${alice} online Online: at my desk`);
  assert.ok(!phone.output().includes(`${dave} online`), 'who has not said yes is not shown');
  await tell(alice, { availability: 'busy' });
  await shows(`${alice} busy Busy: -`);
  await tell(alice, { availability: 'away', notes: { en: 'out' } });
  await shows(`${alice} busy Away: out`);
  await approve(dave);
  await tell(dave, { availability: 'available' });
  await shows(`${dave} online Online: -`);
  await tell(dave, { availability: 'unavailable', notes: { en: 'gone home' } });
  await shows(`${dave} offline Offline: gone home`);
  await phone.stop();
  for (const friend of friends) {
    await hub.untilDraft(({ type, to }) => type === 'presence' && to === friend, 10_000);
  }
});

test('RFC 4662 s.4.1: Linphone watches a list of the configuration, and shows how its members are', async (t) => {
  if (!needs(t, 'linphone', 'python')) return;
  const team = 'sip:team@gw.example';
  const { port, asked, approve, tell } = await openWithFriends(t, { lists: [{ uri: team, members: [alice, dave] }] });
  const phone = await startLinphoneFriends({ ...account, registrar: port, listServer: team, isListKnown: true });
  t.after(() => phone.stop());
  const shows = (line: string) => until(() => phone.output().includes(`\n${line}\n`), line, 15_000);
  await asked();
  for (const friend of friends) {
    await approve(friend);
    await tell(friend, { availability: 'available', notes: { '': 'here' } });
    await shows(`${friend} online Online: here`);
  }
});

test('RFC 3856 s.6.7: Linphone watches each friend alone where it has no list server, and shows how each is', async (t) => {
  if (!needs(t, 'linphone', 'python')) return;
  const { port, asked, approve, tell } = await openWithFriends(t);
  const phone = await startLinphoneFriends({ ...account, registrar: port });
  t.after(() => phone.stop());
  const shows = (line: string) => until(() => phone.output().includes(`\n${line}\n`), line, 15_000);
  await asked();
  await approve(alice);
  await tell(alice, { availability: 'busy', activities: ['on-the-phone'], notes: { en: 'in a call' } });
  await shows(`${alice} busy On the phone: in a call`);
  await tell(alice, { availability: 'unavailable' });
  await shows(`${alice} offline Offline: -`);
});

test('reference sip 3.7: what Linphone publishes reaches people of other networks: online, what it does, and its words', async (t) => {
  if (!needs(t, 'linphone', 'python')) return;
  const { sip, hub, port } = await openWithFriends(t, { publications: { watchers: 'everybody' } });
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'request' }), signal);
  await hub.untilDraft((draft) => draft.type === 'subscription' && draft.action === 'approve');
  const phone = await startLinphoneFriends({ ...account, friends: [], registrar: port, publishes: true });
  t.after(() => phone.stop());
  const isTold = (draft: Draft) => draft.type === 'presence' && draft.to === alice && draft.notes !== undefined;
  const told = await hub.untilDraft(isTold, 15_000);
  assert.ok(told.type === 'presence');
  assert.deepEqual([told.availability, told.activities, told.notes], ['busy', ['meeting'], { en: 'until noon' }]);
  const before = hub.drafts.length;
  await phone.stop();
  const isGone = (draft: Draft) =>
    draft.type === 'presence' && draft.to === alice && draft.availability === 'unavailable';
  await until(() => hub.drafts.slice(before).some(isGone), 'it takes back what it published', 10_000);
});
