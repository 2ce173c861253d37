// The far ends behind one instance: how much of it each may occupy, and which are not worth asking now.
import type { GatewayError } from '../contract/index.ts';
import type { Lane } from './lane.ts';

export interface Destination {
  readonly name: string;
  inFlight: number;
  /** When it last took an event, or was last idle: ms since 1970. */
  progressAt: number;
  /** Its share is used up and nothing moves: what comes for it is held, so that others find room. */
  isStalled: boolean;
  /** Failures in a row. */
  failures: number;
  /** Circuit open until then; 0 when closed. */
  openUntil: number;
  /** How often it opened in a row: the exponent of the back-off. */
  openings: number;
  /** The one lane that may try while the circuit is half open. */
  probe: Lane | undefined;
  /** Lanes with work that wait for a free place, first come first served. */
  readonly waiting: Set<Lane>;
  /** Events in memory for it. */
  backlog: number;
  /** Lanes that wait for the circuit to close. */
  readonly stopped: Set<Lane>;
}

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

// A destination that takes nothing for so long, with its share used up, is slow.
const stallMs = 1000;

export function isSlow(
  { inFlight, backlog, progressAt }: Destination,
  limits: DestinationLimits,
  now: number,
): boolean {
  const isFull = inFlight >= limits.perDestination && backlog >= limits.backlogPerDestination;
  return isFull && now - progressAt >= stallMs;
}

/** It took an event, or answered that it never will. */
export function noteSuccess(destination: Destination, now: number): void {
  destination.failures = 0;
  destination.isStalled = false;
  destination.progressAt = now;
}

/** Opens the circuit when that was one failure too many; returns for how long, or undefined when it stays as it is. */
export function noteFailure(
  destination: Destination,
  failure: GatewayError,
  limits: DestinationLimits,
  now: number,
  random: () => number,
): number | undefined {
  if (failure.reason !== 'internal') destination.failures++;
  const isBroken = destination.failures >= limits.breakerFailures || failure.reason === 'throttled';
  if (!isBroken || destination.openUntil > now) return undefined;
  const pauseMs = failure.retryAfterMs ?? backOffMs(destination.openings, limits, random);
  destination.openings++;
  destination.openUntil = now + pauseMs;
  return pauseMs;
}

/** Closes the circuit: what was stopped waits for a place again. */
export function closeCircuit(destination: Destination): void {
  destination.openUntil = 0;
  destination.openings = 0;
  destination.failures = 0;
  for (const lane of destination.stopped) {
    lane.state = 'waiting';
    destination.waiting.add(lane);
  }
  destination.stopped.clear();
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
      destination = {
        name,
        inFlight: 0,
        progressAt: 0,
        isStalled: false,
        failures: 0,
        openUntil: 0,
        openings: 0,
        probe: undefined,
        backlog: 0,
        waiting: new Set(),
        stopped: new Set(),
      };
      this.#byName.set(name, destination);
    }
    return destination;
  }

  /** Forgets one that has nothing to remember, so that strangers' domains do not pile up. */
  drop(destination: Destination): void {
    const { inFlight, failures, openUntil, backlog, waiting, stopped } = destination;
    if (inFlight + failures + openUntil + backlog + waiting.size + stopped.size === 0)
      this.#byName.delete(destination.name);
  }

  all(): Iterable<Destination> {
    return this.#byName.values();
  }

  /** Those whose circuit is open, for people. */
  open(): string[] {
    return [...this.#byName.values()].filter(({ openUntil }) => openUntil > 0).map(({ name }) => name);
  }
}
