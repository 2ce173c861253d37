// An account's rate as a token bucket. The parts of a long text are counted one by one, but once its first part was taken
// the others are too, on credit: no text is torn in two by ESME_RTHROTTLED.

// So much of a second's allowance may be saved up.
const burstSeconds = 1;
const maxWholes = 1000;

export interface WholeName {
  readonly key: string;
  readonly total: number;
}

export class Throttle {
  readonly #ratePerSecond: number;
  readonly #now: () => number;
  #tokens: number;
  #countedAt: number;
  /** Texts under way: how many of their parts may still come. Oldest first. */
  readonly #wholes = new Map<string, number>();

  constructor(ratePerSecond: number | undefined, now: () => number) {
    this.#ratePerSecond = ratePerSecond ?? Number.POSITIVE_INFINITY;
    this.#now = now;
    this.#countedAt = now();
    this.#tokens = this.#most;
  }

  /** Whether one more may pass now, to `cost` recipients; `whole` names the long text that it is a part of. */
  admits(whole?: WholeName, cost = 1): boolean {
    if (this.#ratePerSecond === Number.POSITIVE_INFINITY) return true;
    this.#refill();
    const left = whole && this.#wholes.get(whole.key);
    if (left === undefined && this.#tokens < 1) return false;
    // What goes to many is paid for afterwards: it could never save up for them.
    this.#tokens -= cost;
    if (whole) this.#expect(whole.key, (left ?? whole.total) - 1);
    return true;
  }

  get #most(): number {
    return Math.max(1, this.#ratePerSecond * burstSeconds);
  }

  #refill(): void {
    const now = this.#now();
    const earned = (Math.max(0, now - this.#countedAt) / 1000) * this.#ratePerSecond;
    this.#tokens = Math.min(this.#most, this.#tokens + earned);
    this.#countedAt = now;
  }

  #expect(key: string, left: number): void {
    if (left <= 0) {
      this.#wholes.delete(key);
      return;
    }
    if (!this.#wholes.has(key) && this.#wholes.size >= maxWholes) {
      this.#wholes.delete(this.#wholes.keys().next().value as string);
    }
    this.#wholes.set(key, left);
  }
}
