// Several SMS centres for one account that give the same ids: in the book, and over the wire with two that are not ours.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { npmSmsc } from '../../peers/smpp-npm.ts';
import { until } from '../../servers/process.ts';
import { turn } from './bench.ts';
import { hour, openBook, part, phone, receipt } from './books.ts';
import { dlr, open, signal } from './carrier.ts';
import { message } from './event.ts';

const other = '447700900999';
const at = (h: string, e: string, d = phone, i = 0, n = 1) => ({ ...part(e, i, n, d), h });

describe('the book of several SMS centres', () => {
  test('reference smpp 5.1: equal ids of two SMS centres are two messages: each receipt ends that of the centre it came from', async () => {
    const { book, states } = openBook();
    await book.accepted('1', at('north', 'e1'), hour);
    await book.accepted('1', at('south', 'e2'), hour);
    await book.heard(receipt('1', 'UNDELIV'), [phone], 'south');
    await book.heard(receipt('1'), [phone], 'north');
    assert.deepEqual(states(), ['e2 failed', 'e1 delivered']);
    assert.equal(book.learnt.row('north').constantIds, '');
  });
  test('reference smpp 5.1: on another bind of the same account: a receipt by the link of another centre is found there by id and number', async () => {
    const { book, states } = openBook();
    await book.accepted('1', at('north', 'e1', other), hour);
    await book.accepted('1', at('south', 'e2'), hour);
    await book.accepted('2', at('south', 'e3'), hour);
    await book.heard(receipt('1'), [phone], 'north');
    await book.heard(receipt('2'), [phone], 'east');
    assert.equal(await book.heard(receipt('2'), ['447700900777'], 'west'), 'kept');
    assert.deepEqual(states(), ['e2 delivered', 'e3 delivered']);
  });
  test('reference smpp 5.1: the centre of the link is believed though the receipt names other numbers; another centre is not', async () => {
    const { book, states } = openBook();
    await book.accepted('1', at('north', 'e1'), hour);
    await book.accepted('1', at('south', 'e2'), hour);
    await book.heard(receipt('1'), ['447700900777'], 'south');
    assert.deepEqual(states(), ['e2 delivered']);
  });
  test('reference smpp 1.1: early DLR: those of two centres with the same id wait beside each other', async () => {
    const { book, states } = openBook();
    for (const host of ['north', 'south']) book.expect(host);
    await book.heard(receipt('26', 'EXPIRED'), [phone], 'north');
    await book.heard(receipt('26'), [phone], 'south');
    await book.accepted('1A', at('south', 'e2'), hour);
    await book.accepted('1a', at('north', 'e1'), hour);
    assert.deepEqual(states(), ['e2 delivered', 'e1 expired']);
  });
  test('reference smpp 1.1: early DLR: before the answer of its own centre it is no receipt of another, whatever the id and number', async () => {
    const { book, states } = openBook();
    await book.accepted('0', at('south', 'e0'), hour);
    await book.accepted('1', at('north', 'e1'), hour);
    assert.equal(await book.heard(receipt('1', 'UNDELIV'), [phone], 'south'), 'kept');
    await book.accepted('1', at('south', 'e2'), hour);
    await book.heard(receipt('1'), [phone], 'north');
    assert.deepEqual(states(), ['e2 failed', 'e1 delivered']);
  });
  test("reference smpp 5.1: on another bind of the same account: what its own centre does not claim in five seconds is another's", async () => {
    const { book, states, clock, state } = openBook();
    await book.accepted('0', at('south', 'e0'), hour);
    await book.accepted('1a', at('north', 'e1'), hour);
    await book.heard(receipt('26'), [phone], 'south');
    await book.heard(receipt('27'), [phone], 'south');
    clock.now += 5000;
    const after = openBook(state, clock);
    await after.book.open();
    clock.now += 4900;
    after.book.tick();
    await turn();
    assert.deepEqual(after.states(), []);
    clock.now += 100;
    after.book.tick();
    await turn();
    assert.deepEqual([...states(), ...after.states()], ['e1 delivered']);
    // And for another that answers later.
    await after.book.accepted('1b', at('north', 'e2', other), hour);
    await after.book.accepted('1B', at('east', 'e3'), hour);
    assert.deepEqual(after.states(), ['e1 delivered', 'e3 delivered']);
    assert.deepEqual(
      [...state.entries.keys()].filter((key) => key.startsWith('early/')),
      [],
    );
  });
  test('reference smpp 1.1: early DLR: of the only centre it waits its ten minutes, whatever number it names', async () => {
    const { book, states, clock } = openBook();
    await book.accepted('0', at('north', 'e0'), hour);
    await book.heard(receipt('7'), ['447700900777'], 'north');
    clock.now += 60_000;
    book.tick();
    await turn();
    await book.accepted('7', at('north', 'e1'), hour);
    assert.deepEqual(states(), ['e1 delivered']);
  });
  test('reference smpp 1.1: early DLR: by another link it waits for the same number', async () => {
    const { book, states } = openBook();
    await book.heard(receipt('5'), [phone], 'receiver');
    await book.accepted('5', at('north', 'e1', other), hour);
    await book.accepted('5', at('south', 'e2'), hour);
    assert.deepEqual(states(), ['e2 delivered']);
  });
  test('reference smpp 5.1: a constant id is that of one centre: the same id names messages of another', async () => {
    const { book, states } = openBook();
    for (const event of ['e1', 'e2']) await book.accepted('id', at('north', event), hour);
    await book.accepted('id', at('south', 'e3'), hour);
    await book.heard(receipt('id'), [phone], 'south');
    assert.deepEqual(states(), ['e3 delivered']);
    assert.deepEqual([book.learnt.row('north').constantIds, book.learnt.row('south').constantIds], ['id', '']);
  });
  test('reference smpp 1.1: DLR store: after a restart, and when the host is configured no more, its messages are found', async () => {
    const first = openBook();
    await first.book.accepted('1', at('north', 'e1'), hour);
    await first.book.accepted('1', at('south', 'e2', other), hour);
    const second = openBook(first.state, first.clock);
    await second.book.open();
    await second.book.heard(receipt('1'), [phone], 'renamed');
    await second.book.heard(receipt('1'), [other], 'renamed');
    assert.deepEqual(second.states(), ['e1 delivered', 'e2 delivered']);
  });
  test('a record of a version that knew no centres is found by id and number', async () => {
    const { book, states, state } = openBook();
    await state.set('part/1a', JSON.stringify(part('e1')), hour);
    await book.heard(receipt('26'), [other], 'north');
    assert.deepEqual(states(), []);
    await book.heard(receipt('26'), [phone], 'north');
    assert.deepEqual(states(), ['e1 delivered']);
  });
  test('reference smpp 1.1: multipart DLR: parts that two centres took under the same id are told apart', async () => {
    const { book, states } = openBook();
    await book.accepted('1', at('north', 'e1', phone, 0, 2), hour);
    await book.accepted('1', at('south', 'e1', phone, 1, 2), hour);
    await book.heard(receipt('1'), [phone], 'north');
    assert.deepEqual(states(), []);
    await book.heard(receipt('1'), [phone], 'south');
    assert.deepEqual(states(), ['e1 delivered']);
  });
});

