// The one consumer of an instance's queue in the embedded SQLite file, and its held lanes.
import type { StatementSync } from 'node:sqlite';
import { GatewayError, type GatewayEvent, parseEvent } from '../contract/index.ts';
import type { SqliteFile } from '../state/sqlite.ts';
import type { FreshEvent } from './fresh.ts';
import { Hand } from './hand.ts';
import type { ConsumeOptions, Consumer, DeadLetter, Handler, HeldLane } from './queue.ts';
import type { InstanceQueue } from './sqlite.ts';
import type { SqliteDeadLetters } from './sqlite-dead.ts';
import { readStored } from './stored.ts';

/** How long a full or failing file is left alone. */
const patienceMs = 1000;
/** Events read in one transaction. */
const takeAtMost = 256;

interface Row {
  seq: number;
  body: string;
}

type Taken = Row | FreshEvent;

export class SqliteConsumer implements Consumer {
  readonly #file: SqliteFile;
  readonly #queue: InstanceQueue;
  readonly #dead: SqliteDeadLetters;
  readonly #options: ConsumeOptions;
  readonly #hand: Hand;
  readonly #statements: Statements;
  /** Up to here an earlier holder had them. */
  readonly #takenBefore: number;
  #cursor = 0;
  #isTaking = false;
  #isWoken = false;
  #settled: number[] = [];
  #settling: Promise<void> = Promise.resolve();
  #end: 'stopped' | 'lost' | undefined;

  constructor(
    file: SqliteFile,
    queue: InstanceQueue,
    dead: SqliteDeadLetters,
    handler: Handler,
    options: ConsumeOptions,
  ) {
    this.#file = file;
    this.#queue = queue;
    this.#dead = dead;
    this.#options = options;
    this.#hand = new Hand(handler);
    this.#statements = new Statements(file);
    this.#takenBefore = queue.taken;
  }

