// The event package `presence` (RFC 3856) for people of other networks: RFC 8048 s.5.3, with the hub's events on the other side.
import {
  type Address,
  bareAddress,
  type EventOf,
  fromGatewayForm,
  type GatewayDomain,
  gatewayForm,
  type Hub,
  splitAddress,
} from '../../../../src/contract/index.ts';
import { RecentMap } from '../../../../src/guards/recent-map.ts';
import { hashedKey } from '../hashed-key.ts';
import { presenceBody, presenceTypes } from './document.ts';
import type { Asked, Body, EventPackage, Notifications, Watch } from './package.ts';
import { Pair } from './pair.ts';

export interface PresencePackageOptions {
  domains: readonly GatewayDomain[];
  /** Seconds. */
  expires: EventPackage['expires'];
  pauseMs: number;
}

export interface PresencePackageParts {
  hub: Hub;
  notifications: Notifications;
}

/** RFC 8048 s.8.1: whoever refreshes in a hurry does not make us probe in a hurry. */
const fetchPauseMs = 5000;
/** An answer that came after its poll serves the next ones for so long. */
const polledMs = 60_000;
/** In which the other devices of somebody are heard of after a restart. */
const recallMs = 1000;
const maxPolled = 10_000;

export class PresencePackage implements EventPackage {
  readonly name = 'presence';
  readonly types = presenceTypes;
  readonly expires: EventPackage['expires'];
  readonly pauseMs: number;
  readonly #domains: readonly GatewayDomain[];
  readonly #parts: PresencePackageParts;
  readonly #pairs = new Map<string, Pair>();
  readonly #live = new Map<Watch, Pair>();
  /** Pairs without a subscription, of which somebody asked once. */
  readonly #polled = new RecentMap<string, Pair>(maxPolled);

  constructor({ domains, expires, pauseMs }: PresencePackageOptions, parts: PresencePackageParts) {
    this.#domains = domains;
    this.expires = expires;
    this.pauseMs = pauseMs;
    this.#parts = parts;
  }

  async begin(watch: Watch, asked: Asked): Promise<'pending' | 'active'> {
    if (asked.expiresMs === 0) return this.#poll(watch, asked);
    const pair = this.#join(watch);
    try {
      await this.#readAuthorisation(pair);
      if (pair.isAuthorised) await this.#fetchUnknown(watch, pair, asked.hops);
      else await this.#ask(watch, 'request', asked);
    } catch (error) {
      this.#leave(watch, pair);
      throw error;
    }
    return pair.isAuthorised ? 'active' : 'pending';
  }

  async refresh(watch: Watch, { hops }: Asked): Promise<void> {
    const pair = this.#live.get(watch);
    if (pair?.isAuthorised) await this.#fetchUnknown(watch, pair, hops);
  }

  resume(watch: Watch): void {
    const pair = this.#join(watch);
    pair.isAuthorised ||= watch.state === 'active';
  }

  /** RFC 8048 s.5.3.3: `unavailable` and not `cancel`; the permission stays. */
  async ended(watch: Watch): Promise<void> {
    const pair = this.#live.get(watch);
    if (!pair) return;
    this.#leave(watch, pair);
    if (pair.watches.length > 0 || watch.reason === 'rejected') return;
    const { watcher: from, presentity: to } = watch;
    await this.#parts.hub.publish({ type: 'presence', from, to, availability: 'unavailable' });
  }

