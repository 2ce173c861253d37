// The order between two numbers: a message waits until the one before it is answered, and the parts of one message go out
// on one bind, one after the other. Between other numbers nothing waits.
import type { Session } from '../session.ts';

/** What a lane knows of something to send. */
export interface Laned {
  /** The two numbers; undefined: it keeps no order. */
  readonly lane?: string | undefined;
  /** The same for all parts of one message. */
  readonly message?: string | undefined;
}

interface Lane<T> {
  readonly message: string | undefined;
  session: Session | undefined;
  busy: number;
  readonly waiting: T[];
}

export class Lanes<T extends Laned> {
  readonly #lanes = new Map<string, Lane<T>>();

  /** True: it may go out now, and has its place until `left`. False: it is kept, and comes back from `left`. */
  enter(item: T, isStrict: boolean): boolean {
    const { lane: name, message } = item;
    if (name === undefined) return true;
    const lane = this.#lanes.get(name);
    if (!lane) {
      this.#lanes.set(name, { message, session: undefined, busy: 1, waiting: [] });
      return true;
    }
    const isNext = lane.message === message && lane.waiting.length === 0 && !isStrict;
    if (isNext) lane.busy++;
    else lane.waiting.push(item);
    return isNext;
  }

  /** The bind on which something of that lane is under way. */
  sessionOf({ lane }: T): Session | undefined {
    return lane === undefined ? undefined : this.#lanes.get(lane)?.session;
  }

  pin({ lane: name }: T, session: Session): void {
    const lane = name === undefined ? undefined : this.#lanes.get(name);
    if (lane) lane.session = session;
  }

  /** Its place is free: what waited for it, in order. */
  left({ lane: name }: T): readonly T[] {
    const lane = name === undefined ? undefined : this.#lanes.get(name);
    if (!lane || name === undefined || --lane.busy > 0) return [];
    this.#lanes.delete(name);
    return lane.waiting;
  }

  /** All that wait, and no lane any more. */
  clear(): T[] {
    const waiting = [...this.#lanes.values()].flatMap((lane) => lane.waiting);
    this.#lanes.clear();
    return waiting;
  }
}
