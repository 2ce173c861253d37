// What the operations of one turn share: all values read are one MGET, all set and deleted are one script. A client's own pipeline
// saves the round trips only; it still pays for each command, which is most of what a message costs on Redis.
import type { RedisLink, Script } from './redis.ts';

/** ARGV holds each key's value and time to live in ms, '' for ever, or 'gone' to delete it. */
const changeAll = `
for i, key in ipairs(KEYS) do
  local value, ttl = ARGV[2 * i - 1], ARGV[2 * i]
  if ttl == 'gone' then redis.call('DEL', key)
  elseif ttl == '' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', ttl) end
end
return #KEYS`;

/** So that no single command keeps Redis from its other clients for long. */
const mostTogether = 256;

/** Whole ms, or for ever. */
type Ttl = number | '' | 'gone';

interface Asked {
  readonly key: string;
  resolve(value: string | undefined): void;
  reject(error: unknown): void;
}

interface Change {
  readonly key: string;
  readonly value: string;
  readonly ttl: Ttl;
  resolve(): void;
  reject(error: unknown): void;
}

/** Single reads and writes of one connection. The keys of a cluster live apart: there each goes on its own. */
export class RedisBatches {
  readonly #link: RedisLink;
  readonly #changeAll: Script;
  readonly #isCluster: boolean;
  #asked: Asked[] = [];
  #changes: Change[] = [];
  #isDue = false;

  constructor(link: RedisLink) {
    this.#link = link;
    this.#changeAll = link.script(changeAll);
    this.#isCluster = link.client.isCluster;
  }

  get(key: string): Promise<string | undefined> {
    if (this.#isCluster) return this.#link.run((client) => client.get(key)).then((value) => value ?? undefined);
    return new Promise((resolve, reject) => {
      this.#asked.push({ key, resolve, reject });
      this.#flushSoon();
    });
  }

  set(key: string, value: string, ttl: Exclude<Ttl, 'gone'>): Promise<unknown> {
    if (!this.#isCluster) return this.#change(key, value, ttl);
    return this.#link.run((client) => (ttl === '' ? client.set(key, value) : client.set(key, value, 'PX', ttl)));
  }

  delete(key: string): Promise<unknown> {
    return this.#isCluster ? this.#link.run((client) => client.del(key)) : this.#change(key, '', 'gone');
  }

  #change(key: string, value: string, ttl: Ttl): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#changes.push({ key, value, ttl, resolve, reject });
      this.#flushSoon();
    });
  }

  #flushSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isDue = false;
    const [asked, changes] = [this.#asked, this.#changes];
    this.#asked = [];
    this.#changes = [];
    for (let at = 0; at < changes.length; at += mostTogether) void this.#write(changes.slice(at, at + mostTogether));
    for (let at = 0; at < asked.length; at += mostTogether) void this.#read(asked.slice(at, at + mostTogether));
  }

  async #write(changes: readonly Change[]): Promise<void> {
    const keys = changes.map(({ key }) => key);
    const values = changes.flatMap(({ value, ttl }) => [value, ttl]);
    try {
      await this.#changeAll(keys.length, ...keys, ...values);
      for (const one of changes) one.resolve();
    } catch (error) {
      for (const one of changes) one.reject(error);
    }
  }

  async #read(asked: readonly Asked[]): Promise<void> {
    try {
      const values = await this.#link.run((client) => client.mget(asked.map(({ key }) => key)));
      asked.forEach((one, i) => void one.resolve(values[i] ?? undefined));
    } catch (error) {
      for (const one of asked) one.reject(error);
    }
  }
}
