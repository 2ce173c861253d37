// What both doors make of a request, and how people are written in it.
import {
  type Address,
  type DraftOf,
  type PhoneRules,
  parseAddress,
  parsePhone,
  splitAddress,
} from '../../../src/contract/index.ts';

type Draft = DraftOf<'message'>;
type Said = 'text' | 'subject' | 'wants' | 'priority' | 'expiresAt' | 'notBefore' | 'sms' | 'attachments';

/** A request as its sender meant it; one draft a recipient is made of it. */
export interface Submission {
  readonly from: string | undefined;
  readonly to: readonly string[];
  readonly message: Pick<Draft, Said>;
  /** Kannel's: which delivery reports are wanted, and where. */
  readonly dlrMask: number;
  readonly dlrUrl: string | undefined;
}

/** A telephone number as people write it, or anybody's address on another network. Throws GatewayError. */
export function recipientOf(text: string, rules: PhoneRules): Address {
  return /^(tel|sip|xmpp|im|wv):/i.test(text) ? parseAddress(text) : parsePhone(text, rules);
}

/** `+447700900123`, `88222`, `SHOP`; other networks' people by their whole address. */
export function writtenOf(address: Address): string {
  const { scheme, local } = splitAddress(address);
  return scheme === 'tel' ? local : address;
}
