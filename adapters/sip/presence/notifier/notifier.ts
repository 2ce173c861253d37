// The notifier of RFC 6665 s.4.2, for any event package: the lives of subscriptions, from their SUBSCRIBE or the store to their end.
import type { Hub, ViewRow } from '../../../../src/contract/index.ts';
import type { Answer, Inbound } from '../../endpoint.ts';
import type { TimerWheel } from '../../timer-wheel.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { isLast } from './notify.ts';
import type { EndReason, EventPackage, Notifications } from './package.ts';
import { Sender, type SenderParts } from './sender.ts';
import { SubscriptionStore } from './store.ts';
import { Subscription, type SubscriptionRecord } from './subscription.ts';
import { SubscriptionTable, type TableLimits } from './table.ts';
import { Unproven } from './unproven.ts';

export interface NotifierOptions extends TableLimits, AdmissionOptions {
  /** Subscriptions towards one host that has answered no NOTIFY yet. */
  maxUnprovenPerHost: number;
}

export interface NotifierParts extends Pick<SenderParts, 'hub' | 'requester' | 'transports'> {
  wheel: TimerWheel;
}

/** After a restart everybody's state is asked for again, so many a second. */
const recallsPerSecond = 100;
/** The store is read before the sockets are open. */
const startMs = 1000;

export class Notifier implements Notifications {
  readonly #hub: Hub;
  readonly #wheel: TimerWheel;
  readonly #packages: EventPackage[] = [];
  readonly #table: SubscriptionTable;
  readonly #store: SubscriptionStore;
  readonly #sender: Sender;
  readonly #unproven: Unproven;
  readonly #admission: Admission;

