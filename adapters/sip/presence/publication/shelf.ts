// Everything that is published, one entry a person: in memory, in the store under one key, and on one timer.
import type { Address, State } from '../../../../src/contract/index.ts';
import type { PidfDocument } from '../../../../src/formats/pidf/index.ts';
import { Timed, type TimerWheel } from '../../timer-wheel.ts';
import { hashedKey } from '../hashed-key.ts';
import { compose } from './composition.ts';

/** Plain JSON: it lies in the store as it is. */
export interface Publication {
  etag: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
  document: PidfDocument;
  /** Of the request that made it what it is. */
  fingerprint: string;
  source: string;
}

export interface ShelfParts {
  state: State;
  wheel: TimerWheel;
  now(): number;
  /** What somebody has published is different, or over. */
  changed(presentity: Address): void;
}

const prefix = 'publication/';
/** So long after its end a restarted process may still notice that it has ended. */
const graceMs = 86_400_000;

class Entry extends Timed {
  readonly presentity: Address;
  publications: readonly Publication[] = [];
  readonly #due: (entry: Entry) => void;

  constructor(presentity: Address, due: (entry: Entry) => void) {
    super();
    this.presentity = presentity;
    this.#due = due;
  }

  fire(): void {
    this.#due(this);
  }
}

export class Shelf {
  readonly #parts: ShelfParts;
  readonly #entries = new Map<string, Entry>();
  #size = 0;

  constructor(parts: ShelfParts) {
    this.#parts = parts;
  }

  /** Publications, those included that have expired and not been cleared away yet. */
  get size(): number {
    return this.#size;
  }

  /** Reads what an earlier process left. */
  async read(): Promise<void> {
    for await (const [, value] of this.#parts.state.scan(prefix)) {
      const { presentity, publications } = JSON.parse(value) as { presentity: Address; publications: Publication[] };
      const entry = this.#entryOf(presentity);
      entry.publications = publications;
      this.#size += publications.length;
    }
  }

  /** From now on it is noticed when something expires, or has expired while nobody was there. */
  start(): void {
    for (const entry of this.#entries.values()) this.#arm(entry);
  }

  stop(): void {
    for (const entry of this.#entries.values()) this.#parts.wheel.cancel(entry);
  }

  /** Those that have not expired, the oldest first. */
  of(presentity: Address): Publication[] {
    const now = this.#parts.now();
    return (this.#entries.get(keyOf(presentity))?.publications ?? []).filter(({ expiresAt }) => expiresAt > now);
  }

  *all(): Iterable<[presentity: Address, publication: Publication]> {
    for (const { presentity, publications } of this.#entries.values()) {
      for (const publication of publications) yield [presentity, publication];
    }
  }

  document(presentity: Address, which: 'live' | 'expired too' = 'live'): PidfDocument {
    const all = which === 'live' ? this.of(presentity) : (this.#entries.get(keyOf(presentity))?.publications ?? []);
    return compose(
      presentity,
      all.map(({ document }) => document),
    );
  }

  /** Resolves once it is durable; only then it counts. */
  async store(presentity: Address, publications: readonly Publication[]): Promise<void> {
    const { state, now } = this.#parts;
    const key = keyOf(presentity);
    if (publications.length === 0) await state.delete(key);
    else {
      const leftMs = Math.max(...publications.map(({ expiresAt }) => expiresAt)) - now();
      await state.set(key, JSON.stringify({ presentity, publications }), Math.max(leftMs, 0) + graceMs);
    }
    this.#put(presentity, publications);
  }

  #put(presentity: Address, publications: readonly Publication[]): void {
    const entry = this.#entryOf(presentity);
    this.#size += publications.length - entry.publications.length;
    entry.publications = publications;
    if (publications.length > 0) this.#arm(entry);
    else {
      this.#parts.wheel.cancel(entry);
      this.#entries.delete(keyOf(presentity));
    }
  }

  #entryOf(presentity: Address): Entry {
    const key = keyOf(presentity);
    const entry = this.#entries.get(key) ?? new Entry(presentity, (due) => this.#expire(due));
    this.#entries.set(key, entry);
    return entry;
  }

  #arm(entry: Entry): void {
    const first = Math.min(...entry.publications.map(({ expiresAt }) => expiresAt));
    this.#parts.wheel.set(entry, Math.max(first - this.#parts.now(), 0));
  }

  // What is left in the store runs out there by itself.
  #expire(entry: Entry): void {
    const left = this.of(entry.presentity);
    const isNews = left.length < entry.publications.length;
    this.#put(entry.presentity, left);
    if (isNews) this.#parts.changed(entry.presentity);
  }
}

function keyOf(presentity: Address): string {
  return hashedKey(prefix, presentity.toLowerCase());
}
