// A message to bytes. Whatever could end a line early is refused here, whoever put it there.
import { bytesOf } from '../../../src/formats/lossless-text.ts';
import type { SipMessage } from './message.ts';
import { excerpt, SipParseError } from './parse-error.ts';
import { isToken, isUriText } from './scan.ts';

/** Content-Length is ours to say. `via` goes above all others: that of this one way. Throws SipParseError for a name, value or URI that cannot stand on its line. */
export function encodeMessage(message: SipMessage, via?: string): Buffer {
  let head = startLine(message);
  if (via !== undefined) head += `Via: ${singleLine(via, 'Via')}\r\n`;
  const { headers } = message;
  for (let line = 0; line < headers.size; line++) {
    const name = headers.nameAt(line);
    if (name === 'Content-Length') continue;
    if (!isToken(name)) throw new SipParseError(`header name ${excerpt(name)}`);
    head += `${name}: ${singleLine(headers.valueAt(line), name)}\r\n`;
  }
  return bytesOf(`${head}Content-Length: ${message.body.length}\r\n\r\n`, message.body);
}

function startLine(message: SipMessage): string {
  if (message.kind === 'response') {
    const { status, reason } = message;
    if (!Number.isInteger(status) || status < 100 || status > 699) throw new SipParseError(`status ${status}`);
    return `SIP/2.0 ${status} ${singleLine(reason, 'reason')}\r\n`;
  }
  if (!isToken(message.method)) throw new SipParseError(`method ${excerpt(message.method)}`);
  if (!isUriText(message.uri)) throw new SipParseError(`Request-URI ${excerpt(message.uri)}`);
  return `${message.method} ${message.uri} SIP/2.0\r\n`;
}

function singleLine(text: string, what: string): string {
  if (text.includes('\r') || text.includes('\n')) throw new SipParseError(`CR or LF in ${what}`);
  return text;
}
