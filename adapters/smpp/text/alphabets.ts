// The alphabets of SMS as tables: GSM 7-bit default and extension (3GPP TS 23.038 s.6.2.1), UCS-2 as UTF-16BE, Latin-1, IA5.
// A further table (a national shift table) is one more call of septetAlphabet.

export interface Alphabet {
  readonly name: string;
  /** Septets count 8 to 7 octets on the air (packed or not on the wire). */
  readonly isSeptets: boolean;
  /** Units (septets, octets) that the text takes; undefined when it holds a character that is not in the alphabet. */
  measure(text: string): number | undefined;
  /** Octets, one a unit. The text must be measurable. */
  encode(text: string): Buffer;
  decode(octets: Buffer): string;
}

const escapeCode = 0x1b;
// TS 23.038 s.6.2.1, row by row; U+001B stands where the escape is.
const gsmDefault =
  '@£$¥èéùìòÇ\nØø\rÅå' +
  'Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ' +
  ' !"#¤%&\'()*+,-./' +
  '0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNO' +
  'PQRSTUVWXYZÄÖÑÜ§' +
  '¿abcdefghijklmno' +
  'pqrstuvwxyzäöñüà';
// s.6.2.1.1.
const gsmExtension: Readonly<Record<number, string>> = {
  10: '\f',
  20: '^',
  40: '{',
  41: '}',
  47: '\\',
  60: '[',
  61: '~',
  62: ']',
  64: '|',
  101: '€',
};

/** A table of 128 characters and what follows an escape. */
export function septetAlphabet(name: string, table: string, extension: Readonly<Record<number, string>>): Alphabet {
  const codes = new Map<string, number>();
  for (const [code, character] of Object.entries(extension)) codes.set(character, (escapeCode << 8) | Number(code));
  [...table].forEach((character, code) => {
    if (code !== escapeCode) codes.set(character, code);
  });
  return {
    name,
    isSeptets: true,
    measure(text) {
      let units = 0;
      for (const character of text) {
        const code = codes.get(character);
        if (code === undefined) return undefined;
        units += code > 0xff ? 2 : 1;
      }
      return units;
    },
    encode(text) {
      const octets = Buffer.allocUnsafe(text.length * 2);
      let length = 0;
      for (const character of text) {
        const code = codes.get(character) ?? 0x3f;
        if (code > 0xff) octets[length++] = escapeCode;
        octets[length++] = code & 0x7f;
      }
      return octets.subarray(0, length);
    },
    decode: (octets) => decodeSeptets(octets, table, extension),
  };
}

// s.6.2.1: what follows the escape and is in no table shows the default alphabet's character; a second escape a space.
function decodeSeptets(octets: Buffer, table: string, extension: Readonly<Record<number, string>>): string {
  let text = '';
  for (let index = 0; index < octets.length; index++) {
    const code = (octets[index] as number) & 0x7f;
    if (code !== escapeCode) {
      text += table[code];
      continue;
    }
    index++;
    const next = octets[index];
    if (next === undefined) text += ' ';
    else text += (next & 0x7f) === escapeCode ? ' ' : (extension[next & 0x7f] ?? table[next & 0x7f]);
  }
  return text;
}

export const gsm = septetAlphabet('GSM 7-bit', gsmDefault, gsmExtension);

function octetAlphabet(name: string, highest: number, isSeptets: boolean): Alphabet {
  return {
    name,
    isSeptets,
    measure(text) {
      for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > highest) return undefined;
      return text.length;
    },
    encode: (text) => Buffer.from(text, 'latin1'),
    decode: (octets) => octets.toString('latin1'),
  };
}

export const latin1 = octetAlphabet('Latin-1', 0xff, false);
/** ASCII: IA5 in its international reference version. */
export const ia5 = octetAlphabet('IA5', 0x7f, true);

/** TS 23.038 says UCS-2; every handset reads UTF-16. */
export const ucs2: Alphabet = {
  name: 'UCS-2',
  isSeptets: false,
  measure: (text) => text.length * 2,
  encode: (text) => Buffer.from(text, 'utf16le').swap16(),
  decode(octets) {
    // An odd octet at the end is half a character: it says nothing.
    const whole = octets.subarray(0, octets.length & ~1);
    return Buffer.from(whole).swap16().toString('utf16le');
  },
};

const readOnly = (label: string): Alphabet => ({
  name: label,
  isSeptets: false,
  measure: () => undefined,
  encode: (text) => Buffer.from(text, 'latin1'),
  decode: (octets) => new TextDecoder(label).decode(octets),
});

/** SMPP 3.4 s.5.2.19: alphabets that some phones still send and we only read. */
export const cyrillic = readOnly('iso-8859-5');
export const hebrew = readOnly('iso-8859-8');
export const jis = readOnly('shift_jis');
export const korean = readOnly('euc-kr');

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
