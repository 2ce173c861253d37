// Flow control towards the SMSC: the order of submits, the window, the rate, and what ESME_RTHROTTLED does to them.
// A throttled PDU goes out first when the pause is over; the window starts at 1 and grows with each acceptance, so that an
// SMSC that throttles from the start has nothing of ours out of order.
import type { Body, ResponsePdu, Tlv } from '../codec/index.ts';
import { type Exchange, SessionError } from '../exchange.ts';
import type { Session } from '../session.ts';

export interface PacerLimits {
  readonly window: number;
  readonly ratePerSecond?: number | undefined;
  readonly throttle: { readonly firstMs: number; readonly maxMs: number };
  isThrottling(status: number): boolean;
  /** A response that came after its submit was given up. */
  late(response: ResponsePdu, context: unknown): void;
}

export interface Submission {
  readonly command: 'submit_sm' | 'data_sm';
  readonly body: Partial<Body<'submit_sm'>>;
  readonly tlvs: readonly Tlv[];
  readonly context: unknown;
  /** Called with a status that is neither good nor throttling, before anything more is sent. */
  refused?(status: number): void;
}

interface Item {
  readonly submission: Submission;
  readonly order: number;
  state: 'queued' | 'sent' | 'settled';
  /** Taken back while it was with the SMSC. */
  cancelledAt: number | undefined;
  resolve(exchange: Exchange): void;
  reject(error: Error): void;
}

/** Given up before the SMSC had taken it: it may be sent again without doubling. */
export class NotSent extends Error {
  /** It waited for its turn (the SMSC throttles, or our own rate), while the link was up. */
  readonly isThrottled: boolean;
  constructor(message: string, isThrottled: boolean) {
    super(message);
    this.name = 'NotSent';
    this.isThrottled = isThrottled;
  }
}

export interface Ticket {
  /** Rejects with NotSent, or SessionError when nobody knows what became of it. */
  readonly done: Promise<Exchange>;
  /** Takes it back: what was not sent never will be; what was sent counts as unanswered after a short grace. */
  cancel(): void;
}

// The pump runs by tick: so much of a second's allowance may be saved up.
const burstSeconds = 0.1;
// Less than the hub waits for an attempt that it has aborted.
const graceMs = 1500;

export class Pacer {
  readonly #limits: PacerLimits;
  readonly #now: () => number;
  #session: Session | undefined;
  #queue: Item[] = [];
  #head = 0;
  /** Throttled, in their old order: at most one window. */
  #again: Item[] = [];
  /** In flight and taken back, oldest first. */
  readonly #leaving = new Set<Item>();
  #order = 0;
  #inFlight = 0;
  #window = 1;
  #slowStartUntil: number;
  #pauseMs = 0;
  #pausedUntil = 0;
  #epoch = 0;
  #tokens = 1;
  #tokensAt: number;

  constructor(limits: PacerLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#tokensAt = now();
    this.#slowStartUntil = limits.window;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  attach(session: Session): void {
    this.#session = session;
    this.#inFlight = 0;
    this.#window = 1;
    this.#slowStartUntil = this.#limits.window;
    this.#pausedUntil = 0;
    this.#pauseMs = 0;
    this.#epoch++;
    this.#pump();
  }

