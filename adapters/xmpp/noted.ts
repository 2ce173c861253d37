// Notes of a few hundred octets in the state store, each about two people, with what was read or written last at hand.
import { createHash } from 'node:crypto';
import { type Address, bareAddress, type State } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';

const maxKnown = 10_000;

export class Noted<T extends object> {
  readonly #state: State;
  readonly #prefix: string;
  readonly #none: T;
  readonly #keptMs: number | undefined;
  /** Forgotten when full, and read again. */
  readonly #known = new RecentMap<string, T>(maxKnown);

  /** `none`: what no note means. `keptMs`: for how long after a change; for ever without it. */
  constructor(state: State, prefix: string, none: T, keptMs?: number) {
    this.#state = state;
    this.#prefix = prefix;
    this.#none = none;
    this.#keptMs = keptMs;
  }

  async read(key: string): Promise<T> {
    const known = this.#known.get(key);
    if (known) return known;
    const text = await this.#state.get(this.#prefix + key);
    return this.#remember(key, text === undefined ? this.#none : (JSON.parse(text) as T));
  }

  /** What equals `none` is no note. */
  async keep(key: string, note: T): Promise<void> {
    const text = JSON.stringify(note);
    if (text === JSON.stringify(this.#none)) await this.#state.delete(this.#prefix + key);
    else await this.#state.set(this.#prefix + key, text, this.#keptMs);
    this.#remember(key, note);
  }

  #remember(key: string, note: T): T {
    this.#known.set(key, note);
    return note;
  }
}

/** Two JIDs can be longer than a key may be. */
export function pairKey(from: Address, to: Address): string {
  return createHash('sha256')
    .update(`${bareAddress(from)} ${bareAddress(to)}`)
    .digest('base64url');
}
