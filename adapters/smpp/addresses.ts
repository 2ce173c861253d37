// TON, NPI and digits (SMPP 3.4 s.5.2.5 to 5.2.8) <-> tel: addresses, with a phone-context for what is no E.164 number.
import { type Address, formatAddress, GatewayError, schemeOf, splitAddress, toE164 } from '../../src/contract/index.ts';

export interface SmeAddress {
  readonly ton: number;
  readonly npi: number;
  readonly addr: string;
}

export interface AddressRules {
  readonly defaultCountry?: string | undefined;
  readonly shortCodeContext: string;
}

const ton = { unknown: 0, international: 1, national: 2, networkSpecific: 3, alphanumeric: 5 } as const;
const npi = { unknown: 0, isdn: 1 } as const;
const alphanumericContext = 'alphanumeric';
// Longer digits without a TON are somebody's number, not a service's.
const longestShortCode = 7;

/** What a PDU says about somebody. Throws GatewayError `malformed` when it says nothing. */
export function fromSme({ ton: type, addr }: SmeAddress, rules: AddressRules): Address {
  const text = addr.trim();
  if (text === '') throw new GatewayError('malformed', 'an empty address');
  if (type === ton.alphanumeric || !/^\+?[\d*#]+$/.test(text)) return alphanumeric(text);
  const digits = text.replace(/^\+/, '');
  const isInternational = type === ton.international || text.startsWith('+');
  const number = isInternational ? global(`+${digits}`) : undefined;
  const found = number ?? (isInternational ? undefined : national(digits, type, rules));
  return found === undefined ? local(digits, rules.shortCodeContext) : tel(found);
}

/** How a tel: address is written in a PDU. `types` overrides the TON and NPI that its form suggests. */
export function toSme(address: Address, types?: { readonly ton: number; readonly npi: number }): SmeAddress {
  if (schemeOf(address) !== 'tel') throw new GatewayError('malformed', `no telephone number: ${address}`);
  const { local: subscriber, domain } = splitAddress(address);
  if (domain === '') return { ton: ton.international, npi: npi.isdn, ...types, addr: subscriber.slice(1) };
  if (domain === alphanumericContext) {
    // TS 23.040 s.9.1.2.5: eleven characters.
    return { ton: ton.alphanumeric, npi: npi.unknown, addr: subscriber.slice(0, 11) };
  }
  return { ton: ton.networkSpecific, npi: npi.unknown, ...types, addr: subscriber };
}

// Digits without a declared country: national with a default country, otherwise what is possible with a `+`.
function national(digits: string, type: number, { defaultCountry }: AddressRules): string | undefined {
  if (!/^\d+$/.test(digits)) return undefined;
  if (type === ton.national) return defaultCountry === undefined ? undefined : toE164(digits, defaultCountry);
  if (type !== ton.unknown || digits.length <= longestShortCode) return undefined;
  if (digits.startsWith('00')) return global(`+${digits.slice(2)}`);
  const own = defaultCountry !== undefined && digits.startsWith('0') ? toE164(digits, defaultCountry) : undefined;
  return own ?? toE164(`+${digits}`) ?? (defaultCountry === undefined ? undefined : toE164(digits, defaultCountry));
}

// A declared international number is taken at its word, also where no plan knows it (test ranges).
function global(number: string): string | undefined {
  return /^\+[1-9]\d{3,14}$/.test(number) ? number : undefined;
}

function tel(number: string): Address {
  return formatAddress({ scheme: 'tel', local: number, domain: '' });
}

function local(digits: string, context: string): Address {
  return formatAddress({ scheme: 'tel', local: digits, domain: context });
}

function alphanumeric(text: string): Address {
  const legal = text.replace(/[^\w*#. &-]/g, '_').slice(0, 20);
  return formatAddress({ scheme: 'tel', local: legal, domain: alphanumericContext });
}
