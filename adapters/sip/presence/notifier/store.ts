// Subscriptions in the store, one key each, gone by themselves soon after they have expired.
import type { State } from '../../../../src/contract/index.ts';
import type { Subscription, SubscriptionRecord } from './subscription.ts';

const prefix = 'subscription/';
/** So long after its end a restarted process may still say that it is over. */
const graceMs = 60_000;

export class SubscriptionStore {
  readonly #state: State;
  readonly #now: () => number;

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  async save(subscription: Subscription): Promise<void> {
    const record = subscription.record();
    const leftMs = Math.max(record.expiresAt - this.#now(), 0);
    await this.#state.set(prefix + subscription.tag, JSON.stringify(record), leftMs + graceMs);
    subscription.written(record);
  }

  delete({ tag }: Subscription): Promise<void> {
    return this.#state.delete(prefix + tag);
  }

  /** Undefined for what cannot be read. */
  async *all(): AsyncIterable<SubscriptionRecord | undefined> {
    for await (const [, value] of this.#state.scan(prefix)) yield readRecord(value);
  }
}

function readRecord(value: string): SubscriptionRecord | undefined {
  try {
    const record = JSON.parse(value) as Partial<SubscriptionRecord>;
    return record.dialog?.target === undefined ? undefined : (record as SubscriptionRecord);
  } catch {
    return undefined;
  }
}
