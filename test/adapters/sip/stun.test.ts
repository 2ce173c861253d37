// STUN keep-alives: the octets, who answers whom, and what a registration makes of silence and of a moved NAT.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import {
  decodeStun,
  encodeBindingRefusal,
  encodeBindingRequest,
  encodeBindingSuccess,
  isStun,
} from '../../../adapters/sip/codec/stun.ts';
import type { Endpoint, Flow } from '../../../adapters/sip/transport/flow.ts';
import { StunAgent } from '../../../adapters/sip/transport/stun-agent.ts';
import { KeepAlive } from '../../../adapters/sip/trunk/keep-alive.ts';
import { open } from './adapter-fixtures.ts';
import { FakeFlow, fakeClock } from './fixtures.ts';
import { Mutator } from './mutants.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const id = hex('b7e7a701bc34d686fa87dfae');
const software = '8022000b 7465737420766563746f7220';
const four = hex(`0101003c 2112a442 ${id.toString('hex')} ${software} 00200008 0001a147e112a643
  00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96`);
const six = hex(`01010048 2112a442 ${id.toString('hex')} ${software} 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
  00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c`);

test('RFC 5769 s.2.2, s.2.3: its answers say where the client was seen, over IPv4 and IPv6', () => {
  assert.deepEqual(decodeStun(four)?.seen, { address: '192.0.2.1', port: 32_853 });
  const seen = { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32_853 };
  const message = decodeStun(six);
  assert.deepEqual([message?.kind, message?.seen], ['success', seen]);
  // MESSAGE-INTEGRITY: there is no password here to check it with.
  assert.deepEqual(message?.unknown, [0x0008]);
});

test('RFC 5389 s.15.2: XOR-MAPPED-ADDRESS as we write it is that of the examples', () => {
  const written = (seen: Endpoint) => encodeBindingSuccess(id, seen).subarray(20).toString('hex');
  assert.equal(written({ address: '192.0.2.1', port: 32_853 }), '002000080001a147e112a643');
  const long = written({ address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32_853 });
  assert.equal(long, '002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9');
  assert.equal(written({ address: '::ffff:192.0.2.1', port: 32_853 }), written({ address: '192.0.2.1', port: 32_853 }));
  for (const address of ['::1', 'fe80::1%lo', '2001:db8::5:0:1', '::']) {
    const back = decodeStun(encodeBindingSuccess(id, { address, port: 1 }))?.seen?.address;
    assert.equal(new URL(`http://[${back}]`).host, new URL(`http://[${address.replace(/%.*/, '')}]`).host);
  }
});

test('RFC 5626 s.8: a STUN message is told from SIP by its first bits and the cookie', () => {
  assert.ok(isStun(encodeBindingRequest(id)));
  for (const text of ['OPTIONS sip:x SIP/2.0\r\n\r\n', '\r\n\r\n', '\0\0\0\0']) assert.ok(!isStun(Buffer.from(text)));
  assert.deepEqual(decodeStun(encodeBindingRequest(id)), { kind: 'request', id, unknown: [] });
});

test('RFC 5389 s.6: what does not hold together is no message: every cut, a wrong length, two hundred thousand mutants', () => {
  for (let end = 0; end < four.length; end++) assert.equal(decodeStun(four.subarray(0, end)), undefined);
  assert.equal(decodeStun(Buffer.concat([four, Buffer.alloc(4)])), undefined);
  const mutator = new Mutator([four, six, encodeBindingRequest(id), encodeBindingRefusal(id, [0x24, 0x25])], 5389);
  let read = 0;
  for (let count = 0; count < 200_000; count++) if (decodeStun(mutator.next())) read++;
  assert.ok(read > 100, `${read}`);
});

test('RFC 5389 s.7.3.1: a request is answered with where it came from; what must be understood and is not, with 420', () => {
  const sent: Buffer[] = [];
  const agent = new StunAgent(
    (bytes) => sent.push(Buffer.from(bytes)),
    () => 0,
  );
  const remote = { address: '198.51.100.7', port: 4000 };
  agent.receive(encodeBindingRequest(id), remote);
  assert.deepEqual(decodeStun(sent[0] as Buffer), { kind: 'success', id, seen: remote, unknown: [] });
  agent.receive(hex(`00010008 2112a442 ${id.toString('hex')} 00240004 6e0001ff`), remote);
  assert.equal(sent[1]?.toString('hex'), `01110010${'2112a442'}${id.toString('hex')}0009000400000414000a000200240000`);
});

test('RFC 5626 s.8: who names a victim as the sender of its requests brings it a hundred answers and then ten a second', () => {
  let [now, bytes] = [0, 0];
  const agent = new StunAgent(
    (answer) => {
      bytes += answer.length;
    },
    () => now,
  );
  const request = encodeBindingRequest(id);
  for (let count = 0; count < 10_000; count++) agent.receive(request, { address: '198.51.100.7', port: 4000 + count });
  assert.equal(bytes, 100 * 32);
  now = 1000;
  for (let count = 0; count < 10_000; count++) agent.receive(request, { address: '198.51.100.7', port: 4000 });
  assert.equal(bytes, 110 * 32);
});

