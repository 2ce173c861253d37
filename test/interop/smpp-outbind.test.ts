// npm smpp as an ESME that waits to be called: a message for it makes our gateway connect, say outbind and deliver.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { npmWaitingEsme } from '../peers/smpp-npm-esme.ts';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';

const shop = '+447700900200';

test('SMPP 3.4 s.4.1.7: npm smpp is called when a message waits for it, gets it, leaves, and is called for the next', async (t) => {
  const folder = temporaryFolder('smpp-outbind');
  t.after(() => folder.remove());
  const esme = await npmWaitingEsme('shop', 'secret');
  t.after(() => esme.close());
  const [port = 0] = await freePorts(1);
  const outbind = { host: '127.0.0.1', port: esme.port, password: 'wake up' };
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    people: [{ addresses: ['im:alice@here.example', 'tel:+447700900001'] }],
    routes: [{ to: 'tel:*', via: 'centre' }],
    instances: {
      centre: {
        protocol: 'smpp/server',
        listen: [{ port }],
        accounts: { shop: { password: 'secret', numbers: [shop], outbind } },
      },
      here: { protocol: 'loopback', domain: 'here.example' },
    },
  });
  await gateway.start();
  t.after(() => gateway.stop());
  for (const [at, text] of ['first', 'second'].entries()) {
    const body = JSON.stringify({ from: 'im:alice@here.example', to: `tel:${shop}`, text });
    const sent = await fetch(`${gateway.adminUrl}/api/send`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    assert.ok(sent.ok, await sent.text());
    await until(() => esme.heard.length === at + 1, `${text} is there`, 20_000);
    await until(() => esme.sessions.size === 0, 'the ESME has left');
  }
  assert.equal(esme.outbinds.length, 2);
  assert.equal(String(esme.outbinds[0]?.password), 'wake up');
  const texts = esme.heard.map(({ short_message }) => String((short_message as { message: unknown }).message));
  assert.deepEqual(texts, ['first', 'second']);
});
