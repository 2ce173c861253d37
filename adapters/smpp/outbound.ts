// One event to the SMSC: split, submitted part by part, its parts remembered for their receipts. A retry of the event
// sends only what the SMSC has not taken yet, under the same reference.
import { type Delivery, GatewayError, type Message, type Receipt } from '../../src/contract/index.ts';
import type { Submission } from './binds/pacer.ts';
import { optionsFor } from './binds/versions.ts';
import type { ResponsePdu } from './codec/index.ts';
import { Codings, type Wording } from './codings.ts';
import type { SmppOptions } from './config.ts';
import { type Fate, lostWords, worstOf } from './fates.ts';
import { ConfiguredTlvs, tlvsFor } from './hints.ts';
import { fromEvent, noticeOf, type SubmitFields, toReceipt, toSubmission } from './mapping.ts';
import { Numbering } from './numbering.ts';
import { isBegun, nextReference, type Progress, Progresses } from './progress.ts';
import type { PartRecord } from './receipts/records.ts';
import { type Context, numbersOf, Submitter, type SubmitterParts } from './submitter.ts';
import { type Part, type Plan, planText, toParts } from './text/index.ts';

export type OutboundParts = SubmitterParts;

export class Outbound {
  readonly #parts: OutboundParts;
  readonly #tlvs: ConfiguredTlvs;
  readonly #numbering: Numbering;
  readonly #submitter: Submitter;
  readonly #codings: Codings;
  readonly #progresses: Progresses;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
    this.#tlvs = new ConfiguredTlvs(parts.options);
    const { options, book, hub } = parts;
    const adapting = { options, learnt: book.learnt, log: hub.log, now: () => hub.now() };
    this.#numbering = new Numbering(adapting);
    this.#submitter = new Submitter(parts, this.#numbering);
    this.#codings = new Codings(adapting);
    this.#progresses = new Progresses(hub.state);
  }

  /** As the SMSC takes it now. */
  get #options(): SmppOptions {
    return optionsFor(this.#parts.version(), this.#parts.options);
  }

  async message(event: Message, signal: AbortSignal): Promise<Delivery> {
    const wording = this.#codings.of(event);
    let facts = await this.#attempt(event, wording, signal);
    // Each time there is one alphabet less.
    while (!facts) facts = await this.#attempt(event, wording, signal);
    return { facts };
  }

  /** Undefined: the SMSC took nothing of it, and may take it otherwise. */
  async #attempt(event: Message, wording: Wording, signal: AbortSignal): Promise<Delivery['facts'] | undefined> {
    const { hub } = this.#parts;
    const options = this.#options;
    const common = fromEvent(event, options, hub.now());
    const { plan, progress } = await this.#planned(event, wording, options, common);
    hub.trace.hop(event.id, { direction: 'outbound', what: plan.reason });
    const parts = toParts(plan, options.concat, progress.reference);
    const left = parts
      .map((_, index) => index)
      .filter((index) => ![...progress.taken, ...progress.assumed].includes(index));
    refuseAborted(signal);
    const submissions = left.map((index) => this.#submission(event, common, plan, parts, index));
    const fates = await this.#submitter.submit(submissions, event.id, signal, wording.refused);
    left.forEach((index, at) => {
      if (fates[at] === 'taken') took(progress, index, submissions[at]);
      else if (fates[at] === 'unknown' && options.unknownOutcome !== 'resend') progress.assumed.push(index);
    });
    if (!isBegun(progress) && wording.hasNext(plan, options)) return undefined;
    await this.#conclude(event, progress, common, parts.length, fates);
    if (progress.taken.length > 0) await wording.taken();
    hub.log.debug({ event: event.id, parts: plan.count, why: plan.reason }, 'submitted');
    const messageId = progress.ids.join(' ');
    return { parts: plan.count, alphabet: plan.alphabet, reason: plan.reason, messageId };
  }

  async #planned(event: Message, wording: Wording, options: SmppOptions, common: SubmitFields) {
    const begun = wording.avoided.length > 0 ? await this.#progresses.stored(event.id) : undefined;
    if (begun && isBegun(begun)) wording.resume(begun.avoided ?? []);
    const plan = wording.plan(options);
    const progress = await this.#progresses.of(event.id, common, plan.bodies.length, this.#lifeMs(event));
    if (!isBegun(progress)) return { plan, progress: { ...progress, avoided: wording.avoided } };
    wording.resume(progress.avoided ?? []);
    return { plan: wording.plan(options), progress };
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
    const fates = await this.#submitter.submit(submissions, receipt.id, signal);
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

  late(response: ResponsePdu, context: unknown, host: string): void {
    this.#submitter.late(response, context, host);
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

function took({ taken, ids }: Progress, index: number, submission: Submission | undefined): void {
  taken.push(index);
  const { messageId = '' } = (submission?.context ?? {}) as Partial<Context>;
  if (messageId !== '') ids.push(messageId);
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new GatewayError('unavailable', 'given up before it was sent');
}
