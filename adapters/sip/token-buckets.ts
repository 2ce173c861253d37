// How often somebody may do something: a bucket of tokens for each, that fills with time. Bounded: who was idle longest is
// forgotten, and an idle bucket is full anyway.

export interface Rate {
  perSecond: number;
  /** At once, after a pause. */
  burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

const maxBuckets = 10_000;

export class TokenBuckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `now` is in milliseconds. A rate of 0 per second sets no limit. */
  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  get size(): number {
    return this.#buckets.size;
  }

  isEmpty(key: string): boolean {
    return this.#rate.perSecond > 0 && this.#tokensOf(key, this.#now()) < 1;
  }

  /** 0 when one token was taken; else the milliseconds until there is one, and none is taken. */
  take(key: string): number {
    const { perSecond } = this.#rate;
    if (perSecond === 0) return 0;
    const now = this.#now();
    const tokens = this.#tokensOf(key, now);
    // Taken out first: the order of the map is that of last use.
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    if (this.#buckets.size > maxBuckets) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return tokens < 1 ? Math.ceil(((1 - tokens) * 1000) / perSecond) : 0;
  }

  #tokensOf(key: string, now: number): number {
    const { perSecond, burst } = this.#rate;
    const { tokens, at } = this.#buckets.get(key) ?? { tokens: burst, at: now };
    return Math.min(burst, tokens + (Math.max(now - at, 0) * perSecond) / 1000);
  }
}