  constructor(options: NotifierOptions, { hub, requester, transports, wheel }: NotifierParts) {
    this.#hub = hub;
    this.#wheel = wheel;
    this.#table = new SubscriptionTable(options);
    this.#store = new SubscriptionStore(hub.state, () => hub.now());
    this.#unproven = new Unproven(options.maxUnprovenPerHost);
    const arm = (subscription: Subscription) => this.#arm(subscription);
    this.#sender = new Sender({
      ...{ hub, requester, transports, arm },
      save: (subscription) => this.#store.save(subscription),
      proven: (subscription) => this.#unproven.prove(subscription),
      over: (subscription, why) => this.#over(subscription, why),
    });
    this.#admission = new Admission(options, {
      ...{ hub, packages: this.#packages, table: this.#table, store: this.#store, sender: this.#sender, arm },
      ...{ unproven: this.#unproven, owner: this },
      end: (subscription, reason) => this.#end(subscription, reason),
    });
  }

  /** To be called before `start`. Of packages with one name the first that takes a SUBSCRIBE has it. */
  add(eventPackage: EventPackage): void {
    this.#packages.push(eventPackage);
  }

  /** For Allow-Events. */
  get events(): string[] {
    return [...new Set(this.#packages.map(({ name }) => name))];
  }

  get size(): number {
    return this.#table.size;
  }

  /** SUBSCRIBE. Throws SipParseError and GatewayError. */
  handle(inbound: Inbound): Promise<Answer> {
    return this.#admission.handle(inbound);
  }

  /** Goes on with the dialogs of the process before this one. */
  async start(): Promise<void> {
    let count = 0;
    for await (const record of this.#store.all()) {
      const eventPackage = record && this.#packageOf(record);
      if (!record || !eventPackage) {
        this.#hub.log.warn({ event: record?.event }, 'a subscription of an older time is left to run out');
        continue;
      }
      const subscription = new Subscription(record, eventPackage, this);
      subscription.isBusy = false;
      subscription.isForgotten = true;
      this.#table.resume(subscription);
      eventPackage.resume(subscription);
      count++;
      subscription.wakeAt = this.#hub.now() + startMs + (count / recallsPerSecond) * 1000;
      this.#arm(subscription, startMs);
    }
    if (count > 0) this.#hub.log.info({ count }, 'subscriptions go on');
  }

  /** Says no goodbye: the dialogs go on with the next process. */
  stop(): void {
    this.#sender.stop();
    for (const subscription of this.#table.values()) this.#wheel.cancel(subscription);
  }

  changed(subscription: Subscription, settleMs?: number): void {
    this.#sender.news(subscription, settleMs);
  }

  approve(subscription: Subscription): void {
    if (subscription.state !== 'pending') return;
    subscription.state = 'active';
    this.#save(subscription);
    this.#sender.tell(subscription);
  }

  terminate(subscription: Subscription, reason: EndReason): void {
    void this.#end(subscription, reason).then(() => this.#sender.tell(subscription));
  }

  keep(subscription: Subscription): void {
    this.#save(subscription);
  }

  /** Called by the wheel. */
  due(subscription: Subscription): void {
    const now = this.#hub.now();
    if (isLast(subscription)) this.#sender.due(subscription);
    else if (subscription.expiresAt <= now) this.terminate(subscription, 'timeout');
    else {
      if (subscription.wakeAt <= now) this.#wake(subscription);
      this.#arm(subscription);
    }
  }

  async *rows(): AsyncIterable<ViewRow> {
    for (const subscription of this.#table.values()) yield rowOf(subscription, this.#hub.now());
  }

  #packageOf({ event, type, presentity }: SubscriptionRecord): EventPackage | undefined {
    return this.#packages.find(
      (one) => one.name === event && one.types.includes(type) && (one.takes?.(presentity) ?? true),
    );
  }

  #wake(subscription: Subscription): void {
    subscription.wakeAt = Number.POSITIVE_INFINITY;
    const { wish, isBusy, isForgotten } = subscription;
    subscription.isForgotten = false;
    if (isForgotten && wish === 'nothing' && !isBusy) {
      this.#recall(subscription);
      this.#sender.rest(subscription);
    } else {
      this.#sender.due(subscription);
    }
  }

  #recall(subscription: Subscription): void {
    const { eventPackage, expiresAt, watcher, presentity } = subscription;
    eventPackage.refresh(subscription, { expiresMs: expiresAt - this.#hub.now(), hops: 0 }).catch((error: Error) => {
      this.#hub.log.debug({ watcher, presentity, why: error.message }, 'its state is not to be had');
    });
  }

  #arm(subscription: Subscription, leastMs = 0): void {
    const { wakeAt, expiresAt } = subscription;
    const at = isLast(subscription) ? wakeAt : Math.min(wakeAt, expiresAt);
    if (at < Number.POSITIVE_INFINITY) this.#wheel.set(subscription, Math.max(at - this.#hub.now(), leastMs));
  }

  async #end(subscription: Subscription, reason: EndReason): Promise<void> {
    if (subscription.reason !== undefined) return;
    subscription.reason = reason;
    subscription.state = 'terminated';
    this.#forget(subscription);
    const { watcher, presentity } = subscription;
    try {
      await subscription.eventPackage.ended(subscription);
      await this.#store.delete(subscription);
    } catch (error) {
      // It is over all the same; what is left in the store runs out.
      this.#hub.log.warn({ watcher, presentity, error }, 'the end of a subscription was not told');
    }
  }

  #over(subscription: Subscription, why: string): void {
    this.#forget(subscription);
    if (isLast(subscription)) return;
    this.#hub.metrics.count('subscriptions_lost_total', { why });
    subscription.wish = 'nothing';
    void this.#end(subscription, 'noresource');
  }

  #forget(subscription: Subscription): void {
    this.#wheel.cancel(subscription);
    this.#unproven.leave(subscription);
    this.#table.delete(subscription);
    this.#hub.metrics.gauge('subscriptions', this.#table.size);
  }

  #save(subscription: Subscription): void {
    const { watcher, presentity } = subscription;
    this.#store.save(subscription).catch((error: Error) => {
      this.#hub.log.warn({ watcher, presentity, why: error.message }, 'a subscription is not up to date in the store');
    });
  }
}

function rowOf(subscription: Subscription, now: number): ViewRow {
  const { watcher, presentity, state, eventPackage, expiresAt, notifiedAt, lastStatus } = subscription;
  return {
    ...{ direction: 'inbound', event: eventPackage.name, watcher, presentity, state },
    expiresInSeconds: Math.max(Math.round((expiresAt - now) / 1000), 0),
    ...(notifiedAt === 0 ? {} : { notified: new Date(notifiedAt).toISOString(), answer: lastStatus }),
  };
}
