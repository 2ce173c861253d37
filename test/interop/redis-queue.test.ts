// The queue's suite on real Redis: standalone, TLS with an ACL user, Sentinel and Cluster.
import { after, before, describe } from 'node:test';
import { BullmqQueue } from '../../src/queue/bullmq.ts';
import { connectRedis, type RedisLink, redisOptions } from '../../src/state/redis.ts';
import { type QueueFixture, testQueue } from '../contract/queue.ts';
import { sampleEvents } from '../contract/sample.ts';
import { missingPeer } from '../servers/debian.ts';
import { deployments } from '../servers/redis-deployments.ts';

for (const deployment of deployments) {
  const skip = missingPeer(...deployment.needs) ?? false;
  describe(`Redis ${deployment.name}`, { skip: process.env.CI === 'true' ? false : skip }, () => {
    before(() => deployment.start());
    after(() => deployment.remove());
    let count = 0;
    testQueue(`Redis ${deployment.name}`, async (): Promise<QueueFixture> => {
      const options = { ...deployment.options(), prefix: `q${process.pid}x${count++}` };
      const links: RedisLink[] = [];
      let link: RedisLink | undefined;
      let queue: BullmqQueue | undefined;
      const key = (name: string) => `${link?.tag}:office:${name}`;
      const open = async () => {
        link = await connectRedis(redisOptions.parse(options));
        links.push(link);
        queue = new BullmqQueue(link);
        return queue;
      };
      return {
        open,
        another: open,
        writes: async () => Number((await link?.client.get(key('id'))) ?? 0),
        async corrupt(instance, body) {
          await queue?.push(instance, sampleEvents(0, 1));
          const id = await link?.client.lindex(key('wait'), 0);
          const isJson = body.endsWith('}');
          await link?.client.hset(key(`${id}`), 'data', isJson ? `{"events":[${body}]}` : body);
        },
        child: ['redis', JSON.stringify(options)],
        async remove() {
          for (const each of links) each.client.disconnect();
        },
      };
    });
  });
}
