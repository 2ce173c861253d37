// The alphabets of SMS: GSM 7-bit default and extension (3GPP TS 23.038 s.6.2.1), UCS-2 as UTF-16BE, Latin-1, IA5, UTF-8.
import { septetAlphabet, type Table } from './septets.ts';

export interface Alphabet {
  readonly name: string;
  /** Septets count 8 to 7 octets on the air (packed or not on the wire). */
  readonly isSeptets: boolean;
  /** Units (septets, octets) that the text takes on the air; undefined when it has a character that is not here. */
  measure(text: string): number | undefined;
  /** Where the characters from `from` on that take at most `limit` units end. The text must be measurable. */
  fit(text: string, from: number, limit: number): number;
  /** One octet a unit (UTF-8: as many as it takes). The text must be measurable. */
  encode(text: string): Buffer;
  decode(octets: Buffer): string;
}

/** TS 23.038 s.6.2.1, row by row; U+001B stands where the escape is. */
export const defaultTable: Table = [
  ...'@£$¥èéùìòÇ\nØø\rÅå',
  ...'Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ',
  ...' !"#¤%&\'()*+,-./',
  ...'0123456789:;<=>?',
  ...'¡ABCDEFGHIJKLMNO',
  ...'PQRSTUVWXYZÄÖÑÜ§',
  ...'¿abcdefghijklmno',
  ...'pqrstuvwxyzäöñüà',
];

/** A table behind the escape: characters by code. */
export function shiftTable(characters: Readonly<Record<number, string>>): Table {
  return Array.from({ length: 128 }, (_, code) => characters[code] ?? '');
}

/** s.6.2.1.1: what every table behind an escape has, save those of India and Pakistan, which have it and more. */
export const extension: Readonly<Record<number, string>> = {
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

export const defaultShift = shiftTable(extension);
export const gsm = septetAlphabet('GSM 7-bit', defaultTable, defaultShift);

function octetAlphabet(name: string, highest: number, isSeptets: boolean): Alphabet {
  return {
    name,
    isSeptets,
    measure(text) {
      for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > highest) return undefined;
      return text.length;
    },
    fit: (text, from, limit) => Math.min(text.length, from + limit),
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
  fit(text, from, limit) {
    const end = from + (limit >> 1);
    if (end >= text.length) return text.length;
    return (text.charCodeAt(end) & 0xfc00) === 0xdc00 ? end - 1 : end;
  },
  encode: (text) => Buffer.from(text, 'utf16le').swap16(),
  decode(octets) {
    // An odd octet at the end is half a character: it says nothing.
    const whole = octets.subarray(0, octets.length & ~1);
    return Buffer.from(whole).swap16().toString('utf16le');
  },
};

// UTF-8 is on the wire only: the SMS centre makes it GSM 7-bit or UCS-2, and that is what is counted.
const asUtf8 = (air: Alphabet): Alphabet => ({
  ...air,
  name: `UTF-8 for ${air.name}`,
  encode: (text) => Buffer.from(text),
  decode: (octets) => octets.toString(),
});
export const utf8 = asUtf8(gsm);
export const utf8Wide = asUtf8(ucs2);

const readOnly = (label: string): Alphabet => ({
  ...latin1,
  name: label,
  measure: () => undefined,
  decode: (octets) => new TextDecoder(label).decode(octets),
});

/** SMPP 3.4 s.5.2.19: alphabets that some phones still send and we only read. */
export const cyrillic = readOnly('iso-8859-5');
export const hebrew = readOnly('iso-8859-8');
export const jis = readOnly('shift_jis');
export const korean = readOnly('euc-kr');
