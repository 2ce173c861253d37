// The state store's suite on real Redis: standalone, TLS with an ACL user, Sentinel and Cluster.
import { after, before, describe } from 'node:test';
import { connectRedis, RedisState, redisOptions } from '../../src/state/redis.ts';
import { type StateFixture, testStateStore } from '../contract/state.ts';
import { missingPeer } from '../servers/debian.ts';
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
