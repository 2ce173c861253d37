// Work of which never two are under way: what is wanted meanwhile follows, once.

export class InTurn {
  readonly #work: (signal: AbortSignal) => Promise<void>;
  #isWanted = false;
  #running: AbortSignal | undefined;

  /** `work` never rejects, and ends soon once its signal is aborted. */
  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.#work = work;
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Another signal does not wait for what belongs to the one before. */
  want(signal: AbortSignal): void {
    this.#isWanted = true;
    if (this.#running !== signal) void this.#run(signal);
  }

  drop(): void {
    this.#isWanted = false;
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#running = signal;
    while (this.#isWanted && !signal.aborted) {
      this.#isWanted = false;
      await this.#work(signal);
    }
    if (this.#running === signal) this.#running = undefined;
  }
}
