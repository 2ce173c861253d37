// Who may bind, as what, how often, and what is said before: nobody's patience but ours decides.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { encode, type StatusName, statusName, tlvInt } from '../../../../adapters/smpp/codec/index.ts';
import { options } from '../../../../adapters/smpp/server/config.ts';
import { SmppServer } from '../../../../adapters/smpp/server/index.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { makeCertificate } from '../../../servers/certificate.ts';
import { needs } from '../../../servers/debian.ts';
import { temporaryFolder, until } from '../../../servers/process.ts';
import { Esme, from, me, open, submit, to } from './esme.ts';

for (const command of ['bind_transceiver', 'bind_transmitter', 'bind_receiver'] as const) {
  test(`SMPP 3.4 s.4.1: ${command} with each version, answered with our name; TLVs only to those who know them`, async (t) => {
    const { bound, connect, hub } = await open(t);
    for (const interface_version of [0x33, 0x34, 0x50]) {
      const esme = await connect();
      const answer = await esme.bind({ command, interface_version });
      assert.equal(answer.command_status, 0);
      assert.equal((answer.body as { system_id: string }).system_id, 'dragoman');
      assert.equal(tlvInt(answer.tlvs, 'sc_interface_version'), interface_version < 0x34 ? undefined : 0x34);
    }
    await bound();
    assert.equal(hub.gauges.get('esme_binds'), 4);
  });
}

test('a stop while it starts leaves nobody listening', async (t) => {
  const server = new SmppServer('esme', options.parse({ listen: [{ host: '127.0.0.1', port: 0 }], accounts: { me } }));
  const started = server.start(fakeHub());
  t.after(() => server.stop());
  await server.stop();
  await started;
  assert.deepEqual(server.ports, []);
});

test('SMPP 3.4 s.4.2: unbind is answered, and the connection ends', async (t) => {
  const { bound, hub } = await open(t);
  const esme = await bound();
  assert.equal((await esme.ask('unbind')).command_status, 0);
  await esme.ended();
  await until(() => hub.gauges.get('esme_binds') === 0, 'no bind');
});

test('SMPP 3.4 s.4.2: a stop says unbind to everybody', async (t) => {
  const { bound, server } = await open(t);
  const [one, other] = [await bound(), await bound({ command: 'bind_receiver' })];
  await server.stop();
  assert.ok(one.heard.some(({ command }) => command === 'unbind'));
  assert.ok(other.heard.some(({ command }) => command === 'unbind'));
});

const refused: Array<[what: string, StatusName, account: Record<string, unknown>, as: Record<string, unknown>]> = [
  ['a wrong password', 'ESME_RINVPASWD', {}, { password: 'wrong' }],
  ['an unknown system_id, which looks the same', 'ESME_RINVPASWD', {}, { system_id: 'nobody' }],
  ['an address outside allow', 'ESME_RBINDFAIL', { allow: ['192.0.2.0/24', '2001:db8::/32'] }, {}],
  ['a bind that the account may not have', 'ESME_RBINDFAIL', { binds: ['receiver'] }, {}],
];
describe('reference smpp 7.6: a bind that is refused is answered and then closed', () => {
  for (const [what, status, account, as] of refused) {
    test(`SMPP 3.4 s.4.1: ${what}: ${status}`, async (t) => {
      const { connect, hub } = await open(t, account);
      const esme = await connect();
      assert.equal(statusName((await esme.bind(as)).command_status), status);
      await esme.ended();
      assert.ok(!JSON.stringify(hub.logs).includes('secret') && !JSON.stringify(hub.logs).includes('wrong"'));
    });
  }

  test('an address inside allow is let in', async (t) => {
    const { bound } = await open(t, { allow: ['192.0.2.1', '127.0.0.0/8'] });
    await bound();
  });
});

test('SMPP 3.4 s.5.1.3: one bind too many is ESME_RALYBND; when another ends there is room again', async (t) => {
  const { bound, connect } = await open(t, { maxBinds: 2 });
  const [first] = [await bound(), await bound()];
  const third = await connect();
  assert.equal(statusName((await third.bind()).command_status), 'ESME_RALYBND');
  await third.ended();
  await first.ask('unbind');
  await first.ended();
  await until(async () => (await (await connect()).bind()).command_status === 0, 'room for another');
});

