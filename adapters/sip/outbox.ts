// An event on its way out: one MESSAGE at a time to one target, CPIM where it is taken, and what the answer means.
import {
  bareAddress,
  type Delivery,
  type EventOf,
  type GatewayDomain,
  GatewayError,
  type GatewayEvent,
  type Hub,
  type Receipt,
} from '../../src/contract/index.ts';
import { MimeError } from '../../src/formats/mime.ts';
import type { AskedStore } from './asked.ts';
import { SipParseError, type SipRequest, type SipResponse } from './codec/message.ts';
import type { Direction, Directions } from './directions.ts';
import { errorOf } from './errors.ts';
import { type Holds, holdKey } from './holds.ts';
import {
  asksReceipts,
  fromMessage,
  fromReceipt,
  fromTyping,
  noticeOf,
  type OutboundContext,
  toldOf,
} from './mapping/outbound.ts';
import { PeerMemory } from './peer-memory.ts';
import type { Requester } from './requester.ts';
import { Turns } from './turns.ts';
import { traceMessage } from './wire-trace.ts';

export interface OutboxOptions {
  domains: readonly GatewayDomain[];
  cpim: boolean;
  typing: boolean;
  notices: boolean;
}

export interface OutboxParts {
  hub: Hub;
  requester: Requester;
  directions: Directions;
  holds: Holds;
  asked: AskedStore;
}

// 415 says it plainly; 488 is Linphone's word for it, 406 that of some PBXs.
const refusesType: ReadonlySet<number> = new Set([406, 415, 488]);
// RFC 3994 s.3.3: no more than one `active` in a refresh interval of at least 60 s.
const refreshMs = 60_000;
const maxComposing = 10_000;

