// How often something may be done: a bucket of tokens that fills with time, for one or for each of many.
import { RecentMap } from './recent-map.ts';

export interface Rate {
  /** 0: no limit. */
  readonly perSecond: number;
  /** At once, after a pause. */
  readonly burst: number;
}

/** `now` is in milliseconds. */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #now: () => number;
  #tokens: number;
  #countedAt: number;

  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
    this.#tokens = rate.burst;
    this.#countedAt = now();
  }

  /** Milliseconds until there are so many; 0 when there are. More than the bucket holds there never are. */
  waitMs(tokens = 1): number {
    const { perSecond, burst } = this.#rate;
    if (perSecond === 0) return 0;
    const now = this.#now();
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(now - this.#countedAt, 0) * perSecond) / 1000);
    this.#countedAt = now;
    return this.#tokens >= tokens ? 0 : Math.ceil(((tokens - this.#tokens) * 1000) / perSecond);
  }

  /** As waitMs, and when that is 0 they are taken. */
  take(tokens = 1): number {
    const waitMs = this.waitMs(tokens);
    if (waitMs === 0) this.spend(tokens);
    return waitMs;
  }

  /** Takes them whether they are there or not: what is owed is paid by waiting. */
  spend(tokens: number): void {
    if (this.#rate.perSecond > 0) this.#tokens -= tokens;
  }
}

const maxBuckets = 10_000;

/** A bucket for each key. Bounded: who was idle longest is forgotten, and an idle bucket is full anyway. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new RecentMap<string, TokenBucket>(maxBuckets);

  constructor(rate: Rate, now: () => number) {
    this.#rate = rate;
    this.#now = now;
  }

  get size(): number {
    return this.#buckets.size;
  }

  isEmpty(key: string): boolean {
    return (this.#buckets.get(key)?.waitMs() ?? 0) > 0;
  }

  /** 0 when one token was taken; else the milliseconds until there is one, and none is taken. */
  take(key: string): number {
    if (this.#rate.perSecond === 0) return 0;
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#rate, this.#now);
    this.#buckets.set(key, bucket);
    return bucket.take();
  }
}
