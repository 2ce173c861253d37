// Which queue and which state: Redis where one is configured, else the embedded file.
import type { Config } from './config/config.ts';
import type { Log } from './contract/index.ts';
import type { Queue } from './queue/queue.ts';
import type { StateStore } from './state/state.ts';

export interface Stores {
  readonly queue: Queue;
  readonly state: StateStore;
  close(): Promise<void>;
}

/** Throws GatewayError `unavailable` in the store's own words. */
export async function openStores({ redis, data }: Pick<Config, 'redis' | 'data'>, log: Log): Promise<Stores> {
  const { queue, state } = redis ? await openRedis(redis, log) : await openEmbedded(data);
  return {
    queue,
    state,
    async close() {
      await queue.close();
      await state.close();
    },
  };
}

// Each store brings its libraries only when it is the one that is used: 40 MB of memory.
async function openEmbedded(folder: string) {
  const [{ SqliteQueue }, { openSqlite, SqliteState }] = await Promise.all([
    import('./queue/sqlite.ts'),
    import('./state/sqlite.ts'),
  ]);
  const file = await openSqlite(folder);
  return { queue: new SqliteQueue(file), state: new SqliteState(file) };
}

async function openRedis(options: NonNullable<Config['redis']>, log: Log) {
  const [{ BullmqQueue }, { connectRedis, RedisState }] = await Promise.all([
    import('./queue/bullmq.ts'),
    import('./state/redis.ts'),
  ]);
  const redis = await connectRedis(options, log);
  return { queue: new BullmqQueue(redis), state: new RedisState(redis) };
}
