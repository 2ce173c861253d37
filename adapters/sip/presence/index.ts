// Presence on SIP: who watches whom, in both directions, and what each is told. Joins the rooms of this folder to the adapter.
import type { Adapter, GatewayDomain, GatewayEvent, ViewRow } from '../../../src/contract/index.ts';
import type { Method } from '../endpoint.ts';
import { Notifier, type NotifierOptions, type NotifierParts } from './notifier/notifier.ts';
import { PresencePackage } from './notifier/presence-package.ts';
import { Subscriber, type SubscriberParts, type WatchingOptions } from './subscriber/index.ts';

export interface PresenceOptions extends NotifierOptions {
  gatewayDomains: readonly GatewayDomain[];
  /** Seconds that a subscription to presence lasts. */
  minExpires: number;
  maxExpires: number;
  /** Between two NOTIFY of one presentity to one watcher. */
  notifyPauseMs: number;
  watching: WatchingOptions;
  /** T1 of RFC 3261. */
  t1Ms: number;
}

export type PresenceParts = NotifierParts & SubscriberParts;

/** RFC 3856 s.6.4. */
const usualSeconds = 3600;

export class Presence {
  readonly #notifier: Notifier;
  readonly #watched: PresencePackage;
  readonly #subscriber: Subscriber;

  constructor(options: PresenceOptions, parts: PresenceParts) {
    this.#notifier = new Notifier(options, parts);
    const { gatewayDomains: domains, minExpires: least, maxExpires: most, notifyPauseMs: pauseMs } = options;
    this.#watched = new PresencePackage(
      { domains, pauseMs, expires: { least, most, usual: Math.min(usualSeconds, most) } },
      { hub: parts.hub, notifications: this.#notifier },
    );
    this.#notifier.add(this.#watched);
    this.#subscriber = new Subscriber({ ...options.watching, domains, t1Ms: options.t1Ms }, parts);
  }

  /** What it answers, for the endpoint. */
  methods(): Map<string, Method> {
    return new Map<string, Method>([
      ['SUBSCRIBE', { handle: (inbound) => this.#notifier.handle(inbound), isPassedOn: true, wantsProof: true }],
      // Whoever knows the tags of a dialog of ours has proved enough.
      ['NOTIFY', { handle: (inbound) => this.#subscriber.handleNotify(inbound), isPassedOn: true, wantsProof: false }],
    ]);
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
      return this.#watched.hear(event);
    }
    if (event.type !== 'subscription') return;
    const isOfOurs = event.action === 'approve' || event.action === 'deny';
    return isOfOurs ? this.#watched.decide(event) : this.#subscriber.deliver(event, signal);
  }

  /** Goes on where the last process stopped. To be called before the sockets are open. */
  async start(): Promise<void> {
    await Promise.all([this.#notifier.start(), this.#subscriber.start()]);
  }

  stop(): void {
    this.#notifier.stop();
    this.#subscriber.stop();
  }

  get views(): NonNullable<Adapter['views']> {
    return { subscriptions: () => this.#rows() };
  }

  async *#rows(): AsyncIterable<ViewRow> {
    yield* this.#notifier.rows();
    yield* this.#subscriber.rows();
  }
}
