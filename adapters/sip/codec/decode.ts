// Bytes to a message: the head is cut into a table, the body stays bytes, values are parsed only to be judged.
import { textOf } from '../../../src/formats/lossless-text.ts';
import { checkMessage } from './check.ts';
import { Headers } from './headers.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { SipMessage } from './message.ts';
import { excerpt, SipParseError } from './parse-error.ts';
import { isDigits, isSpace, isToken, isUriText, trimmed } from './scan.ts';

/** Reads one datagram or WebSocket message. Throws nothing but SipParseError. */
export function decodeMessage(bytes: Uint8Array, limits: Limits = defaultLimits): SipMessage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // RFC 3261 s.7.5: a CRLF before the start line is ignored.
  let start = 0;
  while (buffer[start] === 13 && buffer[start + 1] === 10) start += 2;
  const end = buffer.indexOf('\r\n\r\n', start, 'latin1');
  if (end < 0) throw new SipParseError('the headers do not end');
  const { message, fault } = decodeHead(buffer.subarray(start, end), limits);
  const body = buffer.subarray(end + 4);
  if (buffer.length - start > limits.messageBytes) throw about(tooLarge(limits), message);
  if (fault) throw fault;
  try {
    // RFC 3261 s.18.3: what a datagram holds beyond Content-Length is not ours, less than it is an error.
    const length = contentLength(message.headers) ?? body.length;
    if (length > body.length) throw new SipParseError(`Content-Length ${length}, but ${body.length} bytes came`);
    message.body = body.subarray(0, length);
    message.wire = buffer.subarray(start, end + 4 + length);
    checkMessage(message);
    return message;
  } catch (error) {
    throw about(error, message);
  }
}

export interface DecodedHead {
  message: SipMessage;
  /** In the request line; or fatal, because the table was not read to its end and may hide another Content-Length. */
  fault?: SipParseError;
}

/** `bytes` without the empty line. Throws SipParseError when there is not even a start line. */
export function decodeHead(bytes: Buffer, limits: Limits): DecodedHead {
  const text = textOf(bytes.length > limits.headBytes ? bytes.subarray(0, limits.headBytes) : bytes);
  const end = text.indexOf('\r\n');
  const line = end < 0 ? text : text.slice(0, end);
  const message = decodeStartLine(line);
  try {
    if (end >= 0) readHeaders(text, end + 2, message.headers, limits);
    if (bytes.length > limits.headBytes)
      throw new SipParseError(`headers over ${limits.headBytes} bytes`, { status: 513 });
  } catch (error) {
    return { message, fault: about(error, message).with({ isFatal: true }) };
  }
  try {
    if (message.kind === 'request') checkRequestLine(line, message.uri, limits);
    return { message };
  } catch (error) {
    return { message, fault: about(error, message) };
  }
}

/** The fault with the request it was found in, so that somebody can answer it; a response is never answered. */
export function about(error: unknown, message: SipMessage): SipParseError {
  if (!(error instanceof SipParseError)) throw error;
  return error.partial || message.kind === 'response' ? error : error.with({ partial: message });
}

export function tooLarge(limits: Limits): SipParseError {
  return new SipParseError(`a message over ${limits.messageBytes} bytes`, { status: 513 });
}

/** Undefined when there is none. Throws SipParseError for what cannot be trusted to frame a message. */
export function contentLength(headers: Headers): number | undefined {
  const text = headers.get('Content-Length');
  if (text === undefined) return undefined;
  if (headers.count('Content-Length') > 1) throw new SipParseError('Content-Length twice');
  if (!isDigits(text) || text.length > 10) throw new SipParseError(`Content-Length ${excerpt(text)}`);
  return Number(text);
}

const noBody = new Uint8Array(0);

function decodeStartLine(line: string): SipMessage {
  const headers = new Headers();
  if (line.includes('\n') || line.includes('\r')) throw new SipParseError('a lone CR or LF in the start line');
  if (/^SIP\/2\.0 /i.test(line)) {
    const digits = line.slice(8, 11);
    // RFC 3261 s.7.2 wants a space behind the status even when no reason follows; some peers forget it.
    if (!isDigits(digits) || !(line.length === 11 || line[11] === ' ') || digits < '100' || digits > '699') {
      throw new SipParseError(`status line ${excerpt(line)}`);
    }
    return { kind: 'response', status: Number(digits), reason: line.slice(12), headers, body: noBody };
  }
  const first = line.indexOf(' ');
  const method = line.slice(0, Math.max(first, 0));
  if (!isToken(method)) throw new SipParseError(`start line ${excerpt(line)}`);
  const last = line.lastIndexOf(' ');
  return { kind: 'request', method, uri: line.slice(first + 1, Math.max(last, first + 1)), headers, body: noBody };
}

function checkRequestLine(line: string, uri: string, limits: Limits): void {
  const version = line.slice(line.lastIndexOf(' ') + 1);
  if (version.toUpperCase() !== 'SIP/2.0') {
    const isOther = /^SIP\/\d+\.\d+$/i.test(version);
    throw new SipParseError(`version ${excerpt(version)}`, { status: isOther ? 505 : 400 });
  }
  if (uri.length > limits.uriLength) throw new SipParseError('Request-URI too long', { status: 414 });
  if (!isUriText(uri) || !uri.includes(':')) throw new SipParseError(`Request-URI ${excerpt(uri)}`);
}

function readHeaders(text: string, from: number, into: Headers, limits: Limits): void {
  for (let start = from; start < text.length; ) {
    let end = text.indexOf('\r\n', start);
    let isFolded = false;
    while (end >= 0 && isSpace(text.charCodeAt(end + 2))) {
      isFolded = true;
      end = text.indexOf('\r\n', end + 2);
    }
    if (end < 0) end = text.length;
    if (end - start > limits.headerLength) throw new SipParseError(`a header over ${limits.headerLength} characters`);
    if (into.size === limits.headers) throw new SipParseError(`more than ${limits.headers} headers`);
    readHeader(isFolded ? text.slice(start, end).replace(/\r\n[ \t]+/g, ' ') : text.slice(start, end), into);
    start = end + 2;
  }
}

function readHeader(line: string, into: Headers): void {
  const colon = line.indexOf(':');
  const name = trimmed(line, 0, Math.max(colon, 0));
  if (!isToken(name) || isSpace(line.charCodeAt(0))) throw new SipParseError(`header ${excerpt(line)}`);
  // A lone CR or LF ends a line for some readers and not for others: that is how headers are smuggled.
  if (line.includes('\n') || line.includes('\r')) throw new SipParseError(`a lone CR or LF in ${name}`);
  into.add(name, trimmed(line, colon + 1, line.length));
}
