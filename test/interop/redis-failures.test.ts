// What queue and state do when Redis is killed, away, full, misconfigured, failed over, or drops our connections.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import { BullmqQueue } from '../../src/queue/bullmq.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { connectRedis, RedisState, redisOptions } from '../../src/state/redis.ts';
import { numberOf, sampleEvent, sampleEvents } from '../contract/sample.ts';
import { needs } from '../servers/debian.ts';
import { temporaryFolder, until } from '../servers/process.ts';
import { makeCertificates, type RedisServerOptions, startRedis, startSentinels } from '../servers/redis.ts';

const reasonIs = (reason: string) => (error: unknown) => error instanceof GatewayError && error.reason === reason;

async function openStores(t: TestContext, options: object) {
  const link = await connectRedis(redisOptions.parse(options));
  const queue = new BullmqQueue(link);
  const state = new RedisState(link);
  t.after(async () => {
    await Promise.all([queue.close(), state.close()]);
  });
  return { queue, state, link };
}

async function open(t: TestContext, options: RedisServerOptions = {}) {
  const redis = await startRedis(options);
  t.after(() => redis.stop());
  return { redis, ...(await openStores(t, { host: '127.0.0.1', port: redis.port })) };
}

/** Pushes 0, 1, 2, ... one after the other, each until it is accepted, as the hub's callers would. */
async function pushAll(queue: Queue, count: number, accepted: (n: number) => void): Promise<number> {
  let refusals = 0;
  for (let n = 0; n < count; n++) {
    for (let isAccepted = false; !isAccepted; ) {
      try {
        await queue.push('office', [sampleEvent(n)]);
        isAccepted = true;
        accepted(n);
      } catch (error) {
        assert.ok(reasonIs('unavailable')(error), String(error));
        refusals++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
  return refusals;
}

async function collect(queue: Queue, seen: number[]) {
  const handler = async ({ event }: { event: { id: string } }) => {
    seen.push(numberOf(event));
  };
  return queue.consume('office', 1, handler, { prefetch: 32, onLost: () => assert.fail('lost') });
}

/** Numbers as they came first: a push that was refused but carried out, or a settle that was lost, shows up again. */
function firsts(seen: readonly number[]): number[] {
  return [...new Set(seen)];
}

test('Redis is killed and restarted twice in a burst: nothing acknowledged is lost, and the order stays', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const { redis, queue } = await open(t);
  const seen: number[] = [];
  await collect(queue, seen);
  let accepted = 0;
  const pushing = pushAll(queue, 3000, () => accepted++);
  for (const at of [800, 1800]) {
    await until(() => accepted > at, `${at} accepted`, 30_000);
    await redis.kill();
    await redis.restart();
  }
  const refusals = await pushing;
  await until(() => new Set(seen).size === 3000, 'all are seen', 30_000);
  assert.deepEqual(
    firsts(seen),
    Array.from({ length: 3000 }, (_, n) => n),
  );
  await until(async () => (await queue.depth('office')) === 0, 'the queue runs empty');
  t.diagnostic(`${refusals} refusals, ${seen.length - 3000} repeats`);
});

test('connections that break at any moment lose nothing and leave no job behind', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const { redis, queue } = await open(t);
  const seen: number[] = [];
  await collect(queue, seen);
  let accepted = 0;
  const pushing = pushAll(queue, 4000, () => accepted++);
  let breaks = 0;
  while (accepted < 3900) {
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
    breaks++;
    const before = accepted;
    await until(() => accepted > before + 100 || accepted >= 3900, 'it goes on', 30_000);
  }
  await pushing;
  await until(() => new Set(seen).size === 4000, 'all are seen', 30_000);
  assert.deepEqual(
    firsts(seen),
    Array.from({ length: 4000 }, (_, n) => n),
  );
  await until(async () => (await queue.depth('office')) === 0, 'the queue runs empty');
  assert.equal(await redis.command('LLEN', 'dragoman:office:active'), '0');
  assert.deepEqual((await redis.command('KEYS', 'dragoman:office:[0-9]*')).split('\n').filter(Boolean), []);
  assert.ok(breaks > 10);
  t.diagnostic(`${breaks} breaks, ${seen.length - 4000} repeats`);
});

test('while Redis is away a push, a read and a lease fail within a second and a half, and work again after', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const { redis, queue, state } = await open(t);
  const seen: number[] = [];
  const consumer = await collect(queue, seen);
  const lease = await state.lease('office', 60_000);
  assert.ok(lease);
  await redis.kill();
  for (let round = 0; round < 3; round++) {
    const began = performance.now();
    await assert.rejects(queue.push('office', sampleEvents(0, 1)), reasonIs('unavailable'));
    await assert.rejects(state.namespace('n').get('k'), reasonIs('unavailable'));
    await assert.rejects(lease.renew(), reasonIs('unavailable'));
    await assert.rejects(consumer.hold('lane', sampleEvent(1)), reasonIs('unavailable'));
    assert.ok(performance.now() - began < 3000, `${performance.now() - began} ms`);
  }
  await redis.restart();
  await until(
    () =>
      state.ping().then(
        () => true,
        () => false,
      ),
    'Redis is back',
  );
  assert.equal(await lease.renew(), true);
  await queue.push('office', sampleEvents(7, 9));
  await until(() => seen.length === 2, 'the consumer went on by itself');
  await consumer.stop();
});

