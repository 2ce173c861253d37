// `node bench/smpp-receipts.ts`: what a delivery receipt costs, in random order and in another radix than the response, with
// a hundred thousand and with a million parts outstanding, on both stores. O(1) means a ratio near 1.
import { options } from '../adapters/smpp/config.ts';
import { ReceiptBook } from '../adapters/smpp/receipts/book.ts';
import { connectRedis, RedisState, redisOptions } from '../src/state/redis.ts';
import { openSqlite, SqliteState } from '../src/state/sqlite.ts';
import type { StateStore } from '../src/state/state.ts';
import { missingPeer } from '../test/servers/debian.ts';
import { temporaryFolder } from '../test/servers/process.ts';
import { startRedis } from '../test/servers/redis.ts';

const sizes = (process.argv[2] ?? '100000,1000000').split(',').map(Number);
const stores = (process.argv[3] ?? 'embedded,redis').split(',');
const heard = Number(process.argv[4] ?? 20_000);
const together = 500;
const firstId = 0x10000000;
const dayMs = 86_400_000;

if (stores.includes('embedded')) {
  const folder = temporaryFolder('smpp-receipts');
  await measure('embedded', new SqliteState(openSqlite(folder.path)));
  folder.remove();
}
if (stores.includes('redis') && !missingPeer('redis-server')) {
  const redis = await startRedis({ extra: ['--appendfsync', 'everysec'] });
  await measure('redis', new RedisState(await connectRedis(redisOptions.parse({ url: redis.url }))));
  await redis.stop();
}

async function measure(name: string, store: StateStore): Promise<void> {
  let ended = 0;
  const settings = options.parse({ systemId: 'bench' });
  const conclude = async () => void ended++;
  const book = new ReceiptBook(store.namespace('carrier'), settings, conclude, Date.now);
  await book.open();
  const costs: number[] = [];
  let sent = 0;
  const outstanding: number[] = [];
  for (const size of sizes) {
    while (outstanding.length < size) {
      const batch = Array.from({ length: together }, () => sent++);
      await Promise.all(batch.map((n) => accept(book, n)));
      outstanding.push(...batch);
    }
    const before = process.cpuUsage();
    const startedAt = performance.now();
    for (let done = 0; done < heard; done += together) {
      await Promise.all(Array.from({ length: together }, () => hear(book, pick(outstanding))));
    }
    const us = ((performance.now() - startedAt) / heard) * 1000;
    const { user, system } = process.cpuUsage(before);
    costs.push(us);
    process.stdout.write(
      `${name}: ${us.toFixed(1)} us a receipt (${((user + system) / heard).toFixed(1)} us CPU) with ${size} outstanding\n`,
    );
  }
  const ratio = (costs.at(-1) ?? 0) / (costs[0] ?? 1);
  process.stdout.write(`${name}: ${ended} messages ended, ratio ${ratio.toFixed(2)}\n`);
  await store.close();
}

function accept(book: ReceiptBook, n: number): Promise<void> {
  const record = { e: `e${n}`, f: 'xmpp:alice@example.org', t: `tel:+4477${n}`, d: `4477${n}`, i: 0, n: 1 };
  return book.accepted((firstId + n).toString(16), record, 3 * dayMs, Date.now() + 2 * dayMs);
}

async function hear(book: ReceiptBook, n: number): Promise<void> {
  const receipt = { ids: [String(firstId + n)], stat: 'DELIVRD', isCertain: true };
  const found = await book.heard(receipt, [`4477${n}`]);
  if (found !== 'settled') throw new Error(`receipt ${n} was ${found}`);
}

/** One of them, which is then none of them any more. */
function pick(outstanding: number[]): number {
  const at = Math.floor(Math.random() * outstanding.length);
  const chosen = outstanding[at] as number;
  outstanding[at] = outstanding.at(-1) as number;
  outstanding.pop();
  return chosen;
}
