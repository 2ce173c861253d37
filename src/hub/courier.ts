// Takes one event to its adapter and sees to it that it ends once: delivered, failed and told, expired and told, moved to
// another instance, or buried. What may be tried again is handed back to delivery.ts, which owns order and time.
import {
  type Adapter,
  asGatewayError,
  type Delivery as Delivered,
  GatewayError,
  type GatewayEvent,
  type Log,
  type Message,
  type Metrics,
  type ReceiptState,
} from '../contract/index.ts';
import { SparingLog } from '../guards/sparing-log.ts';
import type { DeadLetter } from '../queue/queue.ts';
import { Attempts } from './attempt.ts';
import type { CallRecords } from './call-records.ts';
import type { Why } from './endings.ts';

/** What the way out asks of the rest of the hub. */
export interface CourierParts {
  readonly instance: string;
  readonly adapter: Adapter;
  readonly log: Log;
  readonly metrics: Metrics;
  now(): number;
  conclude(event: Message, state: ReceiptState, why?: Why): Promise<void>;
  /** Messages that the adapter has and has not answered for: true when no `sent` is to be told any more. */
  readonly unanswered: Map<string, boolean>;
  /** Event ids inside the event become the instance's native ids. */
  toNativeIds(event: GatewayEvent): Promise<GatewayEvent>;
  /** The network took it under a name of its own. */
  named(event: Message, nativeId: string): Promise<void>;
  reroute(event: GatewayEvent): Promise<boolean>;
  /** Where call detail records are kept. */
  readonly records?: CallRecords | undefined;
  bury(letter: DeadLetter): Promise<void>;
}

const maxRecent = 10_000;
const storePauseMs = 200;

export class Courier {
  readonly #parts: CourierParts;
  readonly attempts: Attempts;
  // Ids of what was settled lately: a push whose outcome was unknown may have left two copies in the queue. Two
  // generations, so that the oldest go all at once and nothing is ever searched for.
  #recent = new Set<string>();
  #lessRecent = new Set<string>();
  readonly #log: SparingLog;
  #isStopping = false;

  constructor(parts: CourierParts, attemptTimeoutMs: number) {
    this.#parts = parts;
    this.#log = new SparingLog(parts.log, parts.now);
    this.attempts = new Attempts(parts.adapter, parts.now, attemptTimeoutMs);
  }

  stop(): void {
    this.#isStopping = true;
    this.attempts.abort();
  }

  isSettled(event: GatewayEvent): boolean {
    return this.#recent.has(event.id) || this.#lessRecent.has(event.id);
  }

  /**
   * Undefined when the event is settled, else why it should be tried again. `tries` is how often it was tried already;
   * `internalTries` how often a fault of our own may be.
   */
  async carry(event: GatewayEvent, tries: number, internalTries: number): Promise<GatewayError | undefined> {
    const { adapter, instance } = this.#parts;
    if (this.isSettled(event)) return undefined;
    if (expiryOf(event) <= this.#parts.now()) return this.expire(event);
    if (!adapter.accepts.has(event.type)) {
      return this.#end(event, 'failed', { reason: 'unsupported', text: `${instance} cannot carry a ${event.type}` });
    }
    if (event.type === 'message' && event.wants.includes('sent')) this.#parts.unanswered.set(event.id, false);
    try {
      return await this.#attempt(event, tries, internalTries);
    } finally {
      this.#parts.unanswered.delete(event.id);
    }
  }

  async #attempt(event: GatewayEvent, tries: number, internalTries: number): Promise<GatewayError | undefined> {
    const { metrics } = this.#parts;
    const startedAt = performance.now();
    let delivered: Delivered;
    try {
      const outbound = await this.persist(() => this.#parts.toNativeIds(event));
      delivered = await this.attempts.make(outbound);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      return this.#isStopping ? error : this.#failed(event, error, tries, tries + 1 >= internalTries);
    }
    metrics.observe('delivery_ms', performance.now() - startedAt);
    metrics.count('outbound_total', { type: event.type });
    await this.#delivered(event, delivered);
    return undefined;
  }

  /** Tells the sender that its time is over. */
  expire(event: GatewayEvent): Promise<undefined> {
    return this.#end(event, 'expired', { reason: 'expired', text: 'it could not be delivered in time' });
  }

  /** A later event says all that this one said. */
  supersede(event: GatewayEvent): void {
    this.#parts.metrics.count('superseded_total', { type: event.type });
    this.#settled(event);
  }

  /** Until the store has taken it: an outage of the store holds events back, it never loses one. */
  async persist<T>(write: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        const isPassing = error instanceof GatewayError && !error.isFinal && error.reason !== 'internal';
        if (this.#isStopping || !isPassing) throw error;
        this.#parts.metrics.count('store_waits_total');
        await new Promise((resolve) => setTimeout(resolve, storePauseMs));
      }
    }
  }

