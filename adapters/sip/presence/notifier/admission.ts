// SUBSCRIBE in (RFC 6665 s.4.2.1): who may watch whom, what it takes, for how long, and the answer that says so.
import { bareAddress, GatewayError, type Hub } from '../../../../src/contract/index.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import { tagOf } from '../../codec/name-addr.ts';
import { advanced, type Dialog, dialogFromRequest, requestIn } from '../../dialog.ts';
import { type Answer, type Inbound, oneLine } from '../../endpoint.ts';
import { type PeopleOptions, peopleOf, speaksAs } from '../../mapping/addresses.ts';
import { hopsOf } from '../../mapping/hops.ts';
import { newTag } from '../../tokens.ts';
import type { Flow } from '../../transport/flow.ts';
import { contactOf, wayOf } from './contact.ts';
import { etagOf, isKnown } from './notify.ts';
import type { Asked, EndReason, EventPackage } from './package.ts';
import type { Sender } from './sender.ts';
import type { SubscriptionStore } from './store.ts';
import { acceptable, readSubscribe, type Subscribe } from './subscribe.ts';
import { Subscription, type SubscriptionRecord } from './subscription.ts';
import type { SubscriptionTable } from './table.ts';
import type { Unproven } from './unproven.ts';

export interface AdmissionOptions extends Omit<PeopleOptions, 'isTrusted'> {
  nativeDomains: ReadonlySet<string>;
}

export interface AdmissionParts {
  hub: Hub;
  packages: readonly EventPackage[];
  table: SubscriptionTable;
  store: SubscriptionStore;
  sender: Sender;
  unproven: Unproven;
  /** Whose timers they are. */
  owner: { due(subscription: Subscription): void };
  arm(subscription: Subscription): void;
  end(subscription: Subscription, reason: EndReason): Promise<void>;
}

