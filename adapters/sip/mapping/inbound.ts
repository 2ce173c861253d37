// A MESSAGE as a draft: plain text, HTML, CPIM, multiparts, disposition notifications and typing (RFC 3428, 3862, 3994, 5438).
import { crc32 } from 'node:zlib';
import type { Address, DraftOf, FailureReason, Message } from '../../../src/contract/index.ts';
import {
  type Cpim,
  coreNamespace,
  cpimValue,
  dateTimeOf,
  notUnderstood,
  parseCpim,
  textsOf,
} from '../../../src/formats/cpim.ts';
import {
  contentOf,
  MimeError,
  type MimePart,
  mediaTypeOf,
  partsByType,
  partsOfType,
  textContentOf,
} from '../../../src/formats/mime.ts';
import { parseCSeq } from '../codec/cseq.ts';
import { type Headers, SipParseError, type SipRequest } from '../codec/message.ts';
import { composingType, defaultRefreshMs, parseComposing } from '../composing.ts';
import {
  decodeContentEncoding,
  type Imdn,
  type ImdnRequest,
  imdnHeaders,
  imdnType,
  parseImdn,
  readImdnRequest,
} from '../imdn.ts';
import { richSuffix } from './content.ts';
import { hopsOf } from './hops.ts';
import { textOfHtml } from './html.ts';

/** What the sender of an IMDN has to be told back. Plain JSON: it is kept until the receipt comes. */
export interface Asked {
  messageId: string;
  wants: string[];
  dateTime?: string;
  originalTo?: string;
  recordRoute: string[];
  /** Kinds of notification that were sent: one of each (s.7.2.1). */
  told?: string[];
  /** Asked by nothing but being of a kind that wants it; told without CPIM. */
  isBare?: boolean;
}

export type Incoming =
  | { kind: 'message'; draft: DraftOf<'message'>; asked?: Asked }
  /** `isBare`: without CPIM round it, as Linphone writes it. `isOfRich`: of a form that may have been refused. */
  | { kind: 'receipt'; draft: DraftOf<'receipt'>; isBare: boolean; isOfRich: boolean }
  | { kind: 'typing'; draft: DraftOf<'typing'>; refreshMs: number }
  /** Understood, and nothing that another network would say. */
  | { kind: 'nothing' };

export const acceptedTypes = [
  'text/plain',
  'text/html',
  'message/cpim',
  imdnType,
  composingType,
  'multipart/mixed',
  'multipart/alternative',
];

const cpimType = 'message/cpim';
/** CPIM headers that a sender may require (RFC 3862 s.4, RFC 5438 s.6). */
const understood: ReadonlySet<string> = new Set([
  ...['From', 'To', 'cc', 'DateTime', 'Subject', 'NS', 'Require'].map((name) => `${coreNamespace} ${name}`),
  ...['Message-ID', 'Disposition-Notification', 'Original-To', 'IMDN-Record-Route', 'IMDN-Route'].map(
    (name) => `${imdnHeaders} ${name}`,
  ),
]);
const maxBodyBytes = 65_536;

export interface People {
  from: Address;
  to: Address;
}

/** Throws SipParseError with the status that the request deserves: 400, 413, 415. */
export function toIncoming(request: SipRequest, people: People, now: number): Incoming {
  try {
    return read(request, people, now);
  } catch (error) {
    // RFC 3261 s.8.2.3
    if (error instanceof MimeError) throw new SipParseError(error.message, error.isUnknown ? { status: 415 } : {});
    throw error;
  }
}

