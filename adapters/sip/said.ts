// What a response says of its sender: the types and methods it takes (RFC 3261 s.8.2.3, s.8.2.1, s.11.2; RFC 6665 s.4.2.1.1).
import type { SipResponse } from './codec/message.ts';
import { composingType } from './composing.ts';
import { imdnType } from './imdn.ts';
import type { Ability, Verdicts } from './peers.ts';

const types: Readonly<Partial<Record<Ability, string>>> = {
  cpim: 'message/cpim',
  html: 'text/html',
  multipart: 'multipart/alternative',
  typing: composingType,
  imdn: imdnType,
};
const methods: Readonly<Partial<Record<Ability, string>>> = {
  message: 'MESSAGE',
  presence: 'SUBSCRIBE',
  publish: 'PUBLISH',
};

// 415 says it plainly; 488 is Linphone's word for it, 406 that of some PBXs.
const refusesType: ReadonlySet<number> = new Set([406, 415, 488]);

export function isTypeRefused({ status }: SipResponse): boolean {
  return refusesType.has(status);
}

/**
 * From an answer to OPTIONS. Accept counts only for what it names: phones leave out of it what they take all the same.
 * Allow counts both ways.
 */
export function saidInOptions(response: SipResponse): Verdicts {
  return response.status < 300 ? { ...accepted(response), ...allowed(response) } : {};
}

/** From the refusal of a request of that method; `sent` are the abilities that it counted on. */
export function saidInRefusal(response: SipResponse, method: string, sent: readonly Ability[]): Verdicts {
  const { status } = response;
  if (status === 405 || status === 501) return { ...refused(byMethod(method)), ...allowed(response) };
  if (status === 489) return refused(byMethod(method));
  if (!isTypeRefused(response)) return {};
  // A type that stands in Accept was not what the refusal is about.
  return { ...refused(sent), ...accepted(response) };
}

function refused(which: readonly Ability[]): Verdicts {
  return Object.fromEntries(which.map((ability) => [ability, false]));
}

function byMethod(method: string): Ability[] {
  return (Object.keys(methods) as Ability[]).filter((ability) => methods[ability] === method);
}

function accepted({ headers }: SipResponse): Verdicts {
  const named = headers.all('Accept').map((value) => value.replace(/;.*$/s, '').trim().toLowerCase());
  const verdicts: Verdicts = {};
  for (const [ability, type] of Object.entries(types)) if (named.includes(type)) verdicts[ability as Ability] = true;
  return verdicts;
}

function allowed({ headers }: SipResponse): Verdicts {
  const verdicts: Verdicts = {};
  const named = headers.all('Allow').map((method) => method.trim().toUpperCase());
  if (named.length === 0) return verdicts;
  for (const [ability, method] of Object.entries(methods)) verdicts[ability as Ability] = named.includes(method);
  return verdicts;
}
