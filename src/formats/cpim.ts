// message/cpim (RFC 3862): the envelope that carries names, dates, subjects and receipts across messaging networks.
// What is read is kept as it came, so that a message we only pass on leaves as the same octets.
import { bytesOf, textOf } from './lossless-text.ts';
import { encodePart, lineAt, MimeError, type MimePart, parsePart } from './mime.ts';

export interface CpimHeader {
  /** As written, prefix and all: `Subject`, `imdn.Message-ID`. Case counts (s.3.1). */
  readonly name: string;
  /** `lang` and extensions, values without quotes. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Escapes undone. */
  readonly value: string;
  /** The line as it came, its end included; absent when we made it. */
  readonly raw?: string;
}

export interface Cpim {
  readonly headers: readonly CpimHeader[];
  /** The empty line as it came; absent when we made it. */
  readonly separator?: string;
  /** The enclosed MIME part. */
  readonly content: MimePart;
}

export interface CpimAddress {
  displayName?: string;
  uri: string;
}

/** Of headers without a prefix (s.4). */
export const coreNamespace = 'urn:ietf:params:cpim-headers:';

const maxHeaders = 64;
const maxHeaderBytes = 8_192;
const maxPrefixes = 16;
const noParameters: ReadonlyMap<string, string> = new Map();

/** Throws MimeError. */
export function parseCpim(bytes: Uint8Array): Cpim {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers: CpimHeader[] = [];
  let at = 0;
  for (;;) {
    const { line, next } = lineAt(buffer, at);
    if (line.length === 0) {
      if (next === at) throw new MimeError('CPIM headers do not end');
      return { headers, separator: textOf(buffer.subarray(at, next)), content: parsePart(buffer.subarray(next)) };
    }
    if (line.length > maxHeaderBytes || headers.length === maxHeaders) throw new MimeError('CPIM headers too long');
    headers.push(parseHeader(textOf(line), textOf(buffer.subarray(at, next))));
    at = next;
  }
}

/** Throws MimeError for a name or parameter that cannot stand on its line. */
export function encodeCpim({ headers, separator = '\r\n', content }: Cpim): Buffer {
  return Buffer.concat([bytesOf(headers.map(formatHeader).join('') + separator), encodePart(content)]);
}

/** A header of ours; `language` as in `Subject:;lang=fr`. */
export function cpimHeader(name: string, value: string, language?: string): CpimHeader {
  return { name, value, parameters: language === undefined ? noParameters : new Map([['lang', language]]) };
}

/** Every header of that name, in order. */
export function cpimHeaders(message: Cpim, name: string): CpimHeader[] {
  return message.headers.filter((header) => header.name === name);
}

export function cpimValue(message: Cpim, name: string): string | undefined {
  return message.headers.find((header) => header.name === name)?.value;
}

/** Every header called `name` in that namespace, whatever prefix the sender chose (s.3.4). */
export function headersIn(message: Cpim, namespace: string, name: string): CpimHeader[] {
  const found: CpimHeader[] = [];
  const prefixes = new Map([['', coreNamespace]]);
  for (const header of message.headers) {
    if (header.name === 'NS') learnPrefix(header.value, prefixes);
    else if (resolve(header.name, prefixes) === `${namespace} ${name}`) found.push(header);
  }
  return found;
}

/**
 * Names in Require that are not among `understood`, each of which is `namespace name`: such a message must not be
 * acted on (s.4.7).
 */
export function notUnderstood(message: Cpim, understood: ReadonlySet<string>): string[] {
  const prefixes = new Map([['', coreNamespace]]);
  for (const header of message.headers) if (header.name === 'NS') learnPrefix(header.value, prefixes);
  return cpimHeaders(message, 'Require')
    .flatMap(({ value }) => value.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !understood.has(resolve(name, prefixes) ?? ''));
}

/** Texts by language; the empty tag where none is said (s.4.5). The first of a language counts. */
export function textsOf(message: Cpim, name: string): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { parameters, value } of cpimHeaders(message, name)) {
    const language = parameters.get('lang') ?? '';
    if (!Object.hasOwn(texts, language)) {
      Object.defineProperty(texts, language, { value: value.toWellFormed(), enumerable: true });
    }
  }
  return texts;
}

