// Subscriptions whose watcher has answered no NOTIFY yet: a forged Contact must not turn us into a cannon (RFC 6665 s.6.4).
import { parseUri } from '../../codec/uri.ts';
import { SourceLimits } from '../../transport/source-limits.ts';
import type { Subscription } from './subscription.ts';

export class Unproven {
  readonly #limits: SourceLimits;
  readonly #waiting = new Map<Subscription, string>();

  constructor(mostPerHost: number) {
    this.#limits = new SourceLimits(Number.POSITIVE_INFINITY, mostPerHost);
  }

  /** False when its host has enough of them. */
  enter(subscription: Subscription): boolean {
    if (subscription.isProven) return true;
    const { host } = parseUri(subscription.dialog.target);
    if (!this.#limits.enter(host)) return false;
    this.#waiting.set(subscription, host);
    return true;
  }

  prove(subscription: Subscription): void {
    subscription.isProven = true;
    this.leave(subscription);
  }

  leave(subscription: Subscription): void {
    const host = this.#waiting.get(subscription);
    if (host === undefined) return;
    this.#waiting.delete(subscription);
    this.#limits.leave(host);
  }
}
