// Receipts that no event brings: parts that were taken, of a whole that the hub then refused. Kept until their ESME is there.
import type { FailureReason, State } from '../../../src/contract/index.ts';
import type { Account, Accounts } from './account.ts';
import { type Entry, nameOf } from './ledger.ts';
import { isAsked } from './mapping.ts';
import { stateOf } from './statuses.ts';

type Send = (account: Account, name: string, reason: FailureReason) => Promise<void>;

const retryMs = 2000;

export class Owed {
  readonly #state: State;
  readonly #accounts: Accounts;
  readonly #send: Send;
  readonly #now: () => number;
  readonly #ttlMs: () => number;
  readonly #waiting = new Map<string, Map<string, FailureReason>>();
  #isSending = false;
  #againAt = 0;

  constructor(state: State, accounts: Accounts, ttlMs: () => number, send: Send, now: () => number) {
    this.#state = state;
    this.#accounts = accounts;
    this.#ttlMs = ttlMs;
    this.#send = send;
    this.#now = now;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    for await (const [key, value] of this.#state.scan('owed/')) {
      const [account = '', reason] = JSON.parse(value) as [string, FailureReason];
      this.#of(account).set(key.slice('owed/'.length), reason);
    }
  }

  /** Resolves once it is durable; at once when its ESME did not ask. */
  async add(entry: Entry, reason: FailureReason): Promise<void> {
    if (!isAsked(entry.registered, 'failed', stateOf({ state: 'failed', reason }))) return;
    const name = nameOf(entry);
    await this.#state.set(`owed/${name}`, JSON.stringify([entry.account, reason]), this.#ttlMs());
    this.#of(entry.account).set(name, reason);
  }

  /** Called a few times a second. */
  tick(): void {
    if (this.#waiting.size > 0 && !this.#isSending && this.#now() >= this.#againAt) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (const [account, names] of this.#waiting) {
      const known = this.#accounts.get(account);
      if (known) await this.#sendTo(known, names);
      if (names.size === 0 || !known) this.#waiting.delete(account);
    }
    this.#againAt = this.#now() + retryMs;
    this.#isSending = false;
  }

  async #sendTo(account: Account, names: Map<string, FailureReason>): Promise<void> {
    for (const [name, reason] of names) {
      try {
        await this.#send(account, name, reason);
        names.delete(name);
        await this.#state.delete(`owed/${name}`);
      } catch {
        return;
      }
    }
  }

  #of(account: string): Map<string, FailureReason> {
    const known = this.#waiting.get(account) ?? new Map<string, FailureReason>();
    this.#waiting.set(account, known);
    return known;
  }
}
