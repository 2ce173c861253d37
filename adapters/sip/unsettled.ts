// Who has written to a neighbour by way of the hub, because the phone was away, and is not through yet: what follows must go the
// same way, or it would overtake.
import { type Address, asGatewayError, bareAddress, type EventOf } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';

const mostPairs = 10_000;
/** So long after it has taken a message, or brought one, the hub may be about to bring the next. */
const graceMs = 2000;

export class Unsettled {
  readonly #instance: string;
  readonly #now: () => number;
  /** Until when; Infinity while a message of theirs is tried and not through. */
  readonly #pairs = new RecentMap<string, number>(mostPairs);

  constructor(instance: string, now: () => number) {
    this.#instance = instance;
    this.#now = now;
  }

  has(from: Address, to: Address): boolean {
    if (this.#pairs.size === 0) return false;
    const until = this.#pairs.get(keyOf(from, to));
    return until !== undefined && until > this.#now();
  }

  /** The hub takes a message to a neighbour. */
  taken({ from, to }: { from: Address; to: Address }): void {
    const pair = keyOf(from, to);
    if (this.#pairs.get(pair) !== Number.POSITIVE_INFINITY) this.#soon(pair);
  }

  /** Delivers a message; one that came from this very instance is unsettled until it is taken, or refused for good. */
  async until({ origin, from, to }: EventOf<'message'>, delivery: () => Promise<void>): Promise<void> {
    if (origin !== this.#instance) return delivery();
    const pair = keyOf(from, to);
    this.#pairs.set(pair, Number.POSITIVE_INFINITY);
    try {
      await delivery();
      this.#soon(pair);
    } catch (error) {
      if (asGatewayError(error).isFinal) this.#soon(pair);
      throw error;
    }
  }

  #soon(pair: string): void {
    this.#pairs.set(pair, this.#now() + graceMs);
  }
}

function keyOf(from: Address, to: Address): string {
  return `${bareAddress(from)}|${bareAddress(to)}`;
}