  /** There may be something to take: now, or as soon as what is under way is through. */
  wake(): void {
    this.#isWoken = true;
    if (!this.#isTaking) void this.#take();
  }

  /** Somebody else consumes now. */
  lose(): void {
    if (this.#end === 'lost') return;
    const isTold = this.#end === undefined;
    this.abandon();
    if (isTold) this.#options.onLost();
  }

  /** Settles nothing more, and tells nobody. */
  abandon(): void {
    this.#end = 'lost';
    void this.#hand.stop();
  }

  async stop(): Promise<void> {
    this.#end ??= 'stopped';
    await this.#hand.stop();
    // A settling that fails leaves the next one in its place.
    let settling: Promise<void>;
    do {
      settling = this.#settling;
      await settling;
    } while (settling !== this.#settling);
  }

  async hold(lane: string, event: GatewayEvent): Promise<void> {
    const { name } = this.#queue;
    const body = JSON.stringify(event);
    const added = await this.#write(() => Number(this.#statements.hold.run(name, lane, event.id, body).changes));
    this.#queue.depth += added;
  }

  async held(): Promise<HeldLane[]> {
    const rows = this.#file.read(() => this.#statements.held.all(this.#queue.name));
    return rows.map((row) => ({ lane: String(row.lane), count: Number(row.count) }));
  }

  async heads(lane: string, limit: number): Promise<GatewayEvent[]> {
    const rows = this.#file.read(() => this.#statements.heads.all(this.#queue.name, lane, limit));
    return rows.map((row) => parseEvent(JSON.parse(String(row.body))));
  }

  async release(lane: string, eventIds: readonly string[]): Promise<void> {
    const released = await this.#write(() => {
      let count = 0;
      for (const id of eventIds) count += Number(this.#statements.release.run(this.#queue.name, lane, id).changes);
      return count;
    });
    this.#queue.depth -= released;
  }

  /** A write that only the holder may make. */
  async #write<T>(change: () => T): Promise<T> {
    const lost = () => new GatewayError('unavailable', `${this.#queue.name}: somebody else consumes this queue now`);
    if (this.#end === 'lost') throw lost();
    const made = await this.#file.write(() => (this.#end === 'lost' ? undefined : { value: change() }));
    if (!made) throw lost();
    return made.value;
  }

  async #take(): Promise<void> {
    this.#isTaking = true;
    while (this.#mayTake()) {
      this.#isWoken = false;
      try {
        for (const taken of await this.#file.write(() => this.#mark())) this.#give(taken);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, patienceMs).unref());
        this.#isWoken = true;
      }
    }
    this.#isTaking = false;
  }

  #mayTake(): boolean {
    const { fresh } = this.#queue;
    const isSomethingThere = this.#isWoken || this.#cursor < fresh.after || !fresh.isEmpty;
    return isSomethingThere && this.#end === undefined && this.#hand.size < this.#options.prefetch;
  }

  /** Takes the next events and notes durably that they were taken. */
  #mark(): readonly Taken[] {
    const room = Math.min(this.#options.prefetch - this.#hand.size, takeAtMost);
    if (this.#end !== undefined || room <= 0) return [];
    const taken = this.#next(room);
    const last = taken.at(-1);
    if (last && last.seq > this.#queue.taken) this.#statements.mark.run(last.seq, this.#queue.name);
    return taken;
  }

  #next(room: number): readonly Taken[] {
    const { name, fresh } = this.#queue;
    if (this.#cursor < fresh.after) {
      const rows = this.#statements.next.all(name, this.#cursor, fresh.after, room) as unknown as Row[];
      if (rows.length > 0) return rows;
      this.#cursor = fresh.after;
    }
    return fresh.take(room);
  }

  #give(taken: Taken): void {
    const { seq } = taken;
    this.#cursor = seq;
    this.#queue.taken = Math.max(this.#queue.taken, seq);
    const read = 'body' in taken ? readStored(taken.body, this.#queue.name) : taken;
    if ('letter' in read) this.#bury(seq, read.letter);
    else this.#hand.give({ event: read.event, isRedelivered: seq <= this.#takenBefore }, () => this.#settle(seq));
  }

  #bury(seq: number, letter: DeadLetter): void {
    this.#file
      .write(() => this.#dead.insert(letter))
      .then(() => this.#settle(seq))
      .catch(() => setTimeout(() => this.#bury(seq, letter), patienceMs).unref());
  }

  #settle(seq: number): void {
    if (this.#settled.push(seq) === 1) this.#settling = this.#forget();
    if (!this.#isTaking) void this.#take();
  }

  async #forget(): Promise<void> {
    let batch: number[] = [];
    try {
      const forgotten = await this.#write(() => {
        batch = this.#settled;
        this.#settled = [];
        let count = 0;
        for (const seq of batch) count += Number(this.#statements.forget.run(seq).changes);
        return count;
      });
      this.#queue.depth -= forgotten;
    } catch {
      if (this.#end === 'lost') return;
      await new Promise((resolve) => setTimeout(resolve, patienceMs));
      this.#settled = batch.concat(this.#settled);
      this.#settling = this.#forget();
    }
  }
}

class Statements {
  readonly next: StatementSync;
  readonly mark: StatementSync;
  readonly forget: StatementSync;
  readonly hold: StatementSync;
  readonly held: StatementSync;
  readonly heads: StatementSync;
  readonly release: StatementSync;

  constructor(file: SqliteFile) {
    this.next = file.prepare(
      'SELECT seq, body FROM queue WHERE instance = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
    );
    this.mark = file.prepare('UPDATE consumers SET taken = ? WHERE instance = ?');
    this.forget = file.prepare('DELETE FROM queue WHERE seq = ?');
    this.hold = file.prepare('INSERT OR IGNORE INTO held (instance, lane, id, body) VALUES (?, ?, ?, ?)');
    this.held = file.prepare('SELECT lane, count(*) AS count FROM held WHERE instance = ? GROUP BY lane');
    this.heads = file.prepare('SELECT body FROM held WHERE instance = ? AND lane = ? ORDER BY seq LIMIT ?');
    this.release = file.prepare('DELETE FROM held WHERE instance = ? AND lane = ? AND id = ?');
  }
}
