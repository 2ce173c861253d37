// The durable queue in the embedded SQLite file. Every push, take, settle and hold joins the transaction of its turn.
import type { StatementSync } from 'node:sqlite';
import { GatewayError, type GatewayEvent } from '../contract/index.ts';
import type { SqliteFile } from '../state/sqlite.ts';
import { Fresh } from './fresh.ts';
import type { ConsumeOptions, Consumer, DeadLetters, Handler, Queue } from './queue.ts';
import { SqliteConsumer } from './sqlite-consumer.ts';
import { deadSchema, SqliteDeadLetters } from './sqlite-dead.ts';

const schema = `
  CREATE TABLE IF NOT EXISTS queue (seq INTEGER PRIMARY KEY, instance TEXT NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS queue_by_instance ON queue (instance, seq);
  CREATE TABLE IF NOT EXISTS held (
    seq INTEGER PRIMARY KEY, instance TEXT NOT NULL, lane TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS held_by_lane ON held (instance, lane, seq);
  CREATE UNIQUE INDEX IF NOT EXISTS held_by_id ON held (instance, lane, id);
  CREATE TABLE IF NOT EXISTS consumers (
    instance TEXT PRIMARY KEY, fence INTEGER NOT NULL, taken INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;`;

/** What is known of one instance's queue without asking the file. */
export interface InstanceQueue {
  readonly name: string;
  depth: number;
  fence: number;
  /** The last seq that was ever given to a handler. */
  taken: number;
  readonly fresh: Fresh;
  consumer: SqliteConsumer | undefined;
}

/** Shares its file with SqliteState; the file is closed when both are. */
export class SqliteQueue implements Queue {
  readonly dead: DeadLetters;
  readonly #file: SqliteFile;
  readonly #leave: () => void;
  readonly #dead: SqliteDeadLetters;
  readonly #instances = new Map<string, InstanceQueue>();
  readonly #insert: StatementSync;
  readonly #takeOver: StatementSync;
  #lastSeq: number;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#leave = file.join(schema + deadSchema);
    this.#dead = new SqliteDeadLetters(file);
    this.dead = this.#dead;
    this.#insert = file.prepare('INSERT INTO queue VALUES (?, ?, ?)');
    this.#takeOver = file.prepare(
      'INSERT INTO consumers VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET fence = excluded.fence',
    );
    // Never lower than a mark: a new event must not look like one that was taken before.
    const last =
      'SELECT max(ifnull((SELECT max(seq) FROM queue), 0), ifnull((SELECT max(taken) FROM consumers), 0)) AS seq';
    this.#lastSeq = Number(file.prepare(last).get()?.seq);
  }

  async push(instance: string, events: readonly GatewayEvent[]): Promise<void> {
    if (events.length === 0) return;
    const queue = this.#instance(instance);
    const bodies = events.map((event) => JSON.stringify(event));
    const done = this.#file.write(() => {
      events.forEach((event, i) => {
        this.#insert.run(++this.#lastSeq, instance, bodies[i] as string);
        if (queue.consumer) queue.fresh.add(this.#lastSeq, event);
        else queue.fresh.dropTo(this.#lastSeq);
      });
    });
    queue.consumer?.wake();
    try {
      await done;
    } catch (error) {
      // Nothing of that transaction is stored, whatever of it is fresh.
      queue.fresh.dropTo(this.#lastSeq);
      throw error;
    }
    queue.depth += events.length;
  }

  async consume(instance: string, fence: number, handler: Handler, options: ConsumeOptions): Promise<Consumer> {
    const queue = this.#instance(instance);
    if (fence < queue.fence) throw new GatewayError('unavailable', `${instance}: a later holder consumes this queue`);
    queue.consumer?.lose();
    const before = queue.fence;
    queue.fence = fence;
    await this.#file
      .write(() => this.#takeOver.run(instance, fence))
      .catch((error: unknown) => {
        queue.fence = before;
        throw error;
      });
    const consumer = new SqliteConsumer(this.#file, queue, this.#dead, handler, options);
    queue.consumer = consumer;
    consumer.wake();
    return consumer;
  }

  async depth(instance: string): Promise<number> {
    return this.#instance(instance).depth;
  }

  async close(): Promise<void> {
    for (const queue of this.#instances.values()) queue.consumer?.abandon();
    this.#leave();
  }

  #instance(name: string): InstanceQueue {
    const known = this.#instances.get(name);
    if (known) return known;
    const count = (table: string) =>
      Number(this.#file.prepare(`SELECT count(*) AS n FROM ${table} WHERE instance = ?`).get(name)?.n);
    const row = this.#file.prepare('SELECT fence, taken FROM consumers WHERE instance = ?').get(name);
    const queue: InstanceQueue = {
      name,
      depth: count('queue') + count('held'),
      fence: Number(row?.fence ?? 0),
      taken: Number(row?.taken ?? 0),
      fresh: new Fresh(this.#lastSeq),
      consumer: undefined,
    };
    this.#instances.set(name, queue);
    return queue;
  }
}
