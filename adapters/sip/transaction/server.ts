// Server transactions: non-INVITE (RFC 3261 s.17.2.2 with RFC 4320) and INVITE (s.17.2.1 with RFC 6026).
import { createResponse, encodeMessage, type SipRequest, type SipResponse } from '../codec/message.ts';
import type { Flow } from '../transport/flow.ts';
import { Clockwork, type TransactionParts } from './clockwork.ts';

/** Where a response goes: the flow the request came by, or a new one when that is closed (s.18.2.2). */
export interface ReplyWay {
  readonly isReliable: boolean;
  send(bytes: Uint8Array, onError: (error: Error) => void): void;
}

/** A response that is lost is asked for again. */
const ignore = () => {};

export abstract class ServerTransaction extends Clockwork {
  readonly key: string;
  readonly flow: Flow;
  /** Under which the merged-request index knows it. */
  readonly mergedKey: string | undefined;
  protected readonly way: ReplyWay;
  /** The last response, octet by octet as a string: half the memory of a Buffer of this size. */
  #last: string | undefined;

  constructor(parts: TransactionParts, at: { key: string; mergedKey: string | undefined; flow: Flow; way: ReplyWay }) {
    super(parts);
    this.key = at.key;
    this.mergedKey = at.mergedKey;
    this.flow = at.flow;
    this.way = at.way;
  }

  /** Ignored once there is a final response. Returns the bytes that went out. */
  abstract respond(response: SipResponse): Uint8Array | undefined;
  /** The same request once more, or the ACK. */
  abstract repeat(request: SipRequest): void;
  abstract get isAnswered(): boolean;

  protected sendAgain(): void {
    if (this.#last === undefined) return;
    this.parts.retransmitted();
    this.way.send(Buffer.from(this.#last, 'latin1'), ignore);
  }

  protected sendNew(response: SipResponse): Uint8Array {
    const bytes = encodeMessage(response);
    this.#last = bytes.toString('latin1');
    this.way.send(bytes, ignore);
    return bytes;
  }
}

export class NonInviteServer extends ServerTransaction {
  /** Held only until answered: 32 s of requests would fill the memory. */
  #request: SipRequest | undefined;
  #isAnswered = false;

  constructor(
    parts: TransactionParts,
    at: { key: string; mergedKey: string | undefined; flow: Flow; way: ReplyWay },
    request: SipRequest,
  ) {
    super(parts, at);
    this.#request = request;
    // RFC 4320 s.4.1: 100 exactly when the client's Timer E has reached T2, and no earlier over UDP.
    this.repeatIn(timerEReachesT2(parts.timers.t1, parts.timers.t2));
    // s.4.2: no answer after the client's Timer F, and so none at all.
    this.endIn(64 * parts.timers.t1);
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  respond(response: SipResponse): Uint8Array | undefined {
    if (this.#isAnswered || !this.#request) return undefined;
    if (response.status < 200) return this.sendNew(response);
    this.#isAnswered = true;
    this.#request = undefined;
    const bytes = this.sendNew(response);
    this.endIn(this.way.isReliable ? 0 : 64 * this.parts.timers.t1); // Timer J
    this.stopRepeating();
    return bytes;
  }

  repeat(): void {
    this.sendAgain();
  }

  protected override onRepeat(): void {
    if (this.#request) this.sendNew(createResponse(this.#request, 100));
  }

  protected override onEnd(): void {
    this.#request = undefined;
  }
}

export class InviteServer extends ServerTransaction {
  #state: 'proceeding' | 'completed' | 'confirmed' | 'accepted' = 'proceeding';
  readonly #onAck: (ack: SipRequest) => void;

  constructor(
    parts: TransactionParts,
    at: { key: string; mergedKey: string | undefined; flow: Flow; way: ReplyWay },
    request: SipRequest,
    onAck: (ack: SipRequest) => void,
  ) {
    super(parts, at);
    this.#onAck = onAck;
    this.sendNew(createResponse(request, 100));
  }

  get isAnswered(): boolean {
    return this.#state !== 'proceeding';
  }

  respond(response: SipResponse): Uint8Array | undefined {
    const { t1 } = this.parts.timers;
    const isSuccess = response.status >= 200 && response.status < 300;
    // RFC 6026 s.7.1: the user repeats its 2xx itself until the ACK comes.
    if (this.#state === 'accepted' && isSuccess) return this.sendNew(response);
    if (this.#state !== 'proceeding') return undefined;
    const bytes = this.sendNew(response);
    if (isSuccess) {
      this.#state = 'accepted';
      this.endIn(64 * t1); // Timer L
    } else if (response.status >= 300) {
      this.#state = 'completed';
      if (!this.way.isReliable) this.repeatIn(t1); // Timer G
      this.endIn(64 * t1); // Timer H
    }
    return bytes;
  }

  repeat(request: SipRequest): void {
    if (request.method === 'ACK') this.#acknowledge(request);
    else if (this.#state === 'proceeding' || this.#state === 'completed') this.sendAgain();
  }

  #acknowledge(ack: SipRequest): void {
    if (this.#state === 'accepted') this.#onAck(ack);
    if (this.#state !== 'completed') return;
    this.#state = 'confirmed';
    this.stopRepeating();
    this.endIn(this.way.isReliable ? 0 : this.parts.timers.t4); // Timer I
  }

  protected override onRepeat(): void {
    this.repeatIn(Math.min(this.pauseMs * 2, this.parts.timers.t2));
    this.sendAgain();
  }

  protected override onEnd(): void {}
}

/** Copies go at T1, then after twice the pause: 0.5, 1.5 and 3.5 s; the pause after that one is T2. */
export function timerEReachesT2(t1: number, t2: number): number {
  let at = 0;
  for (let pause = t1; pause < t2; pause *= 2) at += pause;
  return at;
}
