// One canonical URI a person per network. Nothing else in the gateway takes an address apart.
// xmpp: holds the JID as on the wire (XEP-0106 escapes kept); sip: and the like hold %hh; tel: holds digits (RFC 3966).
import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js';
import { GatewayError } from './errors.ts';
import { escapeLocalpart, unescapeLocalpart } from './jid-escaping.ts';

export const schemes = ['xmpp', 'sip', 'sips', 'tel', 'wv', 'im', 'pres'] as const;
export type Scheme = (typeof schemes)[number];

/** A canonical address; equal people have equal strings. Made only by parseAddress and formatAddress. */
export type Address = string & { readonly __address: unique symbol };

export interface AddressParts {
  scheme: Scheme;
  /** As a person would write it: no escapes of any network. For `tel` the digits, with `+` when global. Empty: the domain itself. */
  local: string;
  /** Lower case, A-labels. Empty for global numbers; the phone-context of local ones. */
  domain: string;
  port?: number;
  /** One device of that person: XMPP resource, SIP `gr`. */
  resource?: string;
}

// RFC 3261 s.25.1 `user`: unreserved and user-unreserved; RFC 7247 table 1.
const sipUserLegal = /[A-Za-z0-9!$&'()*+,\-./;=?_~]/;
// RFC 3860/3859 through RFC 7247 table 1; the comma, dot, semicolon and brackets are left out on purpose, and the percent sign,
// which begins an escape (RFC 3986 s.2.1).
const imUserLegal = /[A-Za-z0-9!#$&'*+\-/=?^_`{|}~]/;
// RFC 3261 s.25.1 `paramchar`.
const parameterLegal = /[A-Za-z0-9[\]/:&+$\-_.!~*'()]/;
// IMPS 1.3 CSP s.4.2, through the reference: printable, no `/ @ +` inside alphanumeric parts.
const wvUserLegal = /[A-Za-z0-9!$'()*,\-.;=?_~&:]/;
const maxPartBytes = 1023;

// People write to the same people: most addresses were taken apart a moment ago. Emptied when full, so that strangers
// who invent addresses cost no memory.
const maxKnown = 8192;
const knownTexts = new Map<string, Address>();
const knownParts = new Map<Address, Readonly<AddressParts>>();

function remember<K extends string, V>(known: Map<K, V>, text: K, read: (text: K) => V): V {
  const key = copyOf(text);
  const value = read(key);
  if (known.size >= maxKnown) known.clear();
  known.set(key, value);
  return value;
}

// A piece of a string keeps all of it alive: the stanza or the datagram that the address was found in.
function copyOf<K extends string>(text: K): K {
  return Buffer.from(text, 'utf16le').toString('utf16le') as K;
}

/** Reads any accepted spelling. Throws GatewayError `malformed`. */
export function parseAddress(text: string): Address {
  return knownTexts.get(text) ?? remember(knownTexts, text, readAddress);
}

function readAddress(text: string): Address {
  const colon = text.indexOf(':');
  const scheme = text.slice(0, colon).toLowerCase() as Scheme;
  const rest = text.slice(colon + 1);
  switch (scheme) {
    case 'xmpp':
      return formatAddress(splitJid(rest));
    case 'tel':
      return formatAddress(splitNumber(rest));
    case 'sip':
    case 'sips':
    case 'im':
    case 'pres':
    case 'wv':
      return formatAddress(splitUri(scheme, rest));
    default:
      throw malformed(text, `scheme is not one of ${schemes.join(' ')}`);
  }
}

/** The parts of a canonical address. */
export function splitAddress(address: Address): Readonly<AddressParts> {
  return knownParts.get(address) ?? remember(knownParts, address, readParts);
}

function readParts(address: Address): Readonly<AddressParts> {
  const colon = address.indexOf(':');
  const scheme = address.slice(0, colon) as Scheme;
  const rest = address.slice(colon + 1);
  if (scheme === 'xmpp') return splitJid(rest);
  return scheme === 'tel' ? splitNumber(rest) : splitUri(scheme, rest);
}

/** The canonical address of those parts. Throws GatewayError `malformed` when the network cannot say them. */
export function formatAddress(parts: AddressParts): Address {
  const text = format(parts);
  for (const part of [parts.local, parts.domain, parts.resource ?? '']) {
    if (Buffer.byteLength(part) > maxPartBytes) throw malformed(text, `a part is over ${maxPartBytes} bytes`);
    if (/[\0-\x1f\x7f]/.test(part) || !part.isWellFormed())
      throw malformed(text, 'control character or broken Unicode');
  }
  return text as Address;
}

/** Without the device. */
export function bareAddress(address: Address): Address {
  if (schemeOf(address) === 'tel') return address;
  const { resource, ...parts } = splitAddress(address);
  return resource === undefined ? address : formatAddress(parts);
}

export function schemeOf(address: Address): Scheme {
  return address.slice(0, address.indexOf(':')) as Scheme;
}

/** The JID inside an `xmpp:` address. */
export function jidOf(address: Address): string {
  return address.slice('xmpp:'.length);
}

/**
 * A number as people write it, as E.164 `+digits`; `country` (ISO 3166) is for national forms.
 * Undefined when it is not a possible number.
 */
export function toE164(text: string, country?: string): string | undefined {
  const number = parsePhoneNumberFromString(text, country as CountryCode | undefined);
  return number?.isPossible() ? number.number : undefined;
}

/** `7700900123` for +447700900123 in GB, without a prefix; undefined for a number of another country. */
export function nationalForm(number: string, country: string): string | undefined {
  const found = parsePhoneNumberFromString(number);
  return found?.country === country ? found.nationalNumber : undefined;
}

/** ISO 3166 code of a country whose numbering plan is known: `GB`. */
export function isCountry(text: string): boolean {
  return isSupportedCountry(text);
}

function format(parts: AddressParts): string {
  const { scheme, local, domain } = parts;
  if (scheme === 'tel')
    return `tel:${domain === '' ? local : `${encode(local, parameterLegal)};phone-context=${domain}`}`;
  if (domain === '') throw malformed(local, 'no domain');
  if (scheme === 'xmpp') {
    const node = escapeLocalpart(local);
    if (Buffer.byteLength(node) > maxPartBytes) throw malformed(local, `a part is over ${maxPartBytes} bytes`);
    if (/^ | $|[^\S ]/.test(local)) {
      throw malformed(local, 'a JID has no space at its ends (XEP-0106 s.4.1) and none beyond ASCII (RFC 8265 s.3.3)');
    }
    return `xmpp:${node === '' ? '' : `${node.toLowerCase()}@`}${domain}${parts.resource === undefined ? '' : `/${parts.resource}`}`;
  }
  const host = parts.port === undefined ? domain : `${domain}:${parts.port}`;
  const gr = parts.resource === undefined ? '' : `;gr=${encode(parts.resource, parameterLegal)}`;
  const at = local === '' ? '' : `${encode(local, legalIn(scheme))}@`;
  return `${scheme}:${at}${host}${gr}`;
}

function legalIn(scheme: Scheme): RegExp {
  if (scheme === 'wv') return wvUserLegal;
  return scheme === 'im' || scheme === 'pres' ? imUserLegal : sipUserLegal;
}

// RFC 7622 s.3.1: the first slash ends the bare JID, the first @ before it the localpart.
function splitJid(jid: string): AddressParts {
  const slash = jid.indexOf('/');
  const bare = slash < 0 ? jid : jid.slice(0, slash);
  const at = bare.indexOf('@');
  if (at === 0 || slash === jid.length - 1) throw malformed(jid, 'an empty part');
  const node = at < 0 ? '' : bare.slice(0, at);
  if (/["&'/:<>@\s]/.test(node))
    throw malformed(jid, 'a localpart cannot hold " & \' / : < > @ or space (RFC 7622 s.3.3)');
  const parts: AddressParts = { scheme: 'xmpp', local: unescapeLocalpart(node), domain: hostName(bare.slice(at + 1)) };
  if (slash >= 0) parts.resource = jid.slice(slash + 1);
  return parts;
}

function splitNumber(text: string): AddressParts {
  const [subscriber = '', ...parameters] = text.split(';');
  const context = parameters.find((parameter) => parameter.toLowerCase().startsWith('phone-context='))?.slice(14);
  const bare = subscriber.replace(/[-.() ]/g, '');
  if (/^\+\d{1,15}$/.test(bare)) return { scheme: 'tel', local: bare, domain: '' };
  const local = decode(subscriber);
  if (context && !bare.startsWith('+') && /^[\w*#. &+-]{1,21}$/.test(local)) {
    return { scheme: 'tel', local, domain: context.toLowerCase() };
  }
  throw malformed(text, 'not a global number (+ and up to 15 digits), and no phone-context (RFC 3966 s.5.1.5)');
}

// The first @ ends the user part (RFC 7247 s.6.4); a password and every parameter but `gr` say nothing about who it is.
function splitUri(scheme: Scheme, rest: string): AddressParts {
  const at = rest.indexOf('@');
  const [user = ''] = at < 0 ? [''] : rest.slice(0, at).split(':');
  const [hostport = '', ...parameters] = rest
    .slice(at + 1)
    .replace(/\?.*$/s, '')
    .split(';');
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(hostport);
  if (!match) throw malformed(rest, 'not a host');
  const parts: AddressParts = { scheme, local: decode(user), domain: hostName(match[1] ?? '') };
  if (match[2] !== undefined) parts.port = Number(match[2]);
  const gr = parameters.find((parameter) => parameter.startsWith('gr='));
  if (gr && gr.length > 3) parts.resource = decode(gr.slice(3));
  return parts;
}

/** A domain as addresses hold it: lower case, A-labels. Throws GatewayError `malformed`. */
export function hostName(text: string): string {
  const lower = text.toLowerCase().replace(/\.$/, '');
  if (/^\[[0-9a-f:.]+\]$/.test(lower) || /^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$/.test(lower)) return lower;
  // An internationalised name as A-labels; URL refuses what is no host name.
  const ascii = /[\s/?#@:%\\]/.test(lower) ? '' : (URL.parse(`http://${lower}`)?.hostname ?? '');
  if (ascii === '') throw malformed(text, 'not a host name');
  return ascii;
}

/** %hh to characters; what is no valid escape or no UTF-8 is malformed. */
function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed(text, 'broken %hh');
  }
}

function encode(text: string, legal: RegExp): string {
  let out = '';
  for (const character of text) out += legal.test(character) ? character : percent(character);
  return out;
}

function percent(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function malformed(text: string, why: string): GatewayError {
  return new GatewayError('malformed', `address ${JSON.stringify(text.slice(0, 100))}: ${why}`);
}