/** DateTime in milliseconds since 1970; undefined when absent or not RFC 3339. */
export function dateTimeOf(message: Cpim): number | undefined {
  const text = cpimValue(message, 'DateTime') ?? '';
  const at = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text.toUpperCase())
    : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** `Formal name <uri>` of From, To, cc, NS. Throws MimeError. */
export function parseCpimAddress(value: string): CpimAddress {
  const open = value.lastIndexOf('<');
  const close = value.indexOf('>', open);
  if (open < 0 || close < 0 || value.slice(close + 1).trim() !== '') {
    throw new MimeError(`CPIM address ${JSON.stringify(value.slice(0, 60))}`);
  }
  const uri = value.slice(open + 1, close).trim();
  const written = value.slice(0, open).trim();
  const displayName = /^".*"$/s.test(written) ? written.slice(1, -1).replace(/\\(["\\])/g, '$1') : written;
  return displayName === '' ? { uri } : { displayName, uri };
}

/** Throws MimeError for a URI that would leave its brackets. */
export function formatCpimAddress({ displayName, uri }: CpimAddress): string {
  if (/[\s<>"]/.test(uri)) throw new MimeError(`CPIM address ${JSON.stringify(uri.slice(0, 60))}`);
  if (displayName === undefined || displayName === '') return `<${uri}>`;
  return `"${displayName.replace(/["\\]/g, '\\$&')}" <${uri}>`;
}

const headerForm = /^([!#-',\-./0-9A-Za-z^_`|~*+]+):((?:;[^;=\s":]+=(?:"(?:[^"\\]|\\.)*"|[^;\s"]*))*)(?: |$)/s;
const parameterForm = /;([^;=]+)=(?:"((?:[^"\\]|\\.)*)"|([^;]*))/gs;

function parseHeader(line: string, raw: string): CpimHeader {
  // s.3.1 wants one space behind the colon; some peers write none before `<`.
  const match = headerForm.exec(line) ?? /^([0-9A-Za-z.-]+):()/.exec(line);
  if (!match) throw new MimeError(`CPIM header ${JSON.stringify(line.slice(0, 60))}`);
  const parameters = new Map<string, string>();
  for (const [, name, quoted, plain] of match[2]!.matchAll(parameterForm)) {
    if (!parameters.has(name!)) parameters.set(name!, quoted === undefined ? (plain ?? '') : unescapeCpim(quoted));
  }
  return { name: match[1]!, parameters, value: unescapeCpim(line.slice(match[0].length)), raw };
}

function formatHeader({ name, parameters, value, raw }: CpimHeader): string {
  if (raw !== undefined) return raw;
  if (!/^[!#-',\-./0-9A-Za-z^_`|~*+]+$/.test(name)) throw new MimeError(`CPIM header name ${JSON.stringify(name)}`);
  let text = `${name}:`;
  for (const [key, content] of parameters) {
    if (!/^[^;=\s":]+$/.test(key)) throw new MimeError(`CPIM parameter ${JSON.stringify(key)}`);
    text += /^[0-9A-Za-z-]+$/.test(content)
      ? `;${key}=${content}`
      : `;${key}="${escapeCpim(content).replaceAll('"', '\\"')}"`;
  }
  return `${text} ${escapeCpim(value)}\r\n`;
}

const controls: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r' };

function unescapeCpim(text: string): string {
  if (!text.includes('\\')) return text;
  // s.2.3.1: a backslash at the end is nothing.
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|(.?))/gs, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (controls[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function escapeCpim(text: string): string {
  if (!/[\0-\x1f\x7f\\]/.test(text)) return text;
  return text.replace(/[\0-\x1f\x7f\\]/g, (character) => {
    if (character === '\\') return '\\\\';
    const letter = Object.keys(controls).find((key) => controls[key] === character);
    return letter === undefined ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : `\\${letter}`;
  });
}

function learnPrefix(value: string, prefixes: Map<string, string>): void {
  const match = /^([^<\s]*)\s?<([^<>]*)>$/.exec(value.trim());
  if (match && prefixes.size < maxPrefixes) prefixes.set(match[1]!, match[2]!);
}

function resolve(name: string, prefixes: ReadonlyMap<string, string>): string | undefined {
  const dot = name.indexOf('.');
  const namespace = prefixes.get(dot < 0 ? '' : name.slice(0, dot));
  return namespace === undefined ? undefined : `${namespace} ${name.slice(dot + 1)}`;
}
