// An operator changes accounts in the file and says SIGHUP: ESMEs and applications that stay notice nothing, those that are
// gone are gone, new ones are let in, and the log says what needs a restart.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { statusName } from '../../adapters/smpp/codec/index.ts';
import { Esme, submit } from '../adapters/smpp/server/esme.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';
import { GatewayProcess } from './gateway-process.ts';

const shop = '+447700900200';

async function esmeAt(t: TestContext, port: number): Promise<Esme> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return new Esme(socket);
}

test('reference smpp 7.6: SIGHUP reloads accounts of the SMS centre and of the HTTP doors, and the rate of a carrier', async (t) => {
  const folder = temporaryFolder('reload');
  t.after(() => folder.remove());
  const [smpp = 0, http = 0, carrier = 0, spare = 0] = await freePorts(4);
  const app = { password: 'correct horse', token: 'a-token-of-sixteen-or-more', senders: ['88222'] };
  const settings = (accounts: object, apps: object, more: object = {}, port = smpp) => ({
    data: join(folder.path, 'data'),
    routes: [{ to: 'im:*', via: 'echo' }],
    instances: {
      centre: { protocol: 'smpp/server', listen: [{ port }], accounts },
      doors: { protocol: 'http', port: http, accounts: apps },
      north: { protocol: 'smpp', port: carrier, systemId: 'me', ...more },
      echo: { protocol: 'loopback', domain: 'echo.example' },
    },
    people: [{ addresses: ['im:alice@echo.example', 'tel:+447700900001'] }],
  });
  const stays = { password: 'secret', numbers: [shop] };
  const goes = { password: 'secret' };
  const gateway = await GatewayProcess.prepare(folder.path, settings({ stays, goes }, { first: app }));
  const isListening = () =>
    esmeAt(t, smpp).then(
      () => true,
      () => false,
    );
  await gateway.start(isListening);
  t.after(() => gateway.stop());
  const [staying, going] = [await esmeAt(t, smpp), await esmeAt(t, smpp)];
  await staying.bind({ system_id: 'stays' });
  await going.bind({ system_id: 'goes' });
  const asked = (token: string) =>
    fetch(`http://127.0.0.1:${http}/messages/none`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await asked(app.token)).status, 404);

  const second = { ...app, token: 'another-token-of-sixteen' };
  const accounts = { stays: { ...stays, ratePerSecond: 1 }, comes: { password: 'fresh' } };
  const said = await gateway.reload(settings(accounts, { second }, { window: 3 }, spare));
  assert.deepEqual(said.sort(), [
    'centre.accounts: taken over',
    'centre.listen: taken over',
    'doors.accounts: taken over',
    'north.window: taken over',
  ]);
  await going.next('unbind');
  await going.ended();
  await assert.rejects(esmeAt(t, smpp), { code: 'ECONNREFUSED' });
  const coming = await esmeAt(t, spare);
  assert.equal((await coming.bind({ system_id: 'comes', password: 'fresh' })).command_status, 0);
  const gone = await esmeAt(t, spare);
  assert.equal(statusName((await gone.bind({ system_id: 'goes' })).command_status), 'ESME_RINVPASWD');
  const to = { destination_addr: '447700900001' };
  const from = { source_addr: shop.slice(1) };
  const statuses = [];
  for (const text of ['one', 'two']) {
    statuses.push(statusName((await staying.ask('submit_sm', submit(text, { ...to, ...from }))).command_status));
  }
  assert.deepEqual(statuses, ['ESME_ROK', 'ESME_RTHROTTLED'], 'its new rate holds for the bind that it has');
  assert.deepEqual([(await asked(app.token)).status, (await asked(second.token)).status], [401, 404]);
  const rows = await (await fetch(`${gateway.adminUrl}/api/views/binds?instance=north`)).json();
  assert.equal((rows as Array<{ windowMost: number }>)[0]?.windowMost, 3);

  assert.deepEqual(await gateway.reload(settings(accounts, { second }, { window: 3 })), ['centre.listen: taken over']);
  await esmeAt(t, smpp);
  assert.equal((await staying.ask('enquire_link')).command_status, 0, 'who was bound stayed all the time');
  await until(async () => (await gateway.status()).instances.every(({ name }) => name !== ''), 'it goes on');
});
