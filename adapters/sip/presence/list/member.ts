// One member of a list that we serve: to its event package a subscription like any other (RFC 4662 s.4.4), and to the watcher
// an instance in the list's document.
import type { Address } from '../../../../src/contract/index.ts';
import { pidfType } from '../../../../src/formats/pidf/index.ts';
import type { RlmiInstance } from '../../../../src/formats/rlmi.ts';
import { etagOf } from '../notifier/notify.ts';
import type { Body, EndReason, EventPackage, Notifications, Watch, WatchState } from '../notifier/package.ts';

/** What a member needs to know of its list. */
export interface ListOfMembers {
  /** The subscription to the list itself. */
  readonly watch: Watch;
  /** Of whom the watcher has not been told the last. */
  readonly news: Set<Member>;
  /** A member has ended for good. */
  ended(member: Member): void;
}

export class Member implements Watch {
  readonly list: ListOfMembers;
  /** As the list has it. */
  readonly uri: string;
  readonly presentity: Address;
  readonly eventPackage: EventPackage | undefined;
  readonly type = pidfType;
  readonly version = 0;
  state: WatchState = 'pending';
  reason: EndReason | undefined;
  note: string | undefined;
  /** Its package has it. */
  isBegun = false;
  #told: string | undefined;

  /** `eventPackage` is undefined when nobody here knows the presentity. */
  constructor(list: ListOfMembers, uri: string, presentity: Address, eventPackage: EventPackage | undefined) {
    this.list = list;
    this.uri = uri;
    this.presentity = presentity;
    this.eventPackage = eventPackage;
  }

  get watcher(): Address {
    return this.list.watch.watcher;
  }

  get expiresAt(): number {
    return this.list.watch.expiresAt;
  }

  get isProven(): boolean {
    return this.list.watch.isProven;
  }

  end(reason: EndReason): void {
    this.state = 'terminated';
    this.reason = reason;
  }

  /** How it stands now, and whether that is news to the watcher, who is told of it by this. */
  tell(): { instance: RlmiInstance | undefined; body: Body | undefined; isNews: boolean } {
    const { state, reason } = this;
    const body = state === 'active' ? this.eventPackage?.body(this, true) : undefined;
    const told = JSON.stringify([this.isBegun, state, reason, body && etagOf(body)]);
    const isNews = told !== this.#told;
    this.#told = told;
    const isKnown = this.isBegun || reason !== undefined;
    const instance = isKnown ? { id: '1', state, ...(reason === undefined ? {} : { reason }) } : undefined;
    return { instance, body, isNews };
  }
}

/** What packages ask of the notifier: what they say of a member is news of its list. */
export function forMembers(notifications: Notifications): Notifications {
  const tell = (member: Member, settleMs?: number) => tellOf(member, notifications, settleMs);
  return {
    changed: (watch, settleMs) =>
      watch instanceof Member ? tell(watch, settleMs) : notifications.changed(watch, settleMs),
    approve(watch) {
      if (!(watch instanceof Member)) return notifications.approve(watch);
      watch.state = 'active';
      tell(watch);
    },
    terminate(watch, reason) {
      if (!(watch instanceof Member)) return notifications.terminate(watch, reason);
      watch.end(reason);
      watch.list.ended(watch);
      tell(watch);
    },
    keep: (watch) => {
      if (!(watch instanceof Member)) notifications.keep(watch);
    },
  };
}

/** Something of the member is news of its list. */
export function tellOf(member: Member, notifications: Notifications, settleMs?: number): void {
  member.list.news.add(member);
  notifications.changed(member.list.watch, settleMs);
}