/** The same of what may be anything: undefined where that makes no sense. */
export function incomingOf(request: SipRequest, people: People, now: number): Incoming | undefined {
  try {
    return toIncoming(request, people, now);
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

function read(request: SipRequest, people: People, now: number): Incoming {
  const { headers } = request;
  const outer = outerPart(request);
  if (!outer) return { kind: 'nothing' };
  const parts = partsByType(outer);
  const envelope = parts.get(cpimType);
  const cpim = envelope && parseCpim(contentOf(envelope));
  const unknown = cpim ? notUnderstood(cpim, understood) : [];
  // RFC 3862 s.3.5 leaves the answer open: 488 leaves a sender that knows plain text its way.
  if (unknown.length > 0) throw new SipParseError(`CPIM requires ${unknown.join(', ')}`, { status: 488 });
  const inner = cpim ? partsByType(cpim.content) : parts;
  const notification = inner.get(imdnType);
  if (notification) return receiptFrom(decoded(notification, headers), people, cpim === undefined);
  const composing = inner.get(composingType);
  if (composing) return typingFrom(contentOf(composing), people);
  const plain = partsOfType(cpim?.content ?? outer, 'text/plain');
  const html = inner.get('text/html');
  if (plain.length === 0 && !html) {
    throw new SipParseError(`cannot read ${mediaTypeOf(cpim?.content ?? outer).type}`, { status: 415 });
  }
  return messageFrom(request, people, now, { plain, html, cpim });
}

// RFC 3261 s.7.4.1, s.20.15.
function outerPart({ headers, body }: SipRequest): MimePart | undefined {
  if (body.length === 0) return undefined;
  const type = headers.get('Content-Type');
  if (type === undefined) throw new SipParseError('a body without Content-Type');
  const encoding = headers.get('Content-Transfer-Encoding');
  return {
    headers: [
      ['Content-Type', type],
      ...(encoding === undefined ? [] : [['Content-Transfer-Encoding', encoding] as const]),
    ],
    body: decodeContentEncoding(body, encodingsOf(headers), maxBodyBytes),
  };
}

function encodingsOf(headers: Headers): string[] {
  return headers.all('Content-Encoding').filter((encoding) => encoding !== '');
}

/** An IMDN inside CPIM may be compressed on its own. */
function decoded(part: MimePart, outer: Headers): Uint8Array {
  const own = part.headers.filter(([name]) => name.toLowerCase() === 'content-encoding').map(([, value]) => value);
  return encodingsOf(outer).length > 0 ? contentOf(part) : decodeContentEncoding(contentOf(part), own);
}

interface Parts {
  /** As they follow one another. */
  plain: readonly MimePart[];
  html: MimePart | undefined;
  cpim: Cpim | undefined;
}

function messageFrom(request: SipRequest, people: People, now: number, { plain, html, cpim }: Parts): Incoming {
  const { headers } = request;
  const callId = (headers.get('Call-ID') ?? '').toWellFormed();
  const wanted = cpim ? readImdnRequest(cpim) : undefined;
  const markup = html && textContentOf(html);
  const text = plain.length > 0 ? plain.map(textContentOf).join('\n') : textOfHtml(markup ?? '');
  const nativeId = wanted?.messageId ?? callId;
  const draft: DraftOf<'message'> = {
    type: 'message',
    ...people,
    text: { [languageOf(headers)]: text },
    thread: callId,
    nativeId,
    dedupeKey: dedupeKey(request, wanted?.messageId),
    hops: hopsOf(headers.get('Max-Forwards')),
    wants: wantsOf(wanted),
    ...timesOf(headers, cpim, now),
  };
  if (markup !== undefined) draft.html = markup;
  const subject = subjectOf(headers, cpim);
  if (subject) draft.subject = subject;
  const priority = priorities[(headers.get('Priority') ?? '').toLowerCase()];
  if (priority) draft.priority = priority;
  const asked = wanted && askedOf(wanted, cpim);
  return asked ? { kind: 'message', draft, asked } : { kind: 'message', draft };
}

/**
 * RFC 3428 s.8 through the reference: a copy that comes after a restart has the same Call-ID, tag and CSeq. The same body too:
 * a phone that begins with the same random numbers each time it is switched on writes other messages under old names.
 */
function dedupeKey({ headers, body }: SipRequest, messageId: string | undefined): string {
  const { number } = parseCSeq(headers.get('CSeq') ?? '');
  const tag = headers.from().parameters.get('tag') ?? '';
  return [headers.get('Call-ID'), tag, number, messageId ?? '', crc32(body).toString(36)].join('|').toWellFormed();
}

const priorities: Readonly<Record<string, NonNullable<Message['priority']>>> = {
  emergency: 'emergency',
  urgent: 'urgent',
  'non-urgent': 'low',
};

function wantsOf(wanted: ImdnRequest | undefined): DraftOf<'message'>['wants'] {
  const wants: DraftOf<'message'>['wants'] = [];
  if (wanted?.messageId === undefined) return wants;
  if (wanted.wants.has('positive-delivery')) wants.push('delivered');
  if (wanted.wants.has('display')) wants.push('displayed');
  if (wanted.wants.has('processing')) wants.push('sent');
  return wants;
}

function askedOf(wanted: ImdnRequest, cpim: Cpim | undefined): Asked | undefined {
  const { messageId, wants, originalTo, recordRoute } = wanted;
  if (messageId === undefined || wants.size === 0) return undefined;
  const asked: Asked = { messageId, wants: [...wants], recordRoute };
  const dateTime = cpim && cpimValue(cpim, 'DateTime');
  if (dateTime !== undefined) asked.dateTime = dateTime;
  if (originalTo !== undefined) asked.originalTo = originalTo;
  return asked;
}

function languageOf(headers: Headers): string {
  const language = headers.all('Content-Language')[0] ?? '';
  return /^[A-Za-z0-9-]{1,35}$/.test(language) ? language : '';
}

function subjectOf(headers: Headers, cpim: Cpim | undefined): Record<string, string> | undefined {
  const inside = cpim ? textsOf(cpim, 'Subject') : {};
  if (Object.keys(inside).length > 0) return inside;
  const outside = headers.get('Subject');
  return outside ? { [languageOf(headers)]: outside.toWellFormed() } : undefined;
}

// A phone whose clock was never set says 1970 or 2036: such a date is not worth passing on.
const oldestMs = 7 * 86_400_000;
const newestMs = 300_000;
/** Expires: 0 means "now or never"; this is how long "now" is. */
const nowMs = 32_000;

function timesOf(headers: Headers, cpim: Cpim | undefined, now: number): { at?: string; expiresAt?: string } {
  const said = (cpim && dateTimeOf(cpim)) ?? Date.parse(headers.get('Date') ?? '');
  const isSane = said > now - oldestMs && said < now + newestMs;
  const times: { at?: string; expiresAt?: string } = isSane ? { at: new Date(said).toISOString() } : {};
  const expires = headers.get('Expires') ?? '';
  if (/^\d{1,9}$/.test(expires)) {
    // RFC 3428 s.7: relative to Date, else to when it came.
    const from = isSane && Number(expires) > 0 ? said : now;
    times.expiresAt = new Date(from + (Number(expires) * 1000 || nowMs)).toISOString();
  }
  return times;
}

function receiptFrom(document: Uint8Array, people: People, isBare: boolean): Incoming {
  const imdn = parseImdn(document);
  const told = outcomeOf(imdn);
  const isOfRich = imdn.messageId.endsWith(richSuffix);
  if (!told) return { kind: 'nothing' };
  const of = isOfRich ? imdn.messageId.slice(0, -richSuffix.length) : imdn.messageId;
  // One of each kind counts (RFC 5438 s.7.2.1), whatever a phone, or several of one person, repeat.
  const dedupeKey = `imdn|${people.from}|${of}|${told.state}`;
  const draft: DraftOf<'receipt'> = { type: 'receipt', ...people, of, dedupeKey, ...told };
  return { kind: 'receipt', draft, isBare, isOfRich };
}

function outcomeOf({
  notification,
  status,
  reason,
}: Imdn): Pick<DraftOf<'receipt'>, 'state' | 'reason' | 'text'> | undefined {
  if (notification === 'display') return status === 'displayed' ? { state: 'displayed' } : undefined;
  if (notification === 'processing') return undefined;
  if (status === 'delivered') return { state: 'delivered' };
  const why: FailureReason = status === 'forbidden' ? 'not-allowed' : status === 'error' ? 'internal' : 'unavailable';
  return { state: 'failed', reason: why, text: (reason?.text ?? '') || failures[why] || why };
}

const failures: Readonly<Partial<Record<FailureReason, string>>> = {
  'not-allowed': 'the recipient does not want it',
  internal: 'nobody there knows what became of it',
  unavailable: 'it did not reach the recipient',
};

function typingFrom(document: Uint8Array, people: People): Incoming {
  const { state, refreshMs = defaultRefreshMs } = parseComposing(document);
  const draft: DraftOf<'typing'> = { type: 'typing', ...people, state: state === 'active' ? 'composing' : 'paused' };
  return { kind: 'typing', draft, refreshMs };
}
