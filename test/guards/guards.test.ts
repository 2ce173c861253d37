// What keeps strangers within bounds: pure parts, with a clock of the test's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guesses, sourceOf } from '../../src/guards/guesses.ts';
import { isAllowedBy, Networks, network } from '../../src/guards/networks.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';
import { TokenBucket, TokenBuckets } from '../../src/guards/token-buckets.ts';
import { Turns } from '../../src/guards/turns.ts';

test('a million strangers have ten thousand buckets, and the busiest keeps its own', () => {
  let now = 0;
  const buckets = new TokenBuckets({ perSecond: 1, burst: 2 }, () => now);
  for (let index = 0; index < 1_000_000; index++) {
    buckets.take(`stranger-${index}`);
    if (index % 1000 === 0) buckets.take('busy');
  }
  assert.equal(buckets.size, 10_000);
  assert.equal(buckets.take('busy'), 1000);
  now += 500;
  assert.equal(buckets.isEmpty('busy'), true);
  assert.equal(buckets.take('busy'), 500);
  now += 500;
  assert.equal(buckets.take('busy'), 0);
  assert.equal(new TokenBuckets({ perSecond: 0, burst: 1 }, () => now).take('any'), 0);
});

test('what a bucket owes is paid by waiting, and a clock set back gives nothing', () => {
  let now = 10_000;
  const bucket = new TokenBucket({ perSecond: 10, burst: 10 }, () => now);
  bucket.spend(100);
  assert.equal(bucket.waitMs(), 9100);
  now -= 5000;
  assert.equal(bucket.waitMs(), 9100);
  now += 9100;
  assert.equal(bucket.take(), 0);
  assert.equal(bucket.take(2), 200);
});

test('reference smpp 7.6: addresses that guess are remembered in bounds, IPv6 by its network', () => {
  let now = 0;
  const guesses = new Guesses({ maxFailures: 1, firstMs: 1000, maxMs: 3000 }, () => now);
  assert.equal(sourceOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  guesses.failed('2001:db8:1:2:3:4:5:6');
  assert.equal(guesses.pauseMs('2001:db8:1:2::1:6'), 1000);
  assert.equal(guesses.pauseMs('2001:db8:1:3::1:6'), 0);
  now += 1000;
  assert.equal(guesses.pauseMs('2001:db8:1:2:3:4:5:6'), 0);
  guesses.failed('192.0.2.1');
  for (let n = 0; n < 10_000; n++) guesses.failed(`10.0.${n >> 8}.${n & 255}`);
  assert.equal(guesses.pauseMs('192.0.2.1'), 0, 'the oldest is forgotten first');
});

test('pauses double up to the longest, and a right password ends them', () => {
  const guesses = new Guesses({ maxFailures: 3, firstMs: 1000, maxMs: 3000 }, () => 0);
  const pauses = [1, 2, 3, 4, 5, 6].map(() => {
    guesses.failed('192.0.2.1');
    return guesses.pauseMs('192.0.2.1');
  });
  assert.deepEqual(pauses, [0, 0, 1000, 2000, 3000, 3000]);
  guesses.succeeded('192.0.2.1');
  assert.equal(guesses.pauseMs('192.0.2.1'), 0);
});

test('networks are written as operators write them, and nonsense is refused with what would be right', () => {
  const networks = new Networks(['192.0.2.1', '198.51.100.0/24', '2001:db8::/32']);
  const found = ['192.0.2.1', '192.0.2.2', '198.51.100.77', '2001:db8:7::1', '2001:db9::1'].map((ip) =>
    networks.has(ip),
  );
  assert.deepEqual(found, [true, false, true, true, false]);
  for (const wrong of ['', 'proxy', '192.0.2.0/33', '192.0.2.0/', '192.0.2.0/8/8', '2001:db8::/129', '10.0.0.0/-1']) {
    assert.match(network.safeParse(wrong).error?.issues[0]?.message ?? '', /192\.0\.2\.0\/24/, wrong);
  }
  assert.equal(isAllowedBy([])('203.0.113.1'), true);
  assert.equal(isAllowedBy(['192.0.2.1'])('203.0.113.1'), false);
});

test('turns go by key in order, whoever fails holds up nobody, and nothing is left behind', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const work = (name: string, failure?: Error) => async () => {
    log.push(`${name} begins`);
    await new Promise(setImmediate);
    log.push(`${name} ends`);
    if (failure) throw failure;
  };
  const first = turns.take('a', work('a1', new Error('no')));
  const rest = [turns.take('a', work('a2')), turns.take('b', work('b1'))];
  await assert.rejects(first, /no/);
  await Promise.all(rest);
  assert.deepEqual(log, ['a1 begins', 'b1 begins', 'a1 ends', 'a2 begins', 'b1 ends', 'a2 ends']);
  assert.equal(turns.size, 0);
});

test('of many the one that was set longest ago is forgotten, and to be set again counts', () => {
  const map = new RecentMap<string, number>(2).set('a', 1).set('b', 2).set('a', 3).set('c', 4);
  assert.deepEqual(
    [...map],
    [
      ['a', 3],
      ['c', 4],
    ],
  );
  map.get('a');
  assert.deepEqual([...map.set('d', 5).keys()], ['c', 'd'], 'to be read does not');
});
