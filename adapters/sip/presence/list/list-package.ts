// The event package `presence` for lists (RFC 4662): each member is watched as if the watcher had subscribed to it alone.
import { type Address, asGatewayError, GatewayError, type Hub, type ViewRow } from '../../../../src/contract/index.ts';
import { listType } from '../../../../src/formats/rlmi.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import { SourceLimits } from '../../transport/source-limits.ts';
import type { Asked, Body, EventPackage, Notifications, Watch } from '../notifier/package.ts';
import { type Member, tellOf } from './member.ts';
import { listIn } from './resource-lists.ts';
import { readNote, ServedList } from './served-list.ts';

/** A list that the operator has written down. */
export interface ConfiguredList {
  uri: string;
  members: readonly string[];
  /** Who may subscribe to it; nobody named: everybody. */
  watchers: readonly string[];
}

export interface ListPackageOptions {
  lists: readonly ConfiguredList[];
  /** Members of a list that comes in a SUBSCRIBE (RFC 5367); 0: none is taken. */
  maxListMembers: number;
  /** Of all lists: members in all, of one watcher's lists, and lists that hold one person. */
  max: number;
  maxPerWatcher: number;
  maxPerPresentity: number;
  expires: EventPackage['expires'];
  pauseMs: number;
}

export interface ListPackageParts {
  hub: Hub;
  notifications: Notifications;
  /** Where the members are watched; the first that takes one has it. */
  packages: readonly EventPackage[];
}

/** RFC 5367 s.6. */
export const listInRequest = 'recipient-list-subscribe';
/** In which everybody is heard of after a restart. */
const recallMs = 1000;

export class ListPackage implements EventPackage {
  readonly name = 'presence';
  readonly types = [listType];
  readonly extension = 'eventlist';
  readonly expires: EventPackage['expires'];
  readonly pauseMs: number;
  readonly #options: ListPackageOptions;
  readonly #parts: ListPackageParts;
  readonly #configured: ReadonlyMap<string, ConfiguredList>;
  readonly #live = new Map<Watch, ServedList>();
  readonly #polled = new WeakMap<Watch, ServedList>();
  readonly #watchers: SourceLimits;
  readonly #presentities: SourceLimits;

  constructor(options: ListPackageOptions, parts: ListPackageParts) {
    const { max, maxPerWatcher, maxPerPresentity } = options;
    this.expires = options.expires;
    this.pauseMs = options.pauseMs;
    this.#options = options;
    this.#parts = parts;
    this.#configured = new Map(options.lists.map((list) => [list.uri.toLowerCase(), list]));
    this.#watchers = new SourceLimits(max, maxPerWatcher);
    this.#presentities = new SourceLimits(Number.POSITIVE_INFINITY, maxPerPresentity);
  }

