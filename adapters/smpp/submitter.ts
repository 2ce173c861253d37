// Submits and what comes back: refusals that are worth other words, ids for the book, late answers, figures and the trace.
import type { Hub } from '../../src/contract/index.ts';
import type { Pacer, Submission, Ticket } from './binds/pacer.ts';
import { inVersion } from './binds/versions.ts';
import { type ResponsePdu, statuses, statusName, textRanges } from './codec/index.ts';
import type { SmppOptions } from './config.ts';
import { statusError } from './errors.ts';
import { type Exchange, measure } from './exchange.ts';
import { type Fate, fateOf } from './fates.ts';
import type { SubmitFields } from './mapping.ts';
import type { Numbering, Writing } from './numbering.ts';
import type { ReceiptBook } from './receipts/book.ts';
import type { PartRecord } from './receipts/records.ts';
import type { Unsure } from './receipts/unsure.ts';

export interface SubmitterParts {
  readonly options: SmppOptions;
  readonly hub: Hub;
  readonly pacer: Pacer;
  readonly book: ReceiptBook;
  readonly unsure: Unsure;
  /** What every bind can take. */
  readonly version: () => number;
}

/** What comes back with a response, late ones too. */
export interface Context {
  readonly record: PartRecord;
  readonly ttlMs: number;
  /** When a receipt that was asked for is overdue. */
  readonly dueAt?: number;
  /** No receipt was asked for. */
  readonly isUntracked: boolean;
  /** How its numbers are written where it goes. */
  readonly writing: Writing;
  messageId?: string;
}

/** A status that is neither good nor throttling, and who said it. */
export type Refused = (status: number, host: string) => void;

export class Submitter {
  readonly #parts: SubmitterParts;
  readonly #numbering: Numbering;

  constructor(parts: SubmitterParts, numbering: Numbering) {
    this.#parts = parts;
    this.#numbering = numbering;
  }

  /** What became of each, in their order. */
  async submit(
    submissions: readonly Submission[],
    message: string,
    signal: AbortSignal,
    heard: Refused = () => {},
  ): Promise<Fate[]> {
    const tickets: Ticket[] = [];
    const cancel = () => {
      for (const ticket of tickets) ticket.cancel();
    };
    signal.addEventListener('abort', cancel, { once: true });
    const { pacer, options } = this.#parts;
    for (const submission of submissions) {
      const { source_addr, destination_addr } = submission.body;
      const lane = `${source_addr}/${destination_addr}`;
      const written = { ...inVersion(this.#parts.version(), submission), lane, message };
      tickets.push(
        pacer.submit({
          ...written,
          ...this.#inOtherWords(submission, message, (status, host) => {
            heard(status, host);
            if (statusError(status, options.statusReasons).isFinal) cancel();
          }),
        }),
      );
    }
    const fates = tickets.map(async ({ done }, at): Promise<Fate> => {
      try {
        return await this.#answered(await done, submissions[at]?.context as Context | undefined);
      } catch (error) {
        return fateOf(error);
      }
    });
    const settled = await Promise.all(fates);
    signal.removeEventListener('abort', cancel);
    return settled;
  }

  /** What a refusal changes: the numbers are written otherwise, or the rest of the message is no more than a fragment. */
  #inOtherWords({ body, context }: Submission, message: string, heard: Refused) {
    const { hub, options } = this.#parts;
    const { writing } = (context as Context | undefined) ?? { writing: this.#numbering.of(body) };
    const refused = (status: number, host: string) => {
      if (writing.refused(status, host)) {
        const what = `${options.submitWith}_resp ${statusName(status)}: the numbers are written otherwise`;
        hub.trace.hop(message, { direction: 'inbound', what });
        hub.metrics.count('rewritten_total', { status: statusName(status) });
        return true;
      }
      heard(status, host);
      return false;
    };
    return { refused, fieldsAt: (host: string) => writing.at(host) };
  }

  async #answered(exchange: Exchange, context: Context | undefined): Promise<Fate> {
    const { response, request, frame, host } = exchange;
    const { hub, options } = this.#parts;
    const status = statusName(response.command_status);
    hub.metrics.count('submits_total', { bind: exchange.bind, status });
    measure(exchange, hub);
    if (context) {
      const event = context.record.e;
      hub.trace.hop(event, {
        direction: 'outbound',
        what: options.submitWith,
        wire: request,
        hidden: textRanges(request),
      });
      hub.trace.hop(event, { direction: 'inbound', what: `${response.command} ${status}`, wire: frame });
    }
    if (response.command_status !== statuses.ESME_ROK)
      return statusError(response.command_status, options.statusReasons);
    if (context) {
      if ('message_id' in response.body) context.messageId = response.body.message_id;
      await this.#took(response, context, host).catch((error: Error) => {
        // Sent is sent: to fail now would send it twice.
        hub.log.error({ event: context.record.e, why: error.message }, 'its receipt will not be understood');
      });
    }
    return 'taken';
  }

  async #took(response: ResponsePdu, context: Context, host: string): Promise<void> {
    await Promise.all([context.writing.taken(host), this.#remember(response, context, host)]);
  }

  async #remember(response: ResponsePdu, context: Context, host: string): Promise<void> {
    const { record, ttlMs, isUntracked, dueAt, writing } = context;
    if (isUntracked || !('message_id' in response.body)) return;
    const { message_id } = response.body;
    if (message_id === '') this.#parts.hub.metrics.count('empty_message_ids_total');
    await this.#parts.book.accepted(message_id, { ...record, ...numbersOf(writing.written), h: host }, ttlMs, dueAt);
  }

  /** A submit that was given up has been answered after all: its receipt will be understood. */
  late(response: ResponsePdu, context: unknown, host: string): void {
    const { hub } = this.#parts;
    hub.metrics.count('late_responses_total', { status: statusName(response.command_status) });
    if (context === undefined || response.command_status !== statuses.ESME_ROK) return;
    this.#named(response, context as Context, host).catch((error: Error) => {
      hub.log.warn({ why: error.message }, 'a late response could not be remembered');
    });
  }

  async #named(response: ResponsePdu, context: Context, host: string): Promise<void> {
    await this.#remember(response, context, host);
    if (!('message_id' in response.body)) return;
    await this.#parts.unsure.named(response.body.message_id, { ...context.record, h: host });
  }
}

/** As they are in the record of a part. */
export function numbersOf(fields: SubmitFields): Pick<PartRecord, 'd' | 'o'> {
  const { source_addr_ton = 0, source_addr_npi = 0, source_addr = '', destination_addr = '' } = fields;
  return { d: destination_addr, o: [source_addr_ton, source_addr_npi, source_addr] };
}
