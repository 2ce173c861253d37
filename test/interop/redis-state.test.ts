// The state store's suite on real Redis: standalone, TLS with an ACL user, Sentinel and Cluster.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connectRedis, RedisState, redisOptions } from '../../src/state/redis.ts';
import { type StateFixture, testStateStore } from '../contract/state.ts';
import { missingPeer, needs } from '../servers/debian.ts';
import { startRedis } from '../servers/redis.ts';
import { deployments } from '../servers/redis-deployments.ts';

for (const deployment of deployments) {
  const skip = missingPeer(...deployment.needs) ?? false;
  describe(`Redis ${deployment.name}`, { skip: process.env.CI === 'true' ? false : skip }, () => {
    before(() => deployment.start());
    after(() => deployment.remove());
    let count = 0;
    testStateStore(`Redis ${deployment.name}`, async (): Promise<StateFixture> => {
      const settings = redisOptions.parse({ ...deployment.options(), prefix: `s${process.pid}x${count++}` });
      const open = async () => new RedisState(await connectRedis(settings));
      return { open, another: open, remove: async () => undefined };
    });
  });
}

it('what is read and set in one turn is two commands, each told of its own key', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const redis = await startRedis({});
  const store = new RedisState(await connectRedis(redisOptions.parse({ url: redis.url })));
  const state = store.namespace('n');
  await state.set('0', 'first', 60_000);
  const callsOf = async (name: string) =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(await redis.command('INFO', 'commandstats'))?.[1] ?? 0);
  const before = (await callsOf('evalsha')) + (await callsOf('eval'));
  const keys = Array.from({ length: 200 }, (_, n) => String(n));
  const [found] = await Promise.all([
    Promise.all(['0', 'never'].map((key) => state.get(key))),
    ...keys.map((key) => state.set(key, `value ${key}`, key === '7' ? 60_000 : undefined)),
  ]);
  assert.deepEqual(found, ['value 0', undefined], 'in the order of the turn writes come first');
  assert.equal((await callsOf('evalsha')) + (await callsOf('eval')) - before, 1);
  assert.equal(await callsOf('mget'), 1);
  assert.equal(await redis.command('PTTL', 'dragoman:state:n:0'), '-1', 'a plain set makes it stay');
  assert.ok(Number(await redis.command('PTTL', 'dragoman:state:n:7')) > 50_000);
  assert.deepEqual(
    await Promise.all(keys.map((key) => state.get(key))),
    keys.map((key) => `value ${key}`),
  );
  await store.close();
  await redis.stop();
});

it('the lease of a process of this machine that is dead is taken at once; of any other when its time is over', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const redis = await startRedis({});
  const store = new RedisState(await connectRedis(redisOptions.parse({ url: redis.url })));
  const first = await store.lease('carrier', 60_000);
  assert.equal(first?.fence, 1);
  assert.equal(await store.lease('carrier', 60_000), undefined, 'we live');
  const holder = '{dragoman:lease:carrier}:holder';
  const [, boot = '', ...process] = (await redis.command('GET', holder)).trim().split(' ');
  const dead = [...process.slice(0, -1), '1'];
  for (const other of [[boot.replace(/^./, 'x'), ...dead], [boot, 'pid:[1]', ...dead.slice(1)], ['']]) {
    await redis.command('SET', holder, `1 ${other.join(' ')}`);
    assert.equal(await store.lease('carrier', 60_000), undefined, `${other}: nobody here can know`);
  }
  await redis.command('SET', holder, `1 ${[boot, ...dead].join(' ')}`);
  assert.equal((await store.lease('carrier', 60_000))?.fence, 2);
  assert.equal(await first.renew(), false);
  await store.close();
  await redis.stop();
});
