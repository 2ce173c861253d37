// Who may have a request under way: so many in all, so many towards one destination, and towards each in order of arrival. More
// would fill sockets' buffers, and what is lost there is sent again.

export interface GateOptions {
  /** In all. */
  most: number;
  mostPerDestination: number;
}

interface Lane<Entry> {
  inside: number;
  /** How many of the slow may still be overlooked: as many as were done in time. */
  credit: number;
  isListed: boolean;
  readonly waiting: Line<Entry>;
}

/** Each call costs the same however many wait. */
export class Gate<Entry> {
  readonly #options: GateOptions;
  readonly #lanes = new Map<string, Lane<Entry>>();
  /** Destinations where somebody waits and has room. */
  readonly #ready = new Line<Lane<Entry>>();
  #inside = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Destinations with somebody under way. */
  get size(): number {
    return this.#lanes.size;
  }

  /** True when there is room, which is then taken; else the entry is what a later call returns, and its room is taken then. */
  enter(destination: string, entry: Entry): boolean {
    const { most, mostPerDestination } = this.#options;
    const lane = this.#laneTo(destination);
    if (this.#inside < most && lane.inside < mostPerDestination) {
      this.#inside++;
      lane.inside++;
      return true;
    }
    lane.waiting.push(entry);
    this.#list(lane);
    return false;
  }

  /** Somebody is done, in time. Who has the room now. */
  leave(destination: string): Entry | undefined {
    const lane = this.#laneTo(destination);
    lane.credit = Math.min(lane.credit + 1, this.#options.mostPerDestination);
    this.#inside--;
    this.#free(destination, lane);
    return this.#next();
  }

  /** Somebody is slow, and from now on counts only towards the destination. Who has the room now. */
  makeWay(): Entry | undefined {
    this.#inside--;
    return this.#next();
  }

  /** Whether who is slow need not even count there: as long as others there are done in time, the destination is not to blame. */
  isExcused(destination: string): boolean {
    const lane = this.#laneTo(destination);
    if (lane.credit === 0) return false;
    lane.credit--;
    return true;
  }

  /** Somebody slow is excused, or done at last. Who has the room now. */
  leaveLate(destination: string): Entry | undefined {
    this.#free(destination, this.#laneTo(destination));
    return this.#next();
  }

  #laneTo(destination: string): Lane<Entry> {
    const known = this.#lanes.get(destination);
    if (known) return known;
    const lane = { inside: 0, credit: this.#options.mostPerDestination, isListed: false, waiting: new Line<Entry>() };
    this.#lanes.set(destination, lane);
    return lane;
  }

  #free(destination: string, lane: Lane<Entry>): void {
    lane.inside--;
    if (lane.inside === 0 && lane.waiting.isEmpty) this.#lanes.delete(destination);
    this.#list(lane);
  }

  #list(lane: Lane<Entry>): void {
    if (lane.isListed || lane.waiting.isEmpty || lane.inside >= this.#options.mostPerDestination) return;
    lane.isListed = true;
    this.#ready.push(lane);
  }

  #next(): Entry | undefined {
    if (this.#inside >= this.#options.most) return undefined;
    const lane = this.#ready.shift();
    const entry = lane?.waiting.shift();
    if (!lane || entry === undefined) return undefined;
    lane.isListed = false;
    lane.inside++;
    this.#inside++;
    this.#list(lane);
    return entry;
  }
}

/** Runs `work` when its turn has come. */
export async function inTurn<T>(gate: Gate<() => void>, destination: string, work: () => Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (!gate.enter(destination, resolve)) await promise;
  try {
    return await work();
  } finally {
    gate.leave(destination)?.();
  }
}

/** First in, first out, without moving those that wait. */
class Line<Entry> {
  #arrived: Entry[] = [];
  #next: Entry[] = [];

  get isEmpty(): boolean {
    return this.#arrived.length + this.#next.length === 0;
  }

  push(entry: Entry): void {
    this.#arrived.push(entry);
  }

  shift(): Entry | undefined {
    if (this.#next.length === 0) {
      this.#next = this.#arrived.reverse();
      this.#arrived = [];
    }
    return this.#next.pop();
  }
}
