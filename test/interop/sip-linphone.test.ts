// Linphone as a phone of ours: digest, CPIM that it refuses, and notifications in its own way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/contract/index.ts';
import { message, open, signal } from '../adapters/sip/adapter-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { needs } from '../servers/debian.ts';
import { startLinphone } from '../servers/linphone.ts';
import { startLinphonec } from '../servers/linphonec.ts';
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

test('RFC 5367 s.3: Linphone watches all its friends with one SUBSCRIBE, takes what each lets it see, and says goodbye', async (t) => {
  if (!needs(t, 'linphone')) return;
  const { sip, hub, port } = await open(t, {
    nativeDomains: ['native.example'],
    domains: [{ domain: 'gw.example', shows: ['xmpp'], home: 'xmpp.example' }],
    auth: { realm: 'native.example', users: { bob: { password: 'secret' } } },
    watchers: { notifyPauseMs: 100 },
    t1Ms: 500,
    t2Ms: 4000,
  });
  const [alice, dave] = ['sip:alice%40xmpp.example@gw.example', 'sip:dave%40xmpp.example@gw.example'] as const;
  const phone = await startLinphonec({
    ...{ user: 'bob', domain: 'native.example', password: 'secret', registrar: port },
    ...{ friends: [alice, dave], listServer: 'sip:lists@gw.example' },
  });
  t.after(() => phone.stop());
  for (const friend of [alice, dave]) {
    await hub.untilDraft((draft) => draft.type === 'subscription' && draft.to === friend, 20_000);
  }
  const taken = () => hub.counters.get('answers_total{method=NOTIFY,status=200}') ?? 0;
  await until(() => taken() === 1, 'the first NOTIFY is taken');
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'approve' }), signal);
  await sip.deliver(sampleEvent('presence', `${alice};gr=desk`, bob, { availability: 'available' }), signal);
  await until(() => taken() === 2, 'the state of one friend is taken');
  await phone.stop();
  for (const friend of [alice, dave]) {
    await hub.untilDraft(({ type, to }) => type === 'presence' && to === friend, 10_000);
  }
});
