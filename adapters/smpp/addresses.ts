// TON, NPI and digits (SMPP 3.4 s.5.2.5 to 5.2.8) <-> tel: addresses, with a phone-context for what is no E.164 number.
import {
  type Address,
  alphanumericAddress,
  alphanumericContext,
  GatewayError,
  globalNumber,
  localAddress,
  nationalNumber,
  numberAddress,
  type PhoneRules,
  schemeOf,
  splitAddress,
  toE164,
} from '../../src/contract/index.ts';

export interface SmeAddress {
  readonly ton: number;
  readonly npi: number;
  readonly addr: string;
}

export type AddressRules = PhoneRules;

export const ton = { unknown: 0, international: 1, national: 2, networkSpecific: 3, alphanumeric: 5 } as const;
const npi = { unknown: 0, isdn: 1 } as const;

/** What a PDU says about somebody. Throws GatewayError `malformed` when it says nothing. */
export function fromSme({ ton: type, addr }: SmeAddress, rules: AddressRules): Address {
  const text = addr.trim();
  if (text === '') throw new GatewayError('malformed', 'an empty address');
  if (type === ton.alphanumeric || !/^\+?[\d*#]+$/.test(text)) return alphanumericAddress(text);
  const digits = text.replace(/^\+/, '');
  const isInternational = type === ton.international || text.startsWith('+');
  const number = isInternational ? globalNumber(`+${digits}`) : undefined;
  const found = number ?? (isInternational ? undefined : national(digits, type, rules));
  return found === undefined ? localAddress(digits, rules.shortCodeContext) : numberAddress(found);
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

/** The address fields of a PDU. */
export function addressed(source: SmeAddress, destination: SmeAddress) {
  return {
    source_addr_ton: source.ton,
    source_addr_npi: source.npi,
    source_addr: source.addr,
    dest_addr_ton: destination.ton,
    dest_addr_npi: destination.npi,
    destination_addr: destination.addr,
  };
}

/** As toSme, for somebody to whom it goes. Throws GatewayError `not-allowed` for a name: that is a sender only. */
export function toRecipient(address: Address, types?: { readonly ton: number; readonly npi: number }): SmeAddress {
  const sme = toSme(address, types);
  if (splitAddress(address).domain !== alphanumericContext) return sme;
  throw new GatewayError('not-allowed', `${sme.addr} is a name and no number: telephones cannot answer it`);
}

function national(digits: string, type: number, rules: AddressRules): string | undefined {
  const { defaultCountry } = rules;
  if (type === ton.unknown) return nationalNumber(digits, rules);
  const isNational = type === ton.national && /^\d+$/.test(digits) && defaultCountry !== undefined;
  return isNational ? toE164(digits, defaultCountry) : undefined;
}
