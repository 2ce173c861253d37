// Disposition notifications (RFC 5438): what a sender asks for in CPIM, and the documents that answer it.
// Read from what is on the air too: bare documents without CPIM, deflated, with the Call-ID for a message id (Linphone).
import { inflateRawSync, unzipSync } from 'node:zlib';
import {
  type Cpim,
  type CpimHeader,
  cpimHeader,
  encodeCpim,
  formatCpimAddress,
  headersIn,
  parseCpimAddress,
} from '../../src/formats/cpim.ts';
import { MimeError, type MimePart } from '../../src/formats/mime.ts';
import {
  childOf,
  childrenOf,
  parseXml,
  serializeXml,
  textOf,
  type XmlElement,
  XmlError,
  xml,
} from '../../src/formats/xml.ts';
import { SipParseError } from './codec/parse-error.ts';

export const imdnType = 'message/imdn+xml';
/** What the `imdn.` headers of CPIM belong to. */
export const imdnHeaders = 'urn:ietf:params:imdn';

const documentNamespace = 'urn:ietf:params:xml:ns:imdn';
const reasonNamespace = 'http://www.linphone.org/xsds/imdn.xsd';
const maxDocumentBytes = 16_384;
const xmlLimits = { maxLength: maxDocumentBytes, maxDepth: 8, maxAttributes: 16 };

export type Disposition = 'positive-delivery' | 'negative-delivery' | 'processing' | 'display';
const dispositions: ReadonlySet<string> = new Set<Disposition>([
  'positive-delivery',
  'negative-delivery',
  'processing',
  'display',
]);

/** What the CPIM headers of a message say about notifications. */
export interface ImdnRequest {
  messageId?: string;
  wants: ReadonlySet<Disposition>;
  originalTo?: string;
  /** URIs that a notification has to pass, first hop first (s.7.1.1.3). */
  recordRoute: string[];
}

const statuses = {
  delivery: ['delivered', 'failed', 'forbidden', 'error'],
  display: ['displayed', 'forbidden', 'error'],
  processing: ['processed', 'stored', 'forbidden', 'error'],
} as const;

export type Notification = keyof typeof statuses;
export type ImdnStatus = (typeof statuses)[Notification][number];

export interface Imdn {
  /** Of the message it speaks of. */
  messageId: string;
  /** When that message was sent, as its CPIM DateTime says: text, because senders compare it as such. */
  dateTime?: string;
  recipientUri?: string;
  originalRecipientUri?: string;
  notification: Notification;
  status: ImdnStatus;
  /** Linphone's own: a SIP status and words. */
  reason?: { code?: number; text: string };
}

/** The `imdn.` headers of a CPIM message, whatever prefix its sender gave them. */
export function readImdnRequest(message: Cpim): ImdnRequest {
  const values = (name: string) => headersIn(message, imdnHeaders, name).map(({ value }) => value.trim());
  const wants = new Set<Disposition>();
  for (const word of values('Disposition-Notification').flatMap((value) => value.split(','))) {
    const disposition = word.replace(/;.*/s, '').trim().toLowerCase();
    if (dispositions.has(disposition)) wants.add(disposition as Disposition);
  }
  const request: ImdnRequest = { wants, recordRoute: values('IMDN-Record-Route').flatMap(uriOf) };
  const [messageId] = values('Message-ID');
  if (messageId) request.messageId = messageId;
  const [originalTo] = values('Original-To').flatMap(uriOf);
  if (originalTo) request.originalTo = originalTo;
  return request;
}

/** The CPIM headers that ask for notifications; put them behind From, To and DateTime. */
export function formatImdnRequest(messageId: string, wants: Iterable<Disposition>): CpimHeader[] {
  const asked = [...wants];
  const headers = [cpimHeader('NS', `imdn <${imdnHeaders}>`), cpimHeader('imdn.Message-ID', messageId)];
  if (asked.length > 0) headers.push(cpimHeader('imdn.Disposition-Notification', asked.join(', ')));
  return headers;
}

/** Throws SipParseError(400). */
export function parseImdn(document: Uint8Array): Imdn {
  const root = readXml(document);
  const child = (name: string) => textOf(childOf(root, name)).trim();
  const messageId = child('message-id');
  if (root.name !== 'imdn' || messageId === '') throw new SipParseError('an IMDN without message-id');
  const imdn: Imdn = { messageId, ...readStatus(root) };
  const dateTime = child('datetime');
  if (dateTime !== '') imdn.dateTime = dateTime;
  const recipientUri = child('recipient-uri');
  if (recipientUri !== '') imdn.recipientUri = recipientUri;
  const originalRecipientUri = child('original-recipient-uri');
  if (originalRecipientUri !== '') imdn.originalRecipientUri = originalRecipientUri;
  const reason = findReason(root);
  if (reason) imdn.reason = reason;
  return imdn;
}

