// The far ends behind one instance: how much of it each may occupy, and which are not worth asking now.
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
