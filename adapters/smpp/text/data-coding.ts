// data_coding (SMPP 3.4 s.5.2.19, 3GPP TS 23.038 s.4) -> alphabet, message class, message waiting; 0 is what the bind says.
import { type Alphabet, cyrillic, gsm, hebrew, ia5, jis, korean, latin1, ucs2, utf8 } from './alphabets.ts';
import { type WaitingKind, waitingKinds } from './header.ts';

/** What data_coding 0 can mean to an SMS centre. */
export const defaultAlphabets = { gsm, latin1, ia5, 'gsm-packed': gsm, 'utf-8': utf8 } as const;
export type DefaultAlphabet = keyof typeof defaultAlphabets;

/** 0 is shown at once and not kept (flash), 1 belongs to the phone, 2 to the SIM, 3 to other equipment. */
export type MessageClass = 0 | 1 | 2 | 3;

export interface DataCoding {
  /** Undefined: octets that are no text. */
  readonly alphabet: Alphabet | undefined;
  /** Septets come 8 in 7 octets. */
  readonly isPacked: boolean;
  readonly isCompressed: boolean;
  readonly messageClass?: MessageClass;
  /** An indication that something waits, or no longer does; its text may be thrown away unless it `isKept`. */
  readonly waiting?: { readonly isActive: boolean; readonly isKept: boolean; readonly what: WaitingKind };
}

// Beside the coding that each alphabet has without a class.
const ucs2Coding = 0x08;
const classedUcs2 = 0x18;
const classedSeptets = 0xf0;

/** SMPP 3.4 s.5.2.19 for an alphabet that a bind sends; with a class TS 23.038 s.4. */
export function writeDataCoding(alphabet: Alphabet, messageClass?: MessageClass): number {
  if (messageClass === undefined) return alphabet === ucs2 ? ucs2Coding : 0;
  return (alphabet === ucs2 ? classedUcs2 : classedSeptets) | messageClass;
}

/** s.5.2.19: the values below 0x10 are SMPP's own; undefined is binary. */
const smppCodings: ReadonlyMap<number, Alphabet | undefined> = new Map([
  [1, ia5],
  [2, undefined],
  [3, latin1],
  [4, undefined],
  [5, jis],
  [6, cyrillic],
  [7, hebrew],
  [8, ucs2],
  [9, undefined],
  [10, jis],
  [13, jis],
  [14, korean],
]);

/** Reserved values and groups are the default alphabet, as TS 23.038 s.4 has a receiver assume. */
export function readDataCoding(value: number, alphabet0: DefaultAlphabet): DataCoding {
  const isPackedBind = alphabet0 === 'gsm-packed';
  const plain = { isPacked: false, isCompressed: false };
  if (value < 0x10) {
    if (!smppCodings.has(value)) return { ...plain, alphabet: defaultAlphabets[alphabet0], isPacked: isPackedBind };
    return { ...plain, alphabet: smppCodings.get(value) };
  }
  const group = value >> 4;
  if (group < 8) return readGeneral(value, isPackedBind);
  if (group >= 0xc && group <= 0xe) {
    const what = waitingKinds[(value & 3) as MessageClass];
    const waiting = { isActive: (value & 0x08) !== 0, isKept: group !== 0xc, what };
    return { ...plain, alphabet: group === 0xe ? ucs2 : gsm, isPacked: isPackedBind && group !== 0xe, waiting };
  }
  if (group === 0xf) {
    const isBinary = (value & 0x04) !== 0;
    const messageClass = (value & 3) as MessageClass;
    return { ...plain, alphabet: isBinary ? undefined : gsm, isPacked: isPackedBind && !isBinary, messageClass };
  }
  return { ...plain, alphabet: gsm, isPacked: isPackedBind };
}

// TS 23.038 s.4, groups 00xx and 01xx (marked for deletion): the same bits.
function readGeneral(value: number, isPackedBind: boolean): DataCoding {
  const alphabet = [gsm, undefined, ucs2, gsm][(value >> 2) & 3];
  const isCompressed = (value & 0x20) !== 0;
  const isPacked = isPackedBind && alphabet === gsm;
  const coding = { alphabet: isCompressed ? undefined : alphabet, isPacked, isCompressed };
  return (value & 0x10) === 0 ? coding : { ...coding, messageClass: (value & 3) as MessageClass };
}
