// Several binds and hosts of one account, the versions they speak, outbind, and what operators see of them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { Link } from '../../../adapters/smpp/binds/link.ts';
import { encode, intTlv } from '../../../adapters/smpp/codec/index.ts';
import { endpointsOf } from '../../../adapters/smpp/config.ts';
import { adapter, Smpp } from '../../../adapters/smpp/index.ts';
import { parseAddress, type ViewRow } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { type NpmSmsc, npmSmsc } from '../../peers/smpp-npm.ts';
import { WirePeer, wireSmsc } from '../../peers/smpp-wire.ts';
import { freePorts, until } from '../../servers/process.ts';
import { dlr, mo, open, signal } from './carrier.ts';
import { message } from './event.ts';

const to = (n: number) => ({ to: parseAddress(`tel:+447700900${100 + n}`) });

async function rowsOf(smpp: { views?: Readonly<Record<string, () => AsyncIterable<ViewRow>>> }, topic: string) {
  const rows: ViewRow[] = [];
  for await (const row of smpp.views?.[topic]?.() ?? []) rows.push(row);
  return rows;
}

async function smscs(t: TestContext, count: number): Promise<NpmSmsc[]> {
  const all = await Promise.all(Array.from({ length: count }, () => npmSmsc()));
  t.after(() => Promise.all(all.map((smsc) => smsc.close())));
  return all;
}

const local = (smsc: { port: number }) => `127.0.0.1:${smsc.port}`;

describe('reconnect', () => {
  /** A link to an SMSC that answers each bind with that status, by a clock of the test's. */
  const refusing = async (t: TestContext, status: number) => {
    const smsc = await npmSmsc();
    t.after(() => smsc.close());
    smsc.onBind = () => ({ command_status: status });
    const clock = { now: 1_000_000 };
    let ended = Promise.withResolvers<string>();
    const handler = {
      up: () => ended.resolve('up'),
      down: (why: string) => ended.resolve(why),
      request: () => 'silent' as const,
      oddity: () => {},
      late: () => {},
    };
    const reconnect = { firstMs: 1000, maxMs: 8000 };
    const settings = adapter.options.parse({ port: smsc.port, systemId: 'me', reconnect, enquireLinkMs: 0 });
    const link = new Link('bind_transceiver', settings, endpointsOf(settings), 0, handler, () => clock.now);
    t.after(() => link.stop());
    await link.start();
    /** How long until the next attempt, to the tenth of a second, and how it ends. */
    const next = async () => {
      ended = Promise.withResolvers();
      const since = clock.now;
      while (link.state === 'waiting') {
        clock.now += 100;
        link.tick();
      }
      return { ms: clock.now - since, outcome: await ended.promise };
    };
    return { next };
  };
  test('reference smpp 1.1: pauses between attempts to bind double up to the longest, each with jitter', async (t) => {
    const { next } = await refusing(t, 0x08);
    for (const expected of [1000, 2000, 4000, 8000, 8000]) {
      const { ms } = await next();
      assert.ok(ms >= expected * 0.75 && ms <= expected * 1.25 + 100, `${ms} for ${expected}`);
    }
  });
  test('reference smpp 5: a wrong password is not tried again before the longest pause', async (t) => {
    const { next } = await refusing(t, 0x0e);
    assert.ok((await next()).ms >= 8000 * 0.75);
  });
});

