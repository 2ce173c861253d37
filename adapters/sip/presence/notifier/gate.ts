// How many NOTIFY may be under way: a storm that fills the sockets' buffers would only send everything twice.

/** FIFO; each entry costs the same however many wait. */
export class Gate<Entry> {
  readonly #most: number;
  #inside = 0;
  #arrived: Entry[] = [];
  #next: Entry[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** True when there is room, which is then taken; else it will be what a `leave` returns. */
  enter(entry: Entry): boolean {
    if (this.#inside < this.#most) {
      this.#inside++;
      return true;
    }
    this.#arrived.push(entry);
    return false;
  }

  /** Who has the room now. */
  leave(): Entry | undefined {
    if (this.#next.length === 0) {
      this.#next = this.#arrived.reverse();
      this.#arrived = [];
    }
    const entry = this.#next.pop();
    if (entry === undefined) this.#inside--;
    return entry;
  }
}
