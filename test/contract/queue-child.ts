// A process that is killed while it pushes or consumes: `queue-child.ts <store> <where> push <count>` and
// `... consume <fence> <count>`. Prints what it did as soon as that is done.
import { BullmqQueue } from '../../src/queue/bullmq.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { SqliteQueue } from '../../src/queue/sqlite.ts';
import { connectRedis, redisOptions } from '../../src/state/redis.ts';
import { openSqlite } from '../../src/state/sqlite.ts';
import { sampleEvents } from './sample.ts';

const [store = '', where = '', command, ...numbers] = process.argv.slice(2);
const queue = await open();
const [first = 0, second = 0] = numbers.map(Number);
// The parent ends this process.
setInterval(() => undefined, 1000);
if (command === 'push') {
  const events = sampleEvents(0, first);
  await Promise.all(events.map((event) => queue.push('office', [event])));
  process.stdout.write(`pushed ${first}\n`);
} else {
  let settled = 0;
  const handler = async () => {
    settled++;
    if (settled % 100 === 0 && settled <= second) process.stdout.write(`settled ${settled}\n`);
  };
  await queue.consume('office', first, handler, { prefetch: 64, onLost: () => process.exit(3) });
}

async function open(): Promise<Queue> {
  if (store === 'sqlite') return new SqliteQueue(openSqlite(where));
  if (store === 'redis') return new BullmqQueue(await connectRedis(redisOptions.parse(JSON.parse(where))));
  throw new Error(`no such store: ${store}`);
}
