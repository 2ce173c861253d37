// Our queues are BullMQ's to its own tools: what Bull Board and the like read through BullMQ's API.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Queue as BullQueue } from 'bullmq';
import { BullmqQueue } from '../../src/queue/bullmq.ts';
import { connectRedis, redisOptions } from '../../src/state/redis.ts';
import { numberOf, sampleEvents } from '../contract/sample.ts';
import { needs } from '../servers/debian.ts';
import { until } from '../servers/process.ts';
import { startRedis } from '../servers/redis.ts';

test('BullMQ itself sees waiting, active and finished batches, and which of their events are settled', async (t) => {
  if (!needs(t, 'redis-server')) return;
  const redis = await startRedis();
  t.after(() => redis.stop());
  const link = await connectRedis(redisOptions.parse({ url: redis.url }));
  const queue = new BullmqQueue(link);
  t.after(() => queue.close());
  const board = new BullQueue('carrier%3Anorth', {
    connection: { host: '127.0.0.1', port: redis.port },
    prefix: 'dragoman',
  });
  t.after(() => board.close());
  const counts = () => board.getJobCounts('wait', 'active', 'completed', 'failed');

  await queue.push('carrier:north', sampleEvents(0, 3));
  assert.deepEqual(await counts(), { wait: 1, active: 0, completed: 0, failed: 0 });
  const [waiting] = await board.getWaiting();
  assert.equal(waiting?.name, 'batch');
  assert.deepEqual(waiting?.data, { events: sampleEvents(0, 3) });

  const slow = Promise.withResolvers<void>();
  const handler = ({ event }: { event: { id: string } }) => (numberOf(event) === 1 ? slow.promise : Promise.resolve());
  const consumer = await queue.consume('carrier:north', 1, handler, { prefetch: 10, onLost: () => undefined });
  await until(async () => JSON.stringify((await board.getActive())[0]?.progress) === '{"done":[0,2]}', 'progress');
  assert.deepEqual(await counts(), { wait: 0, active: 1, completed: 0, failed: 0 });
  slow.resolve();
  await consumer.stop();
  assert.deepEqual(await counts(), { wait: 0, active: 0, completed: 0, failed: 0 });
});
