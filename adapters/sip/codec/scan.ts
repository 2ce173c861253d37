// Reading text from left to right: character classes, quoted strings, lists. Every function here is linear.
import { excerpt, SipParseError } from './parse-error.ts';

const tokenClass = 1;
const valueClass = 2;
const uriClass = 4;

const classes = new Uint8Array(128);
for (let code = 0x21; code < 0x7f; code++) {
  const character = String.fromCharCode(code);
  // RFC 3261 s.25.1 `token`.
  if (/[A-Za-z0-9\-.!%*_+`'~]/.test(character)) classes[code]! |= tokenClass;
  // `gen-value` without quotes: token or host; peers write `/`, `=` and `@` there too.
  if (!/[",;<>\\]/.test(character)) classes[code]! |= valueClass;
  // Wider than RFC 3986: im: and pres: users hold ^ ` { | } as they are (RFC 7247 s.6.2).
  if (!/["<>\\]/.test(character)) classes[code]! |= uriClass;
}

function isAll(text: string, wanted: number): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127 || (classes[code]! & wanted) === 0) return false;
  }
  return text.length > 0;
}

export function isToken(text: string): boolean {
  return isAll(text, tokenClass);
}

/** Fit to stand unquoted after `;name=`. */
export function isPlainValue(text: string): boolean {
  return isAll(text, valueClass);
}

/** No white space, quotes, brackets or characters beyond ASCII: fit to stand between `<` and `>`. */
export function isUriText(text: string): boolean {
  return isAll(text, uriClass);
}

export function isDigits(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return text.length > 0;
}

export function isSpace(code: number): boolean {
  return code === 32 || code === 9;
}

export function skipSpace(text: string, at: number): number {
  let next = at;
  while (next < text.length && isSpace(text.charCodeAt(next))) next++;
  return next;
}

/** text.slice(from, to) without the white space at its ends. */
export function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** `at` is on the opening quote; the answer is just behind the closing one. Throws when there is none. */
export function skipQuoted(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === 0x5c) next++;
    else if (code === 0x22) return next + 1;
  }
  throw new SipParseError(`a quote without its end in ${excerpt(text)}`);
}

/** A quoted string without quotes and backslashes; anything else as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== 0x22) return text;
  const inner = text.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\(.)/gs, '$1') : inner;
}

/** As a quoted string. Control characters cannot be said there: each becomes a space. */
export function quote(text: string): string {
  const plain = /[\0-\x1f\x7f"\\]/.test(text)
    ? text.replace(/[\0-\x1f\x7f]/g, ' ').replace(/["\\]/g, (special) => `\\${special}`)
    : text;
  return `"${plain}"`;
}

/** Cuts at each comma that is outside quotes and outside `<...>`. The parts are trimmed and may be empty. */
export function splitList(text: string): string[] {
  if (!text.includes(',')) return [trimmed(text, 0, text.length)];
  const parts: string[] = [];
  let start = 0;
  let isInside = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22 && !isInside) at = skipQuoted(text, at) - 1;
    else if (code === 0x3c) isInside = true;
    else if (code === 0x3e) isInside = false;
    else if (code === 0x2c && !isInside) {
      parts.push(trimmed(text, start, at));
      start = at + 1;
    }
  }
  parts.push(trimmed(text, start, text.length));
  return parts;
}
