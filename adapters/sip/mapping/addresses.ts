// SIP URIs <-> canonical addresses, and who is who in a MESSAGE (RFC 3261 s.19.1.6, RFC 3325, RFC 3428 s.7).
import {
  type Address,
  formatAddress,
  type GatewayDomain,
  parseAddress,
  type Scheme,
  splitAddress,
} from '../../../src/contract/index.ts';
import type { SipRequest } from '../codec/message.ts';
import { parseNameAddr } from '../codec/name-addr.ts';

const sameAsSip: ReadonlySet<Scheme> = new Set(['sips', 'im', 'pres']);

/**
 * Of somebody on SIP. sips:, im: and pres: say how to get to a person (RFC 5630 s.3, RFC 3861 s.2), which is the one that
 * sip: names. Throws GatewayError `malformed`.
 */
export function addressOf(uri: string): Address {
  const address = parseAddress(uri);
  const parts = splitAddress(address);
  return sameAsSip.has(parts.scheme) ? formatAddress({ ...parts, scheme: 'sip' }) : address;
}

/** A number at a domain of ours says that it is one, so that a phone shows it as such. */
export function uriOf(address: Address, domains: readonly GatewayDomain[]): string {
  const { scheme, local, domain } = splitAddress(address);
  if (!scheme.startsWith('sip') || !/^\+\d{1,15}$/.test(local)) return address;
  const isNumber = domains.some((ours) => ours.domain === domain && ours.shows.includes('tel'));
  return isNumber ? `${address};user=phone` : address;
}

/** RFC 3323 s.4.1.1.3: whom nobody can answer. */
export function isAnonymous(address: Address): boolean {
  const { local, domain } = splitAddress(address);
  return domain === 'anonymous.invalid' || local === 'anonymous';
}

export interface PeopleOptions {
  recipient: 'request-uri' | 'to';
  /** Whether the peer's P-Asserted-Identity is to be believed (RFC 3325 s.5). */
  isTrusted: boolean;
  /** Domains of ours. */
  domains: ReadonlySet<string>;
  /** What we registered at a provider, where anybody may be meant. */
  isOurContact?: ((uri: string) => boolean) | undefined;
}

/** Throws SipParseError and GatewayError. */
export function peopleOf({ uri, headers }: SipRequest, options: PeopleOptions): { from: Address; to: Address } {
  const asserted = options.isTrusted ? headers.all('P-Asserted-Identity')[0] : undefined;
  const from = addressOf((asserted === undefined ? headers.from() : parseNameAddr(asserted)).uri);
  const isOurs = (address: Address) => options.domains.has(splitAddress(address).domain);
  // Elsewhere im: and pres: may be people of any network.
  const meantBy = (uri: string) => {
    const here = addressOf(uri);
    return isOurs(here) ? here : parseAddress(uri);
  };
  const named = meantBy(headers.to().uri);
  if (options.recipient === 'to') return { from, to: named };
  const requested = meantBy(uri);
  // A trunk's proxy addresses our Contact; whom it is for stands in To.
  const isNamed = !isOurs(requested) && (isOurs(named) || options.isOurContact?.(uri));
  return { from, to: isNamed ? named : requested };
}

/** Whoever proved to be `user` may speak as that user of a domain of ours, and as nobody else there. */
export function speaksAs(user: string, from: Address, nativeDomains: ReadonlySet<string>): boolean {
  const { local, domain } = splitAddress(from);
  return nativeDomains.has(domain) && (user === local || user === `${local}@${domain}`);
}
