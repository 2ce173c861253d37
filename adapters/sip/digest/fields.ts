// The text of WWW-Authenticate, Authorization and their kin (RFC 7616 s.3.3, 3.4): `Digest name=value, name="value"`.
import { excerpt, SipParseError } from '../codec/parse-error.ts';
import { isToken, splitList, trimmed, unquote } from '../codec/scan.ts';

export interface AuthFields {
  /** Lower case. */
  scheme: string;
  /** Names in lower case, values without quotes. */
  fields: Map<string, string>;
}

const maxFields = 64;

/** One header value holds one challenge or one set of credentials, or several one after the other. Throws SipParseError(400). */
export function parseAuth(value: string): AuthFields[] {
  const found: AuthFields[] = [];
  for (const part of splitList(value)) {
    const { scheme, field } = splitScheme(part);
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), fields: new Map() });
    const last = found.at(-1);
    if (!last) throw new SipParseError(`no scheme in ${excerpt(value)}`);
    if (field !== '') readField(field, last.fields);
  }
  return found;
}

/** Values as given: the caller quotes all but algorithm, qop in an answer, nc and stale (RFC 7616 s.3.5). */
export function formatAuth(scheme: string, fields: ReadonlyArray<readonly [string, string | undefined]>): string {
  const written = fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  return `${scheme} ${written.join(', ')}`;
}

function splitScheme(part: string): { scheme?: string; field: string } {
  const gap = part.search(/[ \t]/);
  const word = gap < 0 ? part : part.slice(0, gap);
  const rest = gap < 0 ? '' : trimmed(part, gap, part.length);
  // `name = value` has a token before its first space too.
  if (!isToken(word) || rest.startsWith('=')) return { field: part };
  return { scheme: word, field: rest };
}

function readField(text: string, into: Map<string, string>): void {
  const equals = text.indexOf('=');
  const name = trimmed(text, 0, Math.max(equals, 0)).toLowerCase();
  // A token68 (RFC 7235) has no name: a scheme that is not ours.
  if (!isToken(name)) return;
  if (into.size === maxFields) throw new SipParseError('too many fields of authentication');
  if (into.has(name)) throw new SipParseError(`${name} twice in authentication`);
  into.set(name, unquote(trimmed(text, equals + 1, text.length)));
}
