// The four transaction machines and their table, on a clock of the test's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createResponse, type SipRequest, type SipResponse } from '../../../adapters/sip/codec/message.ts';
import { newBranch } from '../../../adapters/sip/tokens.ts';
import { defaultTimers } from '../../../adapters/sip/transaction/clockwork.ts';
import type { ServerTransaction } from '../../../adapters/sip/transaction/server.ts';
import { Transactions } from '../../../adapters/sip/transaction/transactions.ts';
import type { Flow } from '../../../adapters/sip/transport/flow.ts';
import { answer, FakeFlow, fakeClock, request } from './fixtures.ts';

function open(more: { max?: number; replyFlow?: Flow } = {}) {
  const clock = fakeClock();
  const arrived: Array<{ request: SipRequest; transaction: ServerTransaction }> = [];
  const acks: SipRequest[] = [];
  const counts = { retransmissions: 0 };
  const table = new Transactions(
    clock.wheel,
    {
      onRequest: (received, transaction) => void arrived.push({ request: received, transaction }),
      onAck: (ack) => void acks.push(ack),
      retransmitted: () => void counts.retransmissions++,
    },
    {
      timers: defaultTimers,
      maxServerTransactions: more.max ?? 1000,
      replyFlow: async () => more.replyFlow ?? Promise.reject(new Error('no way')),
    },
  );
  return { clock, table, arrived, acks, counts, flow: new FakeFlow(clock) };
}

type Opened = ReturnType<typeof open>;

function ask({ table, clock }: Opened, flow: FakeFlow, method = 'MESSAGE') {
  const heard: Array<number | 'timeout' | 'transport'> = [];
  const outgoing = request({ method });
  outgoing.headers.remove('Via');
  const start = clock.now;
  const transaction = table.request(outgoing, flow, {
    onResponse: ({ status }: SipResponse) => void heard.push(status),
    onFailure: (failure) => void heard.push(failure),
  });
  const times = () => flow.sent.map(({ at }) => at - start);
  return { heard, times, transaction, start };
}

/** Within a tick of the wheel, added up over the copies. */
function near(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length, `${actual}`);
  expected.forEach((time, index) => {
    assert.ok(Math.abs((actual[index] ?? 0) - time) <= 20, `${actual} for ${expected}`);
  });
}