test('SMPP 3.4 s.2.2: a second bind on one connection is ESME_RALYBND, and the first goes on', async (t) => {
  const { bound } = await open(t);
  const esme = await bound();
  assert.equal(statusName((await esme.bind({ command: 'bind_receiver' })).command_status), 'ESME_RALYBND');
  assert.equal((await esme.ask('submit_sm', submit('x'))).command_status, 0);
});

test('SMPP 3.4 s.2.2: before a bind only enquire_link, unbind and bind are answered; the rest is ESME_RINVBNDSTS', async (t) => {
  const { connect } = await open(t);
  const esme = await connect();
  assert.equal(statusName((await esme.ask('submit_sm', submit('x'))).command_status), 'ESME_RINVBNDSTS');
  assert.equal((await esme.ask('enquire_link')).command_status, 0);
  assert.equal((await esme.bind()).command_status, 0);
});

test('SMPP 3.4 s.2.3: a receiver submits, asks and takes back nothing', async (t) => {
  const { bound } = await open(t);
  const esme = await bound({ command: 'bind_receiver' });
  const answers = [
    await esme.ask('submit_sm', submit('x')),
    await esme.ask('data_sm', { ...from, ...to }),
    await esme.ask('query_sm', { message_id: '1000000000' }),
    await esme.ask('cancel_sm', { message_id: '1000000000' }),
    await esme.ask('replace_sm', { message_id: '1000000000', short_message: Buffer.from('x') }),
  ];
  assert.ok(answers.every(({ command_status }) => statusName(command_status) === 'ESME_RINVBNDSTS'));
});

test('SMPP 3.4 s.2.2: requests in the segment of the bind are taken after it', async (t) => {
  const { connect, hub } = await open(t);
  const esme = await connect();
  const bind = { system_id: 'me', password: 'secret', interface_version: 0x34 };
  esme.raw(
    Buffer.concat([
      encode({ command: 'bind_transceiver', sequence_number: 1, body: bind }),
      encode({ command: 'submit_sm', sequence_number: 2, body: submit('at once') }),
    ]),
  );
  assert.equal((await esme.next('bind_transceiver_resp')).command_status, 0);
  assert.equal((await esme.next('submit_sm_resp')).command_status, 0);
  assert.equal(hub.drafts.length, 1);
});

test('reference smpp 7.6: whoever does not bind in time is cut off', async (t) => {
  const { connect, hub, bound } = await open(t, {}, { bindTimeoutMs: 5000 });
  hub.clock = 1_000_000;
  const silent = await connect();
  const good = await bound();
  await until(async () => (await good.ask('enquire_link')).command_status === 0, 'the ticker to have seen both');
  hub.clock += 5000;
  await silent.ended();
  assert.equal((await good.ask('submit_sm', submit('x'))).command_status, 0);
});

test('reference smpp 7.6: one octet now and then does not help: the bind timer counts from the connection', async (t) => {
  const { connect, hub } = await open(t, {}, { bindTimeoutMs: 5000 });
  hub.clock = 1_000_000;
  const slow = await connect();
  const octets = encode({ command: 'bind_transceiver', sequence_number: 1, body: { system_id: 'me' } });
  for (let at = 0; at < 10; at++) {
    slow.raw(octets.subarray(at, at + 1));
    await new Promise(setImmediate);
    hub.clock += 600;
  }
  await slow.ended();
});

test('reference smpp 7.6: more octets before a bind than a bind needs end the connection', async (t) => {
  const { connect, bound } = await open(t, {}, { maxUnboundBytes: 1000 });
  const good = await bound();
  const flood = await connect();
  const ask = encode({ command: 'enquire_link', sequence_number: 1 });
  flood.raw(Buffer.concat(Array.from({ length: 100 }, () => ask)));
  await flood.ended();
  assert.equal((await good.ask('submit_sm', submit('x'))).command_status, 0);
});

test('reference smpp 7.6: no more connections than allowed, in all and of one address', async (t) => {
  for (const limit of [{ maxConnections: 3 }, { maxConnectionsPerSource: 3 }]) {
    const { connect, hub } = await open(t, {}, limit);
    const three = [await connect(), await connect(), await connect()];
    await until(async () => (await three[2]?.ask('enquire_link'))?.command_status === 0, 'the third');
    const fourth = await connect();
    await fourth.ended();
    const [why] = [...hub.counters.keys()].filter((key) => key.startsWith('connections_refused_total'));
    assert.match(why ?? '', 'maxConnections' in limit ? /full/ : /too many of one address/);
    three[0]?.drop();
    await until(async () => {
      const again = await connect();
      await Promise.race([again.ended(), again.bind()]).catch(() => {});
      return !again.isEnded;
    }, 'room again');
  }
});

