// Every subscription there is, by the tag we gave it, and how many there may be.
import type { SipRequest } from '../../codec/message.ts';
import { tagOf } from '../../codec/name-addr.ts';
import { dialogKey, keyOfRequest } from '../../dialog.ts';
import type { Answer } from '../../endpoint.ts';
import { SourceLimits } from '../../transport/source-limits.ts';
import type { Subscription } from './subscription.ts';

export interface TableLimits {
  /** In all. */
  max: number;
  maxPerWatcher: number;
  maxPerPresentity: number;
  /** From one address that is not trusted. */
  maxPerSource: number;
}

const tooMany: Answer = { status: 403, reason: 'Too Many Subscriptions' };
const retryAfter = ['Retry-After', '60'] as const;

export class SubscriptionTable {
  readonly #most: number;
  readonly #byTag = new Map<string, Subscription>();
  readonly #watchers: SourceLimits;
  readonly #presentities: SourceLimits;
  readonly #sources: SourceLimits;

  constructor(limits: TableLimits) {
    const { max: most } = limits;
    this.#most = most;
    this.#watchers = new SourceLimits(most, limits.maxPerWatcher);
    this.#presentities = new SourceLimits(most, limits.maxPerPresentity);
    this.#sources = new SourceLimits(most, limits.maxPerSource);
  }

  get size(): number {
    return this.#byTag.size;
  }

  /** Whose dialog a request belongs to. Throws SipParseError. */
  find(request: SipRequest): Subscription | undefined {
    const found = this.#byTag.get(tagOf(request.headers.get('To')) ?? '');
    return found && dialogKey(found.dialog) === keyOfRequest(request) ? found : undefined;
  }

  values(): Iterable<Subscription> {
    return this.#byTag.values();
  }

  /** Takes it in, or says what to answer. */
  enter(subscription: Subscription): Answer | undefined {
    const { watcher, presentity, source } = subscription;
    if (this.#byTag.size >= this.#most) return { status: 503, headers: [retryAfter] };
    if (!this.#watchers.enter(watcher)) return tooMany;
    if (!this.#presentities.enter(presentity)) {
      this.#watchers.leave(watcher);
      return { status: 503, reason: 'Too Many Watchers', headers: [retryAfter] };
    }
    if (source !== undefined && !this.#sources.enter(source)) {
      this.#watchers.leave(watcher);
      this.#presentities.leave(presentity);
      return tooMany;
    }
    this.#byTag.set(subscription.tag, subscription);
    return undefined;
  }

  /** One that was there before the process was: the limits do not end it. */
  resume(subscription: Subscription): void {
    this.#byTag.set(subscription.tag, subscription);
    this.#watchers.enter(subscription.watcher);
    this.#presentities.enter(subscription.presentity);
    if (subscription.source !== undefined) this.#sources.enter(subscription.source);
  }

  delete(subscription: Subscription): void {
    if (!this.#byTag.delete(subscription.tag)) return;
    this.#watchers.leave(subscription.watcher);
    this.#presentities.leave(subscription.presentity);
    if (subscription.source !== undefined) this.#sources.leave(subscription.source);
  }
}
