// The way in: takes drafts from adapters, stamps them, drops repeats, finds out where they go, and makes them durable.
import {
  type Address,
  type Draft,
  type DraftOf,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Log,
  type Message,
  type Published,
  type ReceiptState,
} from '../contract/index.ts';
import { SparingLog } from '../guards/sparing-log.ts';
import { type Addressing, conversationOf, type Plan, wordsOf } from './addressing.ts';
import type { Remembered } from './correlation.ts';
import { Endings, type EndingsParts, type Why } from './endings.ts';
import { derivedEventId, newEventId } from './ids.ts';
import { withPatience } from './patience.ts';
import type { Policy } from './policy.ts';

/** The part of the configuration that SIGHUP may change while events flow. */
export interface HubLimits {
  readonly maxHops: number;
  /** A queue deeper than this refuses new events. */
  readonly highWater: number;
  /** How long each type is worth delivering when its sender said nothing. */
  readonly expireAfterMs: Readonly<Record<EventType, number>>;
}

export interface HubParts extends EndingsParts {
  readonly addressing: Addressing;
  readonly policy: Policy;
  readonly log: Log;
  /** Events waiting for an instance, as last heard: asked for every event, so never a question to the store. */
  depthOf(instance: string): number;
  /** Whether that instance's network names messages itself, so that a receipt may come before we know the name. */
  namesItself(instance: string): boolean;
}

const maxTextBytes = 1024 * 1024;

export class Hub {
  readonly #parts: HubParts;
  #limits: HubLimits;
  // Copies of one message that arrive together wait for the first (the durable mark comes only after the push).
  readonly #underWay = new Map<string, Promise<Published>>();
  readonly #endings: Endings;
  readonly #log: SparingLog;

  constructor(parts: HubParts, limits: HubLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#log = new SparingLog(parts.log, parts.now);
    this.#endings = new Endings(parts, limits.expireAfterMs.receipt);
  }

  get unanswered(): Map<string, boolean> {
    return this.#endings.unanswered;
  }

  configure(limits: HubLimits): void {
    this.#limits = limits;
    this.#endings.expireAfterMs = limits.expireAfterMs.receipt;
  }

  /** Hub.publish of the contract, for one instance. */
  async publish(instance: string, draft: Draft): Promise<Published> {
    const metrics = this.#parts.metricsOf(instance);
    const startedAt = performance.now();
    try {
      const published =
        draft.type === 'receipt' ? await this.#receipt(instance, draft) : await this.#once(instance, draft);
      metrics.observe('publish_ms', performance.now() - startedAt);
      metrics.count(published.isRepeat ? 'repeats_total' : 'inbound_total', { type: draft.type });
      return published;
    } catch (error) {
      const reason = error instanceof GatewayError ? error.reason : 'internal';
      metrics.count('refused_total', { type: draft.type, reason });
      const why = error instanceof Error ? error.message : String(error);
      const { type, from, to } = draft;
      const fields = { instance, type, from, to, reason, why };
      // Nobody need read that telephones have no presence.
      if (reason === 'unsupported' && type !== 'message') this.#parts.log.debug(fields, 'refused');
      else this.#log.warn(`${instance} ${reason}`, fields, 'refused');
      throw error;
    }
  }

  /** Tells a message's sender how it fares with `instance`, from our own side: refused, expired, given up, taken. */
  async conclude(instance: string, event: Message, state: ReceiptState, why: Why = {}): Promise<void> {
    const message: Remembered = { ...event, instance };
    await this.#endings.tell(event.id, message, { ...why, state, origin: event.origin });
  }

