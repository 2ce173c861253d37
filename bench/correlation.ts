// `node bench/correlation.ts`: what it costs to find a receipt's message with ten thousand and with a million outstanding,
// in random order, on both stores. O(1) means a ratio near 1.
import { type Message, parseAddress } from '../src/contract/index.ts';
import { Correlation } from '../src/hub/correlation.ts';
import { newEventId } from '../src/hub/ids.ts';
import { connectRedis, RedisState, redisOptions } from '../src/state/redis.ts';
import { openSqlite, SqliteState } from '../src/state/sqlite.ts';
import type { StateStore } from '../src/state/state.ts';
import { missingPeer } from '../test/servers/debian.ts';
import { temporaryFolder } from '../test/servers/process.ts';
import { startRedis } from '../test/servers/redis.ts';

const sizes = [10_000, 1_000_000];
const look = 20_000;
const together = 500;
const weekMs = 7 * 86_400_000;

const folder = temporaryFolder('correlation');
await measure('embedded', new SqliteState(openSqlite(folder.path)));
folder.remove();
if (!missingPeer('redis-server')) {
  const redis = await startRedis({ extra: ['--appendfsync', 'everysec'] });
  await measure('redis', new RedisState(await connectRedis(redisOptions.parse({ url: redis.url }))));
  await redis.stop();
}

async function measure(name: string, store: StateStore): Promise<void> {
  const correlation = new Correlation(store.namespace('hub'), weekMs);
  const ids: string[] = [];
  const costs: number[] = [];
  for (const size of sizes) {
    while (ids.length < size) await fill(correlation, ids);
    const startedAt = performance.now();
    for (let i = 0; i < look; i += together) {
      const asked = Array.from({ length: together }, () => ids[Math.floor(Math.random() * ids.length)] as string);
      await Promise.all(asked.map((id) => correlation.find('carrier', id)));
    }
    const us = ((performance.now() - startedAt) / look) * 1000;
    costs.push(us);
    process.stdout.write(`${name}: ${us.toFixed(1)} us a receipt with ${size} outstanding\n`);
  }
  process.stdout.write(`${name}: ratio ${((costs[1] ?? 0) / (costs[0] ?? 1)).toFixed(2)}\n`);
  await store.close();
}

async function fill(correlation: Correlation, ids: string[]): Promise<void> {
  const from = parseAddress('xmpp:alice@example.org/phone');
  const to = parseAddress('tel:+447700900123');
  const writes = Array.from({ length: together }, () => {
    const id = newEventId(Date.now());
    ids.push(id);
    const people = { from, to };
    const message: Message = {
      ...people,
      v: 1,
      id,
      type: 'message',
      origin: 'jabber',
      trace: id,
      at: new Date().toISOString(),
      source: people,
      conversation: 'a|b',
      hops: 1,
      text: { '': 'hello' },
      wants: ['delivered'],
    };
    return correlation.remember(message, 'carrier');
  });
  await Promise.all(writes);
}
