// A response made from the request it answers (RFC 3261 s.8.2.6), and the words that go with a status.
import { Headers } from './headers.ts';
import type { SipRequest, SipResponse } from './message.ts';

const phrases: Record<number, string> = {
  100: 'Trying',
  180: 'Ringing',
  181: 'Call Is Being Forwarded',
  182: 'Queued',
  183: 'Session Progress',
  200: 'OK',
  202: 'Accepted',
  204: 'No Notification',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  305: 'Use Proxy',
  380: 'Alternative Service',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  410: 'Gone',
  412: 'Conditional Request Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Unsupported URI Scheme',
  420: 'Bad Extension',
  421: 'Extension Required',
  422: 'Session Interval Too Small',
  423: 'Interval Too Brief',
  428: 'Use Identity Header',
  433: 'Anonymity Disallowed',
  439: 'First Hop Lacks Outbound Support',
  440: 'Max-Breadth Exceeded',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  484: 'Address Incomplete',
  485: 'Ambiguous',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  489: 'Bad Event',
  491: 'Request Pending',
  493: 'Undecipherable',
  494: 'Security Agreement Required',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Server Time-out',
  505: 'Version Not Supported',
  513: 'Message Too Large',
  580: 'Precondition Failure',
  600: 'Busy Everywhere',
  603: 'Decline',
  604: 'Does Not Exist Anywhere',
  606: 'Not Acceptable',
};

const classes = ['', 'Trying', 'OK', 'Redirected', 'Bad Request', 'Server Error', 'Declined'];

export function reasonPhrase(status: number): string {
  return phrases[status] ?? classes[Math.floor(status / 100)] ?? '';
}

const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Timestamp'];
const noBody = new Uint8Array(0);

/** Copies what s.8.2.6.2 says, as it was written; a To without a tag gets `toTag`. Works on a `partial` request too. */
export function createResponse(
  request: SipRequest,
  status: number,
  detail: { reason?: string; toTag?: string } = {},
): SipResponse {
  const headers = new Headers();
  for (let line = 0; line < request.headers.size; line++) {
    const name = request.headers.nameAt(line);
    if (!copied.includes(name)) continue;
    const value = request.headers.valueAt(line);
    const wantsTag = name === 'To' && detail.toTag !== undefined && !hasTag(value);
    headers.add(name, wantsTag ? `${value};tag=${detail.toTag}` : value);
  }
  return { kind: 'response', status, reason: detail.reason ?? reasonPhrase(status), headers, body: noBody };
}

/** By eye rather than by parser: the To of a request we refuse may be the very thing that cannot be parsed. */
function hasTag(to: string): boolean {
  return /;\s*tag\s*=/i.test(to.slice(to.lastIndexOf('>') + 1));
}
