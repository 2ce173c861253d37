// Answers that wait a moment for proof: a MESSAGE is 200 when its delivery is proven in time, else 202 (RFC 3428 s.7).
import type { Receipt } from '../../src/contract/index.ts';
import { Timer, type TimerWheel } from './timer-wheel.ts';

interface Hold {
  settle(receipt: Receipt | undefined): void;
}

export class Holds {
  readonly #wheel: TimerWheel;
  readonly #held = new Map<string, Hold>();

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  get size(): number {
    return this.#held.size;
  }

  /** To be opened before the message is published: its receipt may come before `publish` returns. */
  open(key: string): { wait(ms: number): Promise<Receipt | undefined>; close(): void } {
    const { promise, resolve } = Promise.withResolvers<Receipt | undefined>();
    const hold: Hold = { settle: resolve };
    const timer = new Timer(() => this.#end(key, hold, undefined));
    this.#held.set(key, hold);
    return {
      wait: (ms) => {
        this.#wheel.set(timer, ms);
        return promise.finally(() => this.#wheel.cancel(timer));
      },
      close: () => this.#end(key, hold, undefined),
    };
  }

  /** True when an answer waited for exactly this, and now says it. */
  settle(key: string, receipt: Receipt): boolean {
    const hold = this.#held.get(key);
    if (!hold) return false;
    this.#end(key, hold, receipt);
    return true;
  }

  #end(key: string, hold: Hold, receipt: Receipt | undefined): void {
    if (this.#held.get(key) === hold) this.#held.delete(key);
    hold.settle(receipt);
  }
}

/** The sender, as the network wrote it, and what it calls the message. */
export function holdKey(sender: string, nativeId: string): string {
  return `${sender}|${nativeId}`;
}
