// What is sent next, and on which bind: one window and one rate for all binds of an account, in the order of submission.
// What was throttled goes out first when the pause is over; nothing overtakes between two numbers (reference smpp 0, fact 8).
import { type Body, type ResponsePdu, statusName, type Tlv } from '../codec/index.ts';
import { type Exchange, SessionError } from '../exchange.ts';
import type { Session } from '../session.ts';
import { Flow, type FlowLimits } from './flow.ts';
import { type Laned, Lanes } from './lanes.ts';

export interface PacerLimits extends FlowLimits {
  /** A response that came after its submit was given up. */
  late(response: ResponsePdu, context: unknown, host: string): void;
}

export interface Submission extends Laned {
  readonly command: 'submit_sm' | 'data_sm';
  readonly body: Partial<Body<'submit_sm'>>;
  readonly tlvs: readonly Tlv[];
  readonly context: unknown;
  /** What is written otherwise to that SMS centre. */
  fieldsAt?(host: string): Partial<Body<'submit_sm'>> | undefined;
  /**
   * Called with a status that is neither good nor throttling, before anything more is sent. True: it goes out again, first
   * of all, as `fieldsAt` now says.
   */
  refused?(status: number, host: string): boolean;
}

interface Item extends Laned {
  readonly submission: Submission;
  readonly order: number;
  state: 'queued' | 'sent' | 'settled';
  hasPlace: boolean;
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

interface Load {
  inFlight: number;
  lastStatus: string;
}

export interface Ticket {
  /** Rejects with NotSent, or SessionError when nobody knows what became of it. */
  readonly done: Promise<Exchange>;
  /** Takes it back: what was not sent never will be; what was sent counts as unanswered after a short grace. */
  cancel(): void;
}

// Less than the hub waits for an attempt that it has aborted.
const graceMs = 1500;

export class Pacer {
  readonly flow: Flow;
  readonly #limits: PacerLimits;
  readonly #now: () => number;
  /** The binds that take submits, and how much each has in flight. */
  readonly #sessions = new Map<Session, Load>();
  readonly #lanes = new Lanes<Item>();
  /** First to last: throttled, in their old order (at most one window); what its lane let go; what is new. */
  #again: Item[] = [];
  readonly #ready = new Fifo();
  readonly #queue = new Fifo();
  /** In flight and taken back, oldest first. */
  readonly #leaving = new Set<Item>();
  #order = 0;
  #inFlight = 0;

