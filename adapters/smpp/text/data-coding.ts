// data_coding (SMPP 3.4 s.5.2.19, 3GPP TS 23.038 s.4) -> alphabet, message class, message waiting; 0 is what the bind says.
import { type Alphabet, cyrillic, gsm, hebrew, ia5, jis, korean, latin1, ucs2 } from './alphabets.ts';

export type DefaultAlphabet = 'gsm' | 'latin1' | 'ia5' | 'gsm-packed';

export interface DataCoding {
  /** Undefined: octets that are no text. */
  readonly alphabet: Alphabet | undefined;
  /** Septets come 8 in 7 octets. */
  readonly isPacked: boolean;
  readonly isCompressed: boolean;
  /** 0 is shown at once and not kept (flash). */
  readonly messageClass?: 0 | 1 | 2 | 3;
  readonly waiting?: { readonly isActive: boolean; readonly what: 'voicemail' | 'fax' | 'email' | 'other' };
}

export const dataCodings = { default: 0x00, ucs2: 0x08 } as const;
export const defaultAlphabets: Readonly<Record<DefaultAlphabet, Alphabet>> = { gsm, latin1, ia5, 'gsm-packed': gsm };

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
const waitingKinds = ['voicemail', 'fax', 'email', 'other'] as const;

export function readDataCoding(value: number, alphabet0: DefaultAlphabet): DataCoding {
  const isPackedBind = alphabet0 === 'gsm-packed';
  const plain = { isPacked: false, isCompressed: false };
  if (value < 0x10) {
    // Reserved values: TS 23.038 s.4 has a receiver assume the default alphabet.
    if (!smppCodings.has(value)) return { ...plain, alphabet: defaultAlphabets[alphabet0], isPacked: isPackedBind };
    return { ...plain, alphabet: smppCodings.get(value) };
  }
  const group = value >> 4;
  if (group < 8) return readGeneral(value, isPackedBind);
  if (group >= 0xc && group <= 0xe) {
    const waiting = { isActive: (value & 0x08) !== 0, what: waitingKinds[(value & 3) as 0 | 1 | 2 | 3] };
    return { ...plain, alphabet: group === 0xe ? ucs2 : gsm, isPacked: isPackedBind && group !== 0xe, waiting };
  }
  if (group === 0xf) {
    const isBinary = (value & 0x04) !== 0;
    const messageClass = (value & 3) as 0 | 1 | 2 | 3;
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
  return (value & 0x10) === 0 ? coding : { ...coding, messageClass: (value & 3) as 0 | 1 | 2 | 3 };
}
