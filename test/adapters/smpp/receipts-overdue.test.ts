// Messages of which the SMSC says too little: receipts for one part only, and receipts that never come.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReceiptBook } from '../../../adapters/smpp/receipts/book.ts';
import { CountingState, hour, openBook, part, phone, receipt } from './books.ts';

const day = 24 * hour;
const turns = async () => {
  for (let count = 0; count < 30; count++) await new Promise(setImmediate);
};

describe('several parts', () => {
  const send = async (book: ReceiptBook, event: string) => {
    for (const i of [0, 1, 2]) await book.accepted(`${event}-${i}`, part(event, i, 3), hour);
  };
  for (const [dialect, index] of [
    ['first', 0],
    ['last', 2],
  ] as const) {
    test(`reference smpp 5.1: receipts for the ${dialect} part only: pinned, its receipt speaks for the message`, async () => {
      const { book, states } = openBook(undefined, undefined, { partReceipts: dialect });
      await send(book, 'e1');
      await book.heard(receipt(`e1-${index}`), [phone]);
      assert.deepEqual(states(), ['e1 delivered']);
    });
    test(`reference smpp 5.1: receipts for the ${dialect} part only: learnt when three messages in a row end so, and kept`, async () => {
      const { book, states, clock, state } = openBook();
      for (const event of ['e1', 'e2', 'e3']) {
        await send(book, event);
        await book.heard(receipt(`${event}-${index}`), [phone]);
        clock.now += 60_000;
        book.tick();
        await turns();
      }
      assert.deepEqual(states(), ['e1 unknown', 'e2 unknown', 'e3 unknown']);
      assert.equal(book.learnt.row('').partReceipts, dialect);
      const later = openBook(state, clock);
      await later.book.open();
      await send(later.book, 'e4');
      await later.book.heard(receipt(`e4-${index}`), [phone]);
      assert.deepEqual(later.states(), ['e4 delivered']);
    });
  }
  test('a receipt for another part ends what was learnt of one part only', async () => {
    const { book, clock } = openBook();
    for (const event of ['e1', 'e2', 'e3']) {
      await send(book, event);
      await book.heard(receipt(`${event}-0`), [phone]);
      clock.now += 60_000;
      book.tick();
      await turns();
    }
    assert.equal(book.learnt.parts, 'first');
    await send(book, 'e4');
    await book.heard(receipt('e4-1'), [phone]);
    assert.equal(book.learnt.parts, 'every');
  });
  test('reference smpp 5.1: all asked parts final, or any failed, or the timer', async () => {
    const { book, states, clock } = openBook();
    for (const event of ['all', 'bad', 'slow']) await send(book, event);
    for (const i of [2, 0, 1]) await book.heard(receipt(`all-${i}`), [phone]);
    await book.heard(receipt('bad-1', 'UNDELIV'), [phone]);
    await book.heard(receipt('slow-1'), [phone]);
    assert.deepEqual(states(), ['all delivered', 'bad failed']);
    clock.now += 60_000;
    book.tick();
    await turns();
    assert.deepEqual(states(), ['all delivered', 'bad failed', 'slow unknown']);
  });
});

describe('overdue', () => {
  test('reference smpp 5.1: without a receipt until validity and grace are over a message is unknown, in words', async () => {
    const { book, told, states, clock } = openBook();
    await book.open();
    await book.accepted('1', part('e1'), 3 * day, clock.now + day);
    await book.accepted('2', part('e2'), 3 * day, clock.now + day);
    await book.heard(receipt('2'), [phone]);
    clock.now += day - 600_000;
    book.tick();
    await turns();
    assert.deepEqual(states(), ['e2 delivered']);
    clock.now += 1_200_000;
    book.tick();
    await turns();
    assert.deepEqual(states(), ['e2 delivered', 'e1 unknown']);
    assert.match(told[1]?.words ?? '', /sent no receipt: nobody knows whether it arrived/);
    await book.heard(receipt('1'), [phone]);
    assert.deepEqual(states(), ['e2 delivered', 'e1 unknown', 'e1 delivered']);
  });
  test('after a restart, and a long time away, what was due is told once', async () => {
    const first = openBook();
    await first.book.open();
    await first.book.accepted('1', part('e1'), 9 * day, first.clock.now + day);
    first.clock.now += 3 * day;
    const { book, states, clock } = openBook(first.state, first.clock);
    await book.open();
    for (let ticks = 0; ticks < 3; ticks++) {
      clock.now += 600_000;
      book.tick();
      for (let round = 0; round < 40; round++) await turns();
    }
    assert.deepEqual(states(), ['e1 unknown']);
  });
  test('a message of three parts of which nothing is heard is told once', async () => {
    const { book, states, clock } = openBook();
    await book.open();
    for (const i of [0, 1, 2]) await book.accepted(`p${i}`, part('e1', i, 3), 3 * day, clock.now + hour);
    clock.now += 2 * hour;
    book.tick();
    await turns();
    assert.deepEqual(states(), ['e1 unknown']);
  });
  test('SMPP 3.4 s.4.8: where the policy is query, the SMSC is asked before a message is called unknown', async () => {
    const asked: string[] = [];
    const answers: Record<string, 'on its way' | { state: 'delivered'; words: string } | undefined> = {
      '00Ab': { state: 'delivered', words: 'delivered' },
      2: 'on its way',
    };
    const { book, states, clock } = openBook(
      undefined,
      undefined,
      {},
      {
        ask: async (messageId) => {
          asked.push(messageId);
          return answers[messageId];
        },
      },
    );
    await book.open();
    for (const [at, id] of ['00Ab', '2', '3'].entries()) await book.accepted(id, part(`e${at}`), day, clock.now + hour);
    clock.now += 2 * hour;
    book.tick();
    await turns();
    assert.deepEqual(asked.sort(), ['00Ab', '2', '3']);
    assert.deepEqual(states().sort(), ['e0 delivered', 'e1 unknown', 'e2 unknown']);
  });
  test('an id that was given to another message since does not hide that nothing was heard of the first', async () => {
    const { book, states, clock } = openBook();
    await book.open();
    await book.accepted('1', part('e1'), day, clock.now + hour);
    await book.accepted('2', part('e2'), day);
    await book.accepted('1', part('e3'), day, clock.now + day);
    await book.heard(receipt('1'), [phone]);
    clock.now += 2 * hour;
    book.tick();
    await turns();
    assert.deepEqual(states(), ['e3 delivered', 'e1 unknown']);
  });
  test('a thousand messages of one turn cost a handful of keys', async () => {
    const state = new CountingState();
    const { book, clock } = openBook(state);
    await book.open();
    await Promise.all(
      Array.from({ length: 1000 }, (_, n) => book.accepted(`x${n}`, part(`e${n}`), day, clock.now + hour)),
    );
    assert.ok([...state.entries.keys()].filter((key) => key.startsWith('due/')).length <= 8);
  });
});
