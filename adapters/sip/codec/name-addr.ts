// From, To, Contact, Route, Record-Route, P-Asserted-Identity, Refer-To: [display name] <URI>;parameters (RFC 3261 s.20.10).
import { formatParameters, type Parameters, parseParameters } from './parameters.ts';
import { excerpt, SipParseError } from './parse-error.ts';
import { isSpace, isUriText, quote, skipQuoted, skipSpace, trimmed, unquote } from './scan.ts';

export interface NameAddr {
  /** Without quotes and backslashes. */
  displayName?: string;
  /** As written, without the angle brackets; parseUri takes it apart. */
  uri: string;
  /** Those of the header: tag, expires, q, +sip.instance ... The URI keeps its own. */
  parameters: Parameters;
}

/** Throws SipParseError(400). */
export function parseNameAddr(text: string): NameAddr {
  const start = skipSpace(text, 0);
  if (text.charCodeAt(start) === 0x22) {
    const end = skipQuoted(text, start);
    const open = skipSpace(text, end);
    if (text.charCodeAt(open) !== 0x3c) throw new SipParseError(`expected '<' in ${excerpt(text)}`);
    return parseBracketed(text, open, unquote(text.slice(start, end)));
  }
  const open = text.indexOf('<', start);
  const before = open < 0 ? '' : trimmed(text, start, open);
  // A `<` behind a `;` or `:` belongs to a quoted parameter, not to the URI.
  if (open < 0 || /[;:]/.test(before)) return parseBare(text, start);
  if (before.includes('"')) throw new SipParseError(`display name ${excerpt(before)}`);
  return parseBracketed(text, open, before);
}

/** Always in angle brackets. Control characters in a display name become spaces; in the URI they are refused. */
export function formatNameAddr({ displayName, uri, parameters }: NameAddr): string {
  if (!isUriText(uri)) throw new SipParseError(`URI ${excerpt(uri)}`);
  const name = displayName === undefined || displayName === '' ? '' : `${quote(displayName)} `;
  return `${name}<${uri}>${formatParameters(parameters)}`;
}

/** The tag of a From or To, if it has one. Throws SipParseError(400) when its parameters cannot be read. */
export function tagOf(text: string | undefined): string | undefined {
  // Without a parameter there is nothing to read: so is the To of every request that makes a dialog, or none.
  if (text === undefined || text.indexOf(';', text.lastIndexOf('>') + 1) < 0) return undefined;
  return parseNameAddr(text).parameters.get('tag');
}

function parseBracketed(text: string, open: number, displayName: string): NameAddr {
  const close = text.indexOf('>', open);
  if (close < 0) throw new SipParseError(`'<' without '>' in ${excerpt(text)}`);
  const address = { uri: requireUri(trimmed(text, open + 1, close)), parameters: parseParameters(text, close + 1) };
  return displayName === '' ? address : { displayName, ...address };
}

// s.20.10: a URI with a comma, question mark or semicolon must stand in brackets.
function parseBare(text: string, start: number): NameAddr {
  let end = start;
  while (end < text.length && text.charCodeAt(end) !== 0x3b && !isSpace(text.charCodeAt(end))) end++;
  const uri = requireUri(text.slice(start, end));
  if (/[,?]/.test(uri)) throw new SipParseError(`${excerpt(uri)} wants angle brackets`);
  return { uri, parameters: parseParameters(text, end) };
}

function requireUri(uri: string): string {
  if (!isUriText(uri) || !/^[A-Za-z][A-Za-z0-9+.-]*:./.test(uri)) throw new SipParseError(`URI ${excerpt(uri)}`);
  return uri;
}
