// A text said with the characters of an alphabet: typographic characters and accents that it has not become plain ones.
// What the alphabet can say is never touched.
import type { Alphabet } from './alphabets.ts';

/** What Unicode does not decompose, by what stands for it. */
const plain: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "'": '‘’‚‛′`´ʹʻʼʽˈ‹›',
    '"': '“”„‟″«»',
    '-': '‐‑‒–—―−⁃',
    '*': '•·∙●▪',
    '/': '⁄∕',
    x: '×',
    ':': '÷',
    '...': '⋯',
    '->': '→',
    '<-': '←',
    '|': '¦',
    '': '\u00ad\u200b\u2060\ufeff\u200e\u200f',
    ' ': '\t\u2028\u2029',
    EUR: '€',
    '(c)': '©',
    '(r)': '®',
    ae: 'æ',
    AE: 'Æ',
    oe: 'œ',
    OE: 'Œ',
    ss: 'ß',
    o: 'ø',
    O: 'Ø',
    d: 'đð',
    D: 'ĐÐ',
    h: 'ħ',
    H: 'Ħ',
    i: 'ı',
    l: 'ł',
    L: 'Ł',
    th: 'þ',
    TH: 'Þ',
    t: 'ŧ',
    T: 'Ŧ',
    ng: 'ŋ',
    NG: 'Ŋ',
  }).flatMap(([said, characters]) => [...characters].map((character) => [character, said] as const)),
);
const marks = /\p{M}/gu;

/** Undefined when a character has nothing to stand for it. */
export function transliterate(text: string, alphabet: Alphabet): string | undefined {
  let said = '';
  for (const character of text.normalize('NFC')) {
    const stand = alphabet.measure(character) === undefined ? standIn(character, alphabet) : character;
    if (stand === undefined) return undefined;
    said += stand;
  }
  return said;
}

function standIn(character: string, alphabet: Alphabet): string | undefined {
  const known = plain.get(character);
  if (known !== undefined) return alphabet.measure(known) === undefined ? undefined : known;
  const bare = [...character.normalize('NFKD').replace(marks, '')].map((one) => plain.get(one) ?? one).join('');
  return bare !== character && alphabet.measure(bare) !== undefined ? bare : undefined;
}
