// One text <-> the short messages that carry it: the cheapest alphabet, septet-exact parts that cut no character, and
// the three ways to say that parts belong together (user data header, SAR parameters, message_payload).
import { GatewayError } from '../../../src/contract/index.ts';
import { intTlv, octetsTlv, type Tlv, tlvInt, tlvOctets } from '../codec/index.ts';
import { type Alphabet, gsm, packSeptets, ucs2, unpackSeptets } from './alphabets.ts';
import { type DataCoding, type DefaultAlphabet, dataCodings, defaultAlphabets } from './data-coding.ts';

export type Concat = 'udh8' | 'udh16' | 'sar' | 'payload';

export interface SplitOptions {
  readonly alphabet0: DefaultAlphabet;
  readonly ucs2: boolean;
  readonly concat: Concat;
  readonly maxParts: number;
}

export interface Plan {
  readonly alphabet: Alphabet;
  readonly dataCoding: number;
  readonly isPacked: boolean;
  /** The text of each part; one when it fits or travels as message_payload. */
  readonly texts: readonly string[];
  /** How many short messages the phone gets. */
  readonly count: number;
  /** Why it became so many: for people. */
  readonly reason: string;
}

export interface Part {
  readonly short_message: Buffer;
  readonly hasHeader: boolean;
  readonly tlvs: readonly Tlv[];
}

// 3GPP TS 23.040 s.9.2.3.24: 140 octets of user data, the header with its length octet among them.
const userDataBytes = 140;
// The header of `sar` and `payload` is made by the SMSC; 16-bit references are assumed, the longer ones.
const headerBytes: Readonly<Record<Concat, number>> = { udh8: 6, udh16: 7, sar: 7, payload: 7 };
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Throws GatewayError `too-large` above maxParts, `unsupported` when no alphabet of the bind has all characters. */
export function planText(text: string, options: SplitOptions): Plan {
  const clean = text.toWellFormed();
  const preferred = defaultAlphabets[options.alphabet0];
  const units = preferred.measure(clean);
  const alphabet = units === undefined ? ucs2 : preferred;
  if (alphabet === ucs2 && !options.ucs2) {
    throw new GatewayError('unsupported', `the carrier's alphabet has no ${strangers(clean, preferred)}`);
  }
  const size = units ?? clean.length * 2;
  const isShort = size <= capacity(alphabet, 0);
  const texts = isShort ? [clean] : cut(clean, alphabet, capacity(alphabet, headerBytes[options.concat]));
  const count = texts.length;
  const reason = explain(clean, alphabet, preferred, count);
  if (count > options.maxParts) {
    throw new GatewayError('too-large', `${count} SMS needed (${reason}); at most ${options.maxParts} are sent`);
  }
  return {
    alphabet,
    dataCoding: alphabet === ucs2 ? dataCodings.ucs2 : dataCodings.default,
    isPacked: options.alphabet0 === 'gsm-packed' && alphabet === gsm,
    texts: options.concat === 'payload' ? [clean] : texts,
    count,
    reason,
  };
}

/** `reference` tells the parts of one text from those of another between the same two numbers. */
export function toParts(plan: Plan, concat: Concat, reference: number): Part[] {
  const { texts, alphabet, isPacked } = plan;
  const total = texts.length;
  if (plan.count > 1 && concat === 'payload') {
    const [text = ''] = texts;
    const octets = alphabet.encode(text);
    const payload = octetsTlv('message_payload', isPacked ? packSeptets(octets) : octets);
    return [{ short_message: Buffer.alloc(0), hasHeader: false, tlvs: [payload] }];
  }
  return texts.map((text, index) => {
    const octets = alphabet.encode(text);
    if (total === 1 || concat === 'sar') {
      const tlvs = total === 1 ? [] : sarTlvs(reference, total, index + 1);
      return { short_message: isPacked ? packSeptets(octets) : octets, hasHeader: false, tlvs };
    }
    const header = concatHeader(concat === 'udh16', reference, total, index + 1);
    const body = isPacked ? packSeptets(octets, fillBits(header.length)) : octets;
    return { short_message: Buffer.concat([header, body]), hasHeader: true, tlvs: [] };
  });
}

/** One short message as it arrived, its header taken off. */
export interface Segment {
  readonly payload: Buffer;
  /** Of a whole: which, how many, and which one this is (from 1). */
  readonly part?: { readonly reference: string; readonly total: number; readonly index: number };
  /** Addressed to an application port: no text for a person (TS 23.040 s.9.2.3.24.4). */
  readonly isForApplication: boolean;
}

