// A carrier of npm smpp that cannot reach a phone: the gateway keeps the message, and tries again when the carrier says that the
// phone is back, long before its own next try.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { npmSmsc } from '../peers/smpp-npm.ts';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { temporaryFolder, until } from '../servers/process.ts';

test('SMPP 3.4 s.4.12: what waits for a phone goes out when alert_notification says that it is back, not when its next try is due', async (t) => {
  const folder = temporaryFolder('smpp-alert');
  t.after(() => folder.remove());
  const smsc = await npmSmsc();
  t.after(() => smsc.close());
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    delivery: { retryFirst: '10m', retryMax: '10m' },
    people: [{ addresses: ['im:alice@here.example', 'tel:+447700900001'] }],
    routes: [{ to: 'tel:*', via: 'carrier' }],
    instances: {
      carrier: { protocol: 'smpp', port: smsc.port, systemId: 'me', submitWith: 'data_sm', setDpf: true },
      here: { protocol: 'loopback', domain: 'here.example' },
    },
  });
  const deliveryFailure = 0xfe;
  smsc.onSubmit = () => ({ command_status: deliveryFailure });
  await gateway.start();
  t.after(() => gateway.stop());
  const body = JSON.stringify({ from: 'im:alice@here.example', to: 'tel:+447700900123', text: 'are you there?' });
  const headers = { 'content-type': 'application/json' };
  const sent = await fetch(`${gateway.adminUrl}/api/send`, { method: 'POST', headers, body });
  assert.ok(sent.ok, await sent.text());
  await until(() => smsc.submits.length === 1, 'a first try', 20_000);
  assert.equal(smsc.submits[0]?.set_dpf, 1);
  smsc.onSubmit = () => ({ message_id: '1' });
  const alert = () => {
    smsc.sessions.at(-1)?.alert_notification({ source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900123' });
  };
  // The refusal may still be on its way into the gateway: nothing waits for a phone before it has failed.
  await until(
    async () => {
      alert();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return smsc.submits.length === 2;
    },
    'the second try',
    30_000,
  );
});
