// What outlives the process: authorisations, dialogs, numbers, and what was told last.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../fixtures.ts';
import {
  answered,
  type Bench,
  bench,
  notice,
  pidf,
  refresh,
  rest,
  told,
  watched,
  watcher,
} from './subscriber-fixtures.ts';

const hourMs = 3_600_000;

/** Another process with the same store, `downMs` later. */
async function restarted(t: TestContext, { hub, subscriber }: Bench, downMs = 0): Promise<Bench> {
  subscriber.stop();
  hub.clock = (hub.clock ?? 0) + downMs;
  return bench(t, { hub, clock: new FakeClock() });
}

const cseqOf = ({ last }: Bench) => Number.parseInt(last().headers.get('CSeq') ?? '', 10);

test('RFC 6665 s.4.1: a dialog goes on after a restart: NOTIFY is taken, and only what is new is told', async (t) => {
  const first = await watched(t);
  const subscribe = first.last();
  const second = await restarted(t, first, 60_000);
  const news = (tuples: Record<string, string>, cseq: number) =>
    answered(second.subscriber, notice(subscribe, 'active;expires=3000', { body: pidf(tuples), cseq }));
  assert.equal(await news({ a: 'open', b: 'away' }, 2), 200);
  assert.equal(await news({ b: 'away' }, 3), 200);
  assert.deepEqual(told(first.hub, 2), ['bob/b away', 'bob/a unavailable']);
});

test('RFC 3261 s.12.2.1.1: no CSeq is used twice, though the process died before it wrote the last one down', async (t) => {
  const first = await watched(t);
  await refresh(first);
  await first.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  const before = first.hub.state.entries;
  const kept = new Map(before);
  await refresh(first);
  const used = cseqOf(first);
  // What the store held before the last refresh.
  before.clear();
  for (const [key, value] of kept) before.set(key, value);
  const second = await restarted(t, first);
  await refresh(second);
  assert.ok(cseqOf(second) > used, `${cseqOf(second)} after ${used}`);
  assert.match(second.last().headers.get('To') ?? '', /tag=remote/);
});

test('RFC 3261 s.12.2.2: what came before a restart is not taken again after it', async (t) => {
  const first = await watched(t);
  const subscribe = first.last();
  await first.notify('active;expires=3600', { body: pidf({ a: 'away' }), cseq: 7 });
  const second = await restarted(t, first);
  const copy = notice(subscribe, 'active;expires=3600', { body: pidf({ a: 'open' }), cseq: 6 });
  assert.equal(await answered(second.subscriber, copy), 500);
});

test('RFC 8048 s.8.1: after a restart nobody is taken to be there: the probe decides about the refresh', async (t) => {
  const first = await watched(t);
  const second = await restarted(t, first);
  await second.pass(hourMs);
  assert.equal(second.sent.length, 0);
  const third = await restarted(t, await watched(t, {}));
  await refresh(third);
  assert.equal(third.sent.length, 1);
});

test('RFC 8048 s.5.1: a dialog that ended while nobody ran: the contact is unavailable, and the watcher is looked for', async (t) => {
  const first = await watched(t);
  const second = await restarted(t, first, 2 * hourMs);
  await second.pass(61_000);
  assert.deepEqual(told(first.hub, 2), ['bob unavailable', 'fetch']);
  second.heard('available');
  await rest();
  assert.equal(second.sent.length, 1);
  await second.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  assert.deepEqual(told(first.hub, 4), ['bob/a available']);
});

test('RFC 8048 s.5.1: an authorisation without a dialog outlives a restart, and waits for the watcher', async (t) => {
  const first = await watched(t);
  first.heard('unavailable', watcher);
  await first.pass(hourMs);
  const second = await restarted(t, first, 30 * 24 * hourMs);
  const { length } = first.hub.drafts;
  await second.pass(120_000);
  assert.equal(second.sent.length, 0);
  second.heard('available');
  await rest();
  await second.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  assert.deepEqual(told(first.hub, length), ['bob/a available']);
});

test('RFC 6665 s.4.1.2.4: a request whose NOTIFY had not come is made again after a restart', async (t) => {
  const first = await bench(t);
  await first.ask('request');
  const lost = first.last();
  const second = await restarted(t, first);
  await second.pass(61_000);
  assert.equal(second.sent.length, 1);
  assert.notEqual(second.last().headers.get('Call-ID'), lost.headers.get('Call-ID'));
  await second.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  assert.deepEqual(told(first.hub), ['approve', 'bob/a available']);
});

test('RFC 8048 s.5.2.3: what was ended stays ended after a restart', async (t) => {
  const first = await watched(t);
  await first.ask('cancel');
  const second = await restarted(t, first);
  assert.equal(second.subscriber.size, 0);
});

test('what the store holds of another version is left out', async (t) => {
  const first = await watched(t);
  await first.hub.state.set('watch/broken', '{');
  await first.hub.state.set('watch/other', '{"watcher":1}');
  const second = await restarted(t, first);
  assert.equal(second.subscriber.size, 1);
});

test('RFC 8048 s.5.1: stopping says nothing on the wire, nor to the watcher: the subscriptions go on', async (t) => {
  const made = await watched(t);
  made.subscriber.stop();
  await rest();
  assert.equal(made.sent.length, 1);
  assert.equal(made.hub.drafts.length, 2);
});