describe('several binds', () => {
  test('reference smpp 1.1: several binds of one account share the load, and a receipt may come on any of them', async (t) => {
    const { smsc, hub, smpp } = await open(t, { binds: 3 });
    assert.equal(smsc.binds.length, 3);
    const users = new Set<object>();
    let id = 0;
    smsc.onSubmit = (_, session) => {
      users.add(session);
      return { message_id: `${++id}` };
    };
    await Promise.all(Array.from({ length: 60 }, (_, n) => smpp.deliver(message('hi', to(n)), signal)));
    assert.ok(users.size > 1, `${users.size} binds were used`);
    await smsc.tell('deliver_sm', { ...dlr('1'), source_addr: '447700900100' });
    assert.equal(hub.draftsOf('receipt')[0]?.state, 'delivered');
  });
  test('reference smpp 1.1: several binds: one bind of three goes: the account stays up, what is sent goes out on the others, and it is bound again', async (t) => {
    const { smsc, hub, smpp } = await open(t, { binds: 3 });
    smsc.sessions[0]?.destroy();
    await until(() => hub.logs.some(({ message: said }) => said === 'a bind is down, others are up'), 'a warning');
    assert.equal(hub.statuses.at(-1)?.state, 'up');
    await Promise.all(Array.from({ length: 5 }, (_, n) => smpp.deliver(message('hi', to(n)), signal)));
    assert.equal(smsc.submits.length, 5);
    await until(() => smsc.binds.length === 4, 'the fourth bind');
  });
  test('reference smpp 7.5: with one bind of two lost, its message in flight goes to the policy and none is sent twice', async (t) => {
    const { smsc, hub, smpp } = await open(t, { binds: 2, window: 4 });
    await Promise.all(Array.from({ length: 8 }, (_, n) => smpp.deliver(message('warm', to(n)), signal)));
    const held: Array<[submit: (typeof smsc.submits)[0], session: (typeof smsc.sessions)[0]]> = [];
    smsc.onSubmit = (submit, session) => void held.push([submit, session]);
    const before = smsc.submits.length;
    const deliveries = [1, 2, 3, 4].map((n) => smpp.deliver(message('hi', to(n)), signal));
    await until(() => held.length === 4, 'four in flight');
    const victim = held[0]?.[1];
    for (const [submit, session] of held) {
      if (session !== victim) session.send(submit.response({ message_id: 'x' }));
    }
    const lost = held.filter(([, session]) => session === victim).length;
    victim?.destroy();
    await Promise.all(deliveries);
    assert.equal(hub.draftsOf('receipt').filter(({ state }) => state === 'unknown').length, lost);
    assert.equal(smsc.submits.length, before + 4);
  });
});

