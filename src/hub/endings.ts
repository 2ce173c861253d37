// How messages end: each has one ending, told once to its sender, in the order in which its receipts came.
import type { EventOf, FailureReason, Fault, Metrics, Receipt, ReceiptState } from '../contract/index.ts';
import type { Queue } from '../queue/queue.ts';
import type { CallRecords } from './call-records.ts';
import type { Correlation, Remembered } from './correlation.ts';
import { newEventId } from './ids.ts';
import { withPatience } from './patience.ts';
import type { TraceBook } from './trace.ts';

export interface EndingsParts {
  readonly queue: Queue;
  readonly correlation: Correlation;
  readonly traces: TraceBook;
  metricsOf(instance: string): Metrics;
  /** Of an instance that keeps call detail records, where they are kept. */
  recordsOf(instance: string): CallRecords | undefined;
  now(): number;
}

/** Why a message failed. */
export interface Why {
  readonly reason?: FailureReason | undefined;
  /** In words, for the person who sent it. */
  readonly text?: string | undefined;
  readonly fault?: Fault | undefined;
}

export interface Told extends Why {
  readonly state: ReceiptState;
  /** The instance that knows. */
  readonly origin: string;
  /** The network that has the message said so; else we did. */
  readonly isFromNetwork?: boolean;
}

// A final state is never taken back, but somebody who knows better may speak after `unknown`.
const endings: ReadonlySet<ReceiptState> = new Set(['delivered', 'failed', 'expired', 'unknown']);
const unasked: ReadonlySet<ReceiptState> = new Set(['failed', 'expired', 'unknown']);

export class Endings {
  readonly #parts: EndingsParts;
  /** How long a receipt is worth delivering. */
  expireAfterMs: number;
  readonly #turns = new Map<string, Promise<void>>();

  /** Messages that an adapter has and has not answered for: true when no `sent` is to be told any more. */
  readonly unanswered = new Map<string, boolean>();

  constructor(parts: EndingsParts, expireAfterMs: number) {
    this.#parts = parts;
    this.expireAfterMs = expireAfterMs;
  }

  /** One after the other for each message, so that exactly one ending is told. Resolves when that is durable. */
  tell(id: string, message: Remembered, told: Told): Promise<void> {
    const turn = (this.#turns.get(id) ?? Promise.resolve())
      .catch(() => {})
      .then(() => this.#tell(id, message, told))
      .finally(() => {
        if (this.#turns.get(id) === turn) this.#turns.delete(id);
      });
    this.#turns.set(id, turn);
    return turn;
  }

  async #tell(id: string, message: Remembered, told: Told): Promise<void> {
    const { correlation, metricsOf, recordsOf } = this.#parts;
    const { state } = told;
    const isEnding = endings.has(state);
    if (isEnding) {
      const ended = await withPatience(() => correlation.outcome(id));
      if (ended !== undefined && (ended !== 'unknown' || state === 'unknown')) return;
    }
    if (isEnding && told.isFromNetwork) await this.#tellSent(id, message, told);
    if (unasked.has(state) || (message.wants as readonly string[]).includes(state)) {
      await this.#push(id, message, told);
    }
    const records = isEnding ? recordsOf(message.instance) : undefined;
    if (records) await withPatience(() => records.ended(id, message, told));
    // After the push: a crash between the two tells the ending twice, never not at all.
    if (isEnding) await withPatience(() => correlation.setOutcome(id, state));
    metricsOf(told.origin).count('outcomes_total', { state, reason: told.reason ?? '' });
  }

  /** The network may end a message before it has answered for it: its sender hears in that order, and `sent` never after. */
  async #tellSent(id: string, message: Remembered, { state, origin }: Told): Promise<void> {
    if (this.unanswered.get(id) !== false) return;
    this.unanswered.set(id, true);
    if (state !== 'unknown') await this.#push(id, message, { state: 'sent', origin });
  }

  async #push(id: string, message: Remembered, told: Told): Promise<void> {
    const { traces, queue } = this.#parts;
    const receipt = this.#receiptFor(id, message, told);
    traces.begin(message.trace, receipt.id, message.origin);
    await withPatience(() => queue.push(message.origin, [receipt]));
  }

  #receiptFor(id: string, message: Remembered, told: Told): Receipt {
    const now = this.#parts.now();
    const { from, to } = message.source;
    const receipt: EventOf<'receipt'> = {
      v: 1,
      id: newEventId(now),
      type: 'receipt',
      origin: told.origin,
      trace: message.trace,
      at: new Date(now).toISOString(),
      from: to,
      to: from,
      source: { from: to, to: from },
      conversation: message.conversation,
      hops: 0,
      expiresAt: new Date(now + this.expireAfterMs).toISOString(),
      of: message.nativeId ?? id,
      state: told.state,
    };
    if (told.reason !== undefined) receipt.reason = told.reason;
    if (told.text !== undefined) receipt.text = told.text;
    if (told.fault !== undefined) receipt.fault = told.fault;
    return receipt;
  }
}
