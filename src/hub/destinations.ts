// The far ends behind one instance: how much of it each may occupy, and which are not worth asking now.
import type { GatewayError } from '../contract/index.ts';
import type { Lane } from './lane.ts';

export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** When a destination is slow, and when it is broken. */
export interface DestinationLimits extends BackOff {
  /** Conversations that may be under way to one destination at once. */
  readonly perDestination: number;
  /** Events of one destination that wait in memory; of a slow one, more are held in the store, so that others find room. */
  readonly backlogPerDestination: number;
  /** Failures in a row that open a destination's circuit. */
  readonly breakerFailures: number;
}

export interface DeliveryLimits extends DestinationLimits {
  readonly attemptTimeoutMs: number;
  /** Tries after which a fault of ours (`internal`) is a dead letter. */
  readonly internalTries: number;
}

// A destination that takes nothing for so long, with its share used up, is slow.
const stallMs = 1000;

export class Destination {
  readonly name: string;
  inFlight = 0;
  /** Conversations that have something for it, also those that wait for their own next try. */
  lanes = 0;
  /** Its share is used up and nothing moves: what comes for it is held, so that others find room. */
  isStalled = false;
  /** Circuit open until then: ms since 1970; 0 when closed. */
  openUntil = 0;
  /** Events in memory for it. */
  backlog = 0;
  /** The one lane that may try while the circuit is half open. */
  probe: Lane | undefined;
  /** Lanes with work that wait for a free place, first come first served. */
  readonly waiting = new Set<Lane>();
  /** Lanes that wait for the circuit to close. */
  readonly stopped = new Set<Lane>();
  /** Failures in a row. */
  #failures = 0;
  /** How often it opened in a row: the exponent of the back-off. */
  #openings = 0;
  /** When it last took an event, or was last idle. */
  #progressAt = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** A conversation takes one of its places. */
  enter(now: number): void {
    if (this.inFlight++ === 0) this.#progressAt = now;
  }

  isSlow(limits: DestinationLimits, now: number): boolean {
    const isFull = this.inFlight >= limits.perDestination && this.backlog >= limits.backlogPerDestination;
    return isFull && now - this.#progressAt >= stallMs;
  }

  /** It took an event, or answered that it never will. */
  succeeded(now: number): void {
    this.#failures = 0;
    this.isStalled = false;
    this.#progressAt = now;
  }

  /** Opens the circuit when that was one failure too many; returns for how long, or undefined when it stays as it is. */
  failed(failure: GatewayError, limits: DestinationLimits, now: number, random: () => number): number | undefined {
    if (failure.reason !== 'internal') this.#failures++;
    const isBroken = this.#failures >= limits.breakerFailures || failure.reason === 'throttled';
    if (!isBroken || this.openUntil > now) return undefined;
    const pauseMs = failure.retryAfterMs || backOffMs(this.#openings, limits, random);
    this.#openings++;
    this.openUntil = now + pauseMs;
    return pauseMs;
  }

  /** It was open, was tried, and failed once more. */
  get isOpenAgain(): boolean {
    return this.#openings > 1;
  }

  /** Closes the circuit: what was stopped waits for a place again. */
  close(): void {
    this.openUntil = 0;
    this.#openings = 0;
    this.#failures = 0;
    for (const lane of this.stopped) {
      lane.state = 'waiting';
      this.waiting.add(lane);
    }
    this.stopped.clear();
  }

  /** Nobody has anything for it and it is not given a rest: it may be forgotten. */
  get isIdle(): boolean {
    return this.lanes + this.openUntil === 0;
  }
}

/** Exponential with full-width jitter: from half of the step to the step. `random` is in [0, 1). */
export function backOffMs(tries: number, { firstMs, maxMs }: BackOff, random: () => number): number {
  const step = Math.min(maxMs, firstMs * 2 ** Math.min(tries, 30));
  return Math.round(step * (0.5 + random() / 2));
}

export class Destinations {
  readonly #byName = new Map<string, Destination>();

  get(name: string): Destination {
    let destination = this.#byName.get(name);
    if (!destination) {
      destination = new Destination(name);
      this.#byName.set(name, destination);
    }
    return destination;
  }

  /** Forgets one that has nothing to remember, so that strangers' domains do not pile up. */
  drop(destination: Destination): void {
    if (destination.isIdle) this.#byName.delete(destination.name);
  }

  all(): Iterable<Destination> {
    return this.#byName.values();
  }

  /** Those whose circuit is open, for people. */
  open(): string[] {
    return [...this.#byName.values()].filter(({ openUntil }) => openUntil > 0).map(({ name }) => name);
  }
}
