// The dead letters in Redis: the letters in one hash, their order by time in one sorted set, and one more an instance.
import type { RedisLink } from '../state/redis.ts';
import type { QueueScripts } from './bullmq-scripts.ts';
import type { DeadLetter, DeadLetters } from './queue.ts';

export class RedisDeadLetters implements DeadLetters {
  readonly #link: RedisLink;
  readonly #scripts: QueueScripts;
  readonly #letters: string;
  readonly #order: string;
  readonly #orderOf: string;

  constructor(link: RedisLink, scripts: QueueScripts) {
    this.#link = link;
    this.#scripts = scripts;
    // No BullMQ queue has an empty name, so these meet none of its keys.
    this.#letters = `${link.tag}::dead`;
    this.#order = `${this.#letters}:order`;
    this.#orderOf = `${this.#letters}:of:`;
  }

  async bury(letter: DeadLetter): Promise<void> {
    const text = JSON.stringify({ ...letter, event: letter.event ?? null });
    const at = Date.parse(letter.at);
    await this.#scripts.bury(this.#letters, this.#order, letter.id, at, text, this.#orderOf, letter.instance);
  }

  async list(limit: number, instance?: string): Promise<DeadLetter[]> {
    const order = instance === undefined ? this.#order : this.#orderOf + instance;
    const ids = await this.#link.run((client) => client.zrevrange(order, 0, limit - 1));
    if (ids.length === 0) return [];
    const letters = await this.#link.run((client) => client.hmget(this.#letters, ...ids));
    return letters.filter((letter) => letter !== null).map((letter) => JSON.parse(letter) as DeadLetter);
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const letter = await this.#link.run((client) => client.hget(this.#letters, id));
    return letter === null ? undefined : (JSON.parse(letter) as DeadLetter);
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#scripts.exhume(this.#letters, this.#order, id, this.#orderOf)) === 1;
  }

  count(): Promise<number> {
    return this.#link.run((client) => client.hlen(this.#letters));
  }
}
