// SIP status <-> FailureReason, which the hub decides by, and <-> the finer words of XMPP (RFC 7247 s.7.1 and s.7.2).
import { type FailureCondition, type FailureReason, type Fault, GatewayError } from '../../src/contract/index.ts';
import type { SipResponse } from './codec/message.ts';
import { formatNameAddr, parseNameAddr } from './codec/name-addr.ts';

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

/**
 * RFC 7247 table 2: of one device (a full JID), of the person (a bare JID). Differently: 401 and 407 would ask for a password
 * that helps nobody, 408 is forbidden (RFC 4320 s.4.2), 491 and 503 speak of us.
 */
const conditionStatuses: Readonly<Record<FailureCondition, number | readonly [device: number, person: number]>> = {
  'bad-request': 400,
  conflict: 400,
  'feature-not-implemented': [405, 501],
  forbidden: [403, 603],
  gone: 410,
  'internal-server-error': 500,
  'item-not-found': [404, 604],
  'jid-malformed': 400,
  'not-acceptable': [406, 606],
  'not-allowed': 403,
  'not-authorized': 403,
  'policy-violation': 403,
  'recipient-unavailable': [480, 600],
  redirect: 302,
  'registration-required': 403,
  'remote-server-not-found': 404,
  'remote-server-timeout': 504,
  'resource-constraint': 500,
  'service-unavailable': 403,
  'subscription-required': 400,
  'undefined-condition': 400,
  'unexpected-request': 400,
};

/** RFC 7247 table 3; 301 and 410 are below. */
const conditionsByStatus: ReadonlyMap<number, FailureCondition> = new Map(
  (
    [
      ['redirect', [300, 302, 305]],
      ['not-acceptable', [380, 406, 415, 416, 421, 482, 483, 488, 505, 606]],
      ['bad-request', [400, 402, 493]],
      ['not-authorized', [401]],
      ['forbidden', [403]],
      ['item-not-found', [404, 481, 484, 485, 604]],
      ['feature-not-implemented', [405, 420, 439, 501]],
      ['registration-required', [407]],
      ['remote-server-timeout', [408, 504]],
      ['gone', [410]],
      ['policy-violation', [413, 414, 440, 489, 513]],
      ['resource-constraint', [423]],
      ['recipient-unavailable', [430, 480, 486, 487, 600, 603]],
      ['unexpected-request', [491]],
      ['internal-server-error', [500, 503]],
      ['remote-server-not-found', [502]],
    ] as const
  ).flatMap(([condition, statuses]) => statuses.map((status) => [status, condition] as const)),
);
const conditionsByClass: Readonly<Record<number, FailureCondition>> = {
  3: 'redirect',
  4: 'bad-request',
  5: 'internal-server-error',
  6: 'recipient-unavailable',
};

export interface Refusal {
  status: number;
  headers?: ReadonlyArray<readonly [name: string, value: string]>;
}

/** What a network with finer words refuses, in ours. `isDevice`: one device of the recipient, not the person. */
export function refusalOf({ condition, movedTo }: Fault, isDevice: boolean): Refusal {
  const meant = conditionStatuses[condition];
  const status = typeof meant === 'number' ? meant : meant[isDevice ? 0 : 1];
  const contact = movedTo === undefined ? undefined : contactOf(movedTo);
  if (contact === undefined) return { status };
  return { status: condition === 'gone' ? 301 : status, headers: [['Contact', contact]] };
}

/** Undefined when that is no URI. */
function contactOf(uri: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:[^\s<>"\p{Cc}]+$/iu.test(uri) || !uri.isWellFormed()) return undefined;
  // An IRI as the URI that it means (RFC 3987 s.3.1).
  const ascii = uri.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  return formatNameAddr({ uri: ascii, parameters: new Map() });
}

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
    fault: faultOf(response),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** RFC 3261 s.20.33: seconds, then a comment and parameters. Milliseconds. */
export function retryAfterOf({ headers }: SipResponse): number | undefined {
  const match = /^\s*(\d{1,9})/.exec(headers.get('Retry-After') ?? '');
  return match ? Number(match[1]) * 1000 : undefined;
}

/** RFC 7247 s.7.2: 301 is `gone` only with the new address, 410 only without. */
function faultOf({ status, headers }: SipResponse): Fault {
  const movedTo = status >= 300 && status < 303 ? uriIn(headers.all('Contact')[0]) : undefined;
  const gone = status === 301 && movedTo !== undefined ? 'gone' : undefined;
  const condition = gone ?? conditionsByStatus.get(status) ?? conditionsByClass[Math.trunc(status / 100)];
  return { condition: condition ?? 'undefined-condition', ...(movedTo === undefined ? {} : { movedTo }) };
}

function uriIn(contact: string | undefined): string | undefined {
  try {
    const { uri } = parseNameAddr(contact ?? '');
    return uri === '*' || uri.length > 2048 ? undefined : uri;
  } catch {
    return undefined;
  }
}
