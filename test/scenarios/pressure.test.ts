// A carrier that takes nothing: what waits for it grows to the limit, and then whoever sends is told to wait, each in the words
// of its own protocol. When the carrier takes messages again so do we, and all that was accepted arrives.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { statusName } from '../../adapters/smpp/codec/index.ts';
import { Esme, submit } from '../adapters/smpp/server/esme.ts';
import { npmSmsc } from '../peers/smpp-npm.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';
import { GatewayProcess } from './gateway-process.ts';

const highWater = 20;
const token = 'a-token-of-sixteen-or-more';

test('reference smpp 7.3: pressure of a carrier is carried back to senders over SMPP and HTTP, and nothing accepted is lost', async (t) => {
  const folder = temporaryFolder('pressure');
  t.after(() => folder.remove());
  const smsc = await npmSmsc();
  t.after(() => smsc.close());
  let id = 0;
  let isFull = true;
  smsc.onSubmit = () => (isFull ? { command_status: 0x14 } : { message_id: `${++id}` });
  const [smpp = 0, http = 0] = await freePorts(2);
  const password = 'correct horse';
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    queue: { highWater },
    routes: [{ to: 'tel:+44*', via: 'north' }],
    instances: {
      north: { protocol: 'smpp', port: smsc.port, systemId: 'me', window: 10, throttle: { firstMs: 200, maxMs: 500 } },
      centre: {
        protocol: 'smpp/server',
        listen: [{ port: smpp }],
        accounts: { shop: { password: 'secret', numbers: ['+447700900200'] } },
      },
      doors: { protocol: 'http', port: http, accounts: { app: { password, token, senders: ['+447700900300'] } } },
    },
  });
  await gateway.start();
  t.after(() => gateway.stop());
  const socket = connect({ port: smpp, host: '127.0.0.1', noDelay: true });
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const esme = new Esme(socket);
  await esme.bind({ system_id: 'shop' });

  let accepted = 0;
  const byEsme = async () => {
    const numbers = { source_addr: '447700900200', destination_addr: `4477009${String(10_000 + accepted).slice(-5)}` };
    const { command_status } = await esme.ask('submit_sm', submit(`esme ${accepted}`, numbers));
    if (command_status === 0) accepted++;
    return statusName(command_status);
  };
  const byJson = async () => {
    const body = JSON.stringify({ to: ['+447700900123'], text: 'json' });
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${http}/messages`, { method: 'POST', body, headers });
    if (answer.status === 202) accepted++;
    return answer;
  };
  const byUrl = async () => {
    const query = `username=app&password=${encodeURIComponent(password)}&to=%2B447700900124&text=url`;
    const answer = await fetch(`http://127.0.0.1:${http}/cgi-bin/sendsms?${query}`);
    if (answer.status === 202) accepted++;
    return answer;
  };

  await until(async () => (await byEsme()) === 'ESME_RMSGQFUL', 'the ESME is told that the queue is full', 20_000);
  assert.ok(accepted > highWater, `${accepted} were taken before`);
  const json = await byJson();
  assert.deepEqual([json.status, json.headers.get('retry-after')], [429, '5']);
  const url = await byUrl();
  assert.deepEqual([url.status, (await url.text()).startsWith('Temporal failure')], [503, true]);

  isFull = false;
  await until(async () => (await byEsme()) === 'ESME_ROK', 'the ESME may go on', 20_000);
  await until(async () => (await byJson()).status === 202 && (await byUrl()).status === 202, 'the doors too', 20_000);
  await until(() => id >= accepted, `all ${accepted} arrive`, 20_000);
  assert.equal(id, accepted);
});
