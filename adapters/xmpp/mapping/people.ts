// The two people of a stanza.
import { type Address, GatewayError, jidOf, parseAddress } from '../../../src/contract/index.ts';
import type { XmlElement } from '../../../src/formats/xml.ts';

export interface People {
  from: Address;
  to: Address;
}

/** Throws GatewayError `malformed`. */
export function peopleOf({ attributes }: XmlElement): People {
  const { from, to } = attributes;
  if (from === undefined || to === undefined) throw new GatewayError('malformed', 'a stanza without from or to');
  return { from: parseAddress(`xmpp:${from}`), to: parseAddress(`xmpp:${to}`) };
}

// RFC 3454 table B.1: what stringprep maps to nothing.
const vanishing = /^(?:\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff)+$/;

/**
 * Throws GatewayError `malformed` for a JID of which stringprep leaves an empty part: Prosody 0.12 takes it, bounces it
 * from `@domain`, and then closes our stream over that bounce.
 */
export function refuseVanishing(address: Address): void {
  const [, local = '', resource = ''] = /^(?:([^@/]*)@)?[^/]*(?:\/(.*))?$/s.exec(jidOf(address)) ?? [];
  if (vanishing.test(local) || vanishing.test(resource))
    throw new GatewayError('malformed', 'an address with nothing visible in it');
}
