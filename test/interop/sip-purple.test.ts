// libpurple (Pidgin, Finch, BitlBee) as a phone of ours: digest as with a proxy, text, publication and contacts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, message, signal } from '../adapters/sip/adapter-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { until } from '../servers/process.ts';
import { startPurple } from '../servers/purple.ts';

// It looks its server up by the domain of the account.
const bob = 'sip:bob@127.0.0.1';
const alice = 'sip:alice@gw.example';

test('RFC 3261 s.8.2.7: libpurple answers challenges with the same branch: it registers, publishes, watches, and chats', async (t) => {
  if (!needs(t, 'bitlbee')) return;
  const hub = fakeHub();
  const sip = create({
    nativeDomains: ['127.0.0.1'],
    auth: { realm: '127.0.0.1', asProxy: true, users: { bob: { password: 'secret' } } },
    watchers: { notifyPauseMs: 100 },
    t1Ms: 500,
    t2Ms: 4000,
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  const purple = await startPurple(bob, 'secret', sip.portOf('UDP'));
  t.after(() => purple.stop());
  const count = (name: string) => hub.counters.get(name) ?? 0;

  await until(() => count('requests_total{method=PUBLISH,status=200}') > 0, 'it has published itself');
  const [publication] = await Array.fromAsync(sip.views.publications?.() ?? []);
  assert.ok(publication, 'operators see it');

  await sip.deliver(message(bob, { text: { '': 'hello 👋' } }), signal);
  await purple.says(/sip:alice%40xmpp\.example@gw\.example PRIVMSG .*hello 👋/, 'it shows the message');

  purple.command('add simple alice@gw.example');
  await hub.untilDraft((draft) => draft.type === 'subscription' && draft.action === 'request', 20_000);
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'approve' }), signal);
  await sip.deliver(sampleEvent('presence', alice, bob, { availability: 'available' }), signal);
  await purple.says(/alice@gw\.example \S+\s+Online/, 'its contact is online', 'blist all');
  await sip.deliver(sampleEvent('presence', alice, bob, { availability: 'unavailable' }), signal);
  await purple.says(/0 available, 0 away/, 'its contact is gone', 'blist all');

  purple.write('alice', 'grüße');
  await hub.untilDraft(({ type }) => type === 'message');
  assert.deepEqual(
    hub.draftsOf('message').map(({ from, to, text }) => [from, to, text]),
    [[bob, alice, { '': 'grüße' }]],
  );
  await until(() => count('requests_total{method=MESSAGE,status=202}') === 1, 'and it was told so');
});
