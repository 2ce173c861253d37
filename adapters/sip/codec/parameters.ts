// `;name=value` behind a value, and values that are nothing but a token with such parameters (Event, Accept, Reason ...).
import { excerpt, SipParseError } from './parse-error.ts';
import { isPlainValue, isToken, skipQuoted, skipSpace, trimmed } from './scan.ts';

/** Names in lower case; a quoted value keeps its quotes (`unquote` takes them off); undefined for a bare name. */
export type Parameters = ReadonlyMap<string, string | undefined>;

export const noParameters: Parameters = new Map();

/** Reads `;a=b;c` from `at` to the end of the text. Throws SipParseError(400). */
export function parseParameters(text: string, at: number): Parameters {
  let next = skipSpace(text, at);
  if (next >= text.length) return noParameters;
  const parameters = new Map<string, string | undefined>();
  while (next < text.length) {
    if (text.charCodeAt(next) !== 0x3b) throw new SipParseError(`expected ';' in ${excerpt(text.slice(next))}`);
    next = parseParameter(text, next + 1, parameters);
  }
  return parameters;
}

function parseParameter(text: string, from: number, into: Map<string, string | undefined>): number {
  let end = from;
  let equals = -1;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === 0x3b) break;
    if (code === 0x3d && equals < 0) equals = end;
    else if (code === 0x22) end = skipQuoted(text, end) - 1;
  }
  const name = trimmed(text, from, equals < 0 ? end : equals).toLowerCase();
  if (!isToken(name)) throw new SipParseError(`parameter name ${excerpt(name)}`);
  if (into.has(name)) throw new SipParseError(`parameter ${excerpt(name)} twice`);
  into.set(name, equals < 0 ? undefined : parameterValue(trimmed(text, equals + 1, end)));
  return end;
}

function parameterValue(value: string): string {
  const isQuoted = value.charCodeAt(0) === 0x22 && skipQuoted(value, 0) === value.length;
  if (!isQuoted && !isPlainValue(value)) throw new SipParseError(`parameter value ${excerpt(value)}`);
  return value;
}

export function formatParameters(parameters: Parameters): string {
  let text = '';
  for (const [name, value] of parameters) text += formatParameter(name, value);
  return text;
}

export function formatParameter(name: string, value: string | undefined): string {
  if (!isToken(name)) throw new SipParseError(`parameter name ${excerpt(name)}`);
  return value === undefined ? `;${name}` : `;${name}=${parameterValue(value)}`;
}

/** Event, Subscription-State, Content-Disposition, Accept, Allow-Events, Reason, Supported ... */
export interface Parameterised {
  value: string;
  parameters: Parameters;
}

/** Throws SipParseError(400). */
export function parseParameterised(text: string): Parameterised {
  const semicolon = text.indexOf(';');
  const end = semicolon < 0 ? text.length : semicolon;
  const value = trimmed(text, 0, end);
  if (!isPlainValue(value)) throw new SipParseError(`value ${excerpt(value)}`);
  return { value, parameters: parseParameters(text, end) };
}

export function formatParameterised({ value, parameters }: Parameterised): string {
  if (!isPlainValue(value)) throw new SipParseError(`value ${excerpt(value)}`);
  return value + formatParameters(parameters);
}
