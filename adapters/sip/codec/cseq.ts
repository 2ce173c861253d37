// CSeq (RFC 3261 s.20.16).
import { excerpt, SipParseError } from './parse-error.ts';
import { isDigits, isSpace, isToken, trimmed } from './scan.ts';

export interface CSeq {
  number: number;
  method: string;
}

/** Throws SipParseError(400): the number must fit in 32 bits (s.20.16). */
export function parseCSeq(text: string): CSeq {
  let end = 0;
  while (end < text.length && !isSpace(text.charCodeAt(end))) end++;
  const method = trimmed(text, end, text.length);
  return { number: parseUint32(text.slice(0, end), 'CSeq'), method: requireToken(method, 'CSeq method') };
}

/** We start below 2^31, as s.8.1.1.5 asks. */
export function formatCSeq({ number, method }: CSeq): string {
  if (!Number.isInteger(number) || number < 0 || number >= 2 ** 31) throw new SipParseError(`CSeq ${number}`);
  return `${number} ${requireToken(method, 'CSeq method')}`;
}

/** Digits, leading zeros allowed, below 2^32. */
export function parseUint32(text: string, what: string): number {
  const value = isDigits(text) ? Number(text) : Number.NaN;
  if (!(value < 2 ** 32)) throw new SipParseError(`${what} ${excerpt(text)} is not a number of 32 bits`);
  return value;
}

/** Where a number that makes no sense is as good as none. */
export function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

export function requireToken(text: string, what: string): string {
  if (!isToken(text)) throw new SipParseError(`${what} ${excerpt(text)} is not a token`);
  return text;
}
