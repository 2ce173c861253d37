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

const none: readonly Element[] = [];
/** How many characters a reason names. */
const mostNamed = 3;

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

/** A way to carry the text: what it takes at least is known before it is cut. */
interface Candidate {
  readonly text: string;
  readonly alphabet: Alphabet;
  readonly shift: Shift;
  readonly limits: { readonly first: number; readonly others: number };
  readonly atLeast: number;
}

interface Choice extends Candidate {
  readonly parts: readonly string[];
}

// Beyond, there would be no room for a grapheme.
const longestFirst = 100;

/** Throws GatewayError `too-large` above maxParts, `unsupported` when no alphabet of the bind has all characters. */
export function planText(text: string, options: SplitOptions, wishes: TextWishes = {}): TextPlan {
  const clean = text.toWellFormed();
  const { messageClass, elements: firstElements = none } = wishes;
  // A class leaves no room to say anything but the alphabets of TS 23.038.
  const preferred = messageClass === undefined ? defaultAlphabets[options.alphabet0] : gsm;
  const first = firstElements.length === 0 ? 0 : formatElements(firstElements).length;
  if (first > longestFirst) throw new GatewayError('too-large', `a user data header of ${first} octets`);
  const plainly = candidate(clean, preferred, {}, options.concat, first);
  const chosen = plainly ? cut(plainly) : otherwise(clean, preferred, options, first, messageClass);
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
    elements: plainly ? none : shiftElements(shift),
    firstElements,
    texts,
    bodies: texts.map((part) => alphabet.encode(part)),
    count,
    reason,
  };
}

/** Undefined when the alphabet has not all characters. */
function candidate(
  text: string,
  alphabet: Alphabet,
  shift: Shift,
  concat: Concat,
  first: number,
): Candidate | undefined {
  const units = alphabet.measure(text);
  if (units === undefined) return undefined;
  const bytes = 3 * ((shift.locking ? 1 : 0) + (shift.single ? 1 : 0));
  if (units <= capacity(alphabet, bytes + first)) {
    return { text, alphabet, shift, limits: { first: units, others: units }, atLeast: 1 };
  }
  const limits = {
    first: capacity(alphabet, bytes + first, concat),
    others: capacity(alphabet, bytes, concat),
  };
  return { text, alphabet, shift, limits, atLeast: 1 + Math.ceil((units - limits.first) / limits.others) };
}

function cut(one: Candidate): Choice {
  const { text, alphabet, limits, atLeast } = one;
  return { ...one, parts: atLeast === 1 ? [text] : split(text, alphabet, limits.others, limits.first) };
}

/** Fewest parts; among equals UCS-2, which every phone reads, then the shorter header. */
function otherwise(
  text: string,
  preferred: Alphabet,
  options: SplitOptions,
  first: number,
  messageClass: MessageClass | undefined,
): Choice {
  const { concat } = options;
  const wide = options.alphabet0 === 'utf-8' && messageClass === undefined ? utf8Wide : ucs2;
  const unicode = options.ucs2 ? candidate(text, wide, {}, concat, first) : undefined;
  const offers = [unicode];
  const isDear = unicode === undefined || unicode.atLeast > 1;
  // The tables replace the default alphabet, so they need a bind that has it.
  if (isDear && preferred === gsm) {
    for (const shift of shiftsOf(options.nationalLanguages ?? [])) {
      offers.push(candidate(text, nationalAlphabet(shift), shift, concat, first));
    }
  }
  const said = isDear && options.transliterate ? transliterate(text, preferred) : undefined;
  if (said !== undefined) offers.push(candidate(said, preferred, {}, concat, first));
  const best = cheapest(offers.filter((offer) => offer !== undefined));
  if (best) return best;
  throw new GatewayError('unsupported', `the carrier's alphabet has no ${strangers(text, preferred).join(', ')}`);
}

/** The first of those with the fewest parts. */
function cheapest(offers: readonly Candidate[]): Choice | undefined {
  let best: { readonly choice: Choice; readonly place: number } | undefined;
  const places = offers.map((_, place) => place);
  for (const place of places.sort((one, other) => (offers[one]?.atLeast ?? 0) - (offers[other]?.atLeast ?? 0))) {
    const offer = offers[place] as Candidate;
    const least = best?.choice.parts.length ?? Number.POSITIVE_INFINITY;
    if (offer.atLeast > least) break;
    if (offer.atLeast === least && best && best.place < place) continue;
    const choice = cut(offer);
    const isBetter = choice.parts.length < least || (choice.parts.length === least && best && place < best.place);
    if (isBetter) best = { choice, place };
  }
  return best?.choice;
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

/** `3 parts UCS-2 because of U+2019; 1 part if transliterated`. */
function explain(text: string, chosen: Choice, preferred: Alphabet, { concat }: SplitOptions): string {
  const count = chosen.parts.length;
  const all = strangers(text, preferred);
  const named =
    all.slice(0, mostNamed).join(', ') + (all.length > mostNamed ? ` and ${all.length - mostNamed} more` : '');
  const found = `${inParts(count)} ${chosen.alphabet.name}`;
  if (chosen.text !== text) return `${found}, transliterated because of ${named}`;
  const because = `${found} because of ${named}`;
  if (count === 1) return because;
  const said = transliterate(text, preferred);
  const kept = said ?? (all.length <= mostNamed ? without(text, preferred) : undefined);
  const parts = (kept === undefined ? undefined : candidate(kept, preferred, {}, concat, 0)?.atLeast) ?? count;
  if (parts >= count) return because;
  return `${because}; ${inParts(parts)} ${said === undefined ? `${preferred.name} without` : 'if transliterated'}`;
}

function inParts(count: number): string {
  return count === 1 ? '1 part' : `${count} parts`;
}

function without(text: string, alphabet: Alphabet): string {
  return [...text].filter((character) => alphabet.measure(character) !== undefined).join('');
}

/** The characters that an alphabet has not, by their code points. */
function strangers(text: string, alphabet: Alphabet): string[] {
  const found = new Set<string>();
  for (const character of text) if (alphabet.measure(character) === undefined) found.add(character);
  return [...found].map((character) => {
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  });
}
