// One conversation on its way out through one instance: its events go one after the other, whatever happens.
import type { GatewayEvent } from '../contract/index.ts';
import type { Destination } from './destinations.ts';

export interface Lane {
  readonly key: string;
  readonly destination: Destination;
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
  /** When the first held event expires, as far as known: ms since 1970. */
  expiry: number;
}

export interface WaitingEvent {
  readonly event: GatewayEvent;
  settled(): void;
  failed(error: unknown): void;
}

export function newLane(key: string, destination: Destination): Lane {
  return {
    key,
    destination,
    memory: [],
    held: 0,
    holding: Promise.resolve(),
    state: 'idle',
    tries: 0,
    expiry: Number.POSITIVE_INFINITY,
  };
}
