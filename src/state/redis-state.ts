// State and leases in Redis. Operations of one turn share a round trip, plain reads and writes also a command.
import { randomUUID } from 'node:crypto';
import { GatewayError, type State } from '../contract/index.ts';
import { holderOf, isGone } from './holder.ts';
import { mastersOf, type RedisClient, type RedisLink, type Script } from './redis.ts';
import { RedisBatches } from './redis-batches.ts';
import { checkKey, type Lease, type StateStore } from './state.ts';

const increment = `
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return sum`;

// KEYS lease fence holder; ARGV ttl, who asks, and the fence whose holder is known to be dead, or ''. Answers the new fence, or
// the fence and the holder that stand in the way. The deletion comes first so that Redis lets a full store's leases be taken too.
const acquire = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[3] then return {held, redis.call('GET', KEYS[3]) or ''} end
redis.call('DEL', KEYS[1])
local fence = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], fence, 'PX', ARGV[1])
redis.call('SET', KEYS[3], fence .. ' ' .. ARGV[2])
return fence`;
const renew = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;
const release = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

const scanCount = 1000;
const pingTtlMs = 10_000;

/** Shares its connection with BullmqQueue; the connection is closed when both are. */
export class RedisState implements StateStore {
  readonly #link: RedisLink;
  readonly #leave: () => Promise<void>;
  readonly #batches: RedisBatches;
  readonly #increment: Script;
  readonly #acquire: Script;
  /** As long as the process lives, so it is looked up once. */
  readonly #holder = holderOf(process.pid);
  readonly #renew: Script;
  readonly #release: Script;

  constructor(link: RedisLink) {
    this.#link = link;
    this.#leave = link.join();
    this.#batches = new RedisBatches(link);
    this.#increment = link.script(increment, 1);
    this.#acquire = link.script(acquire, 3);
    this.#renew = link.script(renew, 1);
    this.#release = link.script(release, 1);
  }

  namespace(name: string): State {
    const prefix = `${this.#link.prefix}:state:${encodeURIComponent(name)}:`;
    return new RedisNamespace(prefix, this.#link, this.#batches, this.#increment);
  }

  async lease(name: string, ttlMs: number): Promise<Lease | undefined> {
    // Both keys in one slot of a cluster, whatever the name holds.
    const key = `{${this.#link.prefix}:lease:${encodeURIComponent(name)}}`;
    const ask = (dead: string) =>
      this.#acquire(key, `${key}:fence`, `${key}:holder`, wholeMs(ttlMs), this.#holder, dead);
    let fence = await ask('');
    if (Array.isArray(fence)) {
      const [held, holder] = fence as [string, string];
      if (holder.startsWith(`${held} `) && isGone(holder.slice(held.length + 1))) fence = await ask(held);
    }
    if (typeof fence !== 'number') return undefined;
    return {
      fence,
      renew: async () => (await this.#renew(key, fence, wholeMs(ttlMs))) === 1,
      release: async () => {
        await this.#release(key, fence);
      },
    };
  }

  async ping(): Promise<void> {
    const key = `${this.#link.prefix}:ping:${randomUUID()}`;
    await this.#link.run((client) => client.set(key, key, 'PX', pingTtlMs));
    const value = await this.#link.run((client) => client.getdel(key));
    if (value !== key) throw new GatewayError('unavailable', 'Redis: read back something else');
  }

  close(): Promise<void> {
    return this.#leave();
  }
}

class RedisNamespace implements State {
  readonly #prefix: string;
  readonly #link: RedisLink;
  readonly #batches: RedisBatches;
  readonly #increment: Script;

  constructor(prefix: string, link: RedisLink, batches: RedisBatches, incrementScript: Script) {
    this.#prefix = prefix;
    this.#link = link;
    this.#batches = batches;
    this.#increment = incrementScript;
  }

  get(key: string): Promise<string | undefined> {
    return this.#batches.get(this.#prefix + key);
  }

  async set(key: string, value: string, ttlMs?: number): Promise<void> {
    await this.#batches.set(this.#name(key), value, ttlMs === undefined ? '' : wholeMs(ttlMs));
  }

  async setIfAbsent(key: string, value: string, ttlMs?: number): Promise<boolean> {
    const name = this.#name(key);
    const outcome = await this.#link.run((client) =>
      ttlMs === undefined ? client.set(name, value, 'NX') : client.set(name, value, 'PX', wholeMs(ttlMs), 'NX'),
    );
    return outcome === 'OK';
  }

  async take(key: string): Promise<string | undefined> {
    return (await this.#link.run((client) => client.getdel(this.#prefix + key))) ?? undefined;
  }

  async delete(key: string): Promise<void> {
    await this.#batches.delete(this.#prefix + key);
  }

  async increment(key: string, by = 1, ttlMs?: number): Promise<number> {
    const name = this.#name(key);
    if (ttlMs === undefined) return this.#link.run((client) => client.incrby(name, by));
    return Number(await this.#increment(name, by, wholeMs(ttlMs)));
  }

  async *scan(prefix: string): AsyncIterable<[key: string, value: string]> {
    const pattern = `${(this.#prefix + prefix).replace(/[*?[\]\\]/g, '\\$&')}*`;
    // SCAN may name a key twice.
    const seen = new Set<string>();
    for (const master of mastersOf(this.#link.client)) {
      let cursor = '0';
      do {
        const [next, names] = await this.#link.run(() => master.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount));
        const fresh = names.filter((name) => !seen.has(name));
        for (const name of fresh) seen.add(name);
        yield* await this.#link.run((client) => this.#read(client, [...new Set(fresh)]));
        cursor = next;
      } while (cursor !== '0');
    }
  }

  async #read(client: RedisClient, names: readonly string[]): Promise<[string, string][]> {
    const values = await Promise.all(names.map((name) => client.get(name)));
    return names.flatMap((name, index): [string, string][] => {
      const value = values[index] ?? undefined;
      return value === undefined ? [] : [[name.slice(this.#prefix.length), value]];
    });
  }

  #name(key: string): string {
    checkKey(key);
    return this.#prefix + key;
  }
}

/** Redis counts in whole milliseconds, and none is no time to live. */
function wholeMs(ttlMs: number): number {
  return Math.max(1, Math.ceil(ttlMs));
}
