// What was pushed to a queue a moment ago: a consumer that keeps up is handed it as it came and reads nothing back.
import type { GatewayEvent } from '../contract/index.ts';

export interface FreshEvent {
  readonly seq: number;
  readonly event: GatewayEvent;
}

/** A consumer that is further behind reads what is stored. */
const mostKept = 1024;

/** The newest events of one queue, in their order and without a gap. Whatever is dropped here is still stored. */
export class Fresh {
  #events: FreshEvent[] = [];
  #after: number;

  constructor(after: number) {
    this.#after = after;
  }

  /** Everything behind this place is here; what stands before or at it must be read. */
  get after(): number {
    return this.#after;
  }

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  add(seq: number, event: GatewayEvent): void {
    if (this.#events.length >= mostKept) this.dropTo(seq - 1);
    this.#events.push({ seq, event });
  }

  /** Up to that place everything must be read. */
  dropTo(seq: number): void {
    this.#events = [];
    this.#after = seq;
  }

  /** The oldest of them, which are then here no longer. */
  take(most: number): FreshEvent[] {
    const taken = this.#events.splice(0, most);
    this.#after = taken.at(-1)?.seq ?? this.#after;
    return taken;
  }
}
