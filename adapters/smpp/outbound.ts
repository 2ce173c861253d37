// One event to the SMSC: split, submitted part by part, its parts remembered for their receipts. A retry of the event
// sends only what the SMSC has not taken yet, under the same reference.
import { type Delivery, GatewayError, type Hub, type Message, type Receipt } from '../../src/contract/index.ts';
import type { Pacer, Submission, Ticket } from './binds/pacer.ts';
import { inVersion, optionsFor } from './binds/versions.ts';
import { type ResponsePdu, statuses, statusName, textRanges } from './codec/index.ts';
import type { SmppOptions } from './config.ts';
import { statusError } from './errors.ts';
import { type Exchange, measure } from './exchange.ts';
import { type Fate, fateOf, lostWords, worstOf } from './fates.ts';
import { ConfiguredTlvs, tlvsFor } from './hints.ts';
import { fromEvent, noticeOf, planOf, type SubmitFields, toReceipt, toSubmission } from './mapping.ts';
import { Numbering, type Writing } from './numbering.ts';
import { nextReference, type Progress, Progresses } from './progress.ts';
import type { ReceiptBook } from './receipts/book.ts';
import type { PartRecord } from './receipts/records.ts';
import type { Unsure } from './receipts/unsure.ts';
import { type Part, type Plan, planText, toParts } from './text/index.ts';

export interface OutboundParts {
  readonly options: SmppOptions;
  readonly hub: Hub;
  readonly pacer: Pacer;
  readonly book: ReceiptBook;
  readonly unsure: Unsure;
  /** What every bind can take. */
  readonly version: () => number;
}

/** What comes back with a response, late ones too. */
interface Context {
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

export class Outbound {
  readonly #parts: OutboundParts;
  readonly #tlvs: ConfiguredTlvs;
  readonly #numbering: Numbering;
  readonly #progresses: Progresses;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
    this.#tlvs = new ConfiguredTlvs(parts.options);
    const { options, book, hub } = parts;
    this.#numbering = new Numbering({ options, learnt: book.learnt, log: hub.log, now: () => hub.now() });
    this.#progresses = new Progresses(hub.state);
  }

  /** As the SMSC takes it now. */
  get #options(): SmppOptions {
    return optionsFor(this.#parts.version(), this.#parts.options);
  }

