// Presence on SIP: who watches whom, in both directions, and what each is told. Joins the rooms of this folder to the adapter.
import type { Adapter, Address, GatewayDomain, GatewayEvent, Hub, ViewRow } from '../../../src/contract/index.ts';
import type { Answer, Inbound, Method } from '../endpoint.ts';
import { type ConfiguredList, ListPackage, listInRequest } from './list/list-package.ts';
import { forMembers } from './list/member.ts';
import { NativePresence } from './native/index.ts';
import { Notifier, type NotifierOptions, type NotifierParts } from './notifier/notifier.ts';
import type { EventPackage, Notifications, Watch } from './notifier/package.ts';
import { canonical, PresencePackage } from './notifier/presence-package.ts';
import { Agent, type AgentParts, type PresenceServer } from './publication/agent.ts';
import { RegPackage, type RegParts } from './reg/reg-package.ts';
import { Rules } from './rules/rules.ts';
import { Subscriber, type SubscriberParts, type WatchingOptions } from './subscriber/index.ts';
import { Enrolled, enrolling, Roll, watcherId } from './winfo/roll.ts';
import { WinfoPackage } from './winfo/winfo-package.ts';
import { WinfoSubscriber } from './winfo/winfo-subscriber.ts';

export interface PresenceOptions extends NotifierOptions {
  gatewayDomains: readonly GatewayDomain[];
  /** Seconds that a subscription to presence lasts. */
  minExpires: number;
  maxExpires: number;
  /** Between two NOTIFY of one presentity to one watcher. */
  notifyPauseMs: number;
  maxListMembers: number;
  lists: readonly ConfiguredList[];
  watching: WatchingOptions;
  /** T1 of RFC 3261. */
  t1Ms: number;
  publications: PublicationOptions;
  presenceServers: readonly PresenceServer[];
}

/** Of people of our own domains. */
export interface PublicationOptions {
  accept: boolean;
  /** Seconds that a publication lasts. */
  minExpires: number;
  maxExpires: number;
  max: number;
  maxPerPerson: number;
  watchers: 'everybody' | 'contacts';
}

export type PresenceParts = NotifierParts & SubscriberParts & Pick<AgentParts, 'peers'> & Pick<RegParts, 'bindings'>;

/** RFC 3856 s.6.4. */
const usualSeconds = 3600;

export class Presence {
  readonly #hub: Hub;
  readonly #notifier: Notifier;
  readonly #watched: PresencePackage;
  readonly #subscriber: Subscriber;
  /** Where people of our own domains publish with us. */
  readonly #native: NativePresence | undefined;
  readonly #agent: Agent;
  readonly #lists: ListPackage;
  readonly #waiting: WinfoSubscriber;
  readonly #rules: Rules;
  readonly #reg: RegPackage;
  /** Option tags, for Supported. */
  readonly extensions: readonly string[];