test('reference smpp 7.6: an address that guesses passwords waits, longer each time, and a bind that was there stays', async (t) => {
  const { connect, bound, hub } = await open(t, {}, { logins: { maxFailures: 2, firstMs: 1000, maxMs: 4000 } });
  hub.clock = 1_000_000;
  const good = await bound();
  const guess = async () => {
    const esme = await connect();
    const { command_status } = await esme.bind({ password: 'guess' });
    await esme.ended();
    return statusName(command_status);
  };
  assert.deepEqual([await guess(), await guess()], ['ESME_RINVPASWD', 'ESME_RINVPASWD']);
  await (await connect()).ended();
  hub.clock += 1000;
  assert.equal(await guess(), 'ESME_RINVPASWD');
  hub.clock += 1000;
  await (await connect()).ended();
  hub.clock += 1000;
  assert.equal((await (await connect()).bind()).command_status, 0);
  assert.equal((await good.ask('submit_sm', submit('x'))).command_status, 0);
});

test('reference smpp 7.6: whoever does not finish the TLS handshake is counted, and cut off in time', async (t) => {
  if (!needs(t, 'openssl')) return;
  const folder = temporaryFolder('smpp-door');
  t.after(() => folder.remove());
  const { cert, key } = makeCertificate(folder.path);
  const listen = [{ host: '127.0.0.1', port: 0, tls: { cert, key } }];
  const { connect, hub, port } = await open(t, {}, { listen, bindTimeoutMs: 500, maxConnectionsPerSource: 1 });
  const silent = await connect();
  await until(async () => {
    await (await connect()).ended();
    return hub.counters.has('connections_refused_total{why=too many of one address}');
  }, 'the second is turned away');
  await silent.ended();
  const socket = connectTls({ port, host: '127.0.0.1', ca: cert });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  assert.equal((await new Esme(socket).bind()).command_status, 0);
});

test('SMPP 3.4 s.4.11: a silent ESME is asked whether it lives, and without an answer cut off', async (t) => {
  const { bound, hub } = await open(t, {}, { enquireLinkMs: 1000, responseTimeoutMs: 500 });
  hub.clock = 1_000_000;
  const esme = await bound();
  hub.clock += 1000;
  const asked = await esme.next('enquire_link');
  esme.answer(asked);
  await esme.ask('enquire_link');
  hub.clock += 1000;
  await esme.next('enquire_link');
  hub.clock += 500;
  await esme.ended();
});

test('reference smpp 7.6: a bind without a message for too long is unbound; enquire_link does not count', async (t) => {
  const { bound, hub } = await open(t, {}, { idleMs: 10_000, enquireLinkMs: 0 });
  hub.clock = 1_000_000;
  const esme = await bound();
  hub.clock += 9000;
  await esme.ask('enquire_link');
  hub.clock += 1000;
  await esme.next('unbind');
  await esme.ended();
});

test('the view `binds` shows who is there, and no secret', async (t) => {
  const { bound, server } = await open(t, { ratePerSecond: 5 });
  const esme = await bound();
  await esme.ask('submit_sm', submit('x'));
  const rows = await Array.fromAsync(server.views.binds());
  const [{ since, ...row } = { since: '' }] = rows;
  assert.ok(Date.parse(String(since)) > 0);
  assert.deepEqual(row, {
    account: 'me',
    bind: 'transceiver',
    version: '3.4',
    ip: '127.0.0.1',
    tls: false,
    window: 100,
    waiting: 0,
    ratePerSecond: 5,
    submitted: 1,
    delivered: 0,
    throttled: 0,
  });
  assert.ok(!JSON.stringify(rows).includes(me.password));
});

test('a port that is taken is said at the start, and a stop afterwards does nothing', async (t) => {
  const first = await open(t);
  await assert.rejects(open(t, {}, { listen: [{ host: '127.0.0.1', port: first.port }] }), /EADDRINUSE/);
});

test('a number that two accounts claim is a fault of the configuration', () => {
  const accounts = {
    shop: { password: 'a', numbers: ['+447700900100'] },
    bank: { password: 'b', numbers: ['+447700900100'] },
  };
  const [issue] = options.safeParse({ accounts }).error?.issues ?? [];
  assert.deepEqual(issue?.path, ['accounts', 'bank', 'numbers', 0]);
  assert.equal(issue?.message, "+447700900100 is shop's already: a number has one account");
});
