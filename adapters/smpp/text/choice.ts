// Which alphabet carries a text in the fewest short messages, and the reason in words.
import { GatewayError } from '../../../src/contract/index.ts';
import { type Alphabet, gsm, ucs2, utf8Wide } from './alphabets.ts';
import { type DefaultAlphabet, defaultAlphabets, type MessageClass, writeDataCoding } from './data-coding.ts';
import { type Element, formatElements, shiftElements } from './header.ts';
import { hasLockingTable, type Language, nationalAlphabet, type Shift } from './national.ts';
import { type Concat, capacity, split } from './split.ts';
import { transliterate } from './transliterate.ts';

export interface SplitOptions {
  readonly alphabet0: DefaultAlphabet;
  readonly ucs2: boolean;
  readonly concat: Concat;
  readonly maxParts: number;
  /** Whose tables the carrier and its phones take. */
  readonly nationalLanguages?: readonly Language[];
  /** Whether characters may be replaced where that saves parts. */
  readonly transliterate?: boolean;
}

/** What one message asks for beside its text. */
export interface TextWishes {
  readonly messageClass?: MessageClass | undefined;
  /** Elements that go along in the first part. */
  readonly elements?: readonly Element[];
}

/** Short messages to be: how they are coded, and what stands in each. */
export interface Plan {
  readonly alphabet: string;
  readonly isSeptets: boolean;
  readonly dataCoding: number;
  readonly isPacked: boolean;
  /** In the header of every part, and in that of the first one only. */
  readonly elements: readonly Element[];
  readonly firstElements: readonly Element[];
  /** One octet a unit, packed later; one body when it fits or travels as message_payload. */
  readonly bodies: readonly Buffer[];
  /** How many short messages the phone gets. */
  readonly count: number;
  /** Why it became so many: for people. */
  readonly reason: string;
}

export interface TextPlan extends Plan {
  readonly texts: readonly string[];
}

interface Candidate {
  readonly text: string;
  readonly alphabet: Alphabet;
  readonly shift: Shift;
  readonly parts: readonly string[];
}

// Beyond, there would be no room for a grapheme.
const longestFirst = 100;

/** Throws GatewayError `too-large` above maxParts, `unsupported` when no alphabet of the bind has all characters. */
export function planText(text: string, options: SplitOptions, wishes: TextWishes = {}): TextPlan {
  const clean = text.toWellFormed();
  const { messageClass, elements: firstElements = [] } = wishes;
  // A class leaves no room to say anything but the alphabets of TS 23.038.
  const preferred = messageClass === undefined ? defaultAlphabets[options.alphabet0] : gsm;
  const first = formatElements(firstElements).length;
  if (first > longestFirst) throw new GatewayError('too-large', `a user data header of ${first} octets`);
  const units = preferred.measure(clean);
  const plainly = units === undefined ? undefined : candidate(clean, preferred, {}, options.concat, first, units);
  const chosen = plainly ?? otherwise(clean, preferred, options, first, messageClass);
  const { alphabet, shift, parts } = chosen;
  const count = parts.length;
  const reason = plainly ? `${inParts(count)} ${alphabet.name}` : explain(clean, chosen, preferred, options);
  if (count > options.maxParts) {
    throw new GatewayError('too-large', `${count} SMS needed (${reason}); at most ${options.maxParts} are sent`);
  }
  const texts = options.concat === 'payload' ? [chosen.text] : parts;
  return {
    alphabet: alphabet.name,
    isSeptets: alphabet.isSeptets,
    dataCoding: writeDataCoding(alphabet, messageClass),
    isPacked: options.alphabet0 === 'gsm-packed' && alphabet.isSeptets,
    elements: shiftElements(shift),
    firstElements,
    texts,
    bodies: texts.map((part) => alphabet.encode(part)),
    count,
    reason,
  };
}

function candidate(
  text: string,
  alphabet: Alphabet,
  shift: Shift,
  concat: Concat,
  first: number,
  units = alphabet.measure(text),
): Candidate | undefined {
  if (units === undefined) return undefined;
  const bytes = 3 * ((shift.locking ? 1 : 0) + (shift.single ? 1 : 0));
  if (units <= capacity(alphabet, bytes + first)) return { text, alphabet, shift, parts: [text] };
  const limit = capacity(alphabet, bytes, concat);
  return { text, alphabet, shift, parts: split(text, alphabet, limit, capacity(alphabet, bytes + first, concat)) };
}

/** Fewest parts; among equals UCS-2, which every phone reads, then the shorter header. */
function otherwise(
  text: string,
  preferred: Alphabet,
  options: SplitOptions,
  first: number,
  messageClass: MessageClass | undefined,
): Candidate {
  const { concat } = options;
  const wide = options.alphabet0 === 'utf-8' && messageClass === undefined ? utf8Wide : ucs2;
  let best = options.ucs2 ? candidate(text, wide, {}, concat, first) : undefined;
  const offer = (other: Candidate | undefined) => {
    if (other && (!best || other.parts.length < best.parts.length)) best = other;
  };
  // The tables replace the default alphabet, so they need a bind that has it.
  if (best?.parts.length !== 1 && preferred === gsm) {
    for (const shift of shiftsOf(options.nationalLanguages ?? [])) {
      offer(candidate(text, nationalAlphabet(shift), shift, concat, first));
    }
  }
  if (options.transliterate && best?.parts.length !== 1) {
    const said = transliterate(text, preferred);
    if (said !== undefined) offer(candidate(said, preferred, {}, concat, first));
  }
  if (best) return best;
  throw new GatewayError('unsupported', `the carrier's alphabet has no ${strangers(text, preferred)}`);
}

/** One table, then two of them. */
function shiftsOf(allowed: readonly Language[]): Shift[] {
  const lockings = allowed.filter(hasLockingTable);
  return [
    ...allowed.map((single) => ({ single })),
    ...lockings.map((locking) => ({ locking })),
    ...lockings.flatMap((locking) => allowed.map((single) => ({ locking, single }))),
  ];
}

function explain(text: string, chosen: Candidate, preferred: Alphabet, { concat }: SplitOptions): string {
  const found = `${inParts(chosen.parts.length)} ${chosen.alphabet.name}`;
  const because = `because of ${strangers(text, preferred)}`;
  if (chosen.text !== text) return `${found}, transliterated ${because}`;
  const plain = transliterate(text, preferred);
  const kept = plain ?? [...text].filter((character) => preferred.measure(character) !== undefined).join('');
  const parts = candidate(kept, preferred, {}, concat, 0)?.parts.length ?? 1;
  return `${found} ${because}; ${inParts(parts)} ${plain === undefined ? `${preferred.name} without` : 'if transliterated'}`;
}

function inParts(count: number): string {
  return count === 1 ? '1 part' : `${count} parts`;
}

/** The characters that an alphabet has not, the first three of them. */
function strangers(text: string, alphabet: Alphabet): string {
  const all = [...new Set(text)].filter((character) => alphabet.measure(character) === undefined);
  const named = all.slice(0, 3).map((character) => {
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  });
  return named.join(', ') + (all.length > 3 ? ` and ${all.length - 3} more` : '');
}