/** RFC 6665 s.4.2.1.1: whoever asks for an hour or more is never told that it is too short. */
const neverTooBrief = 3600;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #parts: AdmissionParts;

  constructor(options: AdmissionOptions, parts: AdmissionParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Throws SipParseError and GatewayError. */
  async handle(inbound: Inbound): Promise<Answer> {
    const subscribe = readSubscribe(inbound.request);
    try {
      const isInside = tagOf(inbound.request.headers.get('To')) !== undefined;
      return isInside ? await this.#again(inbound, subscribe) : await this.#begin(inbound, subscribe);
    } catch (error) {
      // A network that has no such thing: RFC 8048 s.5.3.1 has the watcher stop asking after 489.
      if (!(error instanceof GatewayError && error.reason === 'unsupported')) throw error;
      return { status: 489, reason: oneLine(error.message), headers: this.#allowed };
    }
  }

  async #begin({ request, flow, isTrusted, user }: Inbound, subscribe: Subscribe): Promise<Answer> {
    const people = peopleOf(request, { ...this.#options, isTrusted });
    const [watcher, presentity] = [bareAddress(people.from), bareAddress(people.to)];
    if (user !== undefined && !speaksAs(user, watcher, this.#options.nativeDomains)) return notYours;
    const { packages, hub } = this.#parts;
    const eventPackage = packages.find(
      (one) => one.name === subscribe.event && (one.takes?.(presentity, request) ?? true),
    );
    if (!eventPackage) return { status: 489, headers: this.#allowed };
    const { extension } = eventPackage;
    if (extension !== undefined && !knows(request, extension))
      return { status: 421, headers: [['Require', extension]] };
    const type = acceptable(subscribe, eventPackage.types);
    if (type === undefined) return notAcceptable(eventPackage);
    const seconds = granted(subscribe, eventPackage);
    if (seconds === undefined) return tooBrief(eventPackage);
    const dialog = dialogFromRequest(request, newTag());
    requireWay(dialog);
    const record: SubscriptionRecord = {
      ...{ event: eventPackage.name, eventId: subscribe.eventId, watcher, presentity, type, state: 'pending', dialog },
      ...{ expiresAt: seconds === 0 ? 0 : hub.now() + seconds * 1000, version: 0 },
      ...{ rates: subscribe.rates, knows: subscribe.knows, spelled: subscribe.spelled },
      isProven: isTrusted || user !== undefined,
      way: wayOf(request, dialog.target, flow),
      ...(isTrusted ? {} : { source: flow.remote.address }),
    };
    return this.#admit({ request, flow }, record, eventPackage, seconds);
  }

  async #admit(
    { request, flow }: Pick<Inbound, 'request' | 'flow'>,
    record: SubscriptionRecord,
    eventPackage: EventPackage,
    seconds: number,
  ): Promise<Answer> {
    const { table, unproven, sender } = this.#parts;
    // What lies in the store was read from the message piece by piece; a copy lets go of the message.
    const copy = JSON.parse(JSON.stringify(record)) as SubscriptionRecord;
    const subscription = new Subscription(copy, eventPackage, this.#parts.owner);
    if (!unproven.enter(subscription)) return { status: 503, headers: [['Retry-After', '60']] };
    const refusal = seconds > 0 ? table.enter(subscription) : undefined;
    if (refusal) {
      unproven.leave(subscription);
      return refusal;
    }
    try {
      await this.#keep(subscription, { expiresMs: seconds * 1000, hops: hopsIn(request), request });
    } catch (error) {
      table.delete(subscription);
      unproven.leave(subscription);
      throw error;
    }
    return { ...this.#answer(request, flow, subscription), afterwards: () => sender.answered(subscription) };
  }

  async #keep(subscription: Subscription, asked: Asked): Promise<void> {
    const { store, arm } = this.#parts;
    const { eventPackage } = subscription;
    const state = await eventPackage.begin(subscription, asked);
    // Approved or refused in the meantime.
    if (subscription.state === 'pending') subscription.state = state;
    if (asked.expiresMs === 0) return;
    try {
      await store.save(subscription);
    } catch (error) {
      await eventPackage.ended(subscription).catch(() => {});
      throw error;
    }
    if (subscription.reason === undefined) arm(subscription);
    else await store.delete(subscription);
  }

  async #again({ request, flow, user }: Inbound, subscribe: Subscribe): Promise<Answer> {
    const { table, hub, store, sender, unproven, arm, end } = this.#parts;
    const subscription = table.find(request);
    if (!subscription) return { status: 481 };
    const { eventPackage, watcher, eventId } = subscription;
    if (user !== undefined && !speaksAs(user, watcher, this.#options.nativeDomains)) return notYours;
    if (subscribe.event !== eventPackage.name || subscribe.eventId !== eventId) return oneEach;
    const type = acceptable(subscribe, eventPackage.types);
    if (type === undefined) return notAcceptable(eventPackage);
    const seconds = granted(subscribe, eventPackage);
    if (seconds === undefined) return tooBrief(eventPackage);
    const dialog = advanced(subscription.dialog, request);
    if (!dialog) return { status: 500, reason: 'Out Of Order' };
    requireWay(dialog);
    subscription.dialog = { ...dialog, target: unsliced(dialog.target) };
    subscription.type = type;
    subscription.way = wayOf(request, dialog.target, flow);
    unproven.prove(subscription);
    subscription.rates = subscribe.rates;
    subscription.knows = subscribe.knows && unsliced(subscribe.knows);
    if (seconds > 0) await refreshed(subscription, { expiresMs: seconds * 1000, hops: hopsIn(request), request });
    // RFC 5839 s.6.3: of the state, not of what is said of it at the end.
    const isSuppressed = suppresses(subscription);
    if (seconds === 0) await end(subscription, 'timeout');
    else {
      subscription.expiresAt = hub.now() + seconds * 1000;
      await store.save(subscription);
      arm(subscription);
    }
    if (isSuppressed) return this.#answer(request, flow, subscription, 204);
    return { ...this.#answer(request, flow, subscription), afterwards: () => sender.tell(subscription) };
  }

  #answer(request: SipRequest, flow: Flow, subscription: Subscription, status = 200): Answer {
    const { expiresAt, presentity, tag, eventPackage } = subscription;
    const seconds = Math.max(Math.round((expiresAt - this.#parts.hub.now()) / 1000), 0);
    return {
      status,
      toTag: tag,
      headers: [
        ...request.headers.all('Record-Route').map((route) => ['Record-Route', route] as const),
        ['Contact', contactOf(presentity, flow)],
        ['Expires', String(subscription.reason === undefined ? seconds : 0)],
        ...(eventPackage.extension === undefined ? [] : [['Require', eventPackage.extension] as const]),
        ...this.#allowed,
      ],
    };
  }

  get #allowed(): ReadonlyArray<readonly [string, string]> {
    return [['Allow-Events', [...new Set(this.#parts.packages.map(({ name }) => name))].join(', ')]];
  }
}

const notYours: Answer = { status: 403, reason: 'Not Your Address' };
/** RFC 6665 s.4.5.2 leaves the sharing of dialogs to old times. */
const oneEach: Answer = { status: 403, reason: 'One Subscription A Dialog' };

function notAcceptable({ types }: EventPackage): Answer {
  return { status: 406, headers: [['Accept', types.join(', ')]] };
}

function tooBrief({ expires }: EventPackage): Answer {
  return { status: 423, headers: [['Min-Expires', String(expires.least)]] };
}

/** Whether its sender understands an extension. */
function knows({ headers }: SipRequest, extension: string): boolean {
  return ['Supported', 'Require'].some((name) => headers.all(name).some((tag) => tag.toLowerCase() === extension));
}

/** Seconds; undefined when too brief. May be less than was asked for, never more. */
function granted({ expires: wished }: Subscribe, { expires }: EventPackage): number | undefined {
  const seconds = wished ?? expires.usual;
  if (seconds > 0 && seconds < expires.least && seconds < neverTooBrief) return undefined;
  return Math.min(seconds, expires.most);
}

/** The state may come later; that there will never be any is for the watcher to know. */
async function refreshed(subscription: Subscription, asked: Asked): Promise<void> {
  try {
    await subscription.eventPackage.refresh(subscription, asked);
  } catch (error) {
    if (!(error instanceof GatewayError) || error.isFinal) throw error;
  }
}

/** Throws SipParseError when no NOTIFY could be sent there. */
function requireWay(dialog: Dialog): void {
  const { next } = requestIn(dialog, 'NOTIFY');
  if (!/^sips?$/.test(next.scheme)) throw new SipParseError(`no way to a ${next.scheme}: Contact`);
}

/** Whether the watcher has this state already, which it then counts as told. */
function suppresses(subscription: Subscription): boolean {
  const { knows, eventPackage } = subscription;
  if (knows === undefined || knows === '*') return knows === '*';
  const body = eventPackage.body(subscription, true);
  if (!body || !isKnown(subscription, etagOf(body))) return false;
  subscription.etag = knows;
  return true;
}

function hopsIn({ headers }: SipRequest): number {
  return hopsOf(headers.get('Max-Forwards'));
}

/** A string of its own: a slice would keep the whole message. */
function unsliced(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