  constructor(options: PresenceOptions, parts: PresenceParts) {
    this.#hub = parts.hub;
    const notifier = new Notifier(options, parts);
    const { gatewayDomains: domains, minExpires: least, maxExpires: most, notifyPauseMs: pauseMs } = options;
    const expires = { least, most, usual: Math.min(usualSeconds, most) };
    const roll = new Roll(() => parts.hub.now());
    const notifications = enrolling(forMembers(notifier), roll);
    this.#native = newNative(options, { ...parts, notifications, expires, roll });
    this.#watched = new PresencePackage({ domains, pauseMs, expires }, { hub: parts.hub, notifications });
    const began = async ({ watcher, presentity }: Watch) => {
      roll.answered(watcher, presentity, 'approved');
      await this.#native?.watches(watcher, presentity);
    };
    // Of packages of one name the first that takes a SUBSCRIBE has it.
    const inner = this.#native ? [this.#native.eventPackage, this.#watched] : [this.#watched];
    const packages = inner.map((one) => new Enrolled(one, roll, began, one === this.#native?.eventPackage));
    this.#lists = new ListPackage(
      { ...options, expires, pauseMs },
      { hub: parts.hub, notifications: notifier, packages },
    );
    const winfo = new WinfoPackage(expires, { roll, notifications: notifier });
    this.#reg = new RegPackage(expires, options.nativeDomains, { ...parts, notifications: notifier });
    for (const eventPackage of [this.#lists, ...packages, winfo]) notifier.add(eventPackage);
    if (options.nativeDomains.size > 0) notifier.add(this.#reg);
    this.extensions = options.maxListMembers > 0 ? [this.#lists.extension, listInRequest] : [this.#lists.extension];
    this.#notifier = notifier;
    const { presenceServers: servers, t1Ms } = options;
    const { max } = options.publications;
    this.#waiting = new WinfoSubscriber({ servers, max, t1Ms }, parts);
    this.#rules = new Rules(servers, parts.hub);
    this.#agent = new Agent(servers, max, { ...parts, published: (...who) => this.#lookFor(...who) });
    this.#subscriber = new Subscriber({ ...options.watching, domains, t1Ms }, parts);
  }

  /** What it answers, for the endpoint. */
  methods(): Map<string, Method> {
    const methods = new Map<string, Method>([
      ['SUBSCRIBE', { handle: (inbound) => this.#notifier.handle(inbound), isPassedOn: true, wantsProof: true }],
      // Whoever knows the tags of a dialog of ours has proved enough.
      ['NOTIFY', { handle: (inbound) => this.handleNotify(inbound), isPassedOn: true, wantsProof: false }],
    ]);
    if (this.#native) methods.set('PUBLISH', this.#native.method);
    return methods;
  }

  /** Event packages, for Allow-Events. */
  get events(): string[] {
    return this.#notifier.events;
  }

  /**
   * `presence` and `subscription`. What is news only to watchers has arrived when it is in their caches: they are told in
   * their own time. Throws GatewayError.
   */
  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (event.type === 'presence') {
      this.#subscriber.heard(event);
      const mode = this.#agent.modeOf(event);
      if (mode !== 'publish') this.#watched.hear(event);
      return mode === undefined ? undefined : this.#agent.hear(event, signal);
    }
    if (event.type !== 'subscription') return;
    if (event.action === 'approve' || event.action === 'deny') {
      await this.#watched.decide(event);
      return this.#rules.decide(event, signal);
    }
    if (this.#native?.serves(event.to)) return this.#native.deliver(event);
    if (event.action === 'request') this.#lookFor(event.from, event.to);
    return this.#subscriber.deliver(event, signal);
  }

  /** Goes on where the last process stopped. To be called before the sockets are open. */
  async start(): Promise<void> {
    const rooms = [this.#native, this.#notifier, this.#agent, this.#subscriber, this.#waiting];
    await Promise.all(rooms.map((room) => room?.start()));
  }

  /** Phones of that person have come or gone. */
  registered(person: Address): void {
    this.#native?.registered(person);
    this.#reg.registered(person);
  }

  stop(): void {
    this.#notifier.stop();
    this.#subscriber.stop();
    this.#agent.stop();
    this.#waiting.stop();
    this.#native?.stop();
  }

  get views(): NonNullable<Adapter['views']> {
    return { subscriptions: () => this.#rows(), publications: () => this.#publications() };
  }

  async *#rows(): AsyncIterable<ViewRow> {
    yield* this.#notifier.rows();
    yield* this.#lists.rows();
    yield* this.#waiting.rows();
    yield* this.#subscriber.rows();
    if (this.#native) yield* this.#native.watchers();
  }

  /** NOTIFY: 481 when it is of no subscription. Throws SipParseError. */
  async handleNotify(inbound: Inbound): Promise<Answer> {
    const own = (await this.#waiting.handleNotify(inbound)) ?? (await this.#native?.handleNotify(inbound));
    return own ?? this.#subscriber.handleNotify(inbound);
  }

  // Nobody's delivery waits for it.
  #lookFor(presentity: Address, towards: Address): void {
    this.#waiting.look(presentity, towards).catch((error: Error) => {
      this.#hub.log.warn({ presentity, why: error.message }, 'who waits for it is not asked for');
    });
  }

  async *#publications(): AsyncIterable<ViewRow> {
    if (this.#native) yield* this.#native.rows();
    yield* this.#agent.rows();
  }
}

interface NativeNeeds extends PresenceParts {
  notifications: Notifications;
  expires: EventPackage['expires'];
  roll: Roll;
}

function newNative(options: PresenceOptions, needs: NativeNeeds): NativePresence | undefined {
  const { nativeDomains, maxPerPresentity, notifyPauseMs: pauseMs, gatewayDomains, publications } = options;
  if (!publications.accept || nativeDomains.size === 0) return undefined;
  const { roll, expires: watching, ...parts } = needs;
  return new NativePresence(
    { ...publications, nativeDomains, maxPerPresentity, watching, pauseMs, allow: publications.watchers },
    {
      ...parts,
      t1Ms: options.t1Ms,
      canonical: (address) => canonical(address, gatewayDomains),
      moved({ presentity, watcher, standing }, isGone) {
        const event = isGone ? 'noresource' : standing === 'active' ? 'approved' : 'subscribe';
        const status = isGone ? 'terminated' : standing;
        roll.set(presentity, { id: watcherId('', watcher, presentity), uri: watcher, status, event });
      },
    },
  );
}
