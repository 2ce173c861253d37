// What a handset does with text: GSM 7-bit and UCS-2 (TS 23.038), cut and joined by a user data header (TS 23.040
// s.9.2.3.24.1). Written for the sandbox carrier and shared with nobody, so that both ends of the wire are not one code.

const basic =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const extended: ReadonlyMap<number, string> = new Map([
  [0x0a, '\f'],
  [0x14, '^'],
  [0x28, '{'],
  [0x29, '}'],
  [0x2f, '\\'],
  [0x3c, '['],
  [0x3d, '~'],
  [0x3e, ']'],
  [0x40, '|'],
  [0x65, '€'],
]);
const escapeCode = 0x1b;
const octets: ReadonlyMap<string, readonly number[]> = new Map<string, readonly number[]>([
  ...[...basic].map((character, code): [string, number[]] => [character, [code]]),
  ...[...extended].map(([code, character]): [string, number[]] => [character, [escapeCode, code]]),
]);

export const gsm7 = 0;
export const ucs2 = 8;

/** One short message as it lies in a PDU. */
export interface Segment {
  dataCoding: number;
  hasHeader: boolean;
  bytes: Buffer;
}

/** A text as few segments as it takes; `reference` (0-255) marks those of one text. */
export function cut(text: string, reference: number): Segment[] {
  const characters = [...text];
  const isGsm = characters.every((character) => character !== '\x1b' && octets.has(character));
  const units = characters.map((character) => Buffer.from(isGsm ? (octets.get(character) ?? []) : utf16(character)));
  const dataCoding = isGsm ? gsm7 : ucs2;
  const whole = Buffer.concat(units);
  if (whole.length <= (isGsm ? 160 : 140)) return [{ dataCoding, hasHeader: false, bytes: whole }];
  const parts = pack(units, isGsm ? 153 : 134);
  return parts.map((part, index) => ({
    dataCoding,
    hasHeader: true,
    bytes: Buffer.concat([Buffer.from([5, 0, 3, reference & 255, parts.length, index + 1]), part]),
  }));
}

/** Puts the segments of one sender back together, in whatever order they come. */
export class Joiner {
  readonly #waiting = new Map<string, Array<Segment | undefined>>();

  /** The text, once its last part is here. */
  add(sender: string, segment: Segment): string | undefined {
    const { header, body } = split(segment);
    const place = concatenation(header);
    if (!place) return decode({ ...segment, bytes: body });
    const key = `${sender} ${place.reference} ${place.count}`;
    const parts = this.#waiting.get(key) ?? Array<Segment | undefined>(place.count).fill(undefined);
    parts[place.index - 1] = { ...segment, bytes: body };
    this.#waiting.set(key, parts);
    const present = parts.filter((part) => part !== undefined);
    if (present.length < place.count) return undefined;
    this.#waiting.delete(key);
    return decode({ ...segment, bytes: Buffer.concat(present.map((part) => part.bytes)) });
  }
}

function decode({ dataCoding, bytes }: Segment): string {
  if (dataCoding === ucs2)
    return Buffer.from(bytes)
      .subarray(0, bytes.length & ~1)
      .swap16()
      .toString('utf16le');
  if (dataCoding === 1) return bytes.toString('ascii');
  if (dataCoding === 3) return bytes.toString('latin1');
  let text = '';
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at] ?? 0;
    if (code === escapeCode) text += extended.get(bytes[++at] ?? 0) ?? ' ';
    else text += basic[code] ?? '?';
  }
  return text;
}

function split({ hasHeader, bytes }: Segment): { header: Buffer; body: Buffer } {
  const end = hasHeader ? (bytes[0] ?? 0) + 1 : 0;
  return { header: bytes.subarray(Math.min(1, end), end), body: bytes.subarray(end) };
}

/** Information elements 0x00 (8-bit reference) and 0x08 (16-bit). */
function concatenation(header: Buffer): { reference: number; count: number; index: number } | undefined {
  for (let at = 0; at + 1 < header.length; at += 2 + (header[at + 1] ?? 0)) {
    const kind = header[at];
    if (kind !== 0 && kind !== 8) continue;
    const data = header.subarray(at + 2, at + 2 + (header[at + 1] ?? 0));
    const [index = 0, count = 0] = [data.at(-1), data.at(-2)];
    if (index < 1 || index > count) return undefined;
    return { reference: data.readUIntBE(0, data.length - 2), count, index };
  }
  return undefined;
}

function pack(units: readonly Buffer[], limit: number): Buffer[] {
  const parts: Buffer[][] = [[]];
  let length = 0;
  for (const unit of units) {
    if (length + unit.length > limit) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)?.push(unit);
    length += unit.length;
  }
  return parts.map((part) => Buffer.concat(part));
}

function utf16(character: string): Buffer {
  return Buffer.from(character, 'utf16le').swap16();
}
