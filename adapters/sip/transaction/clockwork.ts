// The timer values of RFC 3261 table 4, and the two times a transaction watches: its next copy and its end.
import { Timed, type TimerWheel } from '../timer-wheel.ts';

export interface TimerValues {
  /** Round trip. Default 500 ms. */
  t1: number;
  /** Longest pause between copies of a request. Default 4 s. */
  t2: number;
  /** How long a message may live in the network. Default 5 s. */
  t4: number;
}

export const defaultTimers: Readonly<TimerValues> = { t1: 500, t2: 4000, t4: 5000 };

/** What transactions are given by their table. */
export interface TransactionParts {
  readonly wheel: TimerWheel;
  readonly timers: TimerValues;
  /** Takes it out of the index. */
  ended(transaction: { readonly key: string }): void;
  retransmitted(): void;
}

// Whole milliseconds and no Infinity: such numbers cost no memory of their own, and there are 64,000 of them.
const never = Number.MAX_SAFE_INTEGER;

export abstract class Clockwork extends Timed {
  protected readonly parts: TransactionParts;
  #repeatAt = never;
  #endAt = never;
  /** What the wheel has been told. */
  #armedAt = never;
  #pauseMs = 0;

  constructor(parts: TransactionParts) {
    super();
    this.parts = parts;
  }

  /** A copy is due: send it, and say when the next one is. */
  protected abstract onRepeat(): void;
  /** Nothing more can come. The transaction is no longer in the index when this is called. */
  protected abstract onEnd(): void;
  abstract readonly key: string;

  /** The pause before the copy that was sent last. */
  protected get pauseMs(): number {
    return this.#pauseMs;
  }

  protected repeatIn(delayMs: number): void {
    this.#pauseMs = delayMs;
    // Counted from when this one was due, not from when it was noticed: a late tick must not add up.
    const from = this.#repeatAt === never ? this.#now() : this.#repeatAt;
    this.#repeatAt = from + delayMs;
    this.#arm();
  }

  protected stopRepeating(): void {
    this.#repeatAt = never;
    this.#arm();
  }

  /** 0 ends at once. */
  protected endIn(delayMs: number): void {
    if (delayMs === 0) {
      this.end();
      return;
    }
    this.#endAt = delayMs === Number.POSITIVE_INFINITY ? never : this.#now() + delayMs;
    this.#arm();
  }

  /** Out of the index, silently. */
  end(): void {
    this.#repeatAt = this.#endAt = this.#armedAt = never;
    this.parts.wheel.cancel(this);
    this.parts.ended(this);
  }

  #now(): number {
    return Math.floor(this.parts.wheel.now());
  }

  override fire(): void {
    this.#armedAt = never;
    const now = this.#now();
    if (now >= this.#endAt) {
      this.end();
      this.onEnd();
      return;
    }
    if (now >= this.#repeatAt) {
      const before = this.#repeatAt;
      this.onRepeat();
      if (this.#repeatAt === before) this.#repeatAt = never;
    }
    this.#arm();
  }

  #arm(): void {
    const at = Math.min(this.#repeatAt, this.#endAt);
    if (at === this.#armedAt) return;
    this.#armedAt = at;
    if (at === never) this.parts.wheel.cancel(this);
    else this.parts.wheel.set(this, at - this.#now());
  }
}
