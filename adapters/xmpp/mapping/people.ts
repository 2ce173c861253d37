// The two people of a stanza.
import { type Address, GatewayError, parseAddress } from '../../../src/contract/index.ts';
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
