// Stanzas on their way to the hub: in order for each pair of people, held while the store is away, and with the socket
// paused when too many wait. A component stream has no acknowledgements: what we drop is lost.
import { asGatewayError, type GatewayError } from '../../src/contract/index.ts';
import type { Clock } from './clock.ts';

export interface InboxOptions {
  highWater: number;
  holdMs: number;
}

export interface Valve {
  pause(): void;
  resume(): void;
}

const firstPauseMs = 250;
const maxPauseMs = 2000;

export class Inbox {
  #options: InboxOptions;
  readonly #valve: Valve;
  readonly #clock: Clock;
  readonly #lanes = new Map<string, Promise<void>>();
  #pending = 0;
  #holding = 0;
  #isPaused = false;
  #isStopped = false;

  constructor(options: InboxOptions, valve: Valve, clock: Clock) {
    this.#options = options;
    this.#valve = valve;
    this.#clock = clock;
  }

  configure(options: InboxOptions): void {
    this.#options = options;
    this.#regulate();
  }

  /** Runs `publish` after everything else of that pair; `unavailable` is tried again. `refused` hears of a failure. */
  take(pair: string, publish: () => Promise<void>, refused: (error: GatewayError) => void): void {
    this.#pending++;
    this.#regulate();
    const before = this.#lanes.get(pair);
    const work = () => this.#persist(publish).catch((error: unknown) => refused(asGatewayError(error)));
    const turn = (before ? before.then(work) : work()).then(() => {
      if (this.#lanes.get(pair) === turn) this.#lanes.delete(pair);
      this.#pending--;
      this.#regulate();
    });
    this.#lanes.set(pair, turn);
  }

  /** Resolves when everything taken has ended; from now on nothing is tried again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#lanes.values());
  }

  async #persist(publish: () => Promise<void>): Promise<void> {
    const until = this.#clock.now() + this.#options.holdMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      try {
        return await publish();
      } catch (error) {
        const isPassing = asGatewayError(error).reason === 'unavailable';
        if (!isPassing || this.#isStopped || this.#clock.now() + pauseMs > until) throw error;
      }
      await this.#hold(pauseMs);
    }
  }

  async #hold(ms: number): Promise<void> {
    this.#holding++;
    this.#regulate();
    await new Promise<void>((resolve) => this.#clock.after(ms, resolve));
    this.#holding--;
    this.#regulate();
  }

  #regulate(): void {
    const { highWater } = this.#options;
    const mustPause = this.#holding > 0 || this.#pending >= highWater;
    const mayResume = this.#holding === 0 && this.#pending <= highWater / 2;
    if (!this.#isPaused && mustPause) {
      this.#isPaused = true;
      this.#valve.pause();
    } else if (this.#isPaused && mayResume) {
      this.#isPaused = false;
      this.#valve.resume();
    }
  }
}
