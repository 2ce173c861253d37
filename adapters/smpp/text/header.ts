// The user data header (3GPP TS 23.040 s.9.2.3.24): elements of identifier, length and data behind one length octet.
import { type Language, languages, type Shift } from './national.ts';

export interface Element {
  readonly identifier: number;
  readonly data: Buffer;
}

/** Which one of how many (from 1), and of which whole. */
export interface PartOf {
  readonly reference: string;
  readonly total: number;
  readonly index: number;
}

export type WaitingKind = (typeof waitingKinds)[number];
export const waitingKinds = ['voicemail', 'fax', 'email', 'other'] as const;

export interface Header {
  readonly part?: PartOf;
  readonly shift: Shift;
  /** Addressed to an application: no text for a person (s.9.2.3.24.4). */
  readonly port?: number;
  /** s.9.2.3.24.2: how many of what wait; none: no more. */
  readonly waiting: ReadonlyMap<WaitingKind, number>;
  /** What nobody here understands. */
  readonly rest: readonly Element[];
}

export const identifiers = {
  concat8: 0x00,
  waiting: 0x01,
  port8: 0x04,
  port16: 0x05,
  concat16: 0x08,
  single: 0x24,
  locking: 0x25,
} as const;

const nothing = Buffer.alloc(0);
/** What no header says. */
export const noHeader: Header = { shift: {}, waiting: new Map(), rest: [] };

/** Octets of the header, its length octet among them; 0 when it says more than there are: then it is none. */
export function headerBytesOf(octets: Buffer): number {
  const end = 1 + (octets[0] ?? octets.length);
  return end <= octets.length ? end : 0;
}

/** What follows the length octet. An element that is cut short ends it. */
export function parseElements(octets: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at + 2 <= octets.length; ) {
    const length = octets[at + 1] as number;
    const data = octets.subarray(at + 2, at + 2 + length);
    if (data.length < length) break;
    elements.push({ identifier: octets[at] as number, data });
    at += 2 + length;
  }
  return elements;
}

export function formatElements(elements: readonly Element[]): Buffer {
  return Buffer.from(elements.flatMap(({ identifier, data }) => [identifier, data.length, ...data]));
}

/** With the length octet; nothing for no elements. Throws RangeError above 255 octets. */
export function formatHeader(elements: readonly Element[]): Buffer {
  if (elements.length === 0) return nothing;
  const octets = formatElements(elements);
  if (octets.length > 0xff) throw new RangeError('a user data header holds at most 255 octets');
  return Buffer.concat([Buffer.from([octets.length]), octets]);
}

/** What the elements mean. Of one that may stand only once, the last counts (s.9.2.3.24). */
export function readHeader(elements: readonly Element[]): Header {
  const shift: { locking?: Language | undefined; single?: Language | undefined } = {};
  const waiting = new Map<WaitingKind, number>();
  const rest: Element[] = [];
  let part: PartOf | undefined;
  let port: number | undefined;
  for (const element of elements) {
    const { identifier, data } = element;
    const [first = 0, second = 0, third = 0, fourth = 0] = data;
    const length = data.length;
    if (identifier === identifiers.concat8 && length === 3) part = partOf(`8:${first}`, second, third);
    else if (identifier === identifiers.concat16 && length === 4) {
      part = partOf(`16:${(first << 8) | second}`, third, fourth);
    } else if (identifier === identifiers.port8 && length === 2) port = first;
    else if (identifier === identifiers.port16 && length === 4) port = (first << 8) | second;
    // A language that nobody knows leaves the default table (s.9.2.3.24.15, 16).
    else if (identifier === identifiers.single && length === 1) shift.single = languages[first - 1];
    else if (identifier === identifiers.locking && length === 1) shift.locking = languages[first - 1];
    else if (identifier === identifiers.waiting && length === 2) {
      waiting.set(waitingKinds[(first & 3) as 0 | 1 | 2 | 3], second);
    } else rest.push(element);
  }
  return { shift, waiting, rest, ...(part ? { part } : {}), ...(port === undefined ? {} : { port }) };
}

/** A count or place that cannot be makes it a message of its own (s.9.2.3.24.1). */
export function partOf(reference: string, total = 0, index = 0): PartOf | undefined {
  return total > 1 && index >= 1 && index <= total ? { reference, total, index } : undefined;
}

export function concatElement(isWide: boolean, reference: number, total: number, index: number): Element {
  const low = reference & 0xff;
  if (!isWide) return { identifier: identifiers.concat8, data: Buffer.from([low, total, index]) };
  return { identifier: identifiers.concat16, data: Buffer.from([(reference >> 8) & 0xff, low, total, index]) };
}

/** s.9.2.3.24.4. */
export function portElement(destination: number, source: number): Element {
  const data = Buffer.alloc(4);
  data.writeUInt16BE(destination & 0xffff, 0);
  data.writeUInt16BE(source & 0xffff, 2);
  return { identifier: identifiers.port16, data };
}

export function shiftElements({ locking, single }: Shift): Element[] {
  const element = (identifier: number, language: Language) => {
    return { identifier, data: Buffer.from([languages.indexOf(language) + 1]) };
  };
  return [
    ...(single ? [element(identifiers.single, single)] : []),
    ...(locking ? [element(identifiers.locking, locking)] : []),
  ];
}
