// Pushes that meet travel together: whatever arrives while an add is under way makes up the next one.
import type { GatewayEvent } from '../contract/index.ts';

export const eventsPerJob = 64;
/** More than this go in two rounds, so that no single pipeline grows without bound. */
const eventsPerAdd = 64 * eventsPerJob;

interface Waiting {
  events: readonly GatewayEvent[];
  resolve(): void;
  reject(error: unknown): void;
}

export class Batcher {
  readonly #add: (batches: readonly (readonly GatewayEvent[])[]) => Promise<void>;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(add: (batches: readonly (readonly GatewayEvent[])[]) => Promise<void>) {
    this.#add = add;
  }

  push(events: readonly GatewayEvent[]): Promise<void> {
    if (events.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      // The rest of this turn's pushes still catch this one.
      setImmediate(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#next();
      const events = group.flatMap((waiting) => waiting.events);
      const batches = [];
      for (let at = 0; at < events.length; at += eventsPerJob) batches.push(events.slice(at, at + eventsPerJob));
      try {
        await this.#add(batches);
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        for (const waiting of group) waiting.reject(error);
      }
    }
    this.#isRunning = false;
  }

  #next(): Waiting[] {
    let count = 0;
    let size = 0;
    for (const { events } of this.#waiting) {
      if (count > 0 && size + events.length > eventsPerAdd) break;
      count++;
      size += events.length;
    }
    return this.#waiting.splice(0, count);
  }
}