  /** The link is gone: what was never sent fails, so that the hub may go another way. */
  detach(why: string): void {
    this.#session = undefined;
    const waiting = [...this.#again, ...this.#queue.slice(this.#head)];
    this.#again = [];
    this.#queue = [];
    this.#head = 0;
    for (const item of waiting) this.#giveUp(item, why);
  }

  submit(submission: Submission): Ticket {
    const { promise: done, resolve, reject } = Promise.withResolvers<Exchange>();
    const item: Item = { submission, order: this.#order++, state: 'queued', cancelledAt: undefined, resolve, reject };
    if (this.#session) {
      this.#queue.push(item);
      this.#pump();
    } else this.#giveUp(item, 'not bound to the SMS centre');
    return { done, cancel: () => this.#cancel(item) };
  }

  /** Called a few times a second. */
  tick(): void {
    const now = this.#now();
    for (const item of this.#leaving) {
      if (now - (item.cancelledAt ?? 0) < graceMs) break;
      this.#leaving.delete(item);
      this.#giveUp(item, 'no response before it was given up');
    }
    this.#pump();
  }

  #cancel(item: Item): void {
    if (item.state === 'queued') this.#giveUp(item, 'it waited too long for its turn');
    if (item.state !== 'sent' || item.cancelledAt !== undefined) return;
    item.cancelledAt = this.#now();
    this.#leaving.add(item);
  }

  #giveUp(item: Item, why: string): void {
    if (item.state === 'settled') return;
    const isSent = item.state === 'sent';
    item.state = 'settled';
    item.reject(isSent ? new SessionError('timeout', why, true) : new NotSent(why, this.#session !== undefined));
  }

  #pump(): void {
    if (this.#head === this.#queue.length && this.#again.length === 0) return;
    const now = this.#now();
    if (now < this.#pausedUntil) return;
    this.#refill(now);
    while (this.#session && this.#inFlight < Math.floor(this.#window) && this.#tokens >= 1) {
      const item = this.#take();
      if (!item) return;
      if (item.state !== 'settled') this.#send(item, this.#session);
    }
  }

  #take(): Item | undefined {
    const again = this.#again.shift();
    if (again) return again;
    const item = this.#queue[this.#head];
    if (!item) return undefined;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  #refill(now: number): void {
    const { ratePerSecond } = this.#limits;
    if (ratePerSecond === undefined) {
      this.#tokens = Number.POSITIVE_INFINITY;
      return;
    }
    const earned = ((now - this.#tokensAt) / 1000) * ratePerSecond;
    this.#tokens = Math.min(Math.max(1, ratePerSecond * burstSeconds), this.#tokens + Math.max(0, earned));
    this.#tokensAt = now;
  }

  #send(item: Item, session: Session): void {
    const epoch = this.#epoch;
    const { command, body, tlvs, context } = item.submission;
    item.state = 'sent';
    this.#inFlight++;
    this.#tokens--;
    session.request<'submit_sm' | 'data_sm'>(command, body, tlvs, context).then(
      (exchange) => this.#answered(item, exchange, session, epoch),
      (error: Error) => {
        if (item.state !== 'settled') {
          item.state = 'settled';
          item.reject(error);
        }
        this.#left(item, session);
      },
    );
  }

  #answered(item: Item, exchange: Exchange, session: Session, epoch: number): void {
    const { command_status } = exchange.response;
    const isThrottled = this.#limits.isThrottling(command_status);
    const isCurrent = session === this.#session;
    if (isCurrent && isThrottled && epoch === this.#epoch) this.#slowDown();
    if (isCurrent && command_status === 0) this.#speedUp(epoch);
    if (item.state === 'settled') this.#limits.late(exchange.response, item.submission.context);
    else if (isThrottled && isCurrent) this.#repeat(item);
    else {
      item.state = 'settled';
      if (command_status !== 0) item.submission.refused?.(command_status);
      item.resolve(exchange);
    }
    this.#left(item, session);
  }

  // One pause for all that were refused together: those sent before it tell nothing new.
  #slowDown(): void {
    const { firstMs, maxMs } = this.#limits.throttle;
    this.#epoch++;
    this.#pauseMs = Math.min(maxMs, this.#pauseMs === 0 ? firstMs : this.#pauseMs * 2);
    this.#pausedUntil = this.#now() + this.#pauseMs;
    this.#window = Math.max(1, this.#window / 2);
    this.#slowStartUntil = this.#window;
  }

  #speedUp(epoch: number): void {
    const step = this.#window < this.#slowStartUntil ? 1 : 1 / this.#window;
    this.#window = Math.min(this.#limits.window, this.#window + step);
    if (epoch === this.#epoch) this.#pauseMs = 0;
  }

  #repeat(item: Item): void {
    item.state = 'queued';
    if (item.cancelledAt !== undefined) {
      this.#giveUp(item, 'the SMS centre asks us to send more slowly');
      return;
    }
    const at = this.#again.findIndex(({ order }) => order > item.order);
    this.#again.splice(at < 0 ? this.#again.length : at, 0, item);
  }

  #left(item: Item, session: Session): void {
    this.#leaving.delete(item);
    if (session !== this.#session) return;
    this.#inFlight--;
    this.#pump();
  }
}
