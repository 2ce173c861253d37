// One subscription of somebody out there: what lies in the store, and what is needed only while we live.
import type { Address } from '../../../../src/contract/index.ts';
import type { Dialog } from '../../dialog.ts';
import type { FlowName } from '../../directions.ts';
import { Timed } from '../../timer-wheel.ts';
import type { EndReason, EventPackage, Watch, WatchState } from './package.ts';
import { agreedRates, type Rates } from './rates.ts';

/** As it lies in the store: the same names, and `dialog.localCSeq` is a number that was never used. */
export interface SubscriptionRecord {
  event: string;
  eventId?: string | undefined;
  /** How its watcher writes the event, where that is not the package's name: NOTIFY is compared with it octet by octet (RFC 6665 s.8.2.1). */
  spelled?: string | undefined;
  watcher: Address;
  presentity: Address;
  type: string;
  state: WatchState;
  expiresAt: number;
  version: number;
  dialog: Dialog;
  isProven: boolean;
  /** What its watcher asked for (RFC 6446). */
  rates?: Rates | undefined;
  /** See Subscription. */
  knows?: string | undefined;
  /** The way its last SUBSCRIBE came by, when no proxy was between. */
  way?: FlowName | undefined;
  note?: string | undefined;
  /** Who sent it; none for trusted proxies, which send for many. */
  source?: string | undefined;
}

/** Numbers taken from the store at once: one write for so many NOTIFY, and none is used twice after a crash. */
const cseqBlock = 200;
/** What one NOTIFY may use: itself, and two more when it is challenged. */
const cseqsEach = 3;

export class Subscription extends Timed implements Watch {
  readonly eventPackage: EventPackage;
  readonly eventId: string | undefined;
  readonly spelled: string | undefined;
  readonly watcher: Address;
  readonly presentity: Address;
  readonly source: string | undefined;
  rates: Rates | undefined;
  /** When NOTIFY left, where the rates want to know. */
  sent: readonly number[] | undefined;
  type: string;
  state: WatchState;
  expiresAt: number;
  version: number;
  dialog: Dialog;
  way: FlowName | undefined;
  note: string | undefined;
  /** Whoever asked has answered a NOTIFY, or knew the tag in our answer: it is no forged address. */
  isProven: boolean;
  reason: EndReason | undefined;
  /** A NOTIFY is under way, or the answer that must go before it. */
  isBusy = true;
  /** Whether its NOTIFY counts among those under way: in all and towards its destination, or, being late, only there. */
  place: 'none' | 'prompt' | 'late' = 'none';
  destination = '';
  /** What the next NOTIFY is for: nothing, news, or the whole state asked for. */
  wish: 'nothing' | 'news' | 'all' = 'nothing';
  /** No news before this. */
  quietUntil = 0;
  /** When it is worth a look for news; Infinity: not at all. */
  wakeAt = Number.POSITIVE_INFINITY;
  /** The mark of the state that the watcher says it has: NOTIFY leaves that out, with `*` every state (RFC 5839 s.6). */
  knows: string | undefined;
  /** Of the last body that it has taken (RFC 5839 s.4). */
  etag: string | undefined;
  notifiedAt = 0;
  /** Since a restart: the package was not asked yet how its presentity is. */
  isForgotten = false;
  lastStatus = 0;
  readonly #owner: { due(subscription: Subscription): void };
  #reservedCSeq: number;

  constructor(
    record: SubscriptionRecord,
    eventPackage: EventPackage,
    owner: { due(subscription: Subscription): void },
  ) {
    super();
    this.eventPackage = eventPackage;
    this.eventId = record.eventId;
    this.spelled = record.spelled;
    this.watcher = record.watcher;
    this.presentity = record.presentity;
    this.source = record.source;
    this.rates = record.rates;
    this.knows = record.knows;
    this.type = record.type;
    this.state = record.state;
    this.expiresAt = record.expiresAt;
    this.version = record.version;
    this.dialog = record.dialog;
    this.way = record.way;
    this.note = record.note;
    this.isProven = record.isProven;
    this.#owner = owner;
    this.#reservedCSeq = record.dialog.localCSeq;
  }

  /** What is in force of what its watcher asked for (RFC 6446 s.5.3). */
  agreedRates(now: number): Rates {
    return agreedRates(this.rates, this.eventPackage.pauseMs, Math.max(this.expiresAt - now, 1));
  }

  get tag(): string {
    return this.dialog.localTag;
  }

  fire(): void {
    this.#owner.due(this);
  }

  /** False when a NOTIFY must wait until the store has seen more numbers. */
  get hasNumbers(): boolean {
    return this.dialog.localCSeq + cseqsEach <= this.#reservedCSeq;
  }

  /** For the store: what is read back there begins where no number was used. `written` says that it is there. */
  record(): SubscriptionRecord {
    const { dialog, eventPackage, eventId, spelled, watcher, presentity, source, rates, knows } = this;
    const { type, state, expiresAt, version, way, isProven, note } = this;
    const localCSeq = this.hasNumbers ? this.#reservedCSeq : dialog.localCSeq + cseqBlock;
    return {
      ...{ event: eventPackage.name, eventId, spelled, watcher, presentity, source, rates, knows },
      ...{ type, state, expiresAt, version: version + cseqBlock, way, isProven, note },
      dialog: { ...dialog, localCSeq },
    };
  }

  written({ dialog }: SubscriptionRecord): void {
    this.#reservedCSeq = Math.max(this.#reservedCSeq, dialog.localCSeq);
  }
}
