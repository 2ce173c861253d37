// NOTIFY out (RFC 6665 s.4.2.2): one at a time in a dialog, news at most once in the package's pause, the last state wins.
import { GatewayError, type Hub } from '../../../../src/contract/index.ts';
import { parseCSeq } from '../../codec/cseq.ts';
import { SipParseError, type SipRequest, type SipResponse } from '../../codec/message.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { requestIn } from '../../dialog.ts';
import { wayBack } from '../../directions.ts';
import { retryAfterOf } from '../../errors.ts';
import type { Requester } from '../../requester.ts';
import type { Flow } from '../../transport/flow.ts';
import type { Transports } from '../../transport/transports.ts';
import { Gate } from '../gate.ts';
import { contactOf } from './contact.ts';
import { etagOf, fillNotify, isKnown, isLast } from './notify.ts';
import { readRates, repeatMs, withSent } from './rates.ts';
import type { Subscription } from './subscription.ts';

export interface SenderParts {
  hub: Hub;
  requester: Pick<Requester, 'send'>;
  transports: Pick<Transports, 'connection' | 'flowTo'>;
  /** Puts it where the numbers are safe. */
  save(subscription: Subscription): Promise<void>;
  /** `wakeAt` or `expiresAt` has changed. */
  arm(subscription: Subscription): void;
  proven(subscription: Subscription): void;
  /** Nobody listens there any more, or it was the last NOTIFY. */
  over(subscription: Subscription, why: string): void;
}

/** RFC 6665 s.4.2.2: after these the subscription is no more. */
const fatal: ReadonlySet<number> = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);
/** Several devices of one person tell of themselves one after the other; the first NOTIFY should know them all. */
const gatherMs = 50;
const storeAwayMs = 5000;
const underWay = { most: 200, mostPerDestination: 100 };
/** Whoever has not answered by then keeps nobody else waiting. */
const slowMs = 500;

export class Sender {
  readonly #parts: SenderParts;
  readonly #gate = new Gate<Subscription>(underWay);
  #isStopped = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** The answer that made or refreshed it is out: RFC 6665 s.4.2.1.2 wants a NOTIFY at once. */
  answered(subscription: Subscription): void {
    subscription.isBusy = false;
    this.tell(subscription);
  }

  /** The whole state, as soon as the one before is answered. */
  tell(subscription: Subscription): void {
    subscription.wish = 'all';
    if (!subscription.isBusy) this.#start(subscription);
  }

  /** Something is different: told after the pause, and not before `settleMs`. */
  news(subscription: Subscription, settleMs = gatherMs): void {
    if (subscription.wish !== 'nothing') return;
    subscription.wish = 'news';
    if (!subscription.isBusy) this.#wait(subscription, settleMs);
  }

  /** Its time has come. */
  due(subscription: Subscription): void {
    if (subscription.isBusy) this.#slow(subscription);
    else if (subscription.wish !== 'nothing') this.#start(subscription);
    // Nothing is new, and the watcher wants to hear all the same.
    else if (!isLast(subscription)) this.tell(subscription);
  }

  /** Nothing is to be said now. */
  rest(subscription: Subscription): void {
    const { notifiedAt, isProven, sent, knows } = subscription;
    const everyMs = repeatMs(subscription.agreedRates(this.#parts.hub.now()), sent);
    if (everyMs === Number.POSITIVE_INFINITY || !isProven || knows === '*') return;
    subscription.wakeAt = Math.max(notifiedAt + everyMs, subscription.quietUntil);
    this.#parts.arm(subscription);
  }

  #start(subscription: Subscription): void {
    subscription.isBusy = true;
    subscription.destination = destinationOf(subscription);
    if (this.#gate.enter(subscription.destination, subscription)) void this.#send(subscription);
  }

  #admit(next: Subscription | undefined): void {
    if (next && !this.#isStopped) void this.#send(next);
  }

  #leave(subscription: Subscription): void {
    const { place, destination } = subscription;
    subscription.place = 'none';
    if (place === 'prompt') this.#admit(this.#gate.leave(destination));
    else if (place === 'late') this.#admit(this.#gate.leaveLate(destination));
  }

  #slow(subscription: Subscription): void {
    if (subscription.place === 'none') return;
    if (subscription.place === 'prompt') {
      subscription.place = 'late';
      this.#admit(this.#gate.makeWay());
    }
    if (this.#gate.isExcused(subscription.destination)) {
      this.#leave(subscription);
      return;
    }
    subscription.wakeAt = this.#parts.hub.now() + slowMs;
    this.#parts.arm(subscription);
  }

  #wait(subscription: Subscription, leastMs: number): void {
    // A forged Contact gets one NOTIFY and no flood (RFC 6665 s.6.4).
    if (!subscription.isProven && subscription.lastStatus !== 0) return;
    subscription.wakeAt = Math.max(subscription.quietUntil, this.#parts.hub.now() + leastMs);
    this.#parts.arm(subscription);
  }

