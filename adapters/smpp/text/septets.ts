// Alphabets of seven bits (3GPP TS 23.038 s.6.2.1, annex A): a table of 128 characters, and one more behind an escape.
// Also how eight septets lie in seven octets.
import type { Alphabet } from './alphabets.ts';

/** 128 characters by code; an empty string where there is none. All are in the Basic Multilingual Plane. */
export type Table = readonly string[];

const escapeCode = 0x1b;
const none = 0xff;
const codesOf = new WeakMap<Table, Uint8Array>();

/** Code by UTF-16 unit, made once a table; a character that stands in it twice is written with its lower code. */
function codes(table: Table): Uint8Array {
  let found = codesOf.get(table);
  if (!found) {
    found = new Uint8Array(0x10000).fill(none);
    for (let code = 127; code >= 0; code--) {
      const character = table[code];
      if (character && code !== escapeCode) found[character.charCodeAt(0)] = code;
    }
    codesOf.set(table, found);
  }
  return found;
}

/** `locking` is the table itself, `single` what follows an escape. */
export function septetAlphabet(name: string, locking: Table, single: Table): Alphabet {
  const plain = codes(locking);
  const escaped = codes(single);
  const unitsOf = (unit: number) => (plain[unit] !== none ? 1 : escaped[unit] !== none ? 2 : 0);
  return {
    name,
    isSeptets: true,
    measure(text) {
      let units = 0;
      for (let index = 0; index < text.length; index++) {
        const more = unitsOf(text.charCodeAt(index));
        if (more === 0) return undefined;
        units += more;
      }
      return units;
    },
    fit(text, from, limit) {
      let left = limit;
      for (let index = from; index < text.length; index++) {
        left -= unitsOf(text.charCodeAt(index));
        if (left < 0) return index;
      }
      return text.length;
    },
    encode(text) {
      const octets = Buffer.allocUnsafe(text.length * 2);
      let length = 0;
      for (let index = 0; index < text.length; index++) {
        const unit = text.charCodeAt(index);
        const code = plain[unit] as number;
        if (code === none) octets[length++] = escapeCode;
        octets[length++] = (code === none ? (escaped[unit] as number) : code) & 0x7f;
      }
      return octets.subarray(0, length);
    },
    decode: (octets) => decodeSeptets(octets, locking, single),
  };
}

// s.6.2.1.1: what follows the escape and is not in that table shows the main table's character; a second escape, and
// an escape at the end, a space. A code without a character is no text that anybody wrote: U+FFFD.
function decodeSeptets(octets: Buffer, locking: Table, single: Table): string {
  let text = '';
  for (let index = 0; index < octets.length; index++) {
    const code = (octets[index] as number) & 0x7f;
    if (code !== escapeCode) {
      text += locking[code] || '\ufffd';
      continue;
    }
    const next = (octets[++index] ?? escapeCode) & 0x7f;
    text += next === escapeCode ? ' ' : single[next] || locking[next] || '\ufffd';
  }
  return text;
}

/** s.6.1.2.1: eight septets in seven octets; `fillBits` align the first septet after a user data header. */
export function packSeptets(septets: Buffer, fillBits = 0): Buffer {
  const packed = Buffer.alloc(Math.ceil((septets.length * 7 + fillBits) / 8));
  let bit = fillBits;
  for (const septet of septets) {
    const at = bit >> 3;
    const shifted = (septet & 0x7f) << (bit & 7);
    packed[at] = (packed[at] as number) | (shifted & 0xff);
    if (shifted > 0xff) packed[at + 1] = shifted >> 8;
    bit += 7;
  }
  return packed;
}

/**
 * The septets again. Where seven bits are over at the end nobody can tell a filler (0, or the CR of s.6.1.2.3.1) from a
 * character: it is taken for a filler.
 */
export function unpackSeptets(packed: Buffer, fillBits = 0): Buffer {
  const bits = packed.length * 8 - fillBits;
  const count = Math.max(0, Math.floor(bits / 7));
  const septets = Buffer.alloc(count);
  for (let index = 0; index < count; index++) {
    const bit = fillBits + index * 7;
    const at = bit >> 3;
    const pair = (packed[at] as number) | ((packed[at + 1] ?? 0) << 8);
    septets[index] = (pair >> (bit & 7)) & 0x7f;
  }
  const last = septets[count - 1];
  return bits % 7 === 0 && (last === 0 || last === 0x0d) ? septets.subarray(0, count - 1) : septets;
}

/** The first septet after a header of so many octets begins on a septet boundary (TS 23.040 figure 9.2.3.24 (a)). */
export function fillBits(headerBytes: number): number {
  return (7 - ((headerBytes * 8) % 7)) % 7;
}