test('RFC 5389 s.7.3: an answer counts from whom was asked, once', () => {
  const asked: Buffer[] = [];
  const agent = new StunAgent(
    (bytes) => asked.push(Buffer.from(bytes)),
    () => 0,
  );
  const remote = { address: '192.0.2.9', port: 5060 };
  const heard: Endpoint[] = [];
  agent.ask(remote, (seen) => heard.push(seen));
  const answer = encodeBindingSuccess((asked[0] as Buffer).subarray(8, 20), { address: '203.0.113.1', port: 7 });
  agent.receive(answer, { address: '192.0.2.66', port: 5060 });
  assert.equal(heard.length, 0);
  for (let copy = 0; copy < 2; copy++) agent.receive(answer, remote);
  assert.deepEqual(heard, [{ address: '203.0.113.1', port: 7 }]);
});

/** A flow whose other side answers probes as the test says. */
function flowOf(clock: { now: number }) {
  const flow = Object.assign(new FakeFlow(clock), { seen: undefined as Endpoint | undefined, probes: [] as number[] });
  const probe: Flow['probe'] = (heard) => {
    flow.probes.push(clock.now);
    if (flow.seen) heard(flow.seen);
  };
  return Object.assign(flow, { probe });
}

function keptAlive(usesStun: boolean) {
  const clock = fakeClock();
  const flow = flowOf(clock);
  let failures = 0;
  const keepAlive = new KeepAlive(clock.wheel, () => {
    failures++;
  });
  const start = clock.now;
  keepAlive.start(flow, 25_000, usesStun);
  return { clock, flow, keepAlive, start, failures: () => failures };
}

test('RFC 5626 s.4.4.2: where Outbound is in force over UDP the flow is asked for by STUN, else it is CRLF', () => {
  const stun = keptAlive(true);
  stun.flow.seen = { address: '203.0.113.1', port: 7 };
  stun.clock.advance(60_000);
  assert.deepEqual([stun.flow.probes.length, stun.flow.sent.length, stun.failures()], [2, 0, 0]);
  const plain = keptAlive(false);
  plain.clock.advance(60_000);
  assert.deepEqual([plain.flow.probes.length, plain.flow.sent.length], [0, 2]);
  plain.keepAlive.stop();
  plain.clock.advance(60_000);
  assert.equal(plain.flow.sent.length, 2);
});

test('RFC 5626 s.4.4.2: another address than before is a failure of the flow', () => {
  const { clock, flow, failures } = keptAlive(true);
  flow.seen = { address: '203.0.113.1', port: 7 };
  clock.advance(26_000);
  flow.seen = { address: '203.0.113.1', port: 8 };
  clock.advance(26_000);
  assert.equal(failures(), 1);
  clock.advance(26_000);
  assert.equal(failures(), 1, 'the new one is as good');
});

test('RFC 5389 s.7.2.1: seven requests without an answer are a failure, 39.5 s after the first', () => {
  const { clock, flow, failures, start } = keptAlive(true);
  flow.seen = { address: '203.0.113.1', port: 7 };
  clock.advance(26_000);
  flow.seen = undefined;
  flow.probes.length = 0;
  clock.advance(25_000 + 39_400 - 1000);
  assert.deepEqual([flow.probes.length, failures()], [7, 0]);
  const pauses = flow.probes.slice(1).map((at, index) => Math.round((at - flow.probes[index]!) / 100) * 100);
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16_000]);
  clock.advance(300);
  assert.equal(failures(), 1);
  assert.ok(clock.now - start < 26_000 + 64_700);
});

test('RFC 5626 s.4.4.2: a registrar that speaks Outbound and has never answered STUN is kept open by CRLF', () => {
  const { clock, flow, failures } = keptAlive(true);
  clock.advance(25_000 + 40_000);
  assert.deepEqual([flow.probes.length, flow.sent.length, failures()], [7, 1, 0]);
  clock.advance(26_000);
  assert.deepEqual([flow.probes.length, flow.sent.length], [7, 2]);
});

async function ask(t: TestContext, bytes: Uint8Array, port: number): Promise<Buffer> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.send(bytes, port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  assert.equal(decodeStun(answer)?.seen?.port, socket.address().port);
  return answer;
}

test('RFC 5626 s.8: a phone that asks on the port of SIP is told where it is seen, and SIP goes on there', async (t) => {
  const { port, ask: askSip, hub } = await open(t);
  const answer = await ask(t, encodeBindingRequest(id), port);
  assert.deepEqual(decodeStun(answer)?.seen?.address, '127.0.0.1');
  assert.match((await askSip()).first, / 202 /);
  assert.equal(hub.counters.get('malformed_total{transport=UDP}'), undefined);
});