test('reference smpp 5.1: two SMS centres that both count from 1: every message gets its own receipt, by whichever link', async (t) => {
  const [north, south] = [await npmSmsc(), await npmSmsc()];
  t.after(() => south.close());
  const more = { binds: 2, hostUse: 'share', hosts: [`127.0.0.1:${south.port}`] };
  const { smpp, hub } = await open(t, more, { smsc: north });
  t.after(() => north.close());
  for (const id of ['e1', 'e2', 'e3', 'e4']) await smpp.deliver(message('hello', { id }), signal);
  assert.deepEqual([north.submits.length, south.submits.length], [2, 2]);
  // npm smpp numbers as it comes: 1 and 2 at both. To one number, so that only the link can tell.
  for (const [smsc, stat] of [
    [south, 'UNDELIV'],
    [north, 'DELIVRD'],
  ] as const) {
    for (const id of [1, 2]) await smsc.tell('deliver_sm', dlr(id, stat));
  }
  await until(() => hub.draftsOf('receipt').length === 4, 'four receipts');
  const ends = hub.draftsOf('receipt').map(({ of, state }) => `${of} ${state}`);
  const atSouth = ends.slice(0, 2).map((end) => end.slice(0, 2));
  assert.deepEqual(new Set(ends.map((end) => end.slice(0, 2))).size, 4, ends.join());
  assert.deepEqual(
    ends.map((end) => end.slice(3)),
    ['failed', 'failed', 'delivered', 'delivered'],
  );
  assert.ok(['e1,e3', 'e2,e4'].includes(atSouth.join()), ends.join());
});
