// What must be right in every message before anybody acts on it (RFC 3261 s.8.1.1, s.16.3, s.18.3, s.20).
import { parseCSeq, parseUint32 } from './cseq.ts';
import type { Headers } from './headers.ts';
import type { SipMessage } from './message.ts';
import { type NameAddr, parseNameAddr } from './name-addr.ts';
import { excerpt, SipParseError } from './parse-error.ts';
import { parseUri } from './uri.ts';
import { parseVia } from './via.ts';

const once = ['From', 'To', 'Call-ID', 'CSeq'];

/** Throws SipParseError(400). Methods, schemes and extensions nobody knows are for the upper layers to refuse. */
export function checkMessage(message: SipMessage): void {
  const { headers } = message;
  for (const name of once) {
    const count = headers.count(name);
    if (count !== 1) throw new SipParseError(count === 0 ? `${name} is missing` : `${name} ${count} times`);
  }
  if (!headers.has('Via')) throw new SipParseError('Via is missing');
  headers.topVia();
  for (const via of headers.all('Via').slice(1)) parseVia(via);
  checkUri(headers.from());
  checkUri(headers.to());
  checkCallId(headers.get('Call-ID')!);
  checkContacts(headers);
  checkMaxForwards(headers);
  const { method } = parseCSeq(headers.get('CSeq')!);
  if (message.kind === 'response') return;
  if (method !== message.method)
    throw new SipParseError(`CSeq says ${excerpt(method)}, the request line another method`);
  // s.19.1.1: the Request-URI holds no headers; one that does could smuggle a Route.
  if (isSip(message.uri) && parseUri(message.uri).headers !== undefined)
    throw new SipParseError('headers in the Request-URI');
}

function checkUri({ uri }: Readonly<NameAddr>): void {
  if (isSip(uri)) parseUri(uri);
}

function checkContacts(headers: Headers): void {
  if (!headers.has('Contact')) return;
  for (const contact of headers.all('Contact')) if (contact !== '*') checkUri(parseNameAddr(contact));
}

// s.20.8 has word [@ word]; peers are freer, so only what breaks a line or a list is refused.
function checkCallId(callId: string): void {
  if (callId === '' || /[\s\0-\x1f\x7f]/.test(callId)) throw new SipParseError(`Call-ID ${excerpt(callId)}`);
}

// s.20.22
function checkMaxForwards(headers: Headers): void {
  const text = headers.get('Max-Forwards');
  if (text === undefined) return;
  if (headers.count('Max-Forwards') > 1 || parseUint32(text, 'Max-Forwards') > 255) {
    throw new SipParseError(`Max-Forwards ${excerpt(text)}`);
  }
}

function isSip(uri: string): boolean {
  return /^(sips?|im|pres|tel):/i.test(uri);
}
