// What a session says to its owner and hears from it: requests, answers, exchanges, and why there was none.
import type { Hub, Trace } from '../../src/contract/index.ts';
import type { CommandName, RequestPdu, ResponsePdu, StatusName, Tlv } from './codec/index.ts';

/** `isSent` tells whether the request may have reached the peer: if so, nobody knows what became of it. */
export class SessionError extends Error {
  readonly kind: 'closed' | 'timeout';
  readonly isSent: boolean;
  constructor(kind: 'closed' | 'timeout', message: string, isSent: boolean) {
    super(message);
    this.name = 'SessionError';
    this.kind = kind;
    this.isSent = isSent;
  }
}

export interface SessionHandler {
  /** A request of the peer, other than enquire_link and unbind. Resolves with the answer; a throw answers ESME_RSYSERR. */
  request(pdu: RequestPdu, frame: Buffer): Promise<Answer> | Answer;
  /** Once. */
  closed(why: string): void;
  /** Something for the log: a bad PDU, a response to nothing. */
  oddity?(what: string): void;
  /** Where every PDU goes while somebody captures. */
  readonly trace?: Pick<Trace, 'wire'> | undefined;
  /** A response to a request that was given up: too late for its caller, but it says what became of it. */
  late?(response: ResponsePdu, context: unknown, host: string): void;
}

/** `silent`: no response at all (outbind, alert_notification). */
export type Answer = { status: StatusName | number; body?: Record<string, unknown>; tlvs?: readonly Tlv[] } | 'silent';

export interface SessionLimits {
  readonly responseTimeoutMs: number;
  /** 0: never asks. */
  readonly enquireLinkMs: number;
  /** Requests of the peer that wait for our answer; reading stops above. */
  readonly inboundWindow?: number;
}

/** A request, its response, and the bytes of both. */
export interface Exchange {
  /** The far end, as its session has it. */
  readonly host: string;
  readonly response: ResponsePdu;
  readonly request: Buffer;
  readonly frame: Buffer;
  readonly tookMs: number;
  /** The session's name, and how many requests it had without a response once this one was sent. */
  readonly bind: string;
  readonly inFlight: number;
}

/** How long the other end took, and how much of the window was in use, bind by bind. */
export function measure({ bind, tookMs, inFlight }: Exchange, { metrics }: Pick<Hub, 'metrics'>): void {
  metrics.observe('response_ms', tookMs, { bind });
  metrics.observe('window_use', inFlight, { bind });
}

/** A request that waits for its response. */
export interface Pending {
  readonly command: CommandName;
  readonly request: Buffer;
  readonly sentAt: number;
  readonly inFlight: number;
  readonly context: unknown;
  resolve(exchange: Exchange): void;
  reject(error: SessionError): void;
}
