// Accounts that change while ESMEs are bound: as an operator does it, without a restart.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { statusName } from '../../../../adapters/smpp/codec/index.ts';
import { options } from '../../../../adapters/smpp/server/config.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { freePorts } from '../../../servers/process.ts';
import { message } from '../event.ts';
import { type Centre, me, open, signal, submit } from './esme.ts';

const changed = ({ server }: Centre, accounts: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  server.reconfigure(options.parse({ listen: [{ host: '127.0.0.1', port: 0 }], accounts, ...more }));

async function connectTo(port: number) {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return socket;
}

const refused = async (centre: Centre, as: { system_id?: string; password?: string }) => {
  const esme = await centre.connect();
  return statusName((await esme.bind(as)).command_status);
};

test('reference smpp 7.6: hot reload: a new account may bind at once, and its numbers are its own', async (t) => {
  const centre = await open(t);
  const old = await centre.bound();
  assert.equal(await refused(centre, { system_id: 'new', password: 'fresh' }), 'ESME_RINVPASWD');
  await changed(centre, { me, new: { password: 'fresh', numbers: ['+447700900555'] } });
  const fresh = await centre.bound({ system_id: 'new', password: 'fresh' });
  fresh.onPdu = (pdu) => fresh.answer(pdu);
  const to = parseAddress('tel:+447700900555');
  assert.equal(centre.server.destination(message('hi', { to })), 'new');
  assert.equal((await centre.server.deliver(message('hi', { to }), signal)).facts?.account, 'new');
  assert.equal((await old.ask('submit_sm', submit('still here'))).command_status, 0);
});

test('reference smpp 7.6: hot reload: who is unbound by one and again by the next still has the answers it waits for', async (t) => {
  const centre = await open(t);
  const esme = await centre.bound();
  const { promise: taken, resolve } = Promise.withResolvers<void>();
  const publish = centre.hub.publish.bind(centre.hub);
  t.mock.method(centre.hub, 'publish', async (draft: Parameters<typeof publish>[0]) => {
    await taken;
    return publish(draft);
  });
  esme.send({ command: 'submit_sm', sequence_number: 9, body: submit('hi') });
  assert.equal((await esme.ask('enquire_link')).command_status, 0);
  for (const password of ['one', 'two']) await changed(centre, { me: { ...me, password } });
  resolve();
  assert.equal((await esme.next('submit_sm_resp')).command_status, 0);
});

test('reference smpp 7.6: hot reload: an account that is gone is unbound, and may not come back', async (t) => {
  const centre = await open(t, {}, {});
  await changed(centre, { me, other: { password: 'secret' } });
  const [mine, other] = [await centre.bound(), await centre.bound({ system_id: 'other' })];
  await changed(centre, { other: { password: 'secret' } });
  await mine.next('unbind');
  await mine.ended();
  assert.equal(await refused(centre, {}), 'ESME_RINVPASWD');
  assert.equal((await other.ask('enquire_link')).command_status, 0);
  await assert.rejects(centre.server.deliver(message('x', { to: parseAddress('tel:+447700900100') }), signal), {
    reason: 'not-found',
  });
});

test('reference smpp 7.6: hot reload: with another password, address, kind of bind or fewer of them those that do not fit are unbound', async (t) => {
  for (const [account, kept] of [
    [{ password: 'other' }, 0],
    [{ allow: ['192.0.2.0/24'] }, 0],
    [{ binds: ['receiver'] }, 0],
    [{ maxBinds: 1 }, 1],
    [{ window: 7 }, 2],
  ] as const) {
    const centre = await open(t);
    const esmes = [await centre.bound(), await centre.bound()];
    await changed(centre, { me: { ...me, ...account } });
    const rest = esmes.slice(kept);
    await Promise.all(rest.map((esme) => esme.next('unbind')));
    await Promise.all(rest.map((esme) => esme.ended()));
    assert.equal((await Array.fromAsync(centre.server.views.binds())).length, kept, JSON.stringify(account));
  }
});

test('reference smpp 7.6: hot reload: another rate holds for binds that are there, and what was used up stays so', async (t) => {
  const centre = await open(t, { ratePerSecond: 1 });
  centre.hub.clock = 1_000_000;
  const esme = await centre.bound();
  const say = async () => statusName((await esme.ask('submit_sm', submit('x'))).command_status);
  assert.deepEqual([await say(), await say()], ['ESME_ROK', 'ESME_RTHROTTLED']);
  await changed(centre, { me: { ...me, ratePerSecond: 1, senders: ['Shop'] } });
  assert.equal(await say(), 'ESME_RTHROTTLED');
  await changed(centre, { me: { ...me, ratePerSecond: 3 } });
  assert.deepEqual(
    [await say(), await say(), await say(), await say()],
    ['ESME_ROK', 'ESME_ROK', 'ESME_ROK', 'ESME_RTHROTTLED'],
  );
  const [row] = await Array.fromAsync(centre.server.views.binds());
  assert.equal(row?.ratePerSecond, 3);
});

test('hot reload: limits of the centre hold from now on, and an account that cannot be leaves all as it was', async (t) => {
  const centre = await open(t);
  await centre.bound();
  await changed(centre, { me }, { maxConnections: 1, systemId: 'renamed' });
  const turned = await centre.connect();
  await turned.ended();
  await assert.rejects(changed(centre, { me: { ...me, defaultSender: ' ' } }, { maxConnections: 9 }), /empty address/);
  const still = await centre.connect();
  await still.ended();
});

test('reference smpp 7.6: hot reload: another listener is opened, one that is gone takes nobody in, and who is bound stays', async (t) => {
  const centre = await open(t);
  const esme = await centre.bound();
  const [first = 0] = centre.server.ports;
  const [one = 0, two = 0] = await freePorts(2);
  const at = (...ports: number[]) => ({ listen: ports.map((port) => ({ host: '127.0.0.1', port })) });
  await changed(centre, { me }, at(0, one));
  assert.deepEqual(centre.server.ports, [first, one], 'what stays is not touched');
  await changed(centre, { me }, at(one, two));
  assert.deepEqual(centre.server.ports, [one, two]);
  await assert.rejects(connectTo(first), { code: 'ECONNREFUSED' });
  for (const port of [one, two]) (await connectTo(port)).destroy();
  assert.equal((await esme.ask('enquire_link')).command_status, 0);
});

test('reference smpp 7.6: hot reload: a port that is taken leaves every listener and account as it was', async (t) => {
  const centre = await open(t);
  const [spare = 0] = await freePorts(1);
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const listen = [spare, port].map((one) => ({ host: '127.0.0.1', port: one }));
  const before = [...centre.server.ports];
  await assert.rejects(changed(centre, { me: { ...me, password: 'other' } }, { listen }), { code: 'EADDRINUSE' });
  assert.deepEqual(centre.server.ports, before);
  await assert.rejects(connectTo(spare), { code: 'ECONNREFUSED' });
  assert.equal(await refused(centre, {}), 'ESME_ROK');
  const bad = { me: { ...me, defaultSender: ' ' } };
  await assert.rejects(changed(centre, bad, { listen: listen.slice(0, 1) }), /empty address/);
  await assert.rejects(connectTo(spare), { code: 'ECONNREFUSED' });
  assert.equal(await refused(centre, {}), 'ESME_ROK');
});

test('reference smpp 7.6: hot reload: guessing passwords costs what it costs now', async (t) => {
  const centre = await open(t);
  await changed(centre, { me }, { logins: { maxFailures: 1 } });
  assert.equal(await refused(centre, { password: 'a guess' }), 'ESME_RINVPASWD');
  const blocked = await centre.connect();
  await blocked.ended();
});