test('a full Redis refuses as throttled, still drains, and takes more when there is room', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const { redis, queue, state } = await open(t, { maxmemory: '8mb' });
  let kept = 0;
  const fill = async () => {
    for (;;) {
      const events = Array.from({ length: 20 }, (_, n) => sampleEvent(kept + n, 'x'.repeat(4000)));
      await queue.push('office', events);
      kept += events.length;
    }
  };
  await assert.rejects(fill, reasonIs('throttled'));
  assert.ok(kept > 200);
  await assert.rejects(state.namespace('n').set('k', 'x'.repeat(100_000)), reasonIs('throttled'));
  assert.ok(await state.lease('office', 60_000), 'a lease is still to be had');
  await redis.command('CONFIG', 'SET', 'maxmemory', '1');
  assert.equal(await queue.depth('office'), kept);
  const held: number[] = [];
  const consumer = await queue.consume(
    'office',
    1,
    async ({ event }) => {
      if (numberOf(event) % 10 === 0) await consumer.hold('lane', event);
      if (numberOf(event) % 50 === 1) await queue.dead.bury(letterOf(event));
      held.push(numberOf(event));
    },
    { prefetch: 32, onLost: () => undefined },
  );
  await until(async () => (await queue.depth('office')) === kept / 10, 'it drains while it is full');
  assert.deepEqual(
    firsts(held).toSorted((a, b) => a - b),
    Array.from({ length: kept }, (_, n) => n),
  );
  await assert.rejects(queue.push('office', sampleEvents(0, 1)), reasonIs('throttled'));
  await redis.command('CONFIG', 'SET', 'maxmemory', '64mb');
  await queue.push('office', sampleEvents(kept, kept + 5));
  await until(() => held.length === kept + 5, 'and takes more');
  await consumer.stop();
});

test('what makes a Redis unfit is said at the start, with the line that mends it', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const redis = await startRedis({ aof: false, maxmemory: '64mb', maxmemoryPolicy: 'allkeys-lru' });
  t.after(() => redis.stop());
  const said: string[] = [];
  const log = {
    info: (_: unknown, message: string) => said.push(`info ${message}`),
    warn: (fields: { advice?: unknown }, message: string) => said.push(`warn ${message}: ${fields.advice}`),
  };
  const link = await connectRedis(redisOptions.parse({ url: redis.url }), log);
  await link.join()();
  assert.match(said.join('\n'), /^info Redis \d+\.\d+/);
  assert.match(said.join('\n'), /allkeys-lru.*redis\.conf: maxmemory-policy noeviction/);
  assert.match(said.join('\n'), /append-only.*redis\.conf: appendonly yes/);
});