  constructor(limits: PacerLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.flow = new Flow(limits, now());
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  loadOf(session: Session): Readonly<Load> {
    return this.#sessions.get(session) ?? { inFlight: 0, lastStatus: '' };
  }

  /** A bind that takes submits, the least busy one. One that is unbinding answers what it has, and gets nothing new. */
  get session(): Session | undefined {
    return this.sessionTo();
  }

  /** The same to one host. */
  sessionTo(host = ''): Session | undefined {
    let least: Session | undefined;
    for (const [session, { inFlight }] of this.#sessions) {
      if (session.state !== 'bound' || (host !== '' && session.host !== host)) continue;
      if (least === undefined || inFlight < this.loadOf(least).inFlight) least = session;
    }
    return least;
  }

  attach(session: Session): void {
    if (this.#sessions.size === 0) this.flow.restart();
    this.#sessions.set(session, { inFlight: 0, lastStatus: '' });
    this.#pump();
  }

  /** A bind is gone (undefined: all are). With the last one what was never sent fails, so that the hub may go another way. */
  detach(why: string, session?: Session): void {
    for (const gone of session ? [session] : [...this.#sessions.keys()]) {
      this.#inFlight -= this.loadOf(gone).inFlight;
      this.#sessions.delete(gone);
    }
    if (this.#sessions.size > 0) {
      this.#pump();
      return;
    }
    const waiting = [...this.#again, ...this.#ready.clear(), ...this.#lanes.clear(), ...this.#queue.clear()];
    this.#again = [];
    for (const item of waiting) this.#giveUp(item, why);
  }

  submit(submission: Submission): Ticket {
    const { promise: done, resolve, reject } = Promise.withResolvers<Exchange>();
    const { lane, message } = submission;
    const order = this.#order++;
    const fresh = { state: 'queued', hasPlace: false, cancelledAt: undefined } as const;
    const item: Item = { submission, lane, message, order, ...fresh, resolve, reject };
    if (this.#sessions.size > 0) {
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
    this.#settled(item);
    item.reject(isSent ? new SessionError('timeout', why, true) : new NotSent(why, this.#sessions.size > 0));
  }

  #settled(item: Item): void {
    item.state = 'settled';
    if (!item.hasPlace) return;
    item.hasPlace = false;
    for (const next of this.#lanes.left(item)) this.#ready.push(next);
  }

  #pump(): void {
    if (this.#queue.isEmpty && this.#ready.isEmpty && this.#again.length === 0) return;
    const now = this.#now();
    if (!this.flow.mayNow(now)) return;
    const isStrict = this.flow.isCongested(now);
    while (this.session && this.flow.mayOneMore(this.#inFlight)) {
      const item = this.#again.shift() ?? this.#ready.shift() ?? this.#queue.shift();
      if (!item) return;
      if (item.state === 'settled') continue;
      item.hasPlace ||= this.#lanes.enter(item, isStrict);
      if (item.hasPlace) this.#send(item);
    }
  }

  #sessionFor(item: Item): Session | undefined {
    const pinned = this.#lanes.sessionOf(item);
    const session = pinned?.state === 'bound' && this.#sessions.has(pinned) ? pinned : this.session;
    if (session && session !== pinned) this.#lanes.pin(item, session);
    return session;
  }

  #send(item: Item): void {
    const session = this.#sessionFor(item);
    const load = session && this.#sessions.get(session);
    if (!load) return;
    const { epoch } = this.flow;
    const { command, body, tlvs, context } = item.submission;
    item.state = 'sent';
    this.#inFlight++;
    load.inFlight++;
    // Last in line: of equally busy binds the one that rested longest is next.
    this.#sessions.delete(session);
    this.#sessions.set(session, load);
    this.flow.sent();
    const fields = item.submission.fieldsAt?.(session.host);
    const said = fields ? { ...body, ...fields } : body;
    session.request<'submit_sm' | 'data_sm'>(command, said, tlvs, context).then(
      (exchange) => this.#answered(item, exchange, session, epoch),
      (error: Error) => {
        if (item.state !== 'settled') {
          this.#settled(item);
          item.reject(error);
        }
        this.#left(item, session);
      },
    );
  }

  #answered(item: Item, exchange: Exchange, session: Session, epoch: number): void {
    const { response, tookMs, host } = exchange;
    const isThrottled = this.#limits.isThrottling(response.command_status);
    const load = this.#sessions.get(session);
    if (load) {
      load.lastStatus = statusName(response.command_status);
      this.flow.answered(response, tookMs, epoch, this.#now());
    }
    if (item.state === 'settled') this.#limits.late(response, item.submission.context, host);
    else if (this.#sessions.size > 0 && (isThrottled || this.#isRewritten(item, exchange))) this.#repeat(item);
    else {
      this.#settled(item);
      item.resolve(exchange);
    }
    this.#left(item, session);
  }

  #isRewritten({ submission, cancelledAt }: Item, { response, host }: Exchange): boolean {
    if (response.command_status === 0 || cancelledAt !== undefined) return false;
    return submission.refused?.(response.command_status, host) ?? false;
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
    const load = this.#sessions.get(session);
    if (!load) return;
    this.#inFlight--;
    load.inFlight--;
    this.#pump();
  }
}

/** A queue that forgets what it gave without moving the rest each time. */
class Fifo {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (!item) return undefined;
    // It would outlive the nursery here, and all that hangs on it.
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): Item[] {
    const left = this.#items.slice(this.#head).filter((item) => item !== undefined);
    this.#items = [];
    this.#head = 0;
    return left;
  }
}
