// An account's rate. The parts of a long text are counted one by one, but once its first part was taken the others are
// too, on credit: no text is torn in two by ESME_RTHROTTLED.
import { RecentMap } from '../../../src/guards/recent-map.ts';
import { TokenBucket } from '../../../src/guards/token-buckets.ts';

// So much of a second's allowance may be saved up.
const burstSeconds = 1;
const maxWholes = 1000;

export interface WholeName {
  readonly key: string;
  readonly total: number;
}

export class Throttle {
  readonly #bucket: TokenBucket;
  /** Texts under way: how many of their parts may still come. */
  readonly #wholes = new RecentMap<string, number>(maxWholes);

  constructor(ratePerSecond: number | undefined, now: () => number) {
    const perSecond = ratePerSecond ?? 0;
    this.#bucket = new TokenBucket({ perSecond, burst: Math.max(1, perSecond * burstSeconds) }, now);
  }

  /** Whether one more may pass now, to `cost` recipients; `whole` names the long text that it is a part of. */
  admits(whole?: WholeName, cost = 1): boolean {
    const left = whole && this.#wholes.get(whole.key);
    if (left === undefined && this.#bucket.waitMs() > 0) return false;
    // What goes to many is paid for afterwards: it could never save up for them.
    this.#bucket.spend(cost);
    if (whole) this.#expect(whole.key, (left ?? whole.total) - 1);
    return true;
  }

  #expect(key: string, left: number): void {
    if (left <= 0) this.#wholes.delete(key);
    else this.#wholes.set(key, left);
  }
}
