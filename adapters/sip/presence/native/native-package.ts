// The event package `presence` for people of our own domains (RFC 3856): what they publish, to SIP watchers.
import { type Address, type Hub, splitAddress } from '../../../../src/contract/index.ts';
import { encodePidf, encodeXpidf, type PidfDocument, xpidfType } from '../../../../src/formats/pidf/index.ts';
import { presenceBody, presenceTypes } from '../notifier/document.ts';
import type { Asked, Body, EventPackage, Notifications, Watch } from '../notifier/package.ts';
import { Watches } from '../notifier/watches.ts';

export interface NativePackageOptions {
  nativeDomains: ReadonlySet<string>;
  expires: EventPackage['expires'];
  pauseMs: number;
}

export interface NativePackageParts {
  hub: Hub;
  notifications: Notifications;
  allows(presentity: Address, watcher: Address): Promise<boolean>;
  document(presentity: Address): PidfDocument;
  /** Somebody wants to know. */
  wanted(presentity: Address): void;
}

export class NativePackage implements EventPackage {
  readonly name = 'presence';
  readonly types = presenceTypes;
  readonly expires: EventPackage['expires'];
  readonly pauseMs: number;
  readonly #nativeDomains: ReadonlySet<string>;
  readonly #parts: NativePackageParts;
  readonly #watches = new Watches();
  /** When we began: of somebody who has published nothing there is no later moment to name. */
  readonly #beganAt: number;

  constructor({ nativeDomains, expires, pauseMs }: NativePackageOptions, parts: NativePackageParts) {
    this.#nativeDomains = nativeDomains;
    this.expires = expires;
    this.pauseMs = pauseMs;
    this.#parts = parts;
    this.#beganAt = parts.hub.now();
  }

  takes(presentity: Address): boolean {
    return this.#nativeDomains.has(splitAddress(presentity).domain);
  }

  async begin(watch: Watch, { expiresMs }: Asked): Promise<'pending' | 'active'> {
    const isAllowed = await this.#parts.allows(watch.presentity, watch.watcher);
    if (expiresMs > 0) {
      this.resume(watch);
      this.#parts.wanted(watch.presentity);
    }
    return isAllowed ? 'active' : 'pending';
  }

  async refresh({ presentity }: Watch): Promise<void> {
    this.#parts.wanted(presentity);
  }

  /** Whether anybody watches or waits to. */
  has(presentity: Address): boolean {
    return this.#watches.has(presentity);
  }

  resume(watch: Watch): void {
    this.#watches.add(watch);
  }

  async ended(watch: Watch): Promise<void> {
    this.#watches.delete(watch);
  }

  body({ presentity, state, reason, type }: Watch): Body | undefined {
    // RFC 3856 s.6.6.2: whoever is not let in yet learns nothing.
    if (state === 'pending' || (state === 'terminated' && reason !== 'timeout')) return undefined;
    const document = this.#parts.document(presentity);
    if (document.tuples.length === 0) return presenceBody(type, presentity, [], this.#beganAt);
    return { type, content: type === xpidfType ? encodeXpidf(document) : encodePidf(document) };
  }

  /** What is published is different. */
  changed(presentity: Address): void {
    for (const watch of this.#watches.of(presentity)) {
      if (watch.state === 'active') this.#parts.notifications.changed(watch);
    }
  }

  /** The presentity has made clear that this watcher may see. */
  admit(presentity: Address, watcher: Address): void {
    for (const watch of this.#watches.of(presentity)) {
      if (watch.watcher.toLowerCase() === watcher.toLowerCase()) this.#parts.notifications.approve(watch);
    }
  }
}
