// Who watches whom, of every kind, for those who may ask: subscriptions of SIP people and those of other networks.
import { createHash } from 'node:crypto';
import type { Address } from '../../../../src/contract/index.ts';
import { RecentMap } from '../../../../src/guards/recent-map.ts';
import type { Asked, Body, EndReason, EventPackage, Notifications, Watch } from '../notifier/package.ts';
import type { Watcher } from './watcher-info.ts';

type Listener = (presentity: Address, watcher: Watcher) => void;

/** RFC 3857 s.4.7.1 wants days, and not too many strangers. */
const waitMs = 7 * 86_400_000;
const mostWaitingEach = 20;
const mostWaitedFor = 10_000;

interface Waiting {
  watcher: Watcher;
  since: number;
}

export class Roll {
  readonly #now: () => number;
  readonly #byPresentity = new Map<string, Map<string, Watcher>>();
  /** Those whose subscription ended before there was an answer, by presentity and URI. Forgotten with the process. */
  readonly #waiting = new RecentMap<string, RecentMap<string, Waiting>>(mostWaitedFor);
  #listener: Listener = () => {};

  constructor(now: () => number) {
    this.#now = now;
  }

  set listener(listener: Listener) {
    this.#listener = listener;
  }

  of(presentity: Address): Watcher[] {
    const key = presentity.toLowerCase();
    const waiting = [...(this.#waiting.get(key)?.values() ?? [])].filter(({ since }) => this.#now() - since < waitMs);
    return [...(this.#byPresentity.get(key)?.values() ?? []), ...waiting.map(({ watcher }) => watcher)];
  }

  /** Its subscription is over, and the presentity has not answered. */
  wait(presentity: Address, watcher: Watcher): void {
    const key = presentity.toLowerCase();
    this.#remove(key, watcher.id);
    const waiting = this.#waiting.get(key) ?? new RecentMap<string, Waiting>(mostWaitingEach);
    const uri = watcher.uri.toLowerCase();
    // Whoever asks once more is who waits already, under the same id.
    const same = waiting.get(uri)?.watcher ?? watcher;
    this.#waiting.set(key, waiting.set(uri, { watcher: same, since: this.#now() }));
    this.#listener(presentity, same);
  }

  isPending(presentity: Address, { id }: Pick<Watcher, 'id'>): boolean {
    return this.#byPresentity.get(presentity.toLowerCase())?.get(id)?.status === 'pending';
  }

  /** There is an answer, or another subscription. */
  answered(presentity: Address, uri: Address, event: 'approved' | 'subscribe'): void {
    const waiting = this.#waiting.get(presentity.toLowerCase());
    const known = waiting?.get(uri.toLowerCase());
    if (!waiting?.delete(uri.toLowerCase()) || !known) return;
    this.#listener(presentity, { ...known.watcher, status: 'terminated', event });
  }

  /** `terminated` takes it off. */
  set(presentity: Address, watcher: Watcher): void {
    const key = presentity.toLowerCase();
    const watchers = this.#byPresentity.get(key) ?? new Map<string, Watcher>();
    if (watcher.status === 'terminated') {
      if (!this.#remove(key, watcher.id)) return;
    } else {
      this.#byPresentity.set(key, watchers.set(watcher.id, watcher));
    }
    this.#listener(presentity, watcher);
  }

  /** False when it was not there. */
  #remove(key: string, id: string): boolean {
    const watchers = this.#byPresentity.get(key);
    const wasThere = watchers?.delete(id) ?? false;
    if (watchers?.size === 0) this.#byPresentity.delete(key);
    return wasThere;
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
  readonly #keepsWaiting: boolean;

  /** `began` hears of every subscription that was let in and lasts. `keepsWaiting`: its people have nobody else to tell them. */
  constructor(inner: EventPackage, roll: Roll, began: (watch: Watch) => Promise<void>, keepsWaiting: boolean) {
    this.#keepsWaiting = keepsWaiting;
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
    const { watcher, presentity } = watch;
    if (asked.expiresMs === 0) {
      // A poll is over before anybody could be told of it.
      if (state === 'pending' && this.#keepsWaiting)
        this.#roll.wait(presentity, watcherOf(watch, 'waiting', 'timeout'));
      return state;
    }
    this.#roll.answered(presentity, watcher, 'subscribe');
    this.#roll.set(watch.presentity, watcherOf(watch, state, 'subscribe'));
    try {
      await this.#began(watch);
    } catch (error) {
      this.#roll.set(presentity, watcherOf(watch, 'terminated', 'noresource'));
      await this.#inner.ended(watch).catch(() => {});
      throw error;
    }
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
    const { presentity, reason = 'timeout' } = watch;
    const isInVain = this.#keepsWaiting && reason === 'timeout' && this.#roll.isPending(presentity, watcherOf(watch));
    if (isInVain) this.#roll.wait(presentity, watcherOf(watch, 'waiting', 'timeout'));
    else this.#roll.set(presentity, watcherOf(watch, 'terminated', reason));
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

function watcherOf(watch: Watch, status: Watcher['status'] = 'pending', event = 'subscribe'): Watcher {
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