  async message(event: Message, signal: AbortSignal): Promise<Delivery> {
    const { hub } = this.#parts;
    const options = this.#options;
    const plan = planOf(event, options);
    hub.trace.hop(event.id, { direction: 'outbound', what: plan.reason });
    const common = fromEvent(event, options, hub.now());
    const progress = await this.#progresses.of(event.id, common, plan.bodies.length, this.#lifeMs(event));
    const parts = toParts(plan, options.concat, progress.reference);
    const left = parts
      .map((_, index) => index)
      .filter((index) => ![...progress.taken, ...progress.assumed].includes(index));
    refuseAborted(signal);
    const submissions = left.map((index) => this.#submission(event, common, plan, parts, index));
    const fates = await this.#submit(submissions, event.id, signal);
    left.forEach((index, at) => {
      if (fates[at] === 'taken') took(progress, index, submissions[at]);
      else if (fates[at] === 'unknown' && options.unknownOutcome !== 'resend') progress.assumed.push(index);
    });
    await this.#conclude(event, progress, common, parts.length, fates);
    hub.log.debug({ event: event.id, parts: plan.count, why: plan.reason }, 'submitted');
    const messageId = progress.ids.join(' ');
    return { facts: { parts: plan.count, alphabet: plan.alphabet, reason: plan.reason, messageId } };
  }

  /** An SMS sender is told that it did not arrive; other receipts SMS cannot say. */
  async notice(receipt: Receipt, signal: AbortSignal): Promise<Delivery> {
    const { options, hub } = this.#parts;
    const text = options.notices ? noticeOf(receipt) : undefined;
    if (text === undefined) return {};
    const plan = this.#planNotice(receipt, text);
    const common = fromEvent(receipt, options, hub.now());
    const parts = toParts(plan, 'udh8', plan.bodies.length > 1 ? await nextReference(hub.state, common) : 0);
    refuseAborted(signal);
    const submissions = parts.map((part) => {
      const context = undefined;
      return { ...toSubmission(this.#options, common, plan, part, 0, this.#tlvs.between(receipt)), context };
    });
    const fates = await this.#submit(submissions, receipt.id, signal);
    // A notice whose outcome is unknown is not worth a double.
    for (const fate of fates) if (fate instanceof GatewayError) throw fate;
    return {};
  }

  /** Without the reason where this carrier cannot carry its words: that it failed is told in any case. */
  #planNotice(receipt: Receipt, text: string): Plan {
    const split = { ...this.#parts.options, concat: 'udh8' as const };
    try {
      return planText(text, split);
    } catch {
      const { text: _, ...bare } = receipt;
      return planText(noticeOf(bare) ?? '', split);
    }
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

  #submission(event: Message, common: SubmitFields, plan: Plan, parts: readonly Part[], index: number): Submission {
    const { receipts, passTlvs } = this.#parts.options;
    const part = parts[index] as Part;
    const isLast = index === parts.length - 1;
    const isAsked = receipts === 'last-part' ? isLast : receipts !== 'none';
    const asked = isAsked ? (receipts === 'failure' ? 2 : 1) : 0;
    const record = this.#record(event, common, index, parts.length);
    const writing = this.#numbering.of(common);
    const overdue = asked === 1 && event.wants.includes('delivered') ? this.#dueAt(event) : {};
    const context: Context = { record, ttlMs: this.#lifeMs(event), isUntracked: !isAsked, writing, ...overdue };
    const tlvs = tlvsFor(event.sms, passTlvs, this.#tlvs.between(event));
    return { ...toSubmission(this.#options, common, plan, part, asked, tlvs), context };
  }

  #record(event: Message, common: SubmitFields, i: number, parts: number): PartRecord {
    const n = this.#parts.options.receipts === 'last-part' ? 1 : parts;
    return { e: event.id, f: event.from, t: event.to, ...numbersOf(common), i, a: this.#parts.hub.now(), n };
  }

  async #submit(submissions: readonly Submission[], message: string, signal: AbortSignal): Promise<Fate[]> {
    const tickets: Ticket[] = [];
    const cancel = () => {
      for (const ticket of tickets) ticket.cancel();
    };
    signal.addEventListener('abort', cancel, { once: true });
    const { pacer } = this.#parts;
    for (const submission of submissions) {
      const { source_addr, destination_addr } = submission.body;
      const lane = `${source_addr}/${destination_addr}`;
      const written = { ...inVersion(this.#parts.version(), submission), lane, message };
      tickets.push(pacer.submit({ ...written, ...this.#inOtherWords(submission, message, cancel) }));
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
  #inOtherWords({ body, context }: Submission, message: string, cancel: () => void) {
    const { hub, options } = this.#parts;
    const { writing } = (context as Context | undefined) ?? { writing: this.#numbering.of(body) };
    const refused = (status: number, host: string) => {
      if (writing.refused(status, host)) {
        const what = `${options.submitWith}_resp ${statusName(status)}: the numbers are written otherwise`;
        hub.trace.hop(message, { direction: 'inbound', what });
        hub.metrics.count('rewritten_total', { status: statusName(status) });
        return true;
      }
      if (statusError(status, options.statusReasons).isFinal) cancel();
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

  /** Ends the attempt: returns when the SMSC has all parts, or may have; throws what stands in the way otherwise. */
  async #conclude(
    event: Message,
    progress: Progress,
    common: SubmitFields,
    count: number,
    fates: readonly Fate[],
  ): Promise<void> {
    const { hub, options, unsure } = this.#parts;
    const { taken, assumed } = progress;
    if (taken.length + assumed.length < count) {
      if (count > 1) await this.#progresses.keep(event.id, progress, this.#lifeMs(event));
      throw worstOf(fates);
    }
    if (assumed.length > 0 && options.unknownOutcome === 'query') {
      const records = assumed.map((index) => this.#record(event, common, index, count));
      await unsure.add(event.id, records);
    } else if (assumed.length > 0) {
      const { id, from, to } = event;
      await hub.publish(toReceipt({ event: id, from, to, state: 'unknown', words: lostWords }));
    }
    if (count > 1) await this.#progresses.forget(event.id);
  }

  #lifeMs(event: Message): number {
    return this.#validMs(event) + this.#parts.options.recordMs;
  }

  #dueAt(event: Message): { dueAt?: number } {
    const { hub, options } = this.#parts;
    return options.receiptGraceMs === 0 ? {} : { dueAt: hub.now() + this.#validMs(event) + options.receiptGraceMs };
  }

  #validMs({ expiresAt }: Message): number {
    return expiresAt === undefined ? 0 : Math.max(0, Date.parse(expiresAt) - this.#parts.hub.now());
  }
}

/** As they are in the record of a part. */
function numbersOf(fields: SubmitFields): Pick<PartRecord, 'd' | 'o'> {
  const { source_addr_ton = 0, source_addr_npi = 0, source_addr = '', destination_addr = '' } = fields;
  return { d: destination_addr, o: [source_addr_ton, source_addr_npi, source_addr] };
}

function took({ taken, ids }: Progress, index: number, submission: Submission | undefined): void {
  taken.push(index);
  const { messageId = '' } = (submission?.context ?? {}) as Partial<Context>;
  if (messageId !== '') ids.push(messageId);
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new GatewayError('unavailable', 'given up before it was sent');
}
