// SIP, SIPS, TEL, IM and PRES URIs taken apart and compared; a URI of another scheme is kept whole.
import { formatHostPort, type HostPort, parseHostPort } from './host.ts';
import { noParameters, type Parameters } from './parameters.ts';
import { excerpt, SipParseError } from './parse-error.ts';
import { isUriText } from './scan.ts';

export interface SipUri extends Partial<HostPort> {
  /** Lower case. */
  scheme: string;
  /** Escapes kept as written. Of `tel:` the number, visual separators and all. */
  user?: string;
  password?: string;
  /** IPv6 in brackets. Empty for `tel:` and for schemes we do not take apart. */
  host: string;
  /** Names in lower case, values as written. */
  parameters: Parameters;
  /** What follows `?`, as written. */
  headers?: string;
  /** Everything behind the colon, for schemes we do not take apart. */
  opaque?: string;
}

const splitSchemes = new Set(['sip', 'sips', 'im', 'pres']);
const brokenEscape = /%(?![0-9A-Fa-f]{2})/;

/** Throws SipParseError(400). */
export function parseUri(text: string): SipUri {
  const colon = text.indexOf(':');
  const scheme = text.slice(0, Math.max(colon, 0)).toLowerCase();
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme) || colon === text.length - 1 || !isUriText(text)) {
    throw new SipParseError(`URI ${excerpt(text)}`);
  }
  const rest = text.slice(colon + 1);
  if (scheme !== 'tel' && !splitSchemes.has(scheme)) return { scheme, host: '', parameters: new Map(), opaque: rest };
  if (brokenEscape.test(rest)) throw new SipParseError(`escape in ${excerpt(text)}`);
  return scheme === 'tel' ? parseTel(rest) : parseHierarchical(scheme, rest);
}

export function formatUri(uri: SipUri): string {
  const text = `${uri.scheme}:${uri.opaque ?? `${authority(uri)}${formatUriParameters(uri.parameters)}`}`;
  const whole = uri.headers === undefined ? text : `${text}?${uri.headers}`;
  if (!isUriText(whole)) throw new SipParseError(`URI ${excerpt(whole)}`);
  return whole;
}

/**
 * RFC 3261 s.19.1.4 for sip and sips; RFC 3966 s.5 for tel; other schemes letter for letter.
 * URIs that cannot be read equal only themselves.
 */
export function sameUri(one: string | SipUri, other: string | SipUri): boolean {
  if (one === other) return true;
  try {
    const a = typeof one === 'string' ? parseUri(one) : one;
    const b = typeof other === 'string' ? parseUri(other) : other;
    if (a.scheme !== b.scheme) return false;
    if (a.opaque !== undefined || b.opaque !== undefined) return a.opaque === b.opaque;
    return a.scheme === 'tel' ? sameTel(a, b) : sameSip(a, b);
  } catch (error) {
    if (error instanceof SipParseError) return false;
    throw error;
  }
}

/** %hh as UTF-8 text. Throws SipParseError(400) when it is none. */
export function unescapeUri(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SipParseError(`escape in ${excerpt(text)}`);
  }
}

// The user part may hold `;` and `?`, nothing behind it may hold `@`: so the first `@` decides (s.25.1).
function parseHierarchical(scheme: string, rest: string): SipUri {
  const at = rest.indexOf('@');
  if (at === 0 || rest.indexOf('@', at + 1) > 0) throw new SipParseError(`'@' in ${excerpt(rest)}`);
  const question = rest.indexOf('?', at + 1);
  const end = question < 0 ? rest.length : question;
  const semicolon = rest.indexOf(';', at + 1);
  const hostEnd = semicolon < 0 || semicolon > end ? end : semicolon;
  const uri: SipUri = {
    scheme,
    ...parseHostPort(rest.slice(at + 1, hostEnd)),
    parameters: parseUriParameters(rest, hostEnd, end),
  };
  if (at > 0) readUserInfo(rest.slice(0, at), uri);
  if (question >= 0) uri.headers = rest.slice(question + 1);
  return uri;
}

