// Receipts that came before the response that names their message: kept a while, durably and bounded, under every id
// that they may mean.
import type { State } from '../../../src/contract/index.ts';
import type { ParsedReceipt } from './dialects.ts';
import { type Candidate, type IdRule, idKey, isOneOf } from './ids.ts';

interface Stored {
  readonly receipt: Omit<ParsedReceipt, 'networkError'> & { readonly networkErrorHex?: string };
  readonly numbers: readonly string[];
  readonly rule: IdRule;
  readonly keys: readonly string[];
}

const keepMs = 10 * 60_000;
const most = 10_000;

export class EarlyReceipts {
  readonly #state: State;
  readonly #now: () => number;
  /** When each may be forgotten, oldest first. */
  readonly #until: number[] = [];

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  async open(): Promise<void> {
    for await (const _ of this.#state.scan('early/')) this.#until.push(this.#now() + keepMs);
  }

  get size(): number {
    const now = this.#now();
    while ((this.#until[0] ?? now + 1) <= now) this.#until.shift();
    return this.#until.length;
  }

  /** False when there are too many. */
  async keep(receipt: ParsedReceipt, candidates: readonly Candidate[], numbers: readonly string[]): Promise<boolean> {
    if (this.size >= most) return false;
    this.#until.push(this.#now() + keepMs);
    const { networkError, ...rest } = receipt;
    const kept = networkError ? { ...rest, networkErrorHex: networkError.toString('hex') } : rest;
    const keys = candidates.map(([, key]) => key);
    const write = ([rule, key]: Candidate) => {
      const stored: Stored = { receipt: kept, numbers, rule, keys };
      return this.#state.set(earlyKey(key), JSON.stringify(stored), keepMs);
    };
    await Promise.all(candidates.map(write));
    return true;
  }

  /** The receipt that waited for that id, given to a part sent to `destination`. */
  async take(messageId: string, destination: string): Promise<{ receipt: ParsedReceipt; rule: IdRule } | undefined> {
    if (this.size === 0) return undefined;
    const key = earlyKey(idKey(messageId));
    const kept = await this.#state.take(key);
    if (kept === undefined) return undefined;
    const { receipt, numbers, rule, keys } = JSON.parse(kept) as Stored;
    if (rule !== 'same' && !isOneOf(destination, numbers)) {
      await this.#state.set(key, kept, keepMs);
      return undefined;
    }
    await Promise.all(keys.map((other) => this.#state.delete(earlyKey(other))));
    const { networkErrorHex, ...rest } = receipt;
    const networkError = networkErrorHex === undefined ? {} : { networkError: Buffer.from(networkErrorHex, 'hex') };
    return { receipt: { ...rest, ...networkError }, rule };
  }
}

function earlyKey(id: string): string {
  return `early/${id}`;
}