  async #failed(
    event: GatewayEvent,
    error: GatewayError,
    tries: number,
    isLast: boolean,
  ): Promise<GatewayError | undefined> {
    const { metrics, instance } = this.#parts;
    const { reason, native, message: text, fault } = error;
    metrics.count('delivery_failures_total', { type: event.type, reason });
    const fields = { instance, event: event.id, to: event.to, reason, native, why: text };
    // Somebody who is away for a night is tried a thousand times.
    if (tries === 0 || error.isFinal || (isLast && reason === 'internal'))
      this.#log.warn(reason, fields, 'not delivered');
    else this.#parts.log.debug(fields, 'not delivered');
    if (error.isFinal) return this.#end(event, 'failed', { reason, text, fault });
    if (reason === 'internal' && isLast) {
      await this.#bury(event, error);
      const told = 'the gateway could not handle it; its operator has been told';
      return this.#end(event, 'failed', { reason, text: told });
    }
    const canMove = (reason === 'unreachable' || reason === 'unavailable') && event.via !== undefined;
    if (!canMove || !(await this.persist(() => this.#parts.reroute(event)))) return error;
    if (event.type === 'message') await this.#parts.records?.moved(event, text);
    this.#settled(event);
    return undefined;
  }

  async #delivered(event: GatewayEvent, delivered: Delivered): Promise<void> {
    this.#settled(event);
    if (event.type !== 'message') return;
    const { nativeId, state } = delivered;
    const { records } = this.#parts;
    if (records) await this.persist(() => records.sent(event, delivered));
    if (nativeId !== undefined && nativeId !== event.id) await this.persist(() => this.#parts.named(event, nativeId));
    const told = state ?? 'sent';
    const isWanted = event.wants.includes('sent') && !this.#parts.unanswered.get(event.id);
    if (told === 'delivered' || isWanted) await this.persist(() => this.#parts.conclude(event, told));
  }

  async #end(event: GatewayEvent, state: 'failed' | 'expired', why: Why): Promise<undefined> {
    if (event.type === 'message') {
      await this.persist(() => this.#parts.conclude(event, state, why));
      await this.persist(async () => this.#parts.records?.notSent(event));
    } else this.#parts.metrics.count('dropped_total', { type: event.type, reason: why.reason ?? '' });
    this.#settled(event);
  }

  async #bury(event: GatewayEvent, { reason, message: text }: GatewayError): Promise<void> {
    const { instance, now } = this.#parts;
    const at = new Date(now()).toISOString();
    await this.persist(() => this.#parts.bury({ id: event.id, instance, at, reason, text, event }));
  }

  #settled(event: GatewayEvent): void {
    if (this.#recent.size >= maxRecent) {
      this.#lessRecent = this.#recent;
      this.#recent = new Set();
    }
    this.#recent.add(event.id);
  }
}

export function expiryOf(event: GatewayEvent): number {
  return event.expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(event.expiresAt);
}
