// Messages whose receipts may never come: each is written down once, under the ten minutes in which its patience ends,
// many to a key. Nothing is searched, no timer belongs to a message, and a restart goes on where the last process stopped.
import type { State } from '../../../src/contract/index.ts';

export interface OverdueEntry {
  readonly e: string;
  readonly f: string;
  readonly t: string;
  /** Key of the part's id; empty when it has none. */
  readonly k: string;
  readonly n: number;
}

const slotMs = 10 * 60_000;
const keepMs = 3 * 86_400_000;
const mostPerKey = 200;
const sweepPauseMs = 5000;
const lowKey = 'due/low';

interface Chunk {
  readonly entries: OverdueEntry[];
  readonly written: Promise<void>;
}

export class Overdue {
  readonly #state: State;
  readonly #look: (event: string, entries: readonly OverdueEntry[]) => Promise<void>;
  readonly #now: () => number;
  /** What one turn of the event loop adds goes into one key for each slot. */
  readonly #open = new Map<number, Chunk>();
  /** The next slot to be looked at. */
  #low = 0;
  #isSweeping = false;
  #sweepAgainAt = 0;

  constructor(
    state: State,
    look: (event: string, entries: readonly OverdueEntry[]) => Promise<void>,
    now: () => number,
  ) {
    this.#state = state;
    this.#look = look;
    this.#now = now;
  }

  async open(): Promise<void> {
    const stored = await this.#state.get(lowKey);
    this.#low = stored === undefined ? Math.ceil(this.#now() / slotMs) : Number(stored);
    if (stored === undefined) await this.#state.set(lowKey, String(this.#low));
  }

  /** Resolves once durable. */
  add(entry: OverdueEntry, dueAt: number): Promise<void> {
    // Never into the slot that is being looked at.
    const slot = Math.max(Math.ceil(dueAt / slotMs), this.#low + 1);
    let chunk = this.#open.get(slot);
    if (!chunk || chunk.entries.length >= mostPerKey) {
      const entries: OverdueEntry[] = [];
      const written = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#write(slot, entries));
      chunk = { entries, written };
      this.#open.set(slot, chunk);
    }
    chunk.entries.push(entry);
    return chunk.written;
  }

  /** Called a few times a second. */
  tick(): void {
    const now = this.#now();
    if (this.#low === 0 || this.#isSweeping || now < this.#sweepAgainAt || this.#low * slotMs > now) return;
    this.#isSweeping = true;
    void this.#sweep();
  }

  async #write(slot: number, entries: readonly OverdueEntry[]): Promise<void> {
    if (this.#open.get(slot)?.entries === entries) this.#open.delete(slot);
    const ttlMs = Math.max(0, slot * slotMs - this.#now()) + keepMs;
    const number = await this.#state.increment(slotKey(slot), 1, ttlMs);
    await this.#state.set(`${slotKey(slot)}/${number}`, JSON.stringify(entries), ttlMs);
  }

  async #sweep(): Promise<void> {
    try {
      while (this.#low * slotMs <= this.#now()) {
        const count = Number((await this.#state.get(slotKey(this.#low))) ?? 0);
        for (let number = 1; number <= count; number++) await this.#take(`${slotKey(this.#low)}/${number}`);
        if (count > 0) await this.#state.delete(slotKey(this.#low));
        await this.#state.set(lowKey, String(this.#low + 1));
        this.#low++;
      }
    } catch {
      this.#sweepAgainAt = this.#now() + sweepPauseMs;
    } finally {
      this.#isSweeping = false;
    }
  }

  async #take(key: string): Promise<void> {
    const stored = await this.#state.get(key);
    if (stored === undefined) return;
    const byEvent = Map.groupBy(JSON.parse(stored) as OverdueEntry[], ({ e }) => e);
    await Promise.all([...byEvent].map(([event, entries]) => this.#look(event, entries)));
    await this.#state.delete(key);
  }
}

function slotKey(slot: number): string {
  return `due/${slot}`;
}