export function formatImdn(imdn: Imdn): Buffer {
  const element = (name: string, text: string | undefined) =>
    text === undefined ? undefined : xml(name, documentNamespace, {}, text);
  const { code, text } = imdn.reason ?? {};
  const root = xml(
    'imdn',
    documentNamespace,
    {},
    element('message-id', imdn.messageId),
    element('datetime', imdn.dateTime),
    element('recipient-uri', imdn.recipientUri),
    element('original-recipient-uri', imdn.originalRecipientUri),
    xml(
      `${imdn.notification}-notification`,
      documentNamespace,
      {},
      xml('status', documentNamespace, {}, xml(imdn.status, documentNamespace)),
    ),
    text === undefined ? undefined : xml('reason', reasonNamespace, { code: code?.toString() }, text),
  );
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${serializeXml(root)}\n`);
}

export interface Envelope {
  /** URIs. */
  from: string;
  to: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Of the notification itself (s.6.3): its own, never that of the message it answers. */
  messageId: string;
}

/** The CPIM message that carries a notification (s.7.2.1.2): it asks for none itself, and goes back along the record. */
export function encodeNotification(
  imdn: Imdn,
  { from, to, at, messageId }: Envelope,
  recordRoute: readonly string[] = [],
): Buffer {
  const content: MimePart = {
    headers: [
      ['Content-type', imdnType],
      ['Content-Disposition', 'notification'],
    ],
    body: formatImdn(imdn),
  };
  const headers = [
    cpimHeader('From', formatCpimAddress({ uri: from })),
    cpimHeader('To', formatCpimAddress({ uri: to })),
    cpimHeader('DateTime', new Date(at).toISOString()),
    ...formatImdnRequest(messageId, []),
    ...recordRoute.map((uri) => cpimHeader('imdn.IMDN-Route', formatCpimAddress({ uri }))),
  ];
  return encodeCpim({ headers, content });
}

/**
 * A body with its Content-Encoding undone, never longer than `maxBytes`. Throws SipParseError: 415 for an encoding
 * nobody knows, 413 for what grows too big, 400 for what is broken.
 */
export function decodeContentEncoding(
  body: Uint8Array,
  encodings: readonly string[],
  maxBytes = maxDocumentBytes,
): Buffer {
  let bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (encodings.length > 2) throw new SipParseError('Content-Encoding more than twice', { status: 415 });
  for (const encoding of encodings.toReversed()) bytes = undo(bytes, encoding.toLowerCase(), maxBytes);
  return bytes;
}

function undo(bytes: Buffer<ArrayBuffer | SharedArrayBuffer>, encoding: string, maxBytes: number) {
  if (encoding === 'identity') return bytes;
  if (!/^(deflate|x-deflate|gzip|x-gzip)$/.test(encoding)) {
    throw new SipParseError(`Content-Encoding ${JSON.stringify(encoding.slice(0, 40))}`, { status: 415 });
  }
  try {
    // RFC 9110 s.8.4.1.2: deflate is zlib, but some senders leave zlib's own header out.
    const isRaw = encoding.endsWith('deflate') && !isZlib(bytes);
    return (isRaw ? inflateRawSync : unzipSync)(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    throw new SipParseError(isTooLarge ? `inflates over ${maxBytes} bytes` : 'broken compression', {
      status: isTooLarge ? 413 : 400,
    });
  }
}

// RFC 1950 s.2.2: method 8 in the low four bits, the two bytes a multiple of 31.
function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes[0]! & 15) === 8 && bytes.readUInt16BE(0) % 31 === 0;
}

function readStatus(root: XmlElement): Pick<Imdn, 'notification' | 'status'> {
  for (const notification of Object.keys(statuses) as Notification[]) {
    const element = childOf(root, `${notification}-notification`);
    const status = element && childOf(element, 'status');
    const known = status && statuses[notification].find((name) => childOf(status, name));
    if (known) return { notification, status: known };
  }
  throw new SipParseError('an IMDN without a status that is known');
}

/** Beside the notification or inside its status: Linphone has done both. */
function findReason(root: XmlElement): Imdn['reason'] {
  const notification = childrenOf(root).find(({ name }) => name.endsWith('-notification'));
  const status = notification && childOf(notification, 'status');
  const reason = [root, notification, status].flatMap((parent) => parent && childOf(parent, 'reason')).find(Boolean);
  if (!reason) return undefined;
  const code = reason.attributes.code ?? '';
  return { text: textOf(reason).trim(), ...(/^\d{3}$/.test(code) ? { code: Number(code) } : {}) };
}

function uriOf(value: string): string[] {
  try {
    return [parseCpimAddress(value).uri];
  } catch (error) {
    if (error instanceof MimeError) return [];
    throw error;
  }
}

function readXml(document: Uint8Array): XmlElement {
  if (document.length > maxDocumentBytes) throw new SipParseError('an IMDN too long', { status: 413 });
  try {
    return parseXml(new TextDecoder().decode(document).trim(), xmlLimits);
  } catch (error) {
    if (error instanceof XmlError) throw new SipParseError(`IMDN: ${error.message}`);
    throw error;
  }
}
