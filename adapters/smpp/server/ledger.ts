// Every message that an ESME handed in, by its message_id: for query_sm, for receipts, for taking it back. Durable.
import type { DraftOf, State } from '../../../src/contract/index.ts';
import { Turns } from '../../../src/guards/turns.ts';
import type { SmeAddress } from '../addresses.ts';
import { isFinal, type StateWord } from './statuses.ts';

/** One message_id and one recipient. */
export interface Entry {
  /** The number behind its message_id. */
  readonly id: number;
  /** Which recipient of a submit_multi. */
  readonly place?: number;
  readonly account: string;
  readonly source: SmeAddress;
  readonly destination: SmeAddress;
  readonly serviceType: string;
  readonly registered: number;
  readonly at: number;
  /** How its text begins, for the receipt. */
  readonly head: string;
  /** What the whole is published as; kept while parts are missing, or while it can be replaced. */
  draft?: DraftOf<'message'>;
  dataCoding?: number;
  /** Published on behalf of these, when it is the first part of several. */
  parts?: string[];
  /** The part under which the whole is waiting, where that is another one. */
  whole?: string;
  /** The event that waits for its time. */
  event?: string;
  dueAt?: number;
  state: StateWord;
  doneAt?: number;
  /** network_error_code. */
  error?: number;
}

// Ten digits from the first on, eight in hexadecimal: what SMPP 3.3 has room for.
const firstId = 1_000_000_000;
const blockSize = 1000;

export class Ledger {
  readonly #state: State;
  readonly #ttlMs: () => number;
  readonly #turns = new Turns();
  #nextId = 0;
  #blockEnd = 0;
  #block: Promise<void> | undefined;

  constructor(state: State, ttlMs: () => number) {
    this.#state = state;
    this.#ttlMs = ttlMs;
  }

  /** Never given twice: reserved by the thousand, so that most cost nothing. */
  async nextId(): Promise<number> {
    while (this.#nextId >= this.#blockEnd) {
      this.#block ??= this.#reserve().finally(() => {
        this.#block = undefined;
      });
      await this.#block;
    }
    return firstId + this.#nextId++;
  }

  get(name: string): Promise<Entry | undefined> {
    return this.#state.get(`sm/${name}`).then((value) => (value === undefined ? undefined : JSON.parse(value)));
  }

  /** All recipients of one message_id that were taken. */
  async all(id: number): Promise<Entry[]> {
    const single = await this.get(nameOf({ id }));
    if (single) return [single];
    const places = Number((await this.#state.get(`multi/${id}`)) ?? 0);
    const names = Array.from({ length: places }, (_, place) => nameOf({ id, place }));
    return (await Promise.all(names.map((name) => this.get(name)))).filter((entry) => entry !== undefined);
  }

  /** A submit_multi: how many recipients go by that message_id. */
  async announce(id: number, places: number): Promise<void> {
    await this.#state.set(`multi/${id}`, String(places), this.#ttlMs());
  }

  async put(entry: Entry): Promise<void> {
    await this.#state.set(`sm/${nameOf(entry)}`, JSON.stringify(entry), this.#ttlMs() + Math.max(0, waitOf(entry)));
  }

  async forget(name: string): Promise<void> {
    await this.#state.delete(`sm/${name}`);
  }

  /** Reads, changes, writes back; one at a time for each message. The change returns false to leave it as it was. */
  change(name: string, change: (entry: Entry) => Promise<boolean> | boolean): Promise<Entry | undefined> {
    return this.#turns.take(name, async () => {
      const entry = await this.get(name);
      if (entry && (await change(entry))) await this.put(entry);
      return entry;
    });
  }

  /** Says how it fares; what has ended stays as it ended, but for UNKNOWN. */
  settle(name: string, state: StateWord, at: number, error?: number): Promise<Entry | undefined> {
    return this.change(name, (entry) => {
      if (isFinal(entry.state) && entry.state !== 'UNKNOWN') return false;
      entry.state = state;
      delete entry.event;
      delete entry.draft;
      if (isFinal(state)) entry.doneAt = at;
      if (error !== undefined) entry.error = error;
      return true;
    });
  }

  async #reserve(): Promise<void> {
    const end = await this.#state.increment('ids', blockSize);
    this.#nextId = end - blockSize;
    this.#blockEnd = end;
  }
}

/** Under which it is kept, and what its receipts speak of. */
export function nameOf({ id, place }: Pick<Entry, 'id' | 'place'>): string {
  return place === undefined ? String(id) : `${id}-${place}`;
}

function waitOf({ dueAt, at }: Entry): number {
  return dueAt === undefined ? 0 : dueAt - at;
}

/** message_id as the account wants it. */
export function formatId(id: number, radix: 'decimal' | 'hex'): string {
  return radix === 'hex' ? id.toString(16) : String(id);
}

/** Undefined for what we never gave out. */
export function parseId(text: string, radix: 'decimal' | 'hex'): number | undefined {
  const isOurs = radix === 'hex' ? /^[0-9a-f]{8,12}$/i.test(text) : /^\d{10,15}$/.test(text);
  return isOurs ? Number.parseInt(text, radix === 'hex' ? 16 : 10) : undefined;
}
