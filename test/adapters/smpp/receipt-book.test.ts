// The book that finds the message of a receipt: early, late, twice, in any radix, after a restart, part by part.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReceiptBook } from '../../../adapters/smpp/receipts/book.ts';
import { CountingState, hour, openBook, part, phone, receipt } from './books.ts';

describe('the book', () => {
  test('a receipt after its response ends the message once; repeats are dropped', async () => {
    const { book, states } = openBook();
    await book.accepted('1a', part('e1'), hour);
    assert.equal(await book.heard(receipt('1a'), [phone]), 'settled');
    await book.heard(receipt('1a'), [phone]);
    await book.heard(receipt('1a', 'UNDELIV'), [phone]);
    assert.deepEqual(states(), ['e1 delivered']);
  });
  test('reference smpp 5.1: state: DELIVRD after EXPIRED changes nothing: the first ending counts', async () => {
    const { book, states } = openBook();
    await book.accepted('1', part('e1'), hour);
    await book.heard(receipt('1', 'EXPIRED'), [phone]);
    await book.heard(receipt('1', 'DELIVRD'), [phone]);
    assert.deepEqual(states(), ['e1 expired']);
  });
  test('reference smpp 5.1: state: UNKNOWN may be bettered once', async () => {
    const { book, states } = openBook();
    await book.accepted('1', part('e1'), hour);
    for (const stat of ['UNKNOWN', 'UNKNOWN', 'DELIVRD', 'UNDELIV']) await book.heard(receipt('1', stat), [phone]);
    assert.deepEqual(states(), ['e1 unknown', 'e1 delivered']);
  });
  test('reference smpp 5.1: state: ENROUTE and ACCEPTD end nothing', async () => {
    const { book, states } = openBook();
    await book.accepted('1', part('e1'), hour);
    for (const stat of ['ACCEPTD', 'ENROUTE']) assert.equal(await book.heard(receipt('1', stat), [phone]), 'settled');
    assert.deepEqual(states(), []);
  });
  test('reference smpp 1.1: early DLR: a receipt before its response is kept and settled with it', async () => {
    const { book, states, state } = openBook();
    assert.equal(await book.heard(receipt('26'), [phone]), 'kept');
    await book.accepted('26', part('e1'), hour);
    assert.deepEqual(states(), ['e1 delivered']);
    assert.deepEqual(
      [...state.entries.keys()].filter((key) => key.startsWith('early/')),
      [],
    );
  });
  test('reference smpp 5.1: a receipt before its response, in another radix', async () => {
    const { book, states } = openBook();
    await book.heard(receipt('26'), [phone]);
    await book.accepted('1A', part('e1'), hour);
    assert.deepEqual(states(), ['e1 delivered']);
  });
  test('an early receipt of another number does not fit an id that only its conversion meets', async () => {
    const { book, states } = openBook();
    await book.heard(receipt('26'), ['447700900999']);
    await book.accepted('1a', part('e1'), hour);
    assert.deepEqual(states(), []);
    await book.accepted('26', part('e2', 0, 1, '447700900999'), hour);
    assert.deepEqual(states(), ['e2 delivered']);
  });
  test('a receipt and its response at the same moment find each other', async () => {
    for (let round = 0; round < 20; round++) {
      const { book, states } = openBook();
      await Promise.all([book.heard(receipt('7'), [phone]), book.accepted('7', part('e1'), hour)]);
      assert.deepEqual([...new Set(states())], ['e1 delivered']);
    }
  });
  test('reference smpp 1.1: DLR store: after a restart a receipt finds its message, and an early one its response', async () => {
    const first = openBook();
    await first.book.accepted('a', part('e1'), hour);
    await first.book.heard(receipt('b'), [phone]);
    const second = openBook(first.state, first.clock);
    await second.book.open();
    await second.book.heard(receipt('a'), [phone]);
    await second.book.accepted('b', part('e2'), hour);
    assert.deepEqual(second.states(), ['e1 delivered', 'e2 delivered']);
  });
  test('reference smpp 7.4: the radix is learnt, kept over a restart, and the next receipt costs one look', async () => {
    const state = new CountingState();
    const first = openBook(state);
    await first.book.accepted('ff', part('e1'), hour);
    await first.book.heard(receipt('255'), [phone]);
    assert.equal(first.book.learnt.idRule(''), 'decimal-to-hex');
    const second = openBook(state);
    await second.book.open();
    await second.book.accepted('100', part('e2'), hour);
    // An id that reads as itself too: what was learnt decides.
    await second.book.accepted('256', part('e3'), hour);
    state.operations = 0;
    await second.book.heard(receipt('256'), [phone]);
    assert.deepEqual(second.states(), ['e2 delivered']);
    assert.equal(state.operations, 3);
  });
  test('an id that nobody knows is kept when it is certain, and a message otherwise', async () => {
    const { book } = openBook();
    assert.equal(await book.heard({ ...receipt('1'), isCertain: false }, [phone]), 'unknown');
    assert.equal(await book.heard(receipt('1'), [phone]), 'kept');
  });
  test('reference smpp 5: memory growth: early receipts are bounded', async () => {
    const { book, clock } = openBook();
    for (let id = 0; id < 10_000; id++) await book.heard(receipt(`x${id}`), [phone]);
    assert.equal(await book.heard(receipt('xover'), [phone]), 'unknown');
    clock.now += 11 * 60_000;
    assert.equal(await book.heard(receipt('xlater'), [phone]), 'kept');
  });
  test('reference smpp 5: DLR not matched: a receipt that could not be published is refused, and counts when it comes again', async () => {
    const { book, states, refuse } = openBook();
    await book.accepted('1', part('e1'), hour);
    refuse(new Error('the store is away'));
    await assert.rejects(book.heard(receipt('1'), [phone]));
    refuse(undefined);
    await book.heard(receipt('1'), [phone]);
    assert.deepEqual(states(), ['e1 delivered']);
  });
});

