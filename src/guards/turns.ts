// One after the other for each key, in order of arrival, all keys at once: for records that are read, changed and written
// back, and for peers who take one request at a time.

export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Keys with somebody at work or waiting. */
  get size(): number {
    return this.#last.size;
  }

  /** Runs `work` when those before it have ended, however they ended. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    this.#last.set(key, done);
    try {
      if (before) await before;
      return await work();
    } finally {
      if (this.#last.get(key) === done) this.#last.delete(key);
      finish();
    }
  }
}
