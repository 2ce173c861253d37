// Who watches whom, of every kind, for those who may ask: subscriptions of SIP people and those of other networks.
import { createHash } from 'node:crypto';
import type { Address } from '../../../../src/contract/index.ts';
import type { Asked, Body, EndReason, EventPackage, Notifications, Watch } from '../notifier/package.ts';
import type { Watcher } from './watcher-info.ts';

type Listener = (presentity: Address, watcher: Watcher) => void;

export class Roll {
  readonly #byPresentity = new Map<string, Map<string, Watcher>>();
  #listener: Listener = () => {};

  set listener(listener: Listener) {
    this.#listener = listener;
  }

  of(presentity: Address): Watcher[] {
    return [...(this.#byPresentity.get(presentity.toLowerCase())?.values() ?? [])];
  }

  /** `terminated` takes it off. */
  set(presentity: Address, watcher: Watcher): void {
    const key = presentity.toLowerCase();
    const watchers = this.#byPresentity.get(key) ?? new Map<string, Watcher>();
    if (watcher.status === 'terminated') {
      if (!watchers.delete(watcher.id)) return;
      if (watchers.size === 0) this.#byPresentity.delete(key);
    } else {
      this.#byPresentity.set(key, watchers.set(watcher.id, watcher));
    }
    this.#listener(presentity, watcher);
  }
}

/** An event package whose subscriptions are on the roll, and what they ask of the notifier. */
export class Enrolled implements EventPackage {
  readonly name: string;
  readonly types: readonly string[];
  readonly expires: EventPackage['expires'];
  readonly pauseMs: number;
  readonly #inner: EventPackage;
  readonly #roll: Roll;
  readonly #began: (watch: Watch) => Promise<void>;

  /** `began` hears of every subscription that was let in and lasts. */
  constructor(inner: EventPackage, roll: Roll, began: (watch: Watch) => Promise<void>) {
    this.name = inner.name;
    this.types = inner.types;
    this.expires = inner.expires;
    this.pauseMs = inner.pauseMs;
    this.#inner = inner;
    this.#roll = roll;
    this.#began = began;
  }

  takes(...about: Parameters<NonNullable<EventPackage['takes']>>): boolean {
    return this.#inner.takes?.(...about) ?? true;
  }

  async begin(watch: Watch, asked: Asked): Promise<'pending' | 'active'> {
    const state = await this.#inner.begin(watch, asked);
    // A poll is over before anybody could be told of it.
    if (asked.expiresMs === 0) return state;
    this.#roll.set(watch.presentity, watcherOf(watch, state, 'subscribe'));
    await this.#began(watch);
    return state;
  }

  refresh(watch: Watch, asked: Asked): Promise<void> {
    return this.#inner.refresh(watch, asked);
  }

  resume(watch: Watch): void {
    this.#inner.resume(watch);
    const isActive = watch.state === 'active';
    this.#roll.set(watch.presentity, watcherOf(watch, isActive ? 'active' : 'pending', 'subscribe'));
  }

  async ended(watch: Watch): Promise<void> {
    this.#roll.set(watch.presentity, watcherOf(watch, 'terminated', watch.reason ?? 'timeout'));
    await this.#inner.ended(watch);
  }

  body(watch: Watch, isFull: boolean): Body | undefined {
    return this.#inner.body(watch, isFull);
  }
}

/** What a package asks of the notifier, with approvals on the roll. */
export function enrolling(notifications: Notifications, roll: Roll): Notifications {
  return {
    changed: (watch, settleMs) => notifications.changed(watch, settleMs),
    keep: (watch) => notifications.keep(watch),
    terminate: (watch, reason: EndReason) => notifications.terminate(watch, reason),
    approve(watch) {
      if (watch.state === 'pending') roll.set(watch.presentity, watcherOf(watch, 'active', 'approved'));
      notifications.approve(watch);
    },
  };
}

const ids = new WeakMap<Watch, string>();
let count = 0;

function watcherOf(watch: Watch, status: Watcher['status'], event: string): Watcher {
  let id = ids.get(watch);
  if (id === undefined) {
    count++;
    id = watcherId(`${count}`, watch.watcher, watch.presentity);
    ids.set(watch, id);
  }
  return { id, uri: watch.watcher, status, event };
}

/** The same for the same, and no name of anybody's. */
export function watcherId(kind: string, watcher: Address, presentity: Address): string {
  return createHash('sha256').update(`${kind}|${watcher}|${presentity}`).digest('base64url').slice(0, 16);
}