  takes(presentity: Address, subscribe?: SipRequest): boolean {
    // What comes back from the store was ours.
    if (!subscribe || this.#configured.has(presentity.toLowerCase())) return true;
    return this.#options.maxListMembers > 0 && requires(subscribe);
  }

  async begin(watch: Watch, asked: Asked): Promise<'active'> {
    const isLinphone = /linphone/i.test(asked.request?.headers.get('User-Agent') ?? '');
    const list = this.#open(watch, this.#urisFor(watch, asked), isLinphone);
    if (asked.expiresMs === 0) this.#polled.set(watch, list);
    else this.#enter(list);
    await Promise.all(list.members.map((member) => this.#begin(member, asked)));
    watch.note = list.note();
    return 'active';
  }

  async refresh(watch: Watch, asked: Asked): Promise<void> {
    const members = this.#live.get(watch)?.members ?? [];
    // RFC 5367 s.5.1: a list is for the whole of its subscription. Linphone says the same one again.
    const again = asked.request && listIn(asked.request);
    if (again && again.join() !== members.map(({ uri }) => uri).join()) {
      throw new SipParseError('the list cannot be changed', { status: 415 });
    }
    await Promise.all(
      members.map((member) => (member.isBegun ? this.#refresh(member, asked) : this.#begin(member, asked))),
    );
  }

  resume(watch: Watch): void {
    const { members = [], isLinphone = false } = readNote(watch.note);
    const uris = this.#configured.get(watch.presentity.toLowerCase())?.members ?? members;
    const list = this.#open(watch, uris, isLinphone);
    this.#live.set(watch, list);
    for (const { watcher } of list.members) this.#watchers.enter(watcher);
  }

  async ended(watch: Watch): Promise<void> {
    const list = this.#live.get(watch);
    if (!list) return;
    this.#live.delete(watch);
    for (const { watcher } of list.members) this.#watchers.leave(watcher);
    const ends = list.members.map((member) => {
      if (member.reason === undefined) member.end(watch.reason ?? 'timeout');
      return this.#end(member);
    });
    await Promise.all(ends);
  }

  body(watch: Watch, isFull: boolean): Body | undefined {
    return (this.#live.get(watch) ?? this.#polled.get(watch))?.body(isFull);
  }

  nameFor(watch: Watch): string | undefined {
    return (this.#live.get(watch) ?? this.#polled.get(watch))?.isLinphone ? 'Presence' : undefined;
  }

  /** For operators: the members. */
  *rows(): Iterable<ViewRow> {
    for (const [{ watcher, presentity: list }, { members }] of this.#live) {
      for (const { presentity, state, isBegun, reason } of members) {
        yield {
          direction: 'inbound',
          event: 'presence',
          watcher,
          presentity,
          state: isBegun || reason ? state : 'waiting',
          list,
        };
      }
    }
  }

  #open(watch: Watch, uris: readonly string[], isLinphone: boolean): ServedList {
    const isConfigured = this.#configured.has(watch.presentity.toLowerCase());
    return new ServedList(
      watch,
      { uris, isConfigured },
      {
        isLinphone,
        packageOf: (presentity) => this.#parts.packages.find((one) => one.takes?.(presentity) ?? true),
        ended: (member) => {
          void this.#end(member);
          watch.note = this.#live.get(watch)?.note() ?? watch.note;
          this.#parts.notifications.keep(watch);
        },
      },
    );
  }

  // RFC 5363 s.5.2: a list sends out many requests for one, so whoever brings one has a name.
  #urisFor({ watcher, presentity, isProven }: Watch, { request }: Asked): readonly string[] {
    const configured = this.#configured.get(presentity.toLowerCase());
    if (configured) {
      const { watchers, members } = configured;
      const isWelcome = watchers.length === 0 || watchers.some((uri) => uri.toLowerCase() === watcher.toLowerCase());
      if (!isWelcome) throw new GatewayError('not-allowed', 'this list is for others');
      return members;
    }
    if (!isProven) throw new GatewayError('not-allowed', 'a list is taken from people who are known');
    const uris = request && listIn(request);
    if (!uris || uris.length === 0) throw new SipParseError('no list', { status: 400 });
    const { maxListMembers } = this.#options;
    if (uris.length > maxListMembers) throw new SipParseError(`more than ${maxListMembers} members`, { status: 413 });
    return uris;
  }

  #enter(list: ServedList): void {
    const { members, watch } = list;
    const entered = members.filter(({ watcher }) => this.#watchers.enter(watcher));
    if (entered.length < members.length) {
      for (const { watcher } of entered) this.#watchers.leave(watcher);
      throw new GatewayError('not-allowed', 'too many people watched');
    }
    this.#live.set(watch, list);
  }

  /** Whoever cannot be asked now is asked with the next refresh. */
  async #begin(member: Member, asked: Asked): Promise<void> {
    const { eventPackage, presentity, list } = member;
    if (member.reason !== undefined || !eventPackage) return;
    const isCounted = asked.expiresMs > 0;
    if (isCounted && !this.#presentities.enter(presentity)) return;
    member.isBegun = true;
    try {
      const state = await eventPackage.begin(member, asked);
      if (member.state === 'pending') member.state = state;
    } catch (error) {
      member.isBegun = false;
      if (isCounted) this.#presentities.leave(presentity);
      this.#failed(member, error);
    }
    // After a restart the members are heard of one after the other.
    if (this.#live.has(list.watch)) tellOf(member, this.#parts.notifications, asked.request ? undefined : recallMs);
  }

  async #refresh(member: Member, asked: Asked): Promise<void> {
    try {
      await member.eventPackage?.refresh(member, asked);
    } catch (error) {
      this.#parts.hub.log.debug({ presentity: member.presentity, error }, 'its state is not to be had');
    }
  }

  #failed(member: Member, thrown: unknown): void {
    const { isFinal, reason, message } = asGatewayError(thrown);
    if (isFinal) member.end(reason === 'not-allowed' ? 'rejected' : 'noresource');
    else this.#parts.hub.log.debug({ presentity: member.presentity, why: message }, 'a member of a list has to wait');
  }

  async #end(member: Member): Promise<void> {
    const { eventPackage, presentity, watcher } = member;
    if (!member.isBegun || !eventPackage) return;
    member.isBegun = false;
    this.#presentities.leave(presentity);
    try {
      await eventPackage.ended(member);
    } catch (error) {
      this.#parts.hub.log.warn({ watcher, presentity, error }, 'the end of a subscription was not told');
    }
  }
}

function requires({ headers }: SipRequest): boolean {
  return headers.all('Require').some((tag) => tag.toLowerCase() === listInRequest);
}
