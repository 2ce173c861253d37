// Who is typing: when nothing more is heard of it (RFC 3994 s.3.2, s.3.3), somebody says so for them.
import { Timer, type TimerWheel } from './timer-wheel.ts';

const maxWatched = 10_000;
/** Whatever a peer says: nobody types for longer. */
const longestMs = 600_000;

export class TypingWatch {
  readonly #wheel: TimerWheel;
  readonly #watched = new Map<string, Timer>();

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** `stopped` is called once, unless `forget` or another `watch` of the same pair comes first. */
  watch(pair: string, refreshMs: number, stopped: () => void): void {
    this.forget(pair);
    if (this.#watched.size >= maxWatched) return;
    const timer = new Timer(() => {
      this.#watched.delete(pair);
      stopped();
    });
    this.#watched.set(pair, timer);
    this.#wheel.set(timer, Math.min(refreshMs, longestMs));
  }

  forget(pair: string): void {
    const timer = this.#watched.get(pair);
    if (!timer) return;
    this.#wheel.cancel(timer);
    this.#watched.delete(pair);
  }
}
