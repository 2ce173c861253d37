// Receipts that came before the response that names their message: kept a while, durably and bounded, under every id
// that they may mean.
import type { State } from '../../../src/contract/index.ts';
import type { ParsedReceipt } from './dialects.ts';
import { type Candidate, type IdRule, idKey, isOneOf } from './ids.ts';
import { hostKey } from './records.ts';

interface Stored {
  readonly receipt: Omit<ParsedReceipt, 'networkError'> & { readonly networkErrorHex?: string };
  readonly numbers: readonly string[];
  /** Whose answer is waited for; empty: that of any SMS centre. */
  readonly host: string;
  readonly rule: IdRule;
  readonly keys: readonly string[];
}

export interface Early {
  readonly receipt: ParsedReceipt;
  readonly rule: IdRule;
}

/** Looks for the message among those of all SMS centres; false: there is none. */
type Look = (receipt: ParsedReceipt, numbers: readonly string[], host: string) => Promise<boolean>;

const keepMs = 10 * 60_000;
/** How long only its own SMS centre may claim it. */
const ownMs = 5000;
const most = 10_000;
const sweepPauseMs = 5000;

export class EarlyReceipts {
  readonly #state: State;
  readonly #now: () => number;
  /** When each may be forgotten, oldest first. */
  readonly #until: number[] = [];
  /** Those that wait for one SMS centre, by one of their keys, and until when. */
  readonly #own = new Map<string, number>();
  #isSweeping = false;
  #sweepAgainAt = 0;

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  async open(): Promise<void> {
    for await (const [key, kept] of this.#state.scan('early/')) {
      this.#until.push(this.#now() + keepMs);
      const { host = '', keys } = JSON.parse(kept) as Stored;
      if (host !== '' && key === keys[0]) this.#own.set(key, this.#now() + ownMs);
    }
  }

  get size(): number {
    const now = this.#now();
    while ((this.#until[0] ?? now + 1) <= now) this.#until.shift();
    return this.#until.length;
  }

  /** It waits for the SMS centre `host`, or (empty) for any. False when there are too many. */
  async keep(
    receipt: ParsedReceipt,
    candidates: readonly Candidate[],
    numbers: readonly string[],
    host: string,
  ): Promise<boolean> {
    if (this.size >= most) return false;
    this.#until.push(this.#now() + keepMs);
    const { networkError, ...rest } = receipt;
    const kept = networkError ? { ...rest, networkErrorHex: networkError.toString('hex') } : rest;
    const keys = candidates.map(([, id]) => earlyKey(id, host));
    const write = ([rule, id]: Candidate) => {
      const stored: Stored = { receipt: kept, numbers, host, rule, keys };
      return this.#state.set(earlyKey(id, host), JSON.stringify(stored), keepMs);
    };
    await Promise.all(candidates.map(write));
    if (host !== '' && keys[0] !== undefined) this.#own.set(keys[0], this.#now() + ownMs);
    return true;
  }

  /**
   * The receipt that waited for that id from `host`, given to a part sent to `destination`. What waited for any SMS
   * centre, or was converted, may be another message's by chance: then the number has to agree.
   */
  async take(messageId: string, destination: string, host: string): Promise<Early | undefined> {
    if (this.size === 0) return undefined;
    const id = idKey(messageId);
    const own = await this.#take(earlyKey(id, host), destination, true);
    return own ?? (host === '' ? undefined : this.#take(earlyKey(id, ''), destination, false));
  }

  /** Called a few times a second: what its own SMS centre did not claim may be another's, if there `isAnother`. */
  async sweep(look: Look, isAnother: boolean): Promise<void> {
    if (this.#isSweeping || this.#now() < this.#sweepAgainAt) return;
    this.#isSweeping = true;
    try {
      for (let key = this.#due(); key !== undefined; key = this.#due()) {
        await this.#offer(key, look, isAnother);
        this.#own.delete(key);
      }
    } catch {
      this.#sweepAgainAt = this.#now() + sweepPauseMs;
    } finally {
      this.#isSweeping = false;
    }
  }

  #due(): string | undefined {
    const [oldest] = this.#own;
    return oldest && oldest[1] <= this.#now() ? oldest[0] : undefined;
  }

  async #offer(key: string, look: Look, isAnother: boolean): Promise<void> {
    const kept = await this.#state.get(key);
    if (kept === undefined) return;
    const { keys, host, ...stored } = JSON.parse(kept) as Stored;
    const isFound = await look(receiptOf(stored), stored.numbers, host);
    if (!isFound && !isAnother) return;
    const values = await Promise.all(keys.map((each) => this.#state.get(each)));
    for (const [at, value] of values.entries()) {
      const each = keys[at] as string;
      if (value !== undefined && !isFound) await this.#widen(each, JSON.parse(value) as Stored);
      await this.#state.delete(each);
    }
  }

  /** From now on it waits for any SMS centre. */
  #widen(key: string, stored: Stored): Promise<void> {
    const wide = (one: string) => `early/${one.slice(earlyKey('', stored.host).length)}`;
    const changed = { ...stored, host: '', keys: stored.keys.map(wide) };
    return this.#state.set(wide(key), JSON.stringify(changed), keepMs);
  }

  async #take(key: string, destination: string, isOwn: boolean): Promise<Early | undefined> {
    const kept = await this.#state.take(key);
    if (kept === undefined) return undefined;
    const { numbers, keys, ...stored } = JSON.parse(kept) as Stored;
    if (!(isOwn && stored.rule === 'same') && !isOneOf(destination, numbers)) {
      await this.#state.set(key, kept, keepMs);
      return undefined;
    }
    await Promise.all(keys.map((other) => this.#state.delete(other)));
    return { receipt: receiptOf(stored), rule: stored.rule };
  }
}

function receiptOf({ receipt: { networkErrorHex, ...rest } }: Pick<Stored, 'receipt'>): ParsedReceipt {
  return networkErrorHex === undefined ? rest : { ...rest, networkError: Buffer.from(networkErrorHex, 'hex') };
}

function earlyKey(id: string, host: string): string {
  return `early/${hostKey(host)}${id}`;
}
