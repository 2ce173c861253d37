// Stanzas on their way to the hub: order, a store that is away, the valve.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inbox } from '../../../adapters/xmpp/inbox.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { FakeClock } from './fake-clock.ts';

function open(more: { highWater?: number; holdMs?: number } = {}) {
  const clock = new FakeClock();
  const valve: string[] = [];
  const port = { pause: () => void valve.push('pause'), resume: () => void valve.push('resume') };
  const inbox = new Inbox({ highWater: 100, holdMs: 30_000, ...more }, port, clock);
  const refused: string[] = [];
  const refuse = ({ reason }: GatewayError) => void refused.push(reason);
  return { clock, valve, inbox, refused, refuse };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const away = () => Promise.reject(new GatewayError('unavailable', 'the store restarts'));

test('one pair keeps its order, however slow; another pair does not wait for it', async () => {
  const { inbox, refuse } = open();
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  inbox.take('a|b', () => first.promise.then(() => void done.push('a1')), refuse);
  inbox.take('a|b', async () => void done.push('a2'), refuse);
  inbox.take('c|b', async () => void done.push('c1'), refuse);
  await turn();
  assert.deepEqual(done, ['c1']);
  first.resolve();
  await turn();
  assert.deepEqual(done, ['c1', 'a1', 'a2']);
});

test('while the store is away a stanza is kept, the socket paused, and order held', async () => {
  const { inbox, refuse, refused, clock, valve } = open();
  const done: string[] = [];
  let isAway = true;
  inbox.take('a|b', async () => (isAway ? away() : void done.push('a1')), refuse);
  inbox.take('a|b', async () => void done.push('a2'), refuse);
  await turn();
  assert.deepEqual(valve, ['pause']);
  for (let i = 0; i < 5; i++) {
    clock.move(2000);
    await turn();
  }
  assert.deepEqual(done, []);
  isAway = false;
  clock.move(2000);
  await turn();
  assert.deepEqual(done, ['a1', 'a2']);
  assert.deepEqual(refused, []);
  assert.equal(valve.at(-1), 'resume');
});

test('after holdMs the sender is told, and the next one gets its own chance', async () => {
  const { inbox, refuse, refused, clock } = open({ holdMs: 5000 });
  inbox.take('a|b', away, refuse);
  for (let i = 0; i < 6; i++) {
    clock.move(1000);
    await turn();
  }
  assert.deepEqual(refused, ['unavailable']);
});

test('any other refusal is told at once, and what was not foreseen is internal', async () => {
  const { inbox, refuse, refused, clock } = open();
  inbox.take('a|b', () => Promise.reject(new GatewayError('not-found', 'nobody')), refuse);
  inbox.take('a|b', () => Promise.reject(new TypeError('a fault of ours')), refuse);
  await turn();
  assert.deepEqual(refused, ['not-found', 'internal']);
  assert.equal(clock.timers.size, 0);
});

test('more than highWater on their way pause the socket until half of them are through', async () => {
  const { inbox, refuse, valve } = open({ highWater: 10 });
  const waiting = Array.from({ length: 10 }, () => Promise.withResolvers<void>());
  for (const [i, { promise }] of waiting.entries()) inbox.take(`p${i}`, () => promise, refuse);
  assert.deepEqual(valve, ['pause']);
  for (const { resolve } of waiting.slice(0, 4)) resolve();
  await turn();
  assert.deepEqual(valve, ['pause']);
  waiting[4]?.resolve();
  await turn();
  assert.deepEqual(valve, ['pause', 'resume']);
});

test('stop waits for what is under way and tries nothing again', async () => {
  const { inbox, refuse, refused } = open();
  const slow = Promise.withResolvers<void>();
  inbox.take('a|b', () => slow.promise.then(away), refuse);
  const stopped = inbox.stop();
  slow.resolve();
  await stopped;
  assert.deepEqual(refused, ['unavailable']);
});
