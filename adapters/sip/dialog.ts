// A dialog (RFC 3261 s.12) as plain data: made, advanced and asked by pure functions, so that it lies in the store as it is.
import { formatCSeq, parseCSeq } from './codec/cseq.ts';
import { Headers, SipParseError, type SipRequest } from './codec/message.ts';
import { formatNameAddr, type NameAddr, parseNameAddr } from './codec/name-addr.ts';
import { parseUri, type SipUri } from './codec/uri.ts';

export interface Dialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** What From says when we speak, and To when they do: URIs without tags. */
  readonly localUri: string;
  readonly remoteUri: string;
  /** The Contact of the other side: our Request-URI. */
  readonly target: string;
  /** Route header values, first hop first. */
  readonly routes: readonly string[];
  /** Of the last request that we sent; 0 before the first. */
  readonly localCSeq: number;
  /** Of the last request that they sent; 0 before the first. */
  readonly remoteCSeq: number;
}

/** One name for one dialog, among all of ours. */
export function dialogKey({ callId, localTag, remoteTag }: Pick<Dialog, 'callId' | 'localTag' | 'remoteTag'>): string {
  return `${callId};${localTag};${remoteTag}`;
}

/** The key under which a request of the other side belongs; undefined outside dialogs. Throws SipParseError. */
export function keyOfRequest({ headers }: SipRequest): string | undefined {
  const localTag = partyOf(headers, 'To').parameters.get('tag');
  const remoteTag = partyOf(headers, 'From').parameters.get('tag') ?? '';
  return localTag === undefined ? undefined : dialogKey({ callId: headers.get('Call-ID') ?? '', localTag, remoteTag });
}

/**
 * The dialog that a request of the other side makes (s.12.1.1; RFC 6665 s.4.4.1: for a subscriber that request is the
 * NOTIFY, whose Record-Route is the route set). Throws SipParseError(400) without a Contact to go to.
 */
export function dialogFromRequest({ headers }: SipRequest, localTag: string, localCSeq = 0): Dialog {
  const from = partyOf(headers, 'From');
  return {
    callId: headers.get('Call-ID') ?? '',
    localTag,
    remoteTag: from.parameters.get('tag') ?? '',
    localUri: partyOf(headers, 'To').uri,
    remoteUri: from.uri,
    target: contactOf(headers),
    routes: headers.all('Record-Route'),
    localCSeq,
    remoteCSeq: parseCSeq(headers.get('CSeq') ?? '').number,
  };
}

/**
 * What a request inside the dialog makes of it: a higher CSeq and, where it names one, a new target (s.12.2.2).
 * Undefined when it is out of order and must be answered 500. Throws SipParseError.
 */
export function advanced(dialog: Dialog, { headers }: SipRequest): Dialog | undefined {
  const { number: remoteCSeq } = parseCSeq(headers.get('CSeq') ?? '');
  if (remoteCSeq <= dialog.remoteCSeq) return undefined;
  const target = headers.has('Contact') ? contactOf(headers) : dialog.target;
  return { ...dialog, remoteCSeq, target };
}

/** The next request of ours (s.12.2.1.1), without body and Contact, where it goes first, and the dialog afterwards. */
export function requestIn(dialog: Dialog, method: string): { request: SipRequest; next: SipUri; dialog: Dialog } {
  const localCSeq = dialog.localCSeq + 1;
  const headers = new Headers()
    .add('Max-Forwards', '70')
    .add('From', party(dialog.localUri, dialog.localTag))
    .add('To', party(dialog.remoteUri, dialog.remoteTag))
    .add('Call-ID', dialog.callId)
    .add('CSeq', formatCSeq({ number: localCSeq, method }));
  const [first, ...rest] = dialog.routes;
  let uri = dialog.target;
  let next = parseUri(uri);
  if (first !== undefined) {
    next = parseUri(parseNameAddr(first).uri);
    // A strict router wants to be the Request-URI itself, and our target as the last Route.
    const routes = next.parameters.has('lr') ? dialog.routes : [...rest, `<${dialog.target}>`];
    if (routes !== dialog.routes) uri = parseNameAddr(first).uri;
    for (const route of routes) headers.add('Route', route);
  }
  const request: SipRequest = { kind: 'request', method, uri, headers, body: new Uint8Array() };
  return { request, next, dialog: { ...dialog, localCSeq } };
}

function party(uri: string, tag: string): string {
  return formatNameAddr({ uri, parameters: new Map(tag === '' ? [] : [['tag', tag]]) });
}

function partyOf(headers: Headers, name: 'From' | 'To'): NameAddr {
  return parseNameAddr(headers.get(name) ?? '');
}

function contactOf(headers: Headers): string {
  const [contact] = headers.all('Contact');
  if (contact === undefined || contact === '*') throw new SipParseError('a dialog needs a Contact (RFC 3261 s.12.1.1)');
  return parseNameAddr(contact).uri.replace(/\?.*$/s, '');
}