describe('several hosts', () => {
  test('reference smpp 1.1: failover: the first host that answers takes the binds, and with it gone the next', async (t) => {
    const [first, second] = (await smscs(t, 2)) as [NpmSmsc, NpmSmsc];
    const [dead] = await freePorts(1);
    const { hub, smpp } = await open(
      t,
      { port: dead, hosts: [local(first), local(second)], reconnect: { firstMs: 10, maxMs: 20 } },
      { smsc: first },
    );
    await hub.untilStatus('up');
    assert.deepEqual([first.binds.length, second.binds.length], [1, 0]);
    await first.close();
    await until(() => second.binds.length === 1, 'the second host');
    await hub.untilStatus('up');
    await smpp.deliver(message('hi'), signal);
    assert.equal(second.submits.length, 1);
    assert.equal((await rowsOf(smpp, 'binds'))[0]?.host, local(second));
  });
  test('reference smpp 1.1: failover: back at its own host when that takes binds again, with nothing lost on the way', async (t) => {
    const [home, other] = (await smscs(t, 2)) as [NpmSmsc, NpmSmsc];
    home.onBind = () => ({ command_status: 0x0d });
    const hub = fakeHub();
    hub.clock = 1_000_000;
    const { smpp } = await open(t, { hosts: [local(other)] }, { smsc: home, hub });
    await hub.untilStatus('up');
    assert.equal(other.binds.length, 1);
    home.onBind = () => ({});
    other.onSubmit = (submit, session) => {
      setTimeout(() => session.send(submit.response({ message_id: 'late' })), 50);
      return undefined;
    };
    hub.clock += 5 * 60_000;
    const delivery = smpp.deliver(message('in between'), signal);
    await until(() => home.binds.length > 1, 'the way back');
    await delivery;
    await smpp.deliver(message('at home'), signal);
    assert.equal(home.submits.length + other.submits.length, 2);
    assert.equal((await rowsOf(smpp, 'binds'))[0]?.host, local(home));
    assert.equal(hub.statuses.at(-1)?.state, 'up');
  });
  test('reference smpp 1.1: share: the binds are spread over the hosts', async (t) => {
    const [first, second] = (await smscs(t, 2)) as [NpmSmsc, NpmSmsc];
    await open(t, { binds: 4, hostUse: 'share', hosts: [local(second)] }, { smsc: first });
    assert.deepEqual([first.binds.length, second.binds.length], [2, 2]);
  });
  test('reference smpp 7.4: how ids are written is learnt of each host, kept over a restart, and shown in `peers` and `binds`', async (t) => {
    const [first, second] = (await smscs(t, 2)) as [NpmSmsc, NpmSmsc];
    const ids = new Map<NpmSmsc, number[]>();
    const [hexadecimal, decimal] = [16, 10].map((radix, at) => {
      const smsc = at === 0 ? first : second;
      ids.set(smsc, []);
      let id = 1000 + at * 100_000;
      return () => {
        ids.get(smsc)?.push(++id);
        return { message_id: id.toString(radix) };
      };
    });
    if (hexadecimal) first.onSubmit = hexadecimal;
    if (decimal) second.onSubmit = decimal;
    const hosts = { binds: 2, hostUse: 'share', hosts: [local(second)] };
    const { hub, smpp } = await open(t, hosts, { smsc: first });
    await Promise.all(Array.from({ length: 20 }, (_, n) => smpp.deliver(message('hi', to(n)), signal)));
    for (const smsc of [first, second, first, second]) {
      const [id] = ids.get(smsc)?.splice(0, 1) ?? [];
      // Both write decimal ids into their receipts.
      const at = smsc.submits.length - (ids.get(smsc)?.length ?? 0) - 1;
      await smsc.tell('deliver_sm', { ...dlr(id), source_addr: smsc.submits[at]?.destination_addr });
    }
    assert.equal(hub.draftsOf('receipt').length, 4);
    const seen = async (one: typeof smpp, topic: string) =>
      (await rowsOf(one, topic)).map(({ host, idRule }) => [host, idRule]).sort();
    const rules = [
      [local(first), 'decimal-to-hex'],
      [local(second), 'same'],
    ].sort();
    assert.deepEqual(await seen(smpp, 'peers'), rules);
    assert.deepEqual(await seen(smpp, 'binds'), rules);
    await smpp.stop();
    const again = await open(t, hosts, { smsc: first, hub });
    assert.deepEqual(await seen(again.smpp, 'peers'), rules);
  });
  test('reference smpp 5: reconnect: a wrong password is not tried at one host after the other', async (t) => {
    const [first, second] = (await smscs(t, 2)) as [NpmSmsc, NpmSmsc];
    first.onBind = () => ({ command_status: 0x0e });
    const { hub } = await open(t, { hosts: [local(second)] }, { smsc: first });
    assert.match(hub.statuses.at(-1)?.why ?? '', /password is wrong/);
    assert.equal(second.binds.length, 0);
  });
  test('reference smpp 5: reconnect: ESME_RALYBND of a bind that died is told in words, and tried again until it is free', async (t) => {
    const [smsc] = (await smscs(t, 1)) as [NpmSmsc];
    let refusals = 3;
    smsc.onBind = () => ({ command_status: refusals-- > 0 ? 5 : 0 });
    const { hub } = await open(t, {}, { smsc });
    await hub.untilStatus('up');
    assert.equal(smsc.binds.length, 4);
    assert.ok(hub.statuses.some(({ why }) => /bound already.*ESME_RALYBND/.test(why ?? '')));
  });
});