test('RFC 3261 s.17.1.2.2: into a black hole over UDP copies go at 0, 0.5, 1.5, 3.5 s and every 4 s, and it times out at 32 s', () => {
  const opened = open();
  const asked = ask(opened, opened.flow);
  opened.clock.advance(31_900);
  assert.deepEqual(asked.heard, []);
  opened.clock.advance(200);
  near(asked.times(), [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
  assert.deepEqual(asked.heard, ['timeout']);
  assert.equal(new Set(opened.flow.sent.map(({ text }) => text)).size, 1);
  assert.equal(opened.counts.retransmissions, 10);
  assert.equal(opened.table.clientCount, 0);
});

test('RFC 3261 s.17.1.2.2: over TCP nothing is repeated', () => {
  const opened = open();
  const flow = new FakeFlow(opened.clock, 'TCP');
  const asked = ask(opened, flow);
  opened.clock.advance(33_000);
  assert.equal(flow.sent.length, 1);
  assert.deepEqual(asked.heard, ['timeout']);
});

test('RFC 3261 s.17.1.2.2: after a 1xx copies go every T2, and a final response ends them', () => {
  const opened = open();
  const asked = ask(opened, opened.flow);
  opened.clock.advance(600);
  opened.table.receive(answer(opened.flow, 100), opened.flow);
  opened.clock.advance(9000);
  near(asked.times(), [0, 500, 1500, 5500, 9500]);
  const final = answer(opened.flow, 200);
  opened.table.receive(final, opened.flow);
  assert.equal(opened.table.clientCount, 0, 'nothing is kept of what has been answered');
  opened.table.receive(final, opened.flow);
  opened.clock.advance(5100);
  assert.deepEqual(asked.heard, [100, 200]);
});

test('RFC 3261 s.17.1.3: a response with a branch of ours and another method, or over another connection, is not ours', () => {
  const opened = open();
  const tcp = new FakeFlow(opened.clock, 'TCP');
  const asked = ask(opened, tcp);
  const response = answer(tcp, 200);
  opened.table.receive(response, new FakeFlow(opened.clock, 'TCP'));
  response.headers.set('CSeq', '1 OPTIONS');
  opened.table.receive(response, tcp);
  assert.deepEqual(asked.heard, []);
  response.headers.set('CSeq', '1 MESSAGE');
  opened.table.receive(response, tcp);
  assert.deepEqual(asked.heard, [200]);
});

test('RFC 3261 s.17.1.4: a connection that closes fails what waits on it, at once, and nothing else', () => {
  const opened = open();
  const [one, other] = [new FakeFlow(opened.clock, 'TCP'), new FakeFlow(opened.clock, 'TCP')];
  const first = ask(opened, one);
  const second = ask(opened, other);
  opened.table.closed(one);
  assert.deepEqual([first.heard, second.heard], [['transport'], []]);
});

test('RFC 3261 s.17.2.2: the same request twice is one delivery and the same answer twice, for 32 s', () => {
  const opened = open();
  const { table, flow, arrived, clock } = opened;
  table.receive(request(), flow);
  table.receive(request(), flow);
  assert.equal(flow.sent.length, 0);
  arrived[0]?.transaction.respond(createResponse(arrived[0].request, 202, { toTag: 'a' }));
  table.receive(request(), flow);
  clock.advance(31_000);
  table.receive(request(), flow);
  assert.deepEqual(flow.statuses, [202, 202, 202]);
  assert.equal(new Set(flow.sent.map(({ text }) => text)).size, 1);
  assert.equal(arrived.length, 1);
  clock.advance(1100);
  assert.equal(table.serverCount, 0);
  table.receive(request(), flow);
  assert.equal(arrived.length, 2);
});

test('RFC 3261 s.17.2.3: the same branch from another sent-by, or with another method, is another transaction', () => {
  const { table, flow, arrived } = open();
  table.receive(request({ callId: 'one' }), flow);
  table.receive(request({ callId: 'two', sentBy: '192.0.2.10' }), flow);
  table.receive(request({ callId: 'three', sentBy: '192.0.2.9:5062' }), flow);
  table.receive(request({ callId: 'four', method: 'OPTIONS' }), flow);
  table.receive(request({ callId: 'five', sentBy: '192.0.2.9:5060' }), flow);
  assert.equal(arrived.length, 4);
});

test('RFC 3261 s.17.2.3: a peer of RFC 2543 without the magic cookie is matched by what it repeats', () => {
  const { table, flow, arrived } = open();
  table.receive(request({ branch: '1' }), flow);
  table.receive(request({ branch: '1' }), flow);
  table.receive(request({ branch: '1', cseq: 2 }), flow);
  table.receive(request({ via: 'SIP/2.0/UDP 192.0.2.9', callId: 'other' }), flow);
  assert.equal(arrived.length, 3);
});

test('RFC 3261 s.8.2.2.2: the same request by two ways is merged: the second copy gets 482', () => {
  const { table, flow, arrived } = open();
  table.receive(request(), flow);
  table.receive(request({ branch: 'z9hG4bKtwo' }), flow);
  assert.equal(arrived.length, 1);
  assert.deepEqual(flow.statuses, [482]);
  table.receive(request({ branch: 'z9hG4bKthree', fromTag: 'another' }), flow);
  assert.equal(arrived.length, 2);
});

test('RFC 4320 s.4.1: 100 goes out when Timer E has reached T2, at 3.5 s and not before', () => {
  const { table, flow, clock } = open();
  table.receive(request(), flow);
  clock.advance(3480);
  assert.deepEqual(flow.statuses, []);
  clock.advance(40);
  assert.deepEqual(flow.statuses, [100]);
  table.receive(request(), flow);
  assert.deepEqual(flow.statuses, [100, 100]);
});

test('RFC 4320 s.4.2: no answer leaves after 64*T1, and never a 408', () => {
  const { table, flow, clock, arrived } = open();
  table.receive(request(), flow);
  clock.advance(32_100);
  assert.equal(table.serverCount, 0);
  assert.equal(arrived[0]?.transaction.respond(createResponse(arrived[0].request, 200)), undefined);
  assert.deepEqual(flow.statuses, [100]);
});

test('RFC 3261 s.18.2.2: the answer takes a new connection when that of the request has closed', async () => {
  const clock = fakeClock();
  const other = new FakeFlow(clock, 'TCP');
  const { table, arrived } = open({ replyFlow: other });
  const flow = new FakeFlow(clock, 'TCP');
  table.receive(request(), flow);
  flow.isOpen = false;
  arrived[0]?.transaction.respond(createResponse(arrived[0].request, 202));
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual([flow.statuses, other.statuses], [[], [202]]);
  assert.equal(table.serverCount, 0, 'Timer J is 0 over a connection');
});

test('RFC 3261 s.21.5.4: beyond the limit a request is answered 503 with Retry-After and not kept', () => {
  const { table, flow, arrived } = open({ max: 1 });
  table.receive(request(), flow);
  table.receive(request({ branch: 'z9hG4bKtwo', callId: 'two' }), flow);
  assert.equal(arrived.length, 1);
  assert.match(flow.sent[0]?.text ?? '', /^SIP\/2\.0 503 .*Retry-After: 10/s);
});

test('RFC 3261 s.17.1.1: INVITE copies double from T1 and stop at a provisional response', () => {
  const opened = open();
  const asked = ask(opened, opened.flow, 'INVITE');
  opened.clock.advance(4000);
  near(asked.times(), [0, 500, 1500, 3500]);
  opened.table.receive(answer(opened.flow, 180), opened.flow);
  opened.clock.advance(120_000);
  assert.equal(opened.flow.sent.length, 4);
  assert.deepEqual(asked.heard, [180]);
});

test('RFC 3261 s.17.1.1.3: a refused INVITE is acknowledged by the transaction, each time the refusal comes', () => {
  const opened = open();
  const asked = ask(opened, opened.flow, 'INVITE');
  const refusal = answer(opened.flow, 486);
  refusal.headers.set('To', '<sip:alice@gw.example>;tag=theirs');
  opened.table.receive(refusal, opened.flow);
  opened.table.receive(refusal, opened.flow);
  const [invite, ack, again] = opened.flow.sent;
  assert.match(
    ack?.text ?? '',
    /^ACK sip:alice@gw\.example SIP\/2\.0\r\n.*To: <sip:alice@gw\.example>;tag=theirs\r\n.*CSeq: 1 ACK/s,
  );
  const branch = (text = '') => /branch=([^;\r]+)/.exec(text)?.[1];
  assert.equal(branch(ack?.text), branch(invite?.text));
  assert.equal(again?.text, ack?.text);
  assert.deepEqual(asked.heard, [486]);
  opened.clock.advance(32_100);
  assert.equal(opened.table.clientCount, 0, 'Timer D');
});

test('RFC 6026 s.7.2: every 2xx to an INVITE reaches the user for 64*T1, and no ACK of ours is sent', () => {
  const opened = open();
  const asked = ask(opened, opened.flow, 'INVITE');
  const accepted = answer(opened.flow, 200);
  opened.table.receive(accepted, opened.flow);
  opened.clock.advance(10_000);
  opened.table.receive(accepted, opened.flow);
  assert.deepEqual(asked.heard, [200, 200]);
  assert.equal(opened.flow.sent.length, 1);
  opened.clock.advance(22_100);
  assert.equal(opened.table.clientCount, 0, 'Timer M');
});

test('RFC 3261 s.17.2.1: a refused INVITE is repeated with Timer G until the ACK', () => {
  const { table, flow, clock, arrived, acks } = open();
  table.receive(request({ method: 'INVITE' }), flow);
  arrived[0]?.transaction.respond(createResponse(arrived[0].request, 405, { toTag: 'a' }));
  const start = clock.now;
  clock.advance(4000);
  assert.deepEqual(flow.statuses, [100, 405, 405, 405, 405]);
  near(
    flow.sent.slice(1).map(({ at }) => at - start),
    [0, 500, 1500, 3500],
  );
  table.receive(request({ method: 'ACK', to: '<sip:alice@gw.example>;tag=a' }), flow);
  clock.advance(4900);
  assert.equal(flow.sent.length, 5);
  assert.equal(table.serverCount, 1, 'Timer I absorbs further ACKs');
  clock.advance(200);
  assert.equal(table.serverCount, 0);
  assert.equal(acks.length, 0);
});

test('RFC 6026 s.7.1: after a 2xx the INVITE is absorbed, the ACK goes up, and the user may repeat its 2xx', () => {
  const { table, flow, clock, arrived, acks } = open();
  table.receive(request({ method: 'INVITE' }), flow);
  const accepted = createResponse(arrived[0]!.request, 200, { toTag: 'a' });
  arrived[0]?.transaction.respond(accepted);
  table.receive(request({ method: 'INVITE' }), flow);
  arrived[0]?.transaction.respond(accepted);
  assert.deepEqual(flow.statuses, [100, 200, 200]);
  table.receive(request({ method: 'ACK', to: '<sip:alice@gw.example>;tag=a' }), flow);
  assert.equal(acks.length, 1);
  clock.advance(32_100);
  assert.equal(table.serverCount, 0, 'Timer L');
});

test('RFC 3261 s.8.1.1.7: a million branches, all different, all with the cookie', () => {
  const seen = new Set<string>();
  for (let count = 0; count < 1_000_000; count++) seen.add(newBranch('mark'));
  assert.equal(seen.size, 1_000_000);
  for (const branch of [...seen].slice(0, 100)) assert.match(branch, /^z9hG4bK[0-9a-z]+\.[0-9a-f]{16}\.mark$/);
});

test('reference sip-stack acceptance 4: 64,000 live server transactions: the work for a message stays what it was for the first', () => {
  const { table, flow, clock, arrived } = open({ max: 100_000 });
  const take = (count: number) => {
    const visits = clock.wheel.visits;
    for (let index = 0; index < count; index++) {
      const id = `${arrived.length}`;
      table.receive(request({ branch: `z9hG4bK${id}`, callId: id }), flow);
      const last = arrived.at(-1)!;
      last.transaction.respond(createResponse(last.request, 202));
      flow.sent.length = 0;
    }
    return clock.wheel.visits - visits;
  };
  const first = take(1000);
  for (let round = 0; round < 31; round++) {
    take(2000);
    clock.advance(1000);
  }
  assert.equal(table.serverCount, 63_000);
  assert.equal(take(1000), first, 'no timer is looked at to take a message');
  clock.advance(32_100);
  assert.equal(table.serverCount, 0);
  assert.ok(clock.wheel.visits <= 2 * 64_000, `${clock.wheel.visits} looks at timers for 64,000 transactions`);
});

test('reference sip-stack acceptance 4: 64,000 live server transactions take less than 100 MB, and hold on to no request', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const live = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const clock = fakeClock();
  const flow = new FakeFlow(clock);
  const table = new Transactions(
    clock.wheel,
    {
      onRequest: (received, transaction) => void transaction.respond(createResponse(received, 202, { toTag: 'tag' })),
      onAck: () => {},
      retransmitted: () => {},
    },
    { timers: defaultTimers, maxServerTransactions: 100_000, replyFlow: () => Promise.reject(new Error('none')) },
  );
  const before = live();
  for (let index = 0; index < 64_000; index++) {
    table.receive(request({ branch: `z9hG4bK${index}`, callId: `call-${index}`, body: 'x'.repeat(1000) }), flow);
    flow.sent.length = 0;
  }
  const bytes = live() - before;
  assert.equal(table.serverCount, 64_000);
  assert.ok(bytes < 100e6, `${bytes} bytes`);
});
