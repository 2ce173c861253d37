// Notes of a few hundred octets in the state store, each about two people, with what was read or written last at hand.
import { createHash } from 'node:crypto';
import { type Address, bareAddress, type State } from '../../src/contract/index.ts';

const maxKnown = 10_000;
const keptMs = 30 * 86_400_000;

export class Noted<T extends object> {
  readonly #state: State;
  readonly #prefix: string;
  readonly #none: T;
  /** Forgotten when full, and read again. */
  readonly #known = new Map<string, T>();

  /** `none`: what no note means. */
  constructor(state: State, prefix: string, none: T) {
    this.#state = state;
    this.#prefix = prefix;
    this.#none = none;
  }

  async read(key: string): Promise<T> {
    const known = this.#known.get(key);
    if (known) return known;
    const text = await this.#state.get(this.#prefix + key);
    return this.#remember(key, text === undefined ? this.#none : (JSON.parse(text) as T));
  }

  /** For 30 days; what equals `none` is no note. */
  async keep(key: string, note: T): Promise<void> {
    const text = JSON.stringify(note);
    if (text === JSON.stringify(this.#none)) await this.#state.delete(this.#prefix + key);
    else await this.#state.set(this.#prefix + key, text, keptMs);
    this.#remember(key, note);
  }

  #remember(key: string, note: T): T {
    if (this.#known.size >= maxKnown) this.#known.clear();
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