describe('versions', () => {
  const opened = async (t: TestContext, more: Record<string, unknown>, said?: number) => {
    const smsc = await wireSmsc();
    const hub = fakeHub();
    const smpp = adapter.create('carrier', adapter.options.parse({ port: smsc.port, systemId: 'me', ...more }));
    t.after(async () => {
      await smsc.close();
      await smpp.stop();
    });
    const started = smpp.start(hub);
    const peer = await smsc.accepted();
    const command = more.bind === 'transmitter' ? 'bind_transmitter' : 'bind_transceiver';
    const bind = await peer.next(command);
    const tlvs = said === undefined ? [] : [intTlv('sc_interface_version', said)];
    peer.send({ command: `${command}_resp`, sequence_number: bind.sequence_number, body: { system_id: 'smsc' }, tlvs });
    await started;
    await hub.untilStatus('up');
    return { hub, smpp, peer, bind };
  };
  const long = { sms: undefined, wants: ['delivered' as const] };
  test('SMPP 3.4 s.5.3.2.25: an SMSC that says 3.3 gets no optional parameters and no data_sm; long texts get a header', async (t) => {
    const { smpp, peer } = await opened(t, { concat: 'sar', submitWith: 'data_sm' }, 0x33);
    const delivery = smpp.deliver(message('x'.repeat(200), long), signal);
    for (const index of [1, 2]) {
      const { body, tlvs, ...part } = await peer.next('submit_sm');
      assert.deepEqual([body.esm_class, body.short_message[5], tlvs], [0x40, index, []]);
      peer.answer({ ...part, body, tlvs }, 0, { message_id: `0000000${index}` });
    }
    await delivery;
    assert.equal((await rowsOf(smpp, 'binds'))[0]?.version, '3.3');
  });
  test('SMPP 3.3: a transmitter says version 0x33, and asks for receipts with 0 or 1', async (t) => {
    const { smpp, peer, bind } = await opened(t, { bind: 'transmitter', interfaceVersion: 0x33, receipts: 'failure' });
    assert.equal(bind.body.interface_version, 0x33);
    const delivery = smpp.deliver(message('hi'), signal);
    const submit = await peer.next('submit_sm');
    assert.equal(submit.body.registered_delivery, 1);
    peer.answer(submit, 0, { message_id: '0000000A' });
    await delivery;
  });
  test('SMPP 3.3 has neither transceiver nor outbind: the configuration is refused in words', () => {
    const wrong = adapter.options.safeParse({ systemId: 'me', interfaceVersion: 0x33 });
    assert.match(wrong.error?.issues[0]?.message ?? '', /SMPP 3.3 has neither bind_transceiver nor outbind/);
    assert.ok(adapter.options.safeParse({ systemId: 'me', interfaceVersion: 0x33, bind: 'pair' }).success);
  });
  test('SMPP 5.0 s.4.7.13: the lower of both versions is spoken, and shown', async (t) => {
    const { smpp, bind } = await opened(t, { interfaceVersion: 0x50 }, 0x34);
    assert.equal(bind.body.interface_version, 0x50);
    const [row] = await rowsOf(smpp, 'binds');
    assert.deepEqual([row?.version, row?.smsc, row?.state], ['3.4', 'smsc', 'bound']);
  });
  test('reference smpp 1.1: versions: an SMSC that does not say what it speaks is taken at what was configured', async (t) => {
    const { smpp } = await opened(t, {});
    assert.equal((await rowsOf(smpp, 'binds'))[0]?.version, '3.4');
  });
  test('SMPP 5.0 s.4.8.4.18: a congested SMSC is sent less, and operators see why', async (t) => {
    const { smpp, peer } = await opened(t, { interfaceVersion: 0x50 }, 0x50);
    peer.onPdu = (pdu) => {
      const { sequence_number } = pdu;
      const tlvs = [intTlv('congestion_state', 100)];
      peer.send({ command: 'submit_sm_resp', sequence_number, body: { message_id: `${sequence_number}` }, tlvs });
    };
    for (let n = 0; n < 5; n++) await smpp.deliver(message('hi', to(n)), signal);
    const [row] = await rowsOf(smpp, 'binds');
    assert.deepEqual([row?.window, row?.pressure], [1, 'congested']);
  });
});

test('a stop while it starts leaves nothing running', async (t) => {
  const smsc = await wireSmsc();
  t.after(() => smsc.close());
  const smpp = new Smpp('carrier', adapter.options.parse({ systemId: 'me', port: smsc.port, responseTimeoutMs: 200 }));
  const started = smpp.start(fakeHub());
  t.after(() => smpp.stop());
  await smpp.stop();
  await started;
  assert.equal(smsc.peers.length, 0);
});

