// One at a time for each key, in order of arrival (RFC 3428 s.8: one pending MESSAGE to one URI).

export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Keys with somebody at work or waiting. */
  get size(): number {
    return this.#last.size;
  }

  /** Runs `work` when those before it have ended. Rejects without running it when the signal aborts first. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    this.#last.set(key, done);
    try {
      if (before) await before;
      signal.throwIfAborted();
      return await work();
    } finally {
      if (this.#last.get(key) === done) this.#last.delete(key);
      finish();
    }
  }
}
