// The national language tables of 3GPP TS 23.038 annex A, and the alphabets that they make in pairs. The nine scripts of
// India share one plan, given once as offsets into the script's block of Unicode.
import { type Alphabet, defaultShift, defaultTable, extension, gsm, shiftTable } from './alphabets.ts';
import { septetAlphabet, type Table } from './septets.ts';

/** In the order of their identifiers (s.6.2.1.2.4), which begin with 1. */
export const languages = [
  'turkish',
  'spanish',
  'portuguese',
  'bengali',
  'gujarati',
  'hindi',
  'kannada',
  'malayalam',
  'oriya',
  'punjabi',
  'tamil',
  'telugu',
  'urdu',
] as const;
export type Language = (typeof languages)[number];

/** Which tables a text is written with; none: the default ones. */
export interface Shift {
  readonly locking?: Language | undefined;
  readonly single?: Language | undefined;
}

// Two hexadecimal digits are an offset, one character is itself, `--` the script's own cell.
const indianPlan = [
  '01 02 03 05 06 07 08 09 0a 0b LF 0c 0d CR 0e 0f',
  '10 11 12 13 14 15 16 17 18 19 1a ES 1b 1c 1d 1e',
  'SP ! 1f 20 21 22 23 24 ) ( 25 26 , 27 . 28',
  '0 1 2 3 4 5 6 7 8 9 : ; 29 2a 2b ?',
  '2c 2d 2e 2f 30 31 32 33 34 35 36 37 38 39 3c 3d',
  '3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d',
  '-- a b c d e f g h i j k l m n o',
  'p q r s t u v w x y z -- -- -- -- --',
].flatMap((row) => row.split(' '));
const controls: Readonly<Record<string, string>> = { LF: '\n', CR: '\r', SP: ' ', ES: '\x1b' };

/** `absent`: offsets of the plan that the script has not. `own`: its characters at 0x60 and 0x7b to 0x7f. */
function indian(block: number, absent: string, own: string): Table {
  const gaps = new Set(absent.split(' '));
  const cells = [...own];
  return indianPlan.map((cell) => {
    if (cell.length === 1) return cell;
    if (cell === '--') return cells.shift() ?? '';
    return controls[cell] ?? (gaps.has(cell) ? '' : String.fromCharCode(block + Number.parseInt(cell, 16)));
  });
}

/** The default table with some rows of its own. */
function latin(first: string, second: string, others: Readonly<Record<number, string>>): Table {
  const rows = [...first, ...second];
  return defaultTable.map((character, code) => others[code] ?? rows[code] ?? character);
}

const urdu: Table = [
  ...'\u0627\u0622\u0628\u067b\u0680\u067e\u06a6\u062a\u06c2\u067f\n\u0679\u067d\r\u067a\u067c',
  ...'\u062b\u062c\u0681\u0684\u0683\u0685\u0686\u0687\u062d\u062e\u062f\x1b\u068c\u0688\u0689\u068a',
  ...' !\u068f\u068d\u0630\u0631\u0691\u0693)(\u0699\u0632,\u0696.\u0698',
  ...'0123456789:;\u069a\u0633\u0634?',
  ...'\u0635\u0636\u0637\u0638\u0639\u0641\u0642\u06a9\u06aa\u06ab\u06af\u06b3\u06b1\u0644\u0645\u0646',
  ...'\u06ba\u06bb\u06bc\u0648\u06c4\u06d5\u06c1\u06be\u0621\u06cc\u06d0\u06d2\u064d\u0650\u064f\u0657',
  ...'\u0654abcdefghijklmno',
  ...'pqrstuvwxyz\u0655\u0651\u0653\u0656\u0670',
];

/** A.3. Spanish has none. A.3.7 prints U+0CAA twice; at 0x24 stands U+0CA1, as everywhere else in the plan. */
const locking: Readonly<Partial<Record<Language, Table>>> = {
  turkish: latin('@£$¥€éùıòÇ\nĞğ\rÅå', 'Δ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ', { 64: 'İ', 96: 'ç' }),
  portuguese: latin('@£$¥êéúíóç\nÔô\rÁá', 'Δ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ', {
    36: 'º',
    64: 'Í',
    91: 'Ã',
    92: 'Õ',
    93: 'Ú',
    96: '~',
    123: 'ã',
    124: 'õ',
    125: '`',
  }),
  bengali: indian(0x980, '0d 0e 11 12 29 31 33 34 35 45 46 49 4a', '\u09ce\u09d7\u09dc\u09dd\u09f0\u09f1'),
  gujarati: indian(0xa80, '0e 12 29 31 34 46 4a', '\u0ad0\u0ae0\u0ae1\u0ae2\u0ae3\u0af1'),
  hindi: indian(0x900, '', '\u0950\u0972\u097b\u097c\u097e\u097f'),
  kannada: indian(0xc80, '01 0d 11 29 34 45 49', '\u0cd5\u0cd6\u0ce0\u0ce1\u0ce2\u0ce3'),
  malayalam: indian(0xd00, '01 0d 11 29 3c 45 49', '\u0d57\u0d60\u0d61\u0d62\u0d63\u0d79'),
  oriya: indian(0xb00, '0d 0e 11 12 29 31 34 45 46 49 4a', '\u0b56\u0b57\u0b60\u0b61\u0b62\u0b63'),
  punjabi: indian(0xa00, '0b 0c 0d 0e 11 12 29 31 34 37 3d 43 44 45 46 49 4a', '\u0a51\u0a70\u0a71\u0a72\u0a73\u0a74'),
  tamil: indian(
    0xb80,
    '01 0b 0c 0d 11 16 17 18 1b 1d 20 21 22 25 26 27 2b 2c 2d 3c 3d 43 44 45 49',
    '\u0bd0\u0bd7\u0bf0\u0bf1\u0bf2\u0bf9',
  ),
  telugu: indian(0xc00, '0d 11 29 34 3c 45 49', '\u0c55\u0c56\u0c60\u0c61\u0c62\u0c63'),
  urdu,
};

