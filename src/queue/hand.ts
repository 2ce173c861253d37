// The events that are with a consumer's handler just now: how many, the ones it threw back, and when the last is done.
import type { Entry, Handler } from './queue.ts';

/** A handler must not reject; one that does gets the event again after this. */
const pauseMs = 1000;

interface Given {
  entry: Entry;
  settle: () => void;
}

export class Hand {
  readonly #handler: Handler;
  #size = 0;
  #rejected: Given[] = [];
  #pause: NodeJS.Timeout | undefined;
  #isStopped = false;
  #emptied: PromiseWithResolvers<void> | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  get size(): number {
    return this.#size;
  }

  /** Calls the handler at once; `settle` when it has resolved. */
  give(entry: Entry, settle: () => void): void {
    this.#size++;
    void this.#call({ entry, settle });
  }

  /** Resolves when every handler under way has resolved. What is in its pause stays unsettled. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#pause);
    this.#size -= this.#rejected.length;
    this.#rejected = [];
    if (this.#size === 0) return;
    this.#emptied ??= Promise.withResolvers();
    await this.#emptied.promise;
  }

  async #call(given: Given): Promise<void> {
    try {
      await this.#handler(given.entry);
    } catch {
      if (this.#isStopped) this.#done();
      else if (this.#rejected.push(given) === 1) this.#pause = setTimeout(() => this.#again(), pauseMs);
      return;
    }
    this.#done();
    given.settle();
  }

  #again(): void {
    const rejected = this.#rejected;
    this.#rejected = [];
    for (const { entry, settle } of rejected) void this.#call({ entry: { ...entry, isRedelivered: true }, settle });
  }

  #done(): void {
    this.#size--;
    if (this.#size === 0) this.#emptied?.resolve();
  }
}
