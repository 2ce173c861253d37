// MIME as messages carry it (RFC 2045, 2046, 2183): media types, the headers of a part, multiparts to a bounded depth, text.
// Readers are linear and lenient about line ends; a part keeps its octets, so that it can be passed on as it came.
import { bytesOf, textOf } from './lossless-text.ts';

export class MimeError extends Error {
  /** It is well-formed, in a charset or an encoding that we do not know. */
  readonly isUnknown: boolean;

  constructor(message: string, { isUnknown = false } = {}) {
    super(message);
    this.name = 'MimeError';
    this.isUnknown = isUnknown;
  }
}

export interface MediaType {
  /** `text/plain`, in lower case. */
  type: string;
  /** Names in lower case, values without quotes. */
  parameters: Map<string, string>;
}

export interface MimePart {
  /** Names as written, values unfolded and trimmed. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Uint8Array;
  /** The whole part as it came, headers included; absent when we made it. */
  readonly raw?: Uint8Array;
}

/** How far into a multipart we look. */
export interface MimeLimits {
  depth: number;
  parts: number;
  headerBytes: number;
}

export const defaultLimits: MimeLimits = { depth: 4, parts: 32, headerBytes: 16_384 };

const token = "[!#$%&'*+\\-.^_`{|}~0-9A-Za-z]+";
const typeForm = new RegExp(`^\\s*(${token}/${token})\\s*(?=;|$)`);
const parameterForm = new RegExp(
  `;\\s*(?:(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]*))\\s*(?=;|$))?`,
  'suy',
);

/** Throws MimeError. A repeated parameter counts once, the first time. */
export function parseMediaType(text: string): MediaType {
  const head = typeForm.exec(text);
  if (!head) throw new MimeError(`media type ${JSON.stringify(text.slice(0, 60))}`);
  const parameters = new Map<string, string>();
  parameterForm.lastIndex = head[0].length;
  while (parameterForm.lastIndex < text.length) {
    const at = parameterForm.lastIndex;
    const match = parameterForm.exec(text);
    if (!match) throw new MimeError(`parameters of a media type: ${JSON.stringify(text.slice(at, at + 60))}`);
    const name = match[1]?.toLowerCase();
    if (name !== undefined && !parameters.has(name)) {
      parameters.set(name, match[2]?.replace(/\\(.)/gs, '$1') ?? match[3] ?? '');
    }
  }
  return { type: head[1]!.toLowerCase(), parameters };
}

export function formatMediaType({ type, parameters }: MediaType): string {
  let text = type;
  for (const [name, value] of parameters) {
    const isToken = new RegExp(`^${token}$`).test(value);
    text += `;${name}=${isToken ? value : `"${value.replace(/[\0-\x1f\x7f]/g, ' ').replace(/["\\]/g, '\\$&')}"`}`;
  }
  return text;
}

/** The first value of that header. */
export function headerOf(part: MimePart, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return part.headers.find(([other]) => other.toLowerCase() === wanted)?.[1];
}

/** RFC 2045 s.5.2: text/plain in US-ASCII when nothing, or nothing readable, is said. */
export function mediaTypeOf(part: MimePart): MediaType {
  try {
    return parseMediaType(headerOf(part, 'Content-Type') ?? 'text/plain');
  } catch {
    return { type: 'application/octet-stream', parameters: new Map() };
  }
}

/** Headers, an empty line, the body. A part that starts with an empty line has no headers. Throws MimeError. */
export function parsePart(bytes: Uint8Array, limits: MimeLimits = defaultLimits): MimePart {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers: [string, string][] = [];
  let at = 0;
  for (;;) {
    const { line, next } = lineAt(raw, at);
    at = next;
    if (line.length === 0) break;
    if (at > limits.headerBytes) throw new MimeError('part headers too long');
    const text = textOf(line);
    const colon = text.indexOf(':');
    if (/^[ \t]/.test(text) && headers.length > 0) headers.at(-1)![1] += ` ${text.trim()}`;
    else if (colon <= 0) throw new MimeError(`part header ${JSON.stringify(text.slice(0, 60))}`);
    else headers.push([text.slice(0, colon).trimEnd(), text.slice(colon + 1).trim()]);
  }
  return { headers, body: raw.subarray(at), raw };
}

/** A part of ours. Throws MimeError when a header would end its line early. */
export function encodePart(part: MimePart): Buffer {
  if (part.raw) return Buffer.from(part.raw);
  let head = '';
  for (const [name, value] of part.headers) {
    if (/[\r\n]/.test(name + value)) throw new MimeError(`CR or LF in ${JSON.stringify(name)}`);
    head += `${name}: ${value}\r\n`;
  }
  return Buffer.concat([Buffer.from(`${head}\r\n`), part.body]);
}

/**
 * Parts of ours between delimiters (RFC 2046 s.5.1). A `boundary` that stands in a part is made longer; the answer says
 * what it became. Throws MimeError.
 */
export function encodeMultipart(parts: readonly MimePart[], boundary: string): { boundary: string; body: Buffer } {
  const encoded = parts.map(encodePart);
  let chosen = boundary;
  while (encoded.some((part) => part.includes(chosen))) chosen += 'x';
  const pieces = encoded.flatMap((part) => [Buffer.from(`--${chosen}\r\n`), part, Buffer.from('\r\n')]);
  return { boundary: chosen, body: Buffer.concat([...pieces, Buffer.from(`--${chosen}--\r\n`)]) };
}

/** A line without its end, and where the next one starts. At the end of the bytes the line is empty. */
export function lineAt(bytes: Buffer, at: number): { line: Buffer; next: number } {
  const lf = bytes.indexOf(10, at);
  if (lf < 0) return { line: bytes.subarray(at), next: bytes.length };
  return { line: bytes.subarray(at, lf > at && bytes[lf - 1] === 13 ? lf - 1 : lf), next: lf + 1 };
}

