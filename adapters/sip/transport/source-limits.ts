// How many connections there may be, in all and from one address.

export class SourceLimits {
  readonly #most: number;
  readonly #mostPerSource: number;
  readonly #bySource = new Map<string, number>();
  #all = 0;

  constructor(most: number, mostPerSource: number) {
    this.#most = most;
    this.#mostPerSource = mostPerSource;
  }

  /** True when there is room, which is then taken. */
  enter(source: string): boolean {
    const count = this.#bySource.get(source) ?? 0;
    if (this.#all >= this.#most || count >= this.#mostPerSource) return false;
    this.#all++;
    this.#bySource.set(source, count + 1);
    return true;
  }

  leave(source: string): void {
    const count = this.#bySource.get(source) ?? 0;
    if (count === 0) return;
    this.#all--;
    if (count === 1) this.#bySource.delete(source);
    else this.#bySource.set(source, count - 1);
  }
}
