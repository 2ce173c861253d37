// What the notifier must know of an event package (RFC 6665 s.5.4): presence, presence.winfo, lists of presentities.
import type { Address } from '../../../../src/contract/index.ts';
import type { SipRequest } from '../../codec/message.ts';

/** One subscription, as its package sees it. The same object for as long as the subscription lasts. */
export interface Watch {
  /** Both bare, as SIP writes them. */
  readonly watcher: Address;
  readonly presentity: Address;
  /** The body it takes: one of the package's types. */
  readonly type: string;
  readonly state: WatchState;
  /** Why it is over. */
  readonly reason: EndReason | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** For documents that count: how many NOTIFY went before in this dialog. Only rises; leaps after a restart. */
  readonly version: number;
  /** When it begins: whoever asks is trusted, or has proved who it is. */
  readonly isProven: boolean;
  /** What its package wants to know of it after a restart: kept with it, from the end of `begin` on. */
  note: string | undefined;
}

export type WatchState = 'pending' | 'active' | 'terminated';

/** RFC 6665 s.4.1.3. */
export type EndReason = 'deactivated' | 'probation' | 'rejected' | 'timeout' | 'giveup' | 'noresource' | 'invariant';

export interface Body {
  type: string;
  content: string;
  headers?: ReadonlyArray<readonly [name: string, value: string]>;
}

/** How long a new or refreshed subscription wants to last, and how many gateways the wish has passed. */
export interface Asked {
  /** 0: a poll, which is over with its first NOTIFY and is told to no `ended`. */
  expiresMs: number;
  hops: number;
  /** The SUBSCRIBE; none when it is we who go on after a restart. */
  request?: SipRequest;
}

export interface EventPackage {
  readonly name: string;
  /** Body types that it can write; the first is the default (RFC 6665 s.5.4.5). */
  readonly types: readonly string[];
  /** Option tag that its watchers must support, or are told 421; answers and NOTIFY require it. */
  readonly extension?: string;
  /** Seconds. Wishes below `least` are 423, above `most` are shortened, and without a number they are `usual`. */
  readonly expires: { readonly least: number; readonly usual: number; readonly most: number };
  /** What NOTIFY calls it towards a watcher who knows it by another spelling than it writes. */
  nameFor?(watch: Watch): string | undefined;
  /** At least so long between two NOTIFY that tell of changes. */
  readonly pauseMs: number;
  /**
   * Where one name serves several kinds (people of our own, a list of presentities): whether this one is for it. The first
   * that is serves. After a restart there is no request any more.
   */
  takes?(presentity: Address, subscribe?: SipRequest): boolean;
  /** Somebody new. Throws GatewayError to refuse: the answer to SUBSCRIBE (RFC 6665 s.4.2.1.3). */
  begin(watch: Watch, asked: Asked): Promise<'pending' | 'active'>;
  /** It lasts longer, or goes on after a restart: the NOTIFY that follows says what `body` says. Throws GatewayError. */
  refresh(watch: Watch, asked: Asked): Promise<void>;
  /** Read from the store at start; in no order, and `refresh` is called soon after. */
  resume(watch: Watch): void;
  /** It is over, whoever ended it. */
  ended(watch: Watch): Promise<void>;
  /** The whole state, or with `isFull` false what has changed since the last. Undefined: nothing worth saying. */
  body(watch: Watch, isFull: boolean): Body | undefined;
}

/** What a package asks of the notifier. */
export interface Notifications {
  /** There is news. Told when the pause is over and `settleMs` have gone by, in which more may come; the last state wins. */
  changed(watch: Watch, settleMs?: number): void;
  /** The presentity has said yes: told now. */
  approve(watch: Watch): void;
  /** Told now, with `body` as it is then; `ended` follows. */
  terminate(watch: Watch, reason: EndReason): void;
  /** Its note is another one. */
  keep(watch: Watch): void;
}