/** Takes the user data apart; `coding` says whether septets are packed. */
export function readSegment(octets: Buffer, hasHeader: boolean, tlvs: readonly Tlv[], coding: DataCoding): Segment {
  const headerEnd = hasHeader && octets.length > 0 ? 1 + (octets[0] as number) : 0;
  // A header longer than the message is none.
  const end = headerEnd <= octets.length ? headerEnd : 0;
  const header = end > 0 ? readHeader(octets.subarray(1, end)) : undefined;
  const rest = octets.subarray(end);
  const payload = coding.isPacked ? unpackSeptets(rest, fillBits(end)) : rest;
  const part = header?.part ?? readSar(tlvs);
  const isForApplication = header?.isForApplication ?? false;
  return part ? { payload, part, isForApplication } : { payload, isForApplication };
}

interface Header {
  part: Segment['part'];
  isForApplication: boolean;
}

// TS 23.040 s.9.2.3.24: elements of identifier, length, data; one that is cut short ends the header.
function readHeader(header: Buffer): Header {
  const found: Header = { part: undefined, isForApplication: false };
  for (let at = 0; at + 2 <= header.length; ) {
    const identifier = header[at];
    const length = header[at + 1] as number;
    const data = header.subarray(at + 2, at + 2 + length);
    at += 2 + length;
    if (data.length < length) break;
    if (identifier === 0x00 && length === 3) found.part = partOf(`8:${data[0]}`, data[1], data[2]);
    if (identifier === 0x08 && length === 4) found.part = partOf(`16:${data.readUInt16BE(0)}`, data[2], data[3]);
    if (identifier === 0x04 || identifier === 0x05) found.isForApplication = true;
  }
  return found;
}

// SMPP 3.4 s.5.3.2.22 to 24.
function readSar(tlvs: readonly Tlv[]): Segment['part'] {
  if (!tlvOctets(tlvs, 'sar_msg_ref_num')) return undefined;
  const reference = tlvInt(tlvs, 'sar_msg_ref_num');
  return partOf(`sar:${reference}`, tlvInt(tlvs, 'sar_total_segments'), tlvInt(tlvs, 'sar_segment_seqnum'));
}

// A count or place that cannot be makes it a message of its own (TS 23.040 s.9.2.3.24.1).
function partOf(reference: string, total = 0, index = 0): Segment['part'] {
  return total > 1 && index >= 1 && index <= total ? { reference, total, index } : undefined;
}

/** Units that one part holds beside a header of so many octets. */
function capacity(alphabet: Alphabet, header: number): number {
  const octets = userDataBytes - header;
  if (alphabet.isSeptets) return Math.floor((octets * 8) / 7);
  return alphabet === ucs2 ? octets & ~1 : octets;
}

/** Graphemes are kept whole; one that is longer than a part is cut between its characters. */
function cut(text: string, alphabet: Alphabet, limit: number): string[] {
  const parts: string[] = [];
  let part = '';
  let size = 0;
  const add = (piece: string, units: number) => {
    if (size + units > limit) {
      parts.push(part);
      part = '';
      size = 0;
    }
    part += piece;
    size += units;
  };
  for (const { segment } of graphemes.segment(text)) {
    const units = alphabet.measure(segment) ?? 0;
    if (units <= limit) add(segment, units);
    else for (const character of segment) add(character, alphabet.measure(character) ?? 0);
  }
  parts.push(part);
  return parts;
}

function explain(text: string, alphabet: Alphabet, preferred: Alphabet, count: number): string {
  const parts = (n: number) => (n === 1 ? '1 part' : `${n} parts`);
  if (alphabet === preferred) return `${parts(count)} ${alphabet.name}`;
  const kept = [...text].filter((character) => preferred.measure(character) !== undefined).join('');
  const units = preferred.measure(kept) ?? 0;
  const without = units <= capacity(preferred, 0) ? 1 : Math.ceil(units / capacity(preferred, headerBytes.udh8));
  return `${parts(count)} ${alphabet.name} because of ${strangers(text, preferred)}; ${parts(without)} ${preferred.name} without`;
}

/** The characters that an alphabet has not, the first three of them. */
function strangers(text: string, alphabet: Alphabet): string {
  const all = [...new Set(text)].filter((character) => alphabet.measure(character) === undefined);
  const named = all.slice(0, 3).map((character) => {
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  });
  return named.join(', ') + (all.length > 3 ? ` and ${all.length - 3} more` : '');
}

function concatHeader(isWide: boolean, reference: number, total: number, index: number): Buffer {
  if (!isWide) return Buffer.from([5, 0x00, 3, reference & 0xff, total, index]);
  return Buffer.from([6, 0x08, 4, (reference >> 8) & 0xff, reference & 0xff, total, index]);
}

function sarTlvs(reference: number, total: number, index: number): Tlv[] {
  return [
    intTlv('sar_msg_ref_num', reference & 0xffff),
    intTlv('sar_total_segments', total),
    intTlv('sar_segment_seqnum', index),
  ];
}

// The first septet after a header begins on a septet boundary (TS 23.040 figure 9.2.3.24 (a)).
function fillBits(header: number): number {
  return (7 - ((header * 8) % 7)) % 7;
}
