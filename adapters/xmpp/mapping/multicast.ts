// XEP-0033: one stanza to the component for several people of its domain becomes one stanza each.
import {
  type Address,
  type GatewayDomain,
  GatewayError,
  gatewayForm,
  jidOf,
  parseAddress,
} from '../../../src/contract/index.ts';
import { childOf, childrenOf, type XmlElement } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';

/** s.3.2: those that ask for a delivery; the others say where answers go. */
const deliverable: ReadonlySet<string> = new Set(['to', 'cc', 'bcc']);
// RFC 5724: what is said in the URI itself is not what was written.
const numberUri = /^(?:smsto|sms|tel):([^?]+)/i;
const jidUri = /^xmpp:([^?]+)/i;

/**
 * The stanza itself when it is for a person or lists nobody. Throws GatewayError: `malformed` for an address that is none,
 * `not-found` for one of another domain, `not-allowed` for more than `most`. Then nothing of it is delivered.
 */
export function oneEach(stanza: XmlElement, at: Pick<GatewayDomain, 'domain' | 'shows'>, most: number): XmlElement[] {
  const list = childOf(stanza, 'addresses', ns.addresses);
  if (!list || stanza.attributes.to?.replace(/\/.*$/s, '') !== at.domain) return [stanza];
  const wanted = childrenOf(list, 'address', ns.addresses).filter(
    // s.3.1: whoever has it must not get it again.
    ({ attributes }) => deliverable.has(attributes.type ?? '') && attributes.delivered !== 'true',
  );
  if (wanted.length > most) {
    const fault = { condition: 'not-acceptable' } as const;
    throw new GatewayError('not-allowed', `${wanted.length} recipients; the most is ${most}`, { fault });
  }
  const people = new Set(wanted.map((address) => personOf(address, at)));
  return [...people].map((to) => ({ ...stanza, attributes: { ...stanza.attributes, to } }));
}

function personOf({ attributes }: XmlElement, { domain, shows }: Pick<GatewayDomain, 'domain' | 'shows'>): string {
  const { uri = '', jid = jidUri.exec(uri)?.[1] } = attributes;
  const number = numberUri.exec(uri)?.[1];
  if (number !== undefined && shows.includes('tel')) return jidOf(gatewayForm(telOf(number), 'xmpp', domain));
  if (jid === undefined) throw misspelt(uri);
  const [, bare = '', host = ''] = /^([^@/]+@([^@/]+))(?:\/.*)?$/s.exec(jid) ?? [];
  if (host.toLowerCase() !== domain) throw new GatewayError('not-found', `${jid.slice(0, 100)} is not at ${domain}`);
  return bare;
}

function telOf(number: string): Address {
  try {
    return parseAddress(`tel:${number}`);
  } catch {
    throw misspelt(number);
  }
}

function misspelt(uri: string): GatewayError {
  const fault = { condition: 'jid-malformed' } as const;
  return new GatewayError('malformed', `an address that cannot be reached here: ${uri.slice(0, 100)}`, { fault });
}