describe('several parts', () => {
  const accept = async (book: ReceiptBook) => {
    for (const i of [0, 1, 2]) await book.accepted(`p${i}`, part('e1', i, 3), hour);
  };
  test('reference smpp 1.1: multipart DLR: delivered when all parts are, in any order, repeats not counted', async () => {
    const { book, states } = openBook();
    await accept(book);
    for (const id of ['p2', 'p2', 'p0']) await book.heard(receipt(id), [phone]);
    assert.deepEqual(states(), []);
    await book.heard(receipt('p1'), [phone]);
    assert.deepEqual(states(), ['e1 delivered']);
  });
  test('reference smpp 1.1: multipart DLR: failed at the first part that failed, and nothing after', async () => {
    const { book, told, states } = openBook();
    await accept(book);
    await book.heard(receipt('p0'), [phone]);
    await book.heard(receipt('p1', 'UNDELIV'), [phone]);
    await book.heard(receipt('p2'), [phone]);
    assert.deepEqual(states(), ['e1 failed']);
    assert.match(told[0]?.words ?? '', /part 2 of 3/);
  });
  test('the count survives a restart in the middle', async () => {
    const first = openBook();
    await accept(first.book);
    await first.book.heard(receipt('p0'), [phone]);
    const second = openBook(first.state, first.clock);
    await second.book.open();
    for (const id of ['p0', 'p1', 'p2']) await second.book.heard(receipt(id), [phone]);
    assert.deepEqual(second.states(), ['e1 delivered']);
  });
  test('receipts of all parts at once are counted one by one', async () => {
    const { book, states } = openBook();
    await accept(book);
    await Promise.all(['p0', 'p1', 'p2'].map((id) => book.heard(receipt(id), [phone])));
    assert.deepEqual(states(), ['e1 delivered']);
  });
  test('reference smpp 5.1: part receipts: when the others do not come in time it is unknown in words, and still bettered by the last one', async () => {
    const first = openBook();
    await accept(first.book);
    await first.book.heard(receipt('p0'), [phone]);
    const { book, told, states, clock } = openBook(first.state, first.clock);
    await book.open();
    clock.now += 59_000;
    book.tick();
    await new Promise(setImmediate);
    assert.deepEqual(states(), []);
    clock.now += 1000;
    book.tick();
    await new Promise(setImmediate);
    assert.deepEqual(states(), ['e1 unknown']);
    assert.match(told[0]?.words ?? '', /1 of 3 parts/);
    for (const id of ['p1', 'p2']) await book.heard(receipt(id), [phone]);
    assert.deepEqual(states(), ['e1 unknown', 'e1 delivered']);
  });
});

test('reference smpp 0, fact 5: 100,000 outstanding: receipts in random order cost the same few operations each as with ten', async () => {
  const costOf = async (outstanding: number) => {
    const state = new CountingState();
    const { book, told } = openBook(state);
    const ids = Array.from({ length: outstanding }, (_, n) => (n + 1_000_000).toString(16));
    for (const [n, id] of ids.entries()) await book.accepted(id, part(`e${n}`, 0, 1, `44770${n}`), hour);
    let seed = 7;
    for (let at = ids.length - 1; at > 0; at--) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      const other = seed % (at + 1);
      [ids[at], ids[other]] = [ids[other] as string, ids[at] as string];
    }
    state.operations = 0;
    let most = 0;
    for (const id of ids) {
      const before = state.operations;
      const n = Number.parseInt(id, 16) - 1_000_000;
      await book.heard(receipt(String(Number.parseInt(id, 16))), [`44770${n}`]);
      most = Math.max(most, state.operations - before);
    }
    assert.equal(new Set(told.map(({ event }) => event)).size, outstanding);
    return { mean: Math.round(state.operations / outstanding), most };
  };
  const few = await costOf(10);
  const many = await costOf(100_000);
  assert.ok(many.mean <= few.mean && many.most <= few.most, JSON.stringify({ few, many }));
});
