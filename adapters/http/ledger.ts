// What each application sent, durable: how it fares, and where its delivery reports go.
import type { ReceiptState, State } from '../../src/contract/index.ts';

export interface Sent {
  readonly account: string;
  readonly from: string;
  readonly to: string;
  readonly at: number;
  /** The event's id, once published: withdraws what waits for its time. */
  readonly event?: string;
  readonly state: ReceiptState | 'queued' | 'withdrawn';
  readonly reason?: string;
  readonly text?: string;
  /** It reached its network at some time. */
  readonly wasSent: boolean;
  readonly dlrMask: number;
  readonly dlrUrl?: string;
  /** Of what was said, where an Idempotency-Key names it: the same key is for no other message. */
  readonly digest?: string;
}

export class Ledger {
  readonly #state: State;
  readonly #keepMs: number;

  constructor(state: State, keepMs: number) {
    this.#state = state;
    this.#keepMs = keepMs;
  }

  async find(id: string): Promise<Sent | undefined> {
    const kept = await this.#state.get(`sent/${id}`);
    return kept === undefined ? undefined : (JSON.parse(kept) as Sent);
  }

  /** Resolves when it is durable. */
  keep(id: string, sent: Sent): Promise<void> {
    return this.#state.set(`sent/${id}`, JSON.stringify(sent), this.#keepMs);
  }

  /** Atomic: undefined where nobody had that id and the record is kept now, else the record that was there. */
  async claim(id: string, sent: Sent): Promise<Sent | undefined> {
    for (;;) {
      if (await this.#state.setIfAbsent(`sent/${id}`, JSON.stringify(sent), this.#keepMs)) return undefined;
      // It may be forgotten in between.
      const known = await this.find(id);
      if (known) return known;
    }
  }

  forget(id: string): Promise<void> {
    return this.#state.delete(`sent/${id}`);
  }
}
