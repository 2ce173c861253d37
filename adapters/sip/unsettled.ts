// Who has written to a neighbour by way of the hub, because the phone was away, and is not through yet: what follows must go the
// same way, or it would overtake.
import { type Address, asGatewayError, bareAddress, type EventOf } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';

const mostPairs = 10_000;

export class Unsettled {
  readonly #instance: string;
  readonly #pairs = new RecentMap<string, true>(mostPairs);

  constructor(instance: string) {
    this.#instance = instance;
  }

  has(from: Address, to: Address): boolean {
    return this.#pairs.size > 0 && this.#pairs.has(keyOf(from, to));
  }

  /** Delivers a message; one that came from this very instance is unsettled until it is taken, or refused for good. */
  async until({ origin, from, to }: EventOf<'message'>, delivery: () => Promise<void>): Promise<void> {
    if (origin !== this.#instance) return delivery();
    const pair = keyOf(from, to);
    this.#pairs.set(pair, true);
    try {
      await delivery();
      this.#pairs.delete(pair);
    } catch (error) {
      if (asGatewayError(error).isFinal) this.#pairs.delete(pair);
      throw error;
    }
  }
}

function keyOf(from: Address, to: Address): string {
  return `${bareAddress(from)}|${bareAddress(to)}`;
}
