// One conversation on its way out through one instance: its events go one after the other, whatever happens.
import {
  type Adapter,
  type Address,
  type GatewayError,
  type GatewayEvent,
  schemeOf,
  splitAddress,
} from '../contract/index.ts';
import type { Destination, Destinations } from './destinations.ts';

export interface Lane {
  readonly key: string;
  readonly destination: Destination;
  /** Whom its events are for. */
  readonly to: Address;
  /** Taken from the queue and not settled yet; only tried when nothing is held. */
  readonly memory: WaitingEvent[];
  /** How many events the store holds for this lane; they are older than those in memory. */
  held: number;
  /** The last write to the store's lane; heads are read after it. */
  holding: Promise<void>;
  /**
   * idle: nothing to do. waiting: has work, wants a place at its destination. running: an attempt is under way.
   * delayed: waits for its own next try. stopped: waits for its destination's circuit.
   */
  state: 'idle' | 'waiting' | 'running' | 'delayed' | 'stopped';
  /** Failures in a row of the event at the head. */
  tries: number;
  /** While delayed: when, ms since 1970. */
  tryAt: number;
  /** When the first held event expires, as far as known: ms since 1970. */
  expiry: number;
}

export interface WaitingEvent {
  readonly event: GatewayEvent;
  settled(): void;
  failed(error: unknown): void;
}

/** To the queue, which has them still. */
export function giveBack(lane: Lane, failure: GatewayError): void {
  for (const waiting of lane.memory.splice(0)) waiting.failed(failure);
}

function newLane(key: string, destination: Destination, to: Address): Lane {
  return {
    key,
    destination,
    to,
    memory: [],
    held: 0,
    holding: Promise.resolve(),
    state: 'idle',
    tries: 0,
    tryAt: 0,
    expiry: Number.POSITIVE_INFINITY,
  };
}

/** The lanes that have something to do, each with the far end it depends on. */
export class Lanes {
  readonly #byKey = new Map<string, Lane>();
  readonly #adapter: Adapter;
  readonly #destinations: Destinations;

  constructor(adapter: Adapter, destinations: Destinations) {
    this.#adapter = adapter;
    this.#destinations = destinations;
  }

  /** The lane of that conversation, made for this event when there is none. */
  get(key: string, event: GatewayEvent): Lane {
    let lane = this.#byKey.get(key);
    if (!lane) {
      const name = this.#adapter.destination?.(event) ?? domainOf(event);
      lane = newLane(key, this.#destinations.get(name), event.to);
      lane.destination.lanes++;
      this.#byKey.set(key, lane);
    }
    return lane;
  }

  delete(lane: Lane): void {
    this.#byKey.delete(lane.key);
    lane.destination.lanes--;
    this.#destinations.drop(lane.destination);
  }

  all(): Iterable<Lane> {
    return this.#byKey.values();
  }

  /** Attempts under way, and events that the store holds. */
  counts(): { inFlight: number; held: number } {
    let inFlight = 0;
    let held = 0;
    for (const lane of this.#byKey.values()) {
      if (lane.state === 'running') inFlight++;
      held += lane.held;
    }
    return { inFlight, held };
  }
}

function domainOf(event: GatewayEvent): string {
  return schemeOf(event.to) === 'tel' ? '' : splitAddress(event.to).domain;
}
