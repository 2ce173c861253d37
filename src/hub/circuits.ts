// Which destinations are given a rest: a circuit opens after failures in a row, then one lane tries for all, and it closes when
// something is taken.
import type { GatewayError, Log, Metrics } from '../contract/index.ts';
import type { Destination, DestinationLimits, Destinations } from './destinations.ts';
import { DueQueue } from './due-queue.ts';
import type { Lane } from './lane.ts';

export interface CircuitParts {
  readonly instance: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly destinations: Destinations;
  now(): number;
  random(): number;
  /** Whether anything may be sent at all. */
  mayTry(): boolean;
  /** Sends what the lane has. */
  run(lane: Lane): void;
  /** Moves what the lane has in memory to the store. */
  putAside(lane: Lane): void;
  /** Lanes of that destination may have a place now. */
  pump(destination: Destination): void;
}

const tryAgainMs = 1000;

export class Circuits {
  readonly #parts: CircuitParts;
  readonly #due = new DueQueue<Destination>();

  constructor(parts: CircuitParts) {
    this.#parts = parts;
  }

  /** Tries those whose rest is over. */
  tick(now: number): void {
    for (let destination = this.#due.take(now); destination; destination = this.#due.take(now))
      if (destination.openUntil <= now) this.#halfOpen(destination);
  }

  /** The lane waits until the circuit closes. */
  stop(lane: Lane): void {
    this.#parts.putAside(lane);
    lane.state = 'stopped';
    lane.destination.stopped.add(lane);
  }

  succeeded(destination: Destination): void {
    destination.succeeded(this.#parts.now());
    if (destination.openUntil > 0) this.#close(destination);
  }

  /** Whether the circuit is open after that failure. */
  failed(destination: Destination, failure: GatewayError, limits: DestinationLimits): boolean {
    const { now, random } = this.#parts;
    const pauseMs = destination.failed(failure, limits, now(), random);
    if (pauseMs !== undefined) this.#opened(destination, pauseMs, failure);
    return destination.openUntil > 0;
  }

  /** A probe whose events had all expired has told nothing of its destination: the next one tries. */
  probed(destination: Destination): void {
    if (destination.openUntil > 0 && destination.openUntil <= this.#parts.now()) this.#halfOpen(destination);
  }

  /** Ends the rest of those so called. Default: of all. */
  tryNow(isMeant: (name: string) => boolean = () => true): void {
    const { destinations, now } = this.#parts;
    for (const name of destinations.open().filter(isMeant)) {
      const destination = destinations.get(name);
      destination.openUntil = now();
      this.#halfOpen(destination);
    }
  }

  #opened(destination: Destination, pauseMs: number, { reason, message: why }: GatewayError): void {
    const { instance, log, metrics } = this.#parts;
    this.#due.add(destination.openUntil, destination);
    for (const lane of destination.waiting) this.stop(lane);
    destination.waiting.clear();
    metrics.count('breaker_opened_total');
    const fields = { instance, destination: destination.name, pauseMs, reason, why };
    log[destination.isOpenAgain ? 'debug' : 'warn'](fields, 'circuit open');
  }

  // When nobody waits the circuit closes by itself.
  #halfOpen(destination: Destination): void {
    if (destination.openUntil === 0 || destination.probe) return;
    const [lane] = destination.stopped;
    if (!lane) {
      this.#close(destination);
      return;
    }
    const { now, mayTry, run } = this.#parts;
    if (!mayTry()) {
      this.#due.add(now() + tryAgainMs, destination);
      return;
    }
    destination.stopped.delete(lane);
    destination.probe = lane;
    run(lane);
  }

  #close(destination: Destination): void {
    const { instance, log, destinations, pump } = this.#parts;
    log.info({ instance, destination: destination.name }, 'circuit closed');
    destination.close();
    pump(destination);
    destinations.drop(destination);
  }
}
