// One text in parts that a phone shows as they are: each within its limit, no character and no grapheme torn.
import type { Alphabet } from './alphabets.ts';

export type Concat = 'udh8' | 'udh16' | 'sar' | 'payload';

// 3GPP TS 23.040 s.9.2.3.24: 140 octets of user data, the header with its length octet among them.
const userDataBytes = 140;
// What `sar` and `payload` need is added by the SMS centre; 16-bit references are assumed, the longer ones.
const concatBytes: Readonly<Record<Concat, number>> = { udh8: 5, udh16: 6, sar: 6, payload: 6 };
/** Below U+0300 nothing joins but CR and LF. */
const firstMark = 0x300;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Units beside header elements of so many octets; `concat` when it is one part of several. */
export function capacity(alphabet: Pick<Alphabet, 'isSeptets'>, elementBytes: number, concat?: Concat): number {
  const elements = elementBytes + (concat ? concatBytes[concat] : 0);
  const octets = userDataBytes - (elements === 0 ? 0 : elements + 1);
  return alphabet.isSeptets ? Math.floor((octets * 8) / 7) : octets;
}

/**
 * Parts of at most `limit` units, the first of at most `firstLimit`. A grapheme goes into the next part whole; only one
 * that is longer than a part is cut, between its characters.
 */
export function split(text: string, alphabet: Alphabet, limit: number, firstLimit = limit): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length; ) {
    const fits = alphabet.fit(text, from, parts.length === 0 ? firstLimit : limit);
    const border = borderAt(text, from, fits);
    const end = border > from ? border : Math.max(fits, from + 1);
    parts.push(text.slice(from, end));
    from = end;
  }
  return parts.length === 0 ? [''] : parts;
}

/** `at`, or where the grapheme begins that spans it. `from` is the border before. */
function borderAt(text: string, from: number, at: number): number {
  if (at >= text.length) return at;
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  if (before < firstMark && after < firstMark && !(before === 0x0d && after === 0x0a)) return at;
  // No rule of UAX 29 looks past the character after the border.
  const around = graphemes.segment(text.slice(from, at + 2)).containing(at - from);
  return around ? from + around.index : at;
}