test('a wrong password, a server that is not there and a wrong certificate are unavailable, and no secret is told', async (t) => {
  if (!needs(t, 'redis-server', 'openssl')) return;
  const folder = temporaryFolder('wrong');
  t.after(() => folder.remove());
  const redis = await startRedis({ acl: ['user default off', 'user gate on >right ~* &* +@all'] });
  t.after(() => redis.stop());
  const secure = await startRedis({ tls: makeCertificates(folder.path) });
  t.after(() => secure.stop());
  const secret = 'hunter2%21';
  const port = redis.port;
  const cases = [
    { host: '127.0.0.1', port, username: 'gate', password: secret },
    { url: `redis://gate:${secret}@127.0.0.1:${port}` },
    { url: `redis://gate:${secret}@127.0.0.1:1` },
    { url: `rediss://gate:${secret}@127.0.0.1:${secure.port}` },
    { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'x', sentinelPassword: secret },
    { cluster: [{ host: '127.0.0.1', port: 1 }], password: secret },
  ];
  for (const options of cases) {
    await assert.rejects(connectRedis(redisOptions.parse(options)), (error) => {
      assert.ok(reasonIs('unavailable')(error), `${error}`);
      assert.doesNotMatch(JSON.stringify(error) + String(error) + String((error as Error).cause), /hunter2/);
      return true;
    });
  }
});

test('options name exactly one way to Redis, and a bad one is told without its text', () => {
  const faults = [
    {},
    { url: 'redis://a', host: 'b' },
    { host: 'a', unknown: 1 },
    { sentinels: [{ host: 'a' }] },
    { host: 'a', name: 'x' },
    { host: 'a', prefix: '{x}' },
    { host: 'a', port: 70_000 },
    { url: 'http://user:hunter2@a' },
    { url: 'redis://user:hunter2%zz@a' },
  ];
  for (const options of faults) {
    const parsed = redisOptions.safeParse(options);
    assert.equal(parsed.success, false, JSON.stringify(options));
    assert.doesNotMatch(JSON.stringify(parsed.error?.issues), /hunter2/);
  }
  assert.equal(redisOptions.parse({ host: 'a', tls: {} }).tls?.rejectUnauthorized, true);
});

test('after a failover of the sentinels the new master is found, and everything goes on', async (t) => {
  if (!needs(t, 'redis-server', 'redis-sentinel')) return;
  const group = await startSentinels('messages');
  t.after(() => group.stop());
  const [master, replica] = group.servers;
  const sentinels = group.ports.map((port) => ({ host: '127.0.0.1', port }));
  const { queue, state } = await openStores(t, { sentinels, name: 'messages' });
  const seen: number[] = [];
  await collect(queue, seen);
  await queue.push('office', sampleEvents(0, 10));
  await until(() => seen.length === 10, 'before the failover');
  const isReplicated = async () => /slave0:.*state=online/.test((await master?.command('INFO', 'replication')) ?? '');
  await until(isReplicated, 'the replica follows');
  await until(
    async () => (await replica?.command('GET', 'dragoman:office:dragoman-fence')) === '1',
    'it has the fence',
  );
  await master?.kill();
  const isBack = () =>
    state.ping().then(
      () => true,
      () => false,
    );
  await until(isBack, 'the new master is found', 30_000);
  await queue.push('office', sampleEvents(10, 20));
  await until(() => new Set(seen).size === 20, 'after the failover', 20_000);
  assert.deepEqual(
    firsts(seen),
    Array.from({ length: 20 }, (_, n) => n),
  );
});

function letterOf(event: { id: string }) {
  return {
    id: event.id,
    instance: 'office',
    at: '2026-01-01T00:00:00.000Z',
    reason: 'internal',
    text: 'x',
    event,
  } as const;
}