// A.2.4 to A.2.13 differ only in the cells named here.
const ownCells = [
  ...[0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2a, 0x2b, 0x2c, 0x2d],
  ...[0x2e, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3f],
];
const eastern: Readonly<Record<number, string>> = {
  ...extension,
  ...[...'@£$¥¿"¤%&\'\f*+'],
  ...Object.fromEntries([...'-/<=>¡^¡_#*'].map((character, place) => [0x0e + place, character])),
  ...Object.fromEntries([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map((character, place) => [0x41 + place, character])),
};
/** NUL leaves a cell empty. */
const easternShift = (own: string) => {
  const cells = [...own].map((character, place) => [ownCells[place], character.replace('\0', '')]);
  return shiftTable({ ...eastern, ...Object.fromEntries(cells) });
};
/** The danda and its double, then the digits of the block, then the rest. */
const danda = (zero: number, rest: string) =>
  easternShift(`\u0964\u0965${String.fromCharCode(...Array.from({ length: 10 }, (_, n) => zero + n))}${rest}`);

/** A.2. Some prints have a digit of another script among those of Tamil, Oriya and Telugu; it is the script's own here. */
const single: Readonly<Record<Language, Table>> = {
  turkish: shiftTable({
    ...extension,
    ...{ 71: 'Ğ', 73: 'İ', 83: 'Ş', 99: 'ç', 103: 'ğ', 105: 'ı', 115: 'ş' },
  }),
  spanish: shiftTable({
    ...extension,
    ...{ 9: 'ç', 65: 'Á', 73: 'Í', 79: 'Ó', 85: 'Ú', 97: 'á', 105: 'í', 111: 'ó', 117: 'ú' },
  }),
  portuguese: shiftTable({
    ...extension,
    ...{ 5: 'ê', 9: 'ç', 11: 'Ô', 12: 'ô', 14: 'Á', 15: 'á', 18: 'Φ', 19: 'Γ', 21: 'Ω' },
    ...{ 22: 'Π', 23: 'Ψ', 24: 'Σ', 25: 'Θ', 31: 'Ê', 65: 'À', 73: 'Í', 79: 'Ó', 85: 'Ú' },
    ...{ 91: 'Ã', 92: 'Õ', 97: 'Â', 105: 'í', 111: 'ó', 117: 'ú', 123: 'ã', 124: 'õ', 127: 'â' },
  }),
  bengali: easternShift(
    '\u09e6\u09e7\u09e8\u09e9\u09ea\u09eb\u09ec\u09ed\u09ee\u09ef\u09df\u09e0\u09e1\u09e2\u09e3\u09f2\u09f3\u09f4\u09f5\u09f6\u09f7\u09f8\u09f9\u09fa',
  ),
  gujarati: danda(0xae6, ''),
  hindi: danda(
    0x966,
    '\u0951\u0952\u0953\u0954\u0958\u0959\u095a\u095b\u095c\u095d\u095e\u095f\u0960\u0961\u0962\u0963\u0970\u0971',
  ),
  kannada: danda(0xce6, '\u0cde\u0cf1\u0cf2'),
  malayalam: danda(0xd66, '\u0d70\u0d71\u0d72\u0d73\u0d74\u0d75\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f'),
  oriya: danda(0xb66, '\u0b5c\u0b5d\u0b5f\u0b70\u0b71'),
  punjabi: danda(0xa66, '\u0a59\u0a5a\u0a5b\u0a5c\u0a5e\u0a75'),
  tamil: danda(0xbe6, '\u0bf3\u0bf4\u0bf5\u0bf6\u0bf7\u0bf8\u0bfa'),
  telugu: easternShift(
    '\0\0\u0c66\u0c67\u0c68\u0c69\u0c6a\u0c6b\u0c6c\u0c6d\u0c6e\u0c6f\u0c58\u0c59\u0c78\u0c79\u0c7a\u0c7b\u0c7c\u0c7d\u0c7e\u0c7f',
  ),
  urdu: easternShift(
    '\u0600\u0601\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9\u060c\u060d\u060e\u060f\u0610\u0611\u0612\u0613\u0614\u061b\u061f\u0640\u0652\u0658\u066b\u066c\u0672\u0673\u06cd\u06d4',
  ),
};

const alphabets = new Map<string, Alphabet>([['/', gsm]]);

/** The alphabet of a pair of tables. A language without a locking table (Spanish) has the default one there. */
export function nationalAlphabet(shift: Shift): Alphabet {
  const key = `${shift.locking ?? ''}/${shift.single ?? ''}`;
  let found = alphabets.get(key);
  if (!found) {
    const main = (shift.locking && locking[shift.locking]) ?? defaultTable;
    const behind = shift.single ? single[shift.single] : defaultShift;
    const named = [shift.locking && `${shift.locking} locking`, shift.single && `${shift.single} single`];
    found = septetAlphabet(`${gsm.name} ${named.filter(Boolean).join(' and ')} shift`, main, behind);
    alphabets.set(key, found);
  }
  return found;
}

export function hasLockingTable(language: Language): boolean {
  return language in locking;
}
