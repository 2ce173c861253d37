// Flow control: order, window, rate, throttling, and what is taken back, by a clock that the test moves.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotSent, Pacer } from '../../../adapters/smpp/binds/pacer.ts';
import { isThrottling } from '../../../adapters/smpp/errors.ts';
import type { WirePeer } from '../../peers/smpp-wire.ts';
import { bound, submit, turn } from './bench.ts';

describe('pacer', () => {
  const open = async (more: { window?: number; ratePerSecond?: number } = {}) => {
    const all = await bound();
    const pacer = new Pacer(
      {
        window: 10,
        throttle: { firstMs: 500, maxMs: 4000 },
        isThrottling,
        late: (response, context) => void all.late.push([response, context]),
        ...more,
      },
      () => all.clock.now,
    );
    pacer.attach(all.session);
    const order = () =>
      all.peer.heard.flatMap((pdu) => (pdu.command === 'submit_sm' ? [Number(pdu.body.short_message)] : []));
    return { ...all, pacer, order };
  };

  test('reference smpp 0, fact 9: the window starts at 1, grows with each acceptance, and is never passed', async () => {
    const { pacer, peer, session } = await open({ window: 4 });
    let most = 0;
    peer.onPdu = () => {
      most = Math.max(most, session.outstanding);
      setImmediate(() => {
        for (const pdu of peer.heard.splice(0)) peer.answer(pdu, 0, { message_id: '1' });
      });
    };
    assert.equal(pacer.inFlight, 0);
    const tickets = Array.from({ length: 50 }, (_, n) => pacer.submit(submit(n)));
    assert.equal(pacer.inFlight, 1);
    await Promise.all(tickets.map(({ done }) => done));
    assert.equal(most, 4);
  });
  test('reference smpp 1.1: THROTTLED / MSGQFUL: ESME_RTHROTTLED to the first two: the order stays 1 to n, after pauses that double', async () => {
    const { pacer, peer, clock, order } = await open();
    let refused = 0;
    const taken: number[] = [];
    peer.onPdu = (pdu) => {
      if (pdu.command !== 'submit_sm') return;
      if (refused++ < 2) return peer.answer(pdu, 0x58);
      taken.push(Number(pdu.body.short_message));
      peer.answer(pdu, 0, { message_id: '1' });
    };
    const tickets = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => pacer.submit(submit(n)));
    for (const [at, sent] of [
      [0, 1],
      [499, 1],
      [1, 2],
      [999, 2],
      [1, 10],
    ] as const) {
      clock.now += at;
      pacer.tick();
      await turn();
      await turn();
      assert.equal(order().length, sent, `after ${clock.now}`);
    }
    await Promise.all(tickets.map(({ done }) => done));
    assert.deepEqual(order(), [1, 1, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(taken, [1, 2, 3, 4, 5, 6, 7, 8]);
  });
  test('SMPP 3.4 s.4.2: what is new waits for another bind than one whose peer has said unbind', async () => {
    const { pacer, peer, order } = await open();
    peer.onPdu = (pdu) => peer.answer(pdu, 0, { message_id: '1' });
    await Promise.all(Array.from({ length: 20 }, () => pacer.submit(submit(0)).done));
    peer.heard.length = 0;
    const held: Parameters<WirePeer['answer']>[0][] = [];
    peer.onPdu = (pdu) => void held.push(pdu);
    const tickets = [1, 2].map((n) => pacer.submit(submit(n)));
    await turn();
    peer.send({ command: 'unbind', sequence_number: 5 });
    await turn();
    tickets.push(pacer.submit(submit(3)));
    await turn();
    assert.deepEqual(order(), [1, 2]);
    const other = await bound();
    pacer.attach(other.session);
    other.peer.answer(await other.peer.next('submit_sm'), 0, { message_id: '3' });
    for (const pdu of held) if (pdu.command === 'submit_sm') peer.answer(pdu, 0, { message_id: '1' });
    await Promise.all(tickets.map(({ done }) => done));
  });
  test('reference smpp 5: throttled, order and loss: a whole window refused together pauses once and goes again in the old order, before what is new', async () => {
    const { pacer, peer, clock, order } = await open();
    peer.onPdu = (pdu) => peer.answer(pdu, 0, { message_id: '1' });
    await Promise.all(Array.from({ length: 20 }, () => pacer.submit(submit(0)).done));
    peer.heard.length = 0;
    const held: Parameters<WirePeer['answer']>[0][] = [];
    peer.onPdu = (pdu) => void held.push(pdu);
    const tickets = Array.from({ length: 14 }, (_, n) => pacer.submit(submit(n + 1)));
    await turn();
    assert.deepEqual(order(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const pdu of held.splice(0).reverse()) peer.answer(pdu, 0x14);
    await turn();
    peer.onPdu = (pdu) => peer.answer(pdu, 0, { message_id: '1' });
    clock.now += 500;
    pacer.tick();
    await Promise.all(tickets.map(({ done }) => done));
    assert.deepEqual(order().slice(10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  });
  test('reference smpp 1.1: rate cap per bind: ratePerSecond holds over a second, whatever the window', async () => {
    const { pacer, peer, clock, order } = await open({ ratePerSecond: 20 });
    peer.onPdu = (pdu) => peer.answer(pdu, 0, { message_id: '1' });
    for (let n = 0; n < 100; n++) pacer.submit(submit(n));
    const counts: number[] = [];
    for (let second = 0; second < 3; second++) {
      for (let ticks = 0; ticks < 20; ticks++) {
        clock.now += 50;
        pacer.tick();
        await turn();
      }
      counts.push(order().length);
    }
    assert.ok((counts[0] ?? 0) <= 22, String(counts));
    assert.equal((counts[2] ?? 0) - (counts[1] ?? 0), 20);
  });
  test('reference smpp 7.5: when the link goes, what was sent is unknown and what was not is told so', async () => {
    const { pacer, session, peer } = await open();
    const tickets = [1, 2, 3].map((n) => pacer.submit(submit(n)));
    await peer.next('submit_sm');
    session.close('gone');
    pacer.detach('gone');
    const fates = await Promise.allSettled(tickets.map(({ done }) => done));
    const errors = fates.map((fate) => (fate.status === 'rejected' ? (fate.reason as Error).name : 'taken'));
    assert.deepEqual(errors, ['SessionError', 'NotSent', 'NotSent']);
    await assert.rejects(pacer.submit(submit(4)).done, NotSent);
  });
  test('what is taken back is never sent; what was sent has a grace, and a later response is told to its context', async () => {
    const { pacer, peer, clock, order, late } = await open();
    const tickets = [1, 2, 3, 4].map((n) => pacer.submit(submit(n)));
    const fates = Promise.allSettled(tickets.map(({ done }) => done));
    const first = await peer.next('submit_sm');
    tickets[0]?.cancel();
    tickets[1]?.cancel();
    clock.now += 1000;
    pacer.tick();
    peer.answer(first, 0, { message_id: 'x' });
    const [third, fourth] = [await peer.next('submit_sm'), await peer.next('submit_sm')];
    tickets[2]?.cancel();
    tickets[3]?.cancel();
    peer.answer(fourth, 0x58);
    await turn();
    clock.now += 1500;
    pacer.tick();
    peer.answer(third, 0, { message_id: 'z' });
    await turn();
    const names = (await fates).map((fate) => (fate.status === 'rejected' ? (fate.reason as Error).name : 'taken'));
    assert.deepEqual(names, ['taken', 'NotSent', 'SessionError', 'NotSent']);
    assert.deepEqual(order(), [1, 3, 4]);
    assert.deepEqual(
      late.map(([, context]) => context),
      [3],
    );
  });

  const between = (lane: string, message: string, n: number) => ({ ...submit(n), lane, message });
  const wide = async (window = 10) => {
    const all = await open({ window });
    all.peer.onPdu = (pdu) => all.peer.answer(pdu, 0, { message_id: '1' });
    await Promise.all(Array.from({ length: 30 }, () => all.pacer.submit(submit(0)).done));
    all.peer.heard.length = 0;
    return all;
  };
  test('reference smpp 0, fact 8: between two numbers 1,2,3,4,5 stays 1,2,3,4,5 when the first is throttled in an open window', async () => {
    const { pacer, peer, clock, order } = await wide();
    const taken: number[] = [];
    let refused = 0;
    peer.onPdu = (pdu) => {
      if (pdu.command !== 'submit_sm') return;
      if (refused++ === 0) return peer.answer(pdu, 0x58);
      taken.push(Number(pdu.body.short_message));
      peer.answer(pdu, 0, { message_id: '1' });
    };
    const tickets = [1, 2, 3, 4, 5].map((n) => pacer.submit(between('a/b', `m${n}`, n)));
    await turn();
    assert.deepEqual(order(), [1]);
    clock.now += 500;
    pacer.tick();
    await Promise.all(tickets.map(({ done }) => done));
    assert.deepEqual(taken, [1, 2, 3, 4, 5]);
  });
  test('reference smpp 7.3: a message between two numbers waits for the one before it, others do not', async () => {
    const { pacer, peer, order } = await wide();
    const held: Parameters<WirePeer['answer']>[0][] = [];
    peer.onPdu = (pdu) => void held.push(pdu);
    for (const [lane, n] of [
      ['a/b', 1],
      ['a/b', 2],
      ['a/c', 3],
      ['a/b', 4],
    ] as const)
      pacer.submit(between(lane, `m${n}`, n));
    await turn();
    assert.deepEqual(order(), [1, 3]);
    for (const pdu of held.splice(0)) peer.answer(pdu, 0, { message_id: '1' });
    await turn();
    assert.deepEqual(order(), [1, 3, 2]);
  });
  test('reference smpp 7.3: the parts of one message go out together, nothing of that conversation between them', async () => {
    const { pacer, peer, order } = await wide();
    peer.onPdu = () => {};
    for (const n of [1, 2, 3]) pacer.submit(between('a/b', 'long', n));
    pacer.submit(between('a/b', 'next', 4));
    await turn();
    assert.deepEqual(order(), [1, 2, 3]);
  });
  test('reference smpp 7.3: after a refusal the parts of one message wait for each other, so that not even a refused one is overtaken', async () => {
    const { pacer, peer, clock } = await wide();
    const taken: number[] = [];
    let count = 0;
    peer.onPdu = (pdu) => {
      if (pdu.command !== 'submit_sm') return;
      // The first of the warning message and the second part of the long one.
      if (++count === 1 || count === 4) return peer.answer(pdu, 0x58);
      taken.push(Number(pdu.body.short_message));
      peer.answer(pdu, 0, { message_id: '1' });
    };
    const warning = pacer.submit(between('x/y', 'warning', 9));
    await turn();
    clock.now += 500;
    pacer.tick();
    await warning.done;
    const tickets = [1, 2, 3, 4].map((n) => pacer.submit(between('a/b', 'long', n)));
    for (let ticks = 0; ticks < 30; ticks++) {
      clock.now += 100;
      pacer.tick();
      await turn();
    }
    await Promise.all(tickets.map(({ done }) => done));
    assert.deepEqual(taken, [9, 1, 2, 3, 4]);
  });
  test('reference smpp 1.1: window: two binds share one window; the parts of one message take the same bind', async () => {
    const { pacer, peer, session } = await wide(6);
    const other = await bound();
    pacer.attach(other.session);
    peer.onPdu = () => {};
    other.peer.onPdu = () => {};
    for (let n = 0; n < 3; n++) pacer.submit(between('a/b', 'long', n));
    for (let n = 3; n < 12; n++) pacer.submit(between(`a/${n}`, `m${n}`, n));
    await turn();
    assert.equal(pacer.inFlight, 6);
    assert.equal(session.outstanding + other.session.outstanding, 6);
    assert.deepEqual([session.outstanding, other.session.outstanding], [3, 3]);
    const sent = [peer, other.peer].map(({ heard }) => heard.length);
    assert.ok(sent.every((count) => count > 0));
  });
  test('reference smpp 7.5: one bind of two goes: what it had in flight is unknown, what waits goes out on the other', async () => {
    const { pacer, peer, session } = await wide(2);
    const other = await bound();
    pacer.attach(other.session);
    peer.onPdu = () => {};
    other.peer.onPdu = () => {};
    const tickets = [1, 2, 3, 4].map((n) => pacer.submit(between(`a/${n}`, `m${n}`, n)));
    const fates = tickets.map(({ done }) =>
      done.then(
        () => 'taken',
        (error: Error) => error.name,
      ),
    );
    await turn();
    assert.deepEqual([session.outstanding, other.session.outstanding], [1, 1]);
    other.peer.onPdu = (pdu) => other.peer.answer(pdu, 0, { message_id: '1' });
    const waiting = other.peer.heard.find(({ command }) => command === 'submit_sm');
    session.close('gone');
    pacer.detach('gone', session);
    if (waiting) other.peer.answer(waiting, 0, { message_id: '1' });
    assert.deepEqual((await Promise.all(fates)).sort(), ['SessionError', 'taken', 'taken', 'taken']);
  });
});
