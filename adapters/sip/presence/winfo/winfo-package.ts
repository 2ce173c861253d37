// The event package `presence.winfo` (RFC 3857): who watches you, and who waits for leave to.
import { type Address, GatewayError } from '../../../../src/contract/index.ts';
import type { Body, EventPackage, Notifications, Watch } from '../notifier/package.ts';
import { Watches } from '../notifier/watches.ts';
import type { Roll } from './roll.ts';
import { formatWatcherInfo, type Watcher, watcherInfoType } from './watcher-info.ts';

export interface WinfoParts {
  roll: Roll;
  notifications: Notifications;
}

/** RFC 3857 s.4.10. */
const pauseMs = 5000;

export class WinfoPackage implements EventPackage {
  readonly name = 'presence.winfo';
  readonly types = [watcherInfoType];
  /** RFC 3857 s.4.2: an hour when nobody says otherwise. */
  readonly expires: EventPackage['expires'];
  readonly pauseMs = pauseMs;
  readonly #parts: WinfoParts;
  /** What each subscription has not been told yet, by watcher. */
  readonly #news = new Map<Watch, Map<string, Watcher>>();
  /** Those who have had the whole: after a restart nobody has. */
  readonly #told = new WeakSet<Watch>();
  readonly #watches = new Watches();

  constructor(expires: EventPackage['expires'], parts: WinfoParts) {
    this.expires = expires;
    this.#parts = parts;
    parts.roll.listener = (presentity, watcher) => this.#changed(presentity, watcher);
  }

  /** s.4.5: only the person who is watched may know. */
  async begin(watch: Watch, { expiresMs }: { expiresMs: number }): Promise<'active'> {
    if (watch.watcher.toLowerCase() !== watch.presentity.toLowerCase()) {
      throw new GatewayError('not-allowed', 'who watches somebody is told to nobody else');
    }
    if (expiresMs > 0) this.resume(watch);
    return 'active';
  }

  async refresh(): Promise<void> {}

  resume(watch: Watch): void {
    this.#watches.add(watch);
    this.#news.set(watch, new Map());
  }

  async ended(watch: Watch): Promise<void> {
    this.#watches.delete(watch);
    this.#news.delete(watch);
  }

  /** s.4.7 and RFC 3858 s.4: the first is version 0 and full, as is the answer to each refresh. */
  body(watch: Watch, isWished: boolean): Body | undefined {
    const isFull = isWished || !this.#told.has(watch);
    this.#told.add(watch);
    const news = this.#news.get(watch);
    if (!isFull && (news === undefined || news.size === 0)) return undefined;
    const watchers = isFull ? this.#parts.roll.of(watch.presentity) : [...(news?.values() ?? [])];
    news?.clear();
    const list = { resource: watch.presentity, package: 'presence', watchers };
    const content = formatWatcherInfo({ version: watch.version, state: isFull ? 'full' : 'partial', lists: [list] });
    return { type: watcherInfoType, content };
  }

  #changed(presentity: Address, watcher: Watcher): void {
    for (const watch of this.#watches.of(presentity)) {
      this.#news.get(watch)?.set(watcher.id, watcher);
      this.#parts.notifications.changed(watch);
    }
  }
}
