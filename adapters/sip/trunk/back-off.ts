// How long a flow of a trunk rests after a failure (RFC 5626 s.4.5).

const firstPauseMs = 5000;
/** s.4.5: base-time where another flow lives. */
const firstPauseBesidesMs = 90_000;
const longestPauseMs = 1_800_000;

export interface BackOffParts {
  now(): number;
  /** Another flow of the account lives: this one is in no hurry. */
  hasOther(): boolean;
  /** 0 to 1. */
  random(): number;
}

export class BackOff {
  /** In a row. */
  failures = 0;
  readonly #parts: BackOffParts;
  #barredUntil = 0;

  constructor(parts: BackOffParts) {
    this.#parts = parts;
  }

  /** The pause in milliseconds: a long one where asking soon would not help, and not less than the provider wants. */
  failed(isHopeless: boolean, leastMs = 0): number {
    this.#barredUntil = this.#parts.now() + leastMs;
    const firstMs = this.#parts.hasOther() ? firstPauseBesidesMs : firstPauseMs;
    const pauseMs = isHopeless ? longestPauseMs : Math.min(firstMs * 2 ** this.failures, longestPauseMs);
    this.failures++;
    return this.#spread(pauseMs);
  }

  /** The pause in place of that, once no other flow lives any more. */
  hastened(): number {
    return this.#spread(firstPauseMs);
  }

  // At random between half of it and all of it.
  #spread(pauseMs: number): number {
    const { now, random } = this.#parts;
    return Math.max(pauseMs * (0.5 + random() / 2), this.#barredUntil - now());
  }
}