  body(watch: Watch): Body | undefined {
    const { watcher, presentity, state, type } = watch;
    if (state === 'terminated') {
      return watch.reason === 'timeout' ? presenceBody(type, presentity, [], this.#parts.hub.now()) : undefined;
    }
    const live = this.#live.get(watch);
    // RFC 8048 s.5.3.1: not a word before the presentity has said yes.
    if (live && state === 'pending') return undefined;
    const pair = live ?? this.#find(this.#keyOf(watcher, presentity));
    if (!pair || pair.devices.length === 0) return undefined;
    return presenceBody(type, presentity, pair.devices, pair.changedAt);
  }

  /** How somebody is, for one watcher. */
  hear(event: EventOf<'presence'>): void {
    const pair = this.#find(this.#keyOf(event.to, event.from));
    const { hub, notifications } = this.#parts;
    if (!pair?.hear(event, hub.now())) return;
    const [first] = pair.watches;
    // After a restart one device speaks first, and the others are not known any more.
    const isPart = pair.isAuthorised && pair.askedAt === 0 && first !== undefined;
    if (isPart) this.#fetch(first, pair, 0).catch((error: Error) => hub.log.debug({ why: error.message }, 'no fetch'));
    for (const watch of pair.watches) {
      if (watch.state === 'active') notifications.changed(watch, isPart ? recallMs : undefined);
    }
  }

  /** What somebody says to a watcher. Throws when the store cannot keep it. */
  async decide({ action, from, to }: EventOf<'subscription'>): Promise<void> {
    const { hub, notifications } = this.#parts;
    const key = this.#keyOf(to, from);
    const pair = this.#find(key);
    if (action === 'deny') {
      await hub.state.delete(permissionKey(key));
      pair?.forget();
      for (const watch of pair?.watches.slice() ?? []) notifications.terminate(watch, 'rejected');
      return;
    }
    await hub.state.set(permissionKey(key), '1');
    if (!pair) return;
    pair.isAuthorised = true;
    for (const watch of pair.watches) notifications.approve(watch);
    const [first] = pair.watches;
    if (first) await this.#fetchUnknown(first, pair, 0);
  }

  async #poll(watch: Watch, { hops }: Asked): Promise<'pending' | 'active'> {
    const key = this.#keyOf(watch.watcher, watch.presentity);
    const live = this.#pairs.get(key);
    const pair = live ?? this.#polled.get(key) ?? new Pair(key);
    if (!live) this.#polled.set(key, pair);
    await this.#readAuthorisation(pair);
    const { hub } = this.#parts;
    if (!live && hub.now() - pair.heardAt > polledMs) await this.#fetch(watch, pair, hops);
    return pair.isAuthorised ? 'active' : 'pending';
  }

  async #readAuthorisation(pair: Pair): Promise<void> {
    if (pair.isAuthorised) return;
    const permission = await this.#parts.hub.state.get(permissionKey(pair.key));
    if (permission !== undefined) pair.isAuthorised = true;
  }

  async #fetchUnknown(watch: Watch, pair: Pair, hops: number): Promise<void> {
    if (pair.heardAt === 0 || pair.askedAt === 0) await this.#fetch(watch, pair, hops);
  }

  async #fetch(watch: Watch, pair: Pair, hops: number): Promise<void> {
    const now = this.#parts.hub.now();
    if (now - pair.askedAt < fetchPauseMs) return;
    pair.askedAt = now;
    try {
      await this.#ask(watch, 'fetch', { expiresMs: 0, hops });
    } catch (error) {
      pair.askedAt = 0;
      throw error;
    }
  }

  async #ask({ watcher: from, presentity: to }: Watch, action: 'request' | 'fetch', asked: Asked): Promise<void> {
    const { expiresMs, hops } = asked;
    const lasting = action === 'request' ? { expiresMs } : {};
    await this.#parts.hub.publish({ type: 'subscription', action, from, to, hops, ...lasting });
  }

  #join(watch: Watch): Pair {
    const key = this.#keyOf(watch.watcher, watch.presentity);
    const pair = this.#pairs.get(key) ?? this.#polled.get(key) ?? new Pair(key);
    this.#polled.delete(key);
    this.#pairs.set(key, pair);
    this.#live.set(watch, pair);
    pair.watches.push(watch);
    return pair;
  }

  #leave(watch: Watch, pair: Pair): void {
    this.#live.delete(watch);
    pair.watches = pair.watches.filter((other) => other !== watch);
    if (pair.watches.length === 0) this.#pairs.delete(pair.key);
  }

  #find(key: string): Pair | undefined {
    return this.#pairs.get(key) ?? this.#polled.get(key);
  }

  // Names have several spellings here (a home domain, capitals) and one on the way back.
  #keyOf(watcher: Address, presentity: Address): string {
    return `${bareAddress(watcher)}|${canonical(bareAddress(presentity), this.#domains)}`.toLowerCase();
  }
}

/** One spelling of each person of another network. */
export function canonical(presentity: Address, domains: readonly GatewayDomain[]): Address {
  const at = domains.find(({ domain }) => domain === splitAddress(presentity).domain);
  if (!at) return presentity;
  try {
    return gatewayForm(fromGatewayForm(presentity, at), 'sip', at.domain);
  } catch {
    return presentity;
  }
}

function permissionKey(pair: string): string {
  return hashedKey('permission/', pair);
}