/** Sends what is built, in one direction; undefined when there was nothing to say. */
type Attempt = (build: (context: OutboundContext) => SipRequest) => Promise<SipResponse>;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #parts: OutboxParts;
  readonly #turns = new Turns();
  readonly #memory: PeerMemory;
  /** Since when a pair has been told `active`. */
  readonly #composing = new Map<string, number>();

  constructor(options: OutboxOptions, parts: OutboxParts) {
    this.#options = options;
    this.#parts = parts;
    this.#memory = new PeerMemory(() => parts.hub.now());
  }

  /** Throws GatewayError. */
  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    try {
      await this.#deliver(event, signal);
    } catch (error) {
      if (!(error instanceof SipParseError || error instanceof MimeError)) throw error;
      throw new GatewayError('malformed', `SIP cannot say this: ${error.message}`, { cause: error });
    }
    // RFC 5438 s.9.1: a 2xx says that somebody took it, never that it arrived.
    return { state: 'sent' };
  }

  async #deliver(event: GatewayEvent, signal: AbortSignal): Promise<void> {
    switch (event.type) {
      case 'message':
        await this.#message(event, signal);
        break;
      case 'receipt':
        await this.#receipt(event, signal);
        break;
      case 'typing':
        await this.#typing(event, signal);
        break;
      default:
        throw new GatewayError('unsupported', `no ${event.type} over SIP here`);
    }
  }

  async #message(event: EventOf<'message'>, signal: AbortSignal): Promise<void> {
    this.#composing.delete(pairOf(event));
    const peer = bareAddress(event.to);
    const wantsCpim = this.#options.cpim && asksReceipts(event);
    await this.#send(event, signal, async (attempt) => {
      const takesCpim = wantsCpim && this.#memory.can(peer, 'cpim');
      const response = await attempt((context) => fromMessage(event, { ...context, takesCpim }));
      if (!takesCpim || !refusesType.has(response.status)) return response;
      this.#memory.refused(peer, 'cpim');
      return attempt((context) => fromMessage(event, { ...context, takesCpim: false }));
    });
  }

  async #receipt(event: Receipt, signal: AbortSignal): Promise<void> {
    const { holds, asked } = this.#parts;
    const isWaitedFor = event.state !== 'sent' && event.state !== 'unknown';
    const wasHeld = isWaitedFor && holds.settle(holdKey(event.to, event.of), event);
    const isBad = event.state === 'failed' || event.state === 'expired';
    // RFC 5438 s.12.1.3.1: who was refused by the response is not told again.
    if (wasHeld && isBad) return;
    // The answer first: a phone that has not heard it does not know what the notification speaks of.
    if (wasHeld) await new Promise((resolve) => setImmediate(resolve));
    const request = await asked.find(event.to, event.of);
    const told = request && toldOf(event, request);
    if (told) await this.#send(event, signal, (attempt) => attempt((context) => fromReceipt(event, told, context)));
    else if (isBad && !request && this.#options.notices) {
      await this.#send(event, signal, (attempt) => attempt((context) => noticeOf(event, context)));
    }
  }

  async #typing(event: EventOf<'typing'>, signal: AbortSignal): Promise<void> {
    const peer = bareAddress(event.to);
    if (!this.#options.typing || !this.#memory.can(peer, 'typing') || !this.#isNews(event)) return;
    await this.#send(event, signal, async (attempt) => {
      const response = await attempt((context) => fromTyping(event, context));
      // RFC 3994 s.4: never again after 415.
      if (refusesType.has(response.status)) this.#memory.refused(peer, 'typing');
      return response;
    });
  }

  #isNews(event: EventOf<'typing'>): boolean {
    const pair = pairOf(event);
    const now = this.#parts.hub.now();
    const since = this.#composing.get(pair);
    if (event.state !== 'composing') {
      this.#composing.delete(pair);
      return since !== undefined;
    }
    if (since !== undefined && now < since + refreshMs) return false;
    this.#composing.delete(pair);
    this.#composing.set(pair, now);
    const [oldest] = this.#composing.keys();
    if (this.#composing.size > maxComposing && oldest !== undefined) this.#composing.delete(oldest);
    return true;
  }

  /** Throws GatewayError unless somebody answered 2xx. Several phones of one person are asked at once. */
  async #send(
    event: GatewayEvent,
    signal: AbortSignal,
    exchange: (attempt: Attempt) => Promise<SipResponse>,
  ): Promise<void> {
    // RFC 3428 s.8
    await this.#turns.run(bareAddress(event.to), signal, async () => {
      const directions = await this.#parts.directions.find(event.to);
      const outcomes = directions.map(async (direction) => {
        const response = await exchange(this.#attempt(event, direction, signal));
        if (response.status >= 300) throw errorOf(response);
      });
      await firstTaken(outcomes);
    });
  }

  #attempt(event: GatewayEvent, direction: Direction, signal: AbortSignal): Attempt {
    const { hub, requester } = this.#parts;
    const { route, target, showAs, through, credentials } = direction;
    return async (build) => {
      const context = { now: hub.now(), domains: this.#options.domains, target, showAs, takesCpim: false };
      const request = build(context);
      for (const hop of through) request.headers.add('Route', hop);
      const response = await requester.send({
        request,
        route,
        signal,
        ...(credentials === undefined ? {} : { credentials }),
        onSent: (sent) => traceMessage(hub, event.id, 'outbound', sent),
      });
      hub.metrics.count('answers_total', { method: request.method, status: String(response.status) });
      traceMessage(hub, event.id, 'inbound', response);
      return response;
    };
  }
}

/** Resolves with the first that was taken; rejects with the failure that is most worth another try. */
async function firstTaken(outcomes: readonly Promise<void>[]): Promise<void> {
  try {
    await Promise.any(outcomes);
  } catch (error) {
    const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
    throw failures.find((failure) => failure instanceof GatewayError && !failure.isFinal) ?? failures[0];
  }
}

function pairOf({ from, to }: GatewayEvent): string {
  return `${bareAddress(from)}|${bareAddress(to)}`;
}
