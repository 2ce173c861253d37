// What is to be done later, soonest first, behind one timer. Pure but for `next`: the clock is asked, never read.

interface Due<T> {
  at: number;
  item: T;
}

/** A binary heap by time: O(log n) to add, O(log n) to take. */
export class DueQueue<T> {
  readonly #heap: Due<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the soonest is due. */
  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  add(at: number, item: T): void {
    const heap = this.#heap;
    let i = heap.push({ at, item }) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((heap[parent] as Due<T>).at <= at) break;
      [heap[i], heap[parent]] = [heap[parent] as Due<T>, heap[i] as Due<T>];
      i = parent;
    }
  }

  /** The soonest, if it is due. */
  take(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > now) return undefined;
    const last = heap.pop() as Due<T>;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first.item;
  }

  #sink(): void {
    const heap = this.#heap;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      let least = i;
      for (const child of [left, left + 1]) {
        if (child < heap.length && (heap[child] as Due<T>).at < (heap[least] as Due<T>).at) least = child;
      }
      if (least === i) return;
      [heap[i], heap[least]] = [heap[least] as Due<T>, heap[i] as Due<T>];
      i = least;
    }
  }
}
