// One table each way: SIP status <-> FailureReason (RFC 7247 s.7.1 and 7.2, through our own words).
import { type FailureReason, GatewayError } from '../../src/contract/index.ts';
import type { SipResponse } from './codec/message.ts';

const reasons: Readonly<Record<number, FailureReason>> = {
  301: 'not-found',
  302: 'not-found',
  400: 'malformed',
  401: 'not-allowed',
  402: 'not-allowed',
  403: 'not-allowed',
  404: 'not-found',
  405: 'unsupported',
  406: 'unsupported',
  407: 'not-allowed',
  408: 'unreachable',
  410: 'not-found',
  412: 'internal',
  413: 'too-large',
  414: 'too-large',
  415: 'unsupported',
  416: 'unsupported',
  420: 'unsupported',
  421: 'unsupported',
  423: 'internal',
  429: 'throttled',
  430: 'unavailable',
  433: 'not-allowed',
  439: 'unsupported',
  440: 'unreachable',
  480: 'unavailable',
  // Somebody lost their state, or a copy came by two ways: a new request may do better.
  481: 'unavailable',
  482: 'unavailable',
  483: 'unreachable',
  484: 'not-found',
  485: 'not-found',
  486: 'unavailable',
  487: 'unavailable',
  488: 'unsupported',
  489: 'unsupported',
  491: 'unavailable',
  493: 'unsupported',
  494: 'not-allowed',
  500: 'internal',
  501: 'unsupported',
  502: 'unreachable',
  503: 'unavailable',
  504: 'unreachable',
  505: 'unsupported',
  513: 'too-large',
  580: 'unsupported',
  600: 'unavailable',
  603: 'not-allowed',
  604: 'not-found',
  606: 'unsupported',
};

/** RFC 4320 s.4.2: never 408. RFC 7247 table 2: 503 only where we ourselves cannot take more. */
const statuses: Readonly<Record<FailureReason, number>> = {
  malformed: 400,
  unsupported: 488,
  'not-found': 404,
  'not-allowed': 403,
  'too-large': 513,
  expired: 480,
  throttled: 503,
  unreachable: 504,
  unavailable: 480,
  internal: 500,
};

export function statusOf(reason: FailureReason): number {
  return statuses[reason];
}

export function reasonOf(status: number): FailureReason {
  const known = reasons[status];
  if (known) return known;
  if (status < 400) return 'not-found';
  if (status < 500) return 'malformed';
  return status < 600 ? 'internal' : 'not-allowed';
}

/** A final response that is no 2xx, as what the hub decides by. */
export function errorOf(response: SipResponse): GatewayError {
  const { status, reason } = response;
  const retryAfterMs = retryAfterOf(response);
  return new GatewayError(reasonOf(status), `${status} ${reason.toWellFormed()}`.trim(), {
    native: String(status),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** RFC 3261 s.20.33: seconds, then a comment and parameters. Milliseconds. */
export function retryAfterOf({ headers }: SipResponse): number | undefined {
  const match = /^\s*(\d{1,9})/.exec(headers.get('Retry-After') ?? '');
  return match ? Number(match[1]) * 1000 : undefined;
}
