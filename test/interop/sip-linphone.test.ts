// Linphone as a phone of ours: digest, CPIM that it refuses, and notifications in its own way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/contract/index.ts';
import { message, open, signal } from '../adapters/sip/adapter-fixtures.ts';
import { needs } from '../servers/debian.ts';
import { startLinphone } from '../servers/linphone.ts';

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
