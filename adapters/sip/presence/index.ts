// Presence on SIP: who watches whom, in both directions, and what each is told. Joins the rooms of this folder to the adapter.
import { type Adapter, type GatewayDomain, GatewayError, type GatewayEvent } from '../../../src/contract/index.ts';
import type { Method } from '../endpoint.ts';
import { Notifier, type NotifierOptions, type NotifierParts } from './notifier/notifier.ts';
import { PresencePackage } from './notifier/presence-package.ts';

export interface PresenceOptions extends NotifierOptions {
  gatewayDomains: readonly GatewayDomain[];
  /** Seconds that a subscription to presence lasts. */
  minExpires: number;
  maxExpires: number;
  /** Between two NOTIFY of one presentity to one watcher. */
  notifyPauseMs: number;
}

export type PresenceParts = NotifierParts;

/** RFC 3856 s.6.4. */
const usualSeconds = 3600;

export class Presence {
  readonly #notifier: Notifier;
  readonly #watched: PresencePackage;

  constructor(options: PresenceOptions, parts: PresenceParts) {
    this.#notifier = new Notifier(options, parts);
    const { gatewayDomains: domains, minExpires: least, maxExpires: most, notifyPauseMs: pauseMs } = options;
    this.#watched = new PresencePackage(
      { domains, pauseMs, expires: { least, most, usual: Math.min(usualSeconds, most) } },
      { hub: parts.hub, notifications: this.#notifier },
    );
    this.#notifier.add(this.#watched);
  }

  /** What it answers, for the endpoint. */
  methods(): Map<string, Method> {
    return new Map<string, Method>([
      ['SUBSCRIBE', { handle: (inbound) => this.#notifier.handle(inbound), isPassedOn: true, wantsProof: true }],
      // RFC 6665 s.4.1.3: a NOTIFY to no subscription of ours.
      ['NOTIFY', { handle: async () => ({ status: 481 }), isPassedOn: false, wantsProof: false }],
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
    if (event.type === 'presence') return this.#watched.hear(event);
    if (event.type === 'subscription' && (event.action === 'approve' || event.action === 'deny')) {
      return this.#watched.decide(event);
    }
    throw new GatewayError('unsupported', `no ${event.type} over SIP here`);
  }

  /** Goes on where the last process stopped. To be called before the sockets are open. */
  start(): Promise<void> {
    return this.#notifier.start();
  }

  stop(): void {
    this.#notifier.stop();
  }

  get views(): NonNullable<Adapter['views']> {
    return { subscriptions: () => this.#notifier.rows() };
  }
}