describe('outbind', () => {
  const listening = async (t: TestContext, more: Record<string, unknown> = {}) => {
    const [port = 0] = await freePorts(1);
    const outbind = { listen: `127.0.0.1:${port}`, systemId: 'smsc', password: 'hush', ...more };
    const settings = adapter.options.parse({ systemId: 'me', bind: 'none', responseTimeoutMs: 500, outbind });
    const smpp = new Smpp('carrier', settings);
    const hub = fakeHub();
    t.after(() => smpp.stop());
    await smpp.start(hub);
    const call = async () => {
      const socket = connect(port, '127.0.0.1');
      t.after(() => socket.destroy());
      await once(socket, 'connect');
      return new WirePeer(socket);
    };
    return { smpp, hub, call };
  };
  const hello = { command: 'outbind' as const, sequence_number: 1, body: { system_id: 'smsc', password: 'hush' } };

  test('SMPP 3.4 s.4.1.7: the SMSC connects and says outbind, we bind as receiver there and take its messages', async (t) => {
    const { smpp, hub, call } = await listening(t);
    const peer = await call();
    peer.send(hello);
    const bind = await peer.next('bind_receiver');
    assert.equal(bind.body.system_id, 'me');
    peer.answer(bind, 0, { system_id: 'smsc' });
    const { short_message: text, ...fields } = mo('for you');
    peer.send({ command: 'deliver_sm', sequence_number: 2, body: { ...fields, short_message: text } });
    assert.equal((await peer.next('deliver_sm_resp')).command_status, 0);
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'for you');
    assert.deepEqual(
      (await rowsOf(smpp, 'binds')).map(({ bind: name, state }) => [name, state]),
      [['bind_receiver by outbind', 'bound']],
    );
  });
  test('as transceiver it sends what we have as well', async (t) => {
    const { smpp, call } = await listening(t, { bind: 'transceiver' });
    assert.ok(smpp.accepts.has('message'));
    const peer = await call();
    peer.send(hello);
    peer.answer(await peer.next('bind_transceiver'), 0, { system_id: 'smsc' });
    await until(async () => (await rowsOf(smpp, 'binds')).length === 1, 'the bind');
    const delivery = smpp.deliver(message('hi'), signal);
    peer.answer(await peer.next('submit_sm'), 0, { message_id: '1' });
    await delivery;
  });
  test('an SMSC that unbinds in the segment of its bind response leaves no bind behind that messages would go to', async (t) => {
    const { smpp, call } = await listening(t, { bind: 'transceiver' });
    const hasty = await call();
    hasty.send(hello);
    const { sequence_number } = await hasty.next('bind_transceiver');
    const bound = encode({ command: 'bind_transceiver_resp', sequence_number, body: { system_id: 'smsc' } });
    hasty.raw(Buffer.concat([bound, encode({ command: 'unbind', sequence_number: 2 })]));
    await hasty.ended();
    const peer = await call();
    peer.send(hello);
    peer.answer(await peer.next('bind_transceiver'), 0, { system_id: 'smsc' });
    await until(async () => (await rowsOf(smpp, 'binds')).length === 1, 'the bind');
    peer.onPdu = (pdu) => peer.answer(pdu, 0, { message_id: '1' });
    await smpp.deliver(message('hi'), signal);
  });
  test('a wrong password, a wrong name and anything else before the bind end the connection or are refused', async (t) => {
    const { hub, call } = await listening(t);
    for (const body of [
      { system_id: 'smsc', password: 'wrong' },
      { system_id: 'other', password: 'hush' },
    ]) {
      const peer = await call();
      peer.send({ ...hello, body });
      await peer.ended();
      assert.ok(peer.heard.every(({ command }) => !command.startsWith('bind_')));
    }
    const peer = await call();
    peer.send({ command: 'deliver_sm', sequence_number: 9, body: {} });
    assert.equal((await peer.next('deliver_sm_resp')).command_status, 4);
    assert.equal(hub.drafts.length, 0);
    assert.ok(!JSON.stringify(hub.logs).includes('hush'));
  });
  test('SMPP 3.4 s.4.1.7: who says nothing is sent away, and more than eight of those at once are not let in', async (t) => {
    const { call } = await listening(t);
    const quiet = await Promise.all(Array.from({ length: 10 }, () => call()));
    await until(() => quiet.filter(({ isEnded }) => isEnded).length >= 2, 'the two too many');
    await until(() => quiet.every(({ isEnded }) => isEnded), 'all of them', 5000);
    const peer = await call();
    peer.send(hello);
    await peer.next('bind_receiver');
  });
  test('SMPP 3.4 s.4.1.7: only from the addresses that are named', async (t) => {
    const { call } = await listening(t, { from: ['192.0.2.1'] });
    const peer = await call();
    await peer.ended();
    assert.equal(peer.heard.length, 0);
  });
  test('without a bind of our own and without outbind the configuration is refused', () => {
    assert.ok(!adapter.options.safeParse({ systemId: 'me', bind: 'none' }).success);
  });
});