function readUserInfo(text: string, into: SipUri): void {
  const colon = text.indexOf(':');
  if (colon === 0) throw new SipParseError('a password without a user');
  into.user = colon < 0 ? text : text.slice(0, colon);
  if (colon >= 0) into.password = text.slice(colon + 1);
}

function parseTel(rest: string): SipUri {
  const semicolon = rest.indexOf(';');
  const end = semicolon < 0 ? rest.length : semicolon;
  const user = rest.slice(0, end);
  if (!/^\+?[0-9A-Fa-f*#().%-]+$/.test(user)) throw new SipParseError(`number ${excerpt(rest)}`);
  return { scheme: 'tel', user, host: '', parameters: parseUriParameters(rest, end, rest.length) };
}

// Unlike header parameters these hold no quotes and no spaces, so a plain cut will do.
function parseUriParameters(text: string, from: number, to: number): Parameters {
  if (from >= to) return noParameters;
  const parameters = new Map<string, string | undefined>();
  for (let start = from; start < to; ) {
    const next = text.indexOf(';', start + 1);
    const end = next < 0 || next > to ? to : next;
    const equals = text.indexOf('=', start);
    const hasValue = equals >= 0 && equals < end;
    const name = text.slice(start + 1, hasValue ? equals : end).toLowerCase();
    if (name === '' || parameters.has(name)) throw new SipParseError(`parameter ${excerpt(name)} of a URI`);
    parameters.set(name, hasValue ? text.slice(equals + 1, end) : undefined);
    start = end;
  }
  return parameters;
}

function formatUriParameters(parameters: Parameters): string {
  let text = '';
  for (const [name, value] of parameters) text += value === undefined ? `;${name}` : `;${name}=${value}`;
  return text;
}

function authority(uri: SipUri): string {
  if (uri.scheme === 'tel') return uri.user ?? '';
  const secret = uri.password === undefined ? '' : `:${uri.password}`;
  const user = uri.user === undefined ? '' : `${uri.user}${secret}@`;
  return user + formatHostPort(uri as HostPort);
}

// s.19.1.4: these count even when only one side has them.
const decisive = ['user', 'ttl', 'method', 'maddr', 'transport'];

function sameSip(a: SipUri, b: SipUri): boolean {
  return (
    canonical(a.user) === canonical(b.user) &&
    canonical(a.password) === canonical(b.password) &&
    a.host.toLowerCase() === b.host.toLowerCase() &&
    a.port === b.port &&
    decisive.every((name) => a.parameters.has(name) === b.parameters.has(name)) &&
    sameShared(a.parameters, b.parameters) &&
    sameHeaders(a.headers, b.headers)
  );
}

function sameShared(a: Parameters, b: Parameters): boolean {
  for (const [name, value] of a) {
    if (b.has(name) && canonical(value)?.toLowerCase() !== canonical(b.get(name))?.toLowerCase()) return false;
  }
  return true;
}

function sameHeaders(a = '', b = ''): boolean {
  const sorted = (headers: string) =>
    headers
      .split('&')
      .map((header) => header.replace(/^[^=]*/, (name) => name.toLowerCase()))
      .map(canonical)
      .sort()
      .join('&');
  return a === b || sorted(a) === sorted(b);
}

/** Reserved characters stay escaped, escaped unreserved ones are what they stand for. */
function canonical(text: string | undefined): string | undefined {
  return text?.replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-_.!~*'()]/.test(character) ? character : escaped.toUpperCase();
  });
}

function sameTel(a: SipUri, b: SipUri): boolean {
  const digits = (number = '') => number.replace(/[-.()]/g, '').toLowerCase();
  if (digits(a.user) !== digits(b.user) || a.parameters.size !== b.parameters.size) return false;
  for (const [name, value] of a.parameters) {
    if (!b.parameters.has(name) || value?.toLowerCase() !== b.parameters.get(name)?.toLowerCase()) return false;
  }
  return true;
}