/** The parts between the delimiters (RFC 2046 s.5.1). A missing last delimiter is forgiven. Throws MimeError. */
export function readMultipart(bytes: Uint8Array, boundary: string, limits: MimeLimits = defaultLimits): MimePart[] {
  if (boundary === '' || boundary.length > 70) throw new MimeError('boundary of a multipart');
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // As octets: Buffer.indexOf ends the process at a string that is not well-formed (node:buffer, IndexOfString).
  const mark = bytesOf(`--${boundary}`);
  const parts: MimePart[] = [];
  let start = -1;
  for (let delimiter = nextDelimiter(raw, mark, 0); ; delimiter = nextDelimiter(raw, mark, delimiter.next)) {
    if (start >= 0) {
      if (parts.length === limits.parts) throw new MimeError(`more than ${limits.parts} parts`);
      parts.push(parsePart(raw.subarray(start, Math.max(start, delimiter.at)), limits));
    }
    if (delimiter.isLast) return parts;
    start = delimiter.next;
  }
}

interface Delimiter {
  /** Where the part before it ends: its line end belongs to the delimiter. */
  at: number;
  next: number;
  isLast: boolean;
}

function nextDelimiter(raw: Buffer, mark: Buffer, from: number): Delimiter {
  for (let at = raw.indexOf(mark, from); at >= 0; at = raw.indexOf(mark, at + mark.length)) {
    if (at > from && raw[at - 1] !== 10) continue;
    let next = at + mark.length;
    const isLast = raw[next] === 45 && raw[next + 1] === 45;
    if (isLast) next += 2;
    while (raw[next] === 32 || raw[next] === 9) next++;
    if (raw[next] === 13) next++;
    const isLineEnd = next >= raw.length || raw[next] === 10;
    if (isLineEnd) return { at: endBefore(raw, at), next: next + 1, isLast: isLast || next >= raw.length };
  }
  return { at: raw.length, next: raw.length, isLast: true };
}

function endBefore(raw: Buffer, at: number): number {
  if (raw[at - 1] !== 10) return at;
  return raw[at - 2] === 13 ? at - 2 : at - 1;
}

/** Of the parts that are no multipart themselves the first of each type. Throws MimeError when it is too deep or too much. */
export function partsByType(part: MimePart, limits: MimeLimits = defaultLimits): Map<string, MimePart> {
  const parts = new Map<string, MimePart>();
  let leaves = 0;
  const walk = (branch: MimePart, depth: number): void => {
    const { type, parameters } = mediaTypeOf(branch);
    if (!type.startsWith('multipart/')) {
      if (leaves === limits.parts) throw new MimeError(`more than ${limits.parts} parts`);
      leaves++;
      if (!parts.has(type)) parts.set(type, branch);
      return;
    }
    if (depth === limits.depth) throw new MimeError(`multiparts nested over ${limits.depth} deep`);
    for (const inner of readMultipart(branch.body, parameters.get('boundary') ?? '', limits)) walk(inner, depth + 1);
  };
  walk(part, 0);
  return parts;
}

/**
 * The parts of one type that a person reads one after another: all of them, of a multipart/alternative those of its first
 * branch that has any (RFC 2046 s.5.1.3, s.5.1.4). Throws MimeError as `partsByType` does.
 */
export function partsOfType(part: MimePart, wanted: string, limits: MimeLimits = defaultLimits, depth = 0): MimePart[] {
  const { type, parameters } = mediaTypeOf(part);
  if (!type.startsWith('multipart/')) return type === wanted ? [part] : [];
  if (depth === limits.depth) throw new MimeError(`multiparts nested over ${limits.depth} deep`);
  const branches = readMultipart(part.body, parameters.get('boundary') ?? '', limits);
  const found = branches.map((branch) => partsOfType(branch, wanted, limits, depth + 1));
  return type === 'multipart/alternative' ? (found.find((parts) => parts.length > 0) ?? []) : found.flat();
}

/** The body with its Content-Transfer-Encoding undone (RFC 2045 s.6). Throws MimeError for one nobody knows. */
export function contentOf(part: MimePart): Buffer {
  const encoding = headerOf(part, 'Content-Transfer-Encoding')?.toLowerCase() ?? 'binary';
  const body = Buffer.from(part.body.buffer, part.body.byteOffset, part.body.byteLength);
  switch (encoding) {
    case '7bit':
    case '8bit':
    case 'binary':
      return body;
    case 'base64':
      return Buffer.from(body.toString('latin1'), 'base64');
    case 'quoted-printable':
      return fromQuotedPrintable(body);
    default:
      throw new MimeError(`Content-Transfer-Encoding ${JSON.stringify(encoding.slice(0, 40))}`, { isUnknown: true });
  }
}

const utf8 = new TextDecoder();

/** The content as text in its charset; what is wrong in it becomes U+FFFD. Throws MimeError for a charset nobody knows. */
export function textContentOf(part: MimePart): string {
  const charset = mediaTypeOf(part).parameters.get('charset') ?? 'utf-8';
  try {
    const decoder = charset.toLowerCase() === 'utf-8' ? utf8 : new TextDecoder(charset);
    return decoder.decode(contentOf(part));
  } catch (error) {
    if (error instanceof MimeError) throw error;
    throw new MimeError(`charset ${JSON.stringify(charset.slice(0, 40))}`, { isUnknown: true });
  }
}

function fromQuotedPrintable(body: Buffer): Buffer {
  const text = body
    .toString('latin1')
    .replace(/=[ \t]{0,16}\r?\n/g, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(text, 'latin1');
}