  /** What `publish` would refuse is refused; else the id that the message will have, or has had. */
  async check(instance: string, draft: DraftOf<'message'>): Promise<Published> {
    refuseTooLarge(draft);
    await this.#plan(instance, draft);
    if (draft.dedupeKey === undefined) return { id: newEventId(this.#parts.now()), isRepeat: false };
    const id = derivedEventId(instance, draft.dedupeKey);
    return { id, isRepeat: await withPatience(() => this.#parts.correlation.isRepeat(id)) };
  }

  /** `publish` under an id that was given before; again under the same id is a repeat. */
  release(instance: string, draft: DraftOf<'message'>, id: string): Promise<Published> {
    return this.#acceptOnce(instance, draft, id);
  }

  /** Tells the sender of a message that waited for its time that nothing came of it. */
  async fail(instance: string, draft: DraftOf<'message'>, id: string, { reason, message: text }: GatewayError) {
    const { from, to } = draft;
    const event = this.#stamp(instance, draft, id, { hops: 1, from, to, conversation: conversationOf(from, to) });
    await this.conclude('', event as Message, 'failed', { reason, text });
  }

  /** Moves an event to the next instance that could take it. False when there is none. */
  async reroute(event: GatewayEvent, failed: string): Promise<boolean> {
    const next = event.via?.[0];
    if (next === undefined) return false;
    const { from, to } = event.source;
    const recipient = await this.#parts.addressing.recipientOf(event.origin, from, to);
    const written = await this.#parts.addressing.write(next, from, recipient);
    const moved: GatewayEvent = { ...event, ...written, via: event.via?.slice(1) };
    await this.#push(next, moved);
    if (moved.type === 'message') await this.#parts.correlation.remember(moved, next);
    this.#parts.metricsOf(failed).count('rerouted_total');
    this.#parts.log.info({ event: event.id, instance: failed, to: next }, 'rerouted');
    return true;
  }

  /** A receipt that came before the network's answer named its message. */
  async settleEarly(instance: string, nativeId: string): Promise<void> {
    const early = await this.#parts.correlation.takeEarly(instance, nativeId);
    if (early !== undefined) await this.#receipt(instance, JSON.parse(early) as DraftOf<'receipt'>);
  }

  async #once(instance: string, draft: Exclude<Draft, { type: 'receipt' }>): Promise<Published> {
    if (draft.dedupeKey === undefined) return this.#accept(instance, draft, newEventId(this.#parts.now()));
    const id = derivedEventId(instance, draft.dedupeKey);
    const first = this.#underWay.get(id);
    if (first) return { ...(await first), isRepeat: true };
    const attempt = this.#acceptOnce(instance, draft, id).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, attempt);
    return attempt;
  }

  async #acceptOnce(instance: string, draft: Exclude<Draft, { type: 'receipt' }>, id: string): Promise<Published> {
    if (await withPatience(() => this.#parts.correlation.isRepeat(id))) return { id, isRepeat: true };
    const published = await this.#accept(instance, draft, id);
    await withPatience(() => this.#parts.correlation.seen(id));
    return published;
  }

  async #accept(instance: string, draft: Exclude<Draft, { type: 'receipt' }>, id: string): Promise<Published> {
    const { correlation, traces } = this.#parts;
    const hops = (draft.hops ?? 0) + 1;
    if (hops > this.#limits.maxHops) throw new GatewayError('not-allowed', `passed ${draft.hops} gateways: a loop`);
    if (draft.type === 'message') {
      refuseTooLarge(draft);
      await this.#heedStop(instance, draft, id);
    }
    const plan = await this.#plan(instance, draft);
    this.#refuseWhenFull(plan.instance);
    if (draft.type === 'message') await this.#admit(draft, plan);
    const event = this.#stamp(instance, draft, id, {
      hops,
      from: plan.from,
      to: plan.to,
      conversation: draft.conversation ?? plan.conversation,
      ...(plan.alternatives.length > 0 ? { via: [...plan.alternatives] } : {}),
    });
    const translated = event.type === 'message' ? await correlation.toEventIds(instance, event) : event;
    traces.begin(translated.trace, id, instance, translated.type === 'message');
    await Promise.all([
      this.#push(plan.instance, translated),
      translated.type === 'message' ? withPatience(() => correlation.remember(translated, plan.instance)) : undefined,
    ]);
    return { id, isRepeat: false };
  }

  #admit({ from }: DraftOf<'message'>, { recipient, network, from: shownFrom, to }: Plan): Promise<void> {
    const admission = { from, recipient, network, shown: { from: shownFrom, to } };
    return withPatience(() => this.#parts.policy.admit(admission));
  }

  // Before it is asked where the message goes: STOP counts even where nobody is left to read it.
  async #heedStop(instance: string, draft: DraftOf<'message'>, id: string): Promise<void> {
    const text = await withPatience(() => this.#parts.policy.heard(draft));
    if (text === undefined) return;
    const { from: to, to: from, conversation = conversationOf(from, to) } = draft;
    const reply = { type: 'message', from, to, text: { '': text }, wants: [] } as DraftOf<'message'>;
    const routed = { hops: 1, from, to, conversation };
    await this.#push(instance, this.#stamp(instance, reply, derivedEventId(id, 'stop'), routed));
  }

  #stamp(
    instance: string,
    draft: Exclude<Draft, { type: 'receipt' }>,
    id: string,
    routed: { hops: number; from: Address; to: Address; conversation: string; via?: string[] },
  ): GatewayEvent {
    const { dedupeKey: _, ...said } = draft;
    const now = this.#parts.now();
    const latest = now + this.#limits.expireAfterMs[draft.type];
    const asked = draft.expiresAt === undefined ? latest : Date.parse(draft.expiresAt);
    const stamped = {
      ...said,
      ...routed,
      v: 1,
      id,
      origin: instance,
      trace: id,
      at: draft.at ?? new Date(now).toISOString(),
      source: { from: draft.from, to: draft.to },
      expiresAt: new Date(Math.min(asked, latest)).toISOString(),
    };
    return stamped as GatewayEvent;
  }

  async #receipt(instance: string, draft: DraftOf<'receipt'>): Promise<Published> {
    const { correlation, metricsOf } = this.#parts;
    const found = await withPatience(() => correlation.find(instance, draft.of));
    if (!found) {
      metricsOf(instance).count('receipts_unknown_total');
      if (!this.#parts.namesItself(instance)) return { id: newEventId(this.#parts.now()), isRepeat: true };
      await withPatience(() => correlation.keepEarly(instance, draft.of, JSON.stringify(draft)));
      return { id: newEventId(this.#parts.now()), isRepeat: false };
    }
    const { id, message } = found;
    // Only the network that took the message, and on it the person it was for, may speak of it.
    if (message.instance !== instance || !isSamePerson(message.to, draft.from)) {
      metricsOf(instance).count('receipts_foreign_total');
      const fields = { instance, event: id, from: draft.from, state: draft.state };
      this.#log.warn(`${instance} foreign`, fields, 'a receipt from somebody else is ignored');
      return { id, isRepeat: true };
    }
    const { state, reason, text, fault } = draft;
    await this.#endings.tell(id, message, { state, reason, text, fault, origin: instance, isFromNetwork: true });
    return { id, isRepeat: false };
  }

  #plan(instance: string, draft: Draft): Promise<Plan> {
    const asked = { type: draft.type, text: draft.type === 'message' ? wordsOf(draft) : undefined };
    return withPatience(() => this.#parts.addressing.plan(instance, draft.from, draft.to, asked));
  }

  #refuseWhenFull(instance: string): void {
    const depth = this.#parts.depthOf(instance);
    if (depth <= this.#limits.highWater) return;
    throw new GatewayError('throttled', `${depth} events wait for ${instance}`, { retryAfterMs: 5000 });
  }

  #push(instance: string, event: GatewayEvent): Promise<void> {
    return withPatience(() => this.#parts.queue.push(instance, [event]));
  }
}

function refuseTooLarge(message: DraftOf<'message'>): void {
  let bytes = 0;
  for (const text of Object.values(message.text)) bytes += Buffer.byteLength(text);
  if (bytes > maxTextBytes) throw new GatewayError('too-large', `${bytes} bytes of text; the most is ${maxTextBytes}`);
}

// Networks rewrite hosts (a registrar's, a trunk's) and schemes (sip: for tel:), never names.
function isSamePerson(expected: Address, actual: Address): boolean {
  return nameOf(expected) === nameOf(actual);
}

function nameOf(address: Address): string {
  return (/^[a-z]+:([^@/;]*)/.exec(address)?.[1] ?? '').toLowerCase();
}
