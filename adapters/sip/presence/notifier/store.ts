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

  save(subscription: Subscription): Promise<void> {
    const leftMs = Math.max(subscription.expiresAt - this.#now(), 0);
    return this.#state.set(prefix + subscription.tag, JSON.stringify(subscription.record()), leftMs + graceMs);
  }

  delete({ tag }: Subscription): Promise<void> {
    return this.#state.delete(prefix + tag);
  }

  async *all(): AsyncIterable<SubscriptionRecord> {
    for await (const [, value] of this.#state.scan(prefix)) yield JSON.parse(value) as SubscriptionRecord;
  }
}
