// How a person of one network is written on another: RFC 7247 s.6.4/6.5 as whole addresses, both ways.

import type { GatewayDomain } from './adapter.ts';
import { type Address, type AddressParts, formatAddress, hostName, type Scheme, splitAddress } from './address.ts';
import { GatewayError } from './errors.ts';

/** The same name under another scheme: `xmpp:alice@example.org/phone` is `sip:alice@example.org;gr=phone`. */
export function nativeForm(address: Address, scheme: Scheme): Address {
  const parts = splitAddress(address);
  if (parts.scheme === scheme) return address;
  refuseSips(parts);
  return formatAddress({ ...parts, scheme });
}

/** The escaped form at a domain of ours: `sip:bob@other.net` is `xmpp:bob\40other.net@sip.example.org`. */
export function gatewayForm(address: Address, scheme: Scheme, domain: string): Address {
  const parts = splitAddress(address);
  refuseSips(parts);
  const shown: AddressParts = { scheme, local: gatewayName(parts), domain };
  if (parts.resource !== undefined) shown.resource = parts.resource;
  return formatAddress(shown);
}

/** Whom an address at one of our domains stands for. Throws `not-found` when nobody can. */
export function fromGatewayForm(address: Address, at: GatewayDomain): Address {
  const { local, resource } = splitAddress(address);
  const device = resource === undefined ? {} : { resource };
  if (at.shows.includes('tel') && /^(\+\d{1,15}|[^@]+;phone-context=[^@]+)$/.test(local)) {
    const [number = '', domain = ''] = local.split(';phone-context=');
    return formatAddress({ scheme: 'tel', local: number, domain });
  }
  const scheme = at.shows.find((shown) => shown !== 'tel');
  const split = local.lastIndexOf('@');
  if (scheme && local !== '' && (split >= 0 || at.home !== undefined)) {
    const name = split < 0 ? local : local.slice(0, split);
    const hostport = split < 0 ? (at.home ?? '') : local.slice(split + 1);
    const [, domain = '', port] = /^(.*?)(?::(\d{1,5}))?$/.exec(hostport) ?? [];
    return formatAddress({
      scheme,
      local: name,
      domain: hostName(domain),
      ...(port ? { port: Number(port) } : {}),
      ...device,
    });
  }
  const example = at.shows.includes('tel') ? '+447700900123' : 'name\\40domain';
  throw new GatewayError('not-found', `nobody is called that at ${at.domain}; write them as ${example}@${at.domain}`);
}

function gatewayName(parts: AddressParts): string {
  const { local, domain, port } = parts;
  if (parts.scheme === 'tel') return domain === '' ? local : `${local};phone-context=${domain}`;
  return `${local}@${domain}${port === undefined ? '' : `:${port}`}`;
}

// RFC 7247 s.8: a sips address promises a protection that the far network cannot keep.
function refuseSips(parts: AddressParts): void {
  if (parts.scheme !== 'sips') return;
  throw new GatewayError('not-allowed', 'a sips: address is never carried to another network (RFC 7247 s.8); use sip:');
}