  async #send(subscription: Subscription): Promise<void> {
    const { wish } = subscription;
    subscription.place = 'prompt';
    subscription.wish = 'nothing';
    subscription.wakeAt = this.#parts.hub.now() + slowMs;
    this.#parts.arm(subscription);
    const hasNumbers = await this.#reserve(subscription);
    try {
      // What it has refused it does not know: then the whole is news.
      if (hasNumbers) await this.#notify(subscription, wish === 'all' || subscription.lastStatus >= 300);
    } catch (error) {
      this.#failed(subscription, error);
    }
    subscription.isBusy = false;
    subscription.wakeAt = Number.POSITIVE_INFINITY;
    this.#leave(subscription);
    if (hasNumbers) this.#next(subscription);
    else {
      if (subscription.wish === 'nothing') subscription.wish = wish;
      this.#wait(subscription, storeAwayMs);
    }
  }

  /** False while the store cannot keep them. */
  async #reserve(subscription: Subscription): Promise<boolean> {
    // The last one needs none: nobody will read them back.
    if (subscription.hasNumbers || isLast(subscription)) return true;
    return this.#parts.save(subscription).then(
      () => true,
      () => false,
    );
  }

  #next(subscription: Subscription): void {
    if (this.#isStopped) return;
    if (subscription.wish === 'all') this.#start(subscription);
    else if (isLast(subscription)) this.#parts.over(subscription, 'ended');
    else if (subscription.wish === 'news') this.#wait(subscription, gatherMs);
    else this.rest(subscription);
  }

  async #notify(subscription: Subscription, isFull: boolean): Promise<void> {
    const { hub, requester, transports } = this.#parts;
    const body = subscription.eventPackage.body(subscription, isFull);
    const etag = body && etagOf(body);
    if (!isFull && (etag === undefined || etag === subscription.etag || isKnown(subscription, etag))) return;
    const flow = await flowTo(subscription, transports);
    // Its connection is closed: it will be back with a SUBSCRIBE, or run out.
    if (flow === 'none') return;
    const { request, next, dialog } = requestIn(subscription.dialog, 'NOTIFY');
    subscription.dialog = dialog;
    subscription.version++;
    subscription.notifiedAt = hub.now();
    subscription.sent = withSent(subscription, subscription.notifiedAt);
    fillNotify(request, subscription, subscription.notifiedAt, body, etag);
    const response = await requester.send({
      request,
      route: flow ? { flow } : { uri: next },
      signal: new AbortController().signal,
      prepare: (sent, flow) => sent.headers.set('Contact', contactOf(subscription.presentity, flow)),
      onSent: (sent) => keepUp(subscription, sent),
    });
    hub.metrics.count('answers_total', { method: 'NOTIFY', status: String(response.status) });
    this.#answeredBy(subscription, response, etag);
  }

  #answeredBy(subscription: Subscription, response: SipResponse, etag: string | undefined): void {
    const { status } = response;
    subscription.lastStatus = status;
    if (status >= 300) {
      subscription.quietUntil = this.#parts.hub.now() + (retryAfterOf(response) ?? 0);
      if (fatal.has(status)) this.#parts.over(subscription, String(status));
      return;
    }
    if (!subscription.isProven) this.#parts.proven(subscription);
    this.#heedRates(subscription, response);
    // Only what it has been told needs a pause, unless it asked for one: an approval is followed by the state itself.
    if (etag !== undefined || subscription.rates?.most !== undefined)
      subscription.quietUntil = subscription.notifiedAt + pauseOf(subscription);
    subscription.etag = etag ?? subscription.etag;
  }

  // RFC 6446 s.5.1: a 2xx may say other rates; one without them says nothing.
  #heedRates(subscription: Subscription, { headers }: SipResponse): void {
    const event = headers.get('Event');
    if (event === undefined) return;
    try {
      const { value, parameters } = parseParameterised(event);
      if (value.toLowerCase() === subscription.eventPackage.name) subscription.rates = readRates(parameters);
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
    }
  }

  #failed(subscription: Subscription, error: unknown): void {
    if (this.#isStopped) return;
    const { hub, over } = this.#parts;
    const { watcher, presentity } = subscription;
    if (!(error instanceof GatewayError || error instanceof SipParseError)) {
      hub.log.error({ watcher, presentity, error }, 'a NOTIFY failed in our hands');
    }
    // s.4.2.2: nobody answers, so nobody is there.
    over(subscription, error instanceof GatewayError ? error.reason : 'internal');
  }
}

/** Undefined: by the dialog's own route and target. */
async function flowTo(
  { dialog, way }: Subscription,
  transports: SenderParts['transports'],
): Promise<Flow | 'none' | undefined> {
  if (way === undefined || dialog.routes.length > 0) return undefined;
  return (await wayBack(way, transports)) ?? (way.transport.startsWith('WS') ? 'none' : undefined);
}

/** A challenge has raised the CSeq (RFC 3261 s.22.2). */
function keepUp(subscription: Subscription, { headers }: SipRequest): void {
  const { number } = parseCSeq(headers.get('CSeq') ?? '');
  const { dialog } = subscription;
  if (number > dialog.localCSeq) subscription.dialog = { ...dialog, localCSeq: number };
}

/** What is slow as one: the proxy, the phone or its NAT, or the host that the Contact names. */
function destinationOf({ dialog, way }: Subscription): string {
  const { routes, target } = dialog;
  if (routes[0] !== undefined) return routes[0];
  return way ? `${way.address}:${way.port}` : target.slice(target.lastIndexOf('@') + 1).replace(/[;?].*$/s, '');
}

function pauseOf(subscription: Subscription): number {
  const { most } = subscription.agreedRates(subscription.notifiedAt);
  return Math.max(subscription.eventPackage.pauseMs, most === undefined ? 0 : 1000 / most);
}
