// The durable queue: one per instance, one consumer each, and beside it the lanes held back by a failing destination and
// the dead letters. Implemented by bullmq.ts and sqlite.ts; test/contract/queue.ts is the suite both pass.
import type { FailureReason, GatewayEvent } from '../contract/index.ts';

export interface Queue {
  /**
   * Appends to the instance's queue in the order of the calls; resolves when all of them are durable. Calls that meet
   * while a write is under way travel together (up to 64 events a job). Rejects with GatewayError `throttled` when the
   * store is full, `unavailable` when it cannot be reached; then none of the call's events is kept, as far as anybody can know.
   */
  push(instance: string, events: readonly GatewayEvent[]): Promise<void>;
  /**
   * Starts the instance's one consumer. What an earlier holder left unsettled comes first, in its old order, marked
   * `isRedelivered`. `fence` is the lease's: a consumer with an older fence can no longer settle or hold anything.
   */
  consume(instance: string, fence: number, handler: Handler, options: ConsumeOptions): Promise<Consumer>;
  /** Events waiting, taken and held: what back-pressure looks at. One cheap question to the store. */
  depth(instance: string): Promise<number>;
  readonly dead: DeadLetters;
  close(): Promise<void>;
}

/**
 * Called once per event, in the order of the queue, without waiting for the one before. Resolves when the event is
 * settled (delivered, held or buried): the queue then forgets it. Must not reject; an event whose handler did is given
 * to it again after a pause.
 */
export type Handler = (entry: Entry) => Promise<void>;

export interface Entry {
  event: GatewayEvent;
  /** It may have been delivered before: its last handler did not live to tell. */
  isRedelivered: boolean;
}

export interface ConsumeOptions {
  /** How many events may be with the handler at once. */
  prefetch: number;
  /** The fence was overtaken: somebody else consumes now. Nothing is settled any more. */
  onLost(): void;
}

export interface Consumer {
  /** Puts the event at the end of a held lane, durably. Once per event id: repeats are ignored. */
  hold(lane: string, event: GatewayEvent): Promise<void>;
  /** Every held lane with the number of its events. For start-up and operators. */
  held(): Promise<HeldLane[]>;
  /** The oldest events of a held lane. */
  heads(lane: string, limit: number): Promise<GatewayEvent[]>;
  /** Takes events out of a held lane, durably. */
  release(lane: string, eventIds: readonly string[]): Promise<void>;
  /** Takes nothing more, and resolves when every handler under way has resolved and is settled. */
  stop(): Promise<void>;
}

export interface HeldLane {
  lane: string;
  count: number;
}

/** Events that could not end well by themselves; kept until a person decides. */
export interface DeadLetters {
  bury(letter: DeadLetter): Promise<void>;
  /** Newest first. */
  list(limit: number, instance?: string): Promise<DeadLetter[]>;
  get(id: string): Promise<DeadLetter | undefined>;
  remove(id: string): Promise<boolean>;
  count(): Promise<number>;
}

export interface DeadLetter {
  /** The event's id, or one of its own where not even that could be read. */
  id: string;
  /** Whose queue it was in. */
  instance: string;
  /** ISO 8601. */
  at: string;
  reason: FailureReason;
  text: string;
  /** The event as JSON, as found. */
  event: unknown;
}
