// Telephone numbers, short codes and alphanumeric senders as people, carriers and applications write them.
import { type Address, formatAddress, toE164 } from './address.ts';
import { GatewayError } from './errors.ts';

export interface PhoneRules {
  /** ISO 3166 country of numbers in national form. */
  readonly defaultCountry?: string | undefined;
  /** phone-context of what is no E.164 number. */
  readonly shortCodeContext: string;
}

/** phone-context of senders that are no number: `tel:SHOP;phone-context=alphanumeric`. */
export const alphanumericContext = 'alphanumeric';
// Longer digits are somebody's number, not a service's.
const longestShortCode = 7;
// SMPP 3.4 s.5.2.8: 20 digits; data_sm has room for more.
const longestLocal = 20;

/**
 * `+447700900123`, `00447700900123`, `07700 900123` with a default country, `88222`, `SHOP`. Throws GatewayError
 * `malformed` for what is empty or begins with `+` and is no number.
 */
export function parsePhone(text: string, rules: PhoneRules): Address {
  const digits = text.replace(/[-.() ]/g, '');
  if (!/^\+?[\d*#]+$/.test(digits)) return alphanumericAddress(text);
  if (!digits.startsWith('+')) {
    const found = nationalNumber(digits, rules);
    return found === undefined ? localAddress(digits, rules.shortCodeContext) : numberAddress(found);
  }
  const number = globalNumber(digits);
  if (number === undefined) throw new GatewayError('malformed', `${digits.slice(0, 20)} is no telephone number`);
  return numberAddress(number);
}

/** Digits without a declared country: national with a default country, otherwise what is possible with a `+`. */
export function nationalNumber(digits: string, { defaultCountry }: PhoneRules): string | undefined {
  if (!/^\d+$/.test(digits) || digits.length <= longestShortCode) return undefined;
  if (digits.startsWith('00')) return globalNumber(`+${digits.slice(2)}`);
  const own = defaultCountry !== undefined && digits.startsWith('0') ? toE164(digits, defaultCountry) : undefined;
  return own ?? toE164(`+${digits}`) ?? (defaultCountry === undefined ? undefined : toE164(digits, defaultCountry));
}

/** A declared international number is taken at its word, also where no plan knows it (test ranges). */
export function globalNumber(number: string): string | undefined {
  return /^\+[1-9]\d{3,14}$/.test(number) ? number : undefined;
}

/** `number` as E.164 with its `+`. */
export function numberAddress(number: string): Address {
  return formatAddress({ scheme: 'tel', local: number, domain: '' });
}

/** Throws GatewayError `malformed` for what is too long to be a number of anybody. */
export function localAddress(digits: string, context: string): Address {
  if (digits.length > longestLocal)
    throw new GatewayError('malformed', `${digits.slice(0, 20)}... is no telephone number`);
  return formatAddress({ scheme: 'tel', local: digits, domain: context });
}

/** Throws GatewayError `malformed` when there is nothing. */
export function alphanumericAddress(text: string): Address {
  const legal = text
    .trim()
    .replace(/[^\w*#. &-]/g, '_')
    .slice(0, 20);
  if (legal === '') throw new GatewayError('malformed', 'an empty address');
  return formatAddress({ scheme: 'tel', local: legal, domain: alphanumericContext });
}
