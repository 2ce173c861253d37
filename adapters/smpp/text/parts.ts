// A plan as short messages, and a short message taken apart: headers, SAR parameters, message_payload, packing.
import { GatewayError, type SmsHints } from '../../../src/contract/index.ts';
import { intTlv, octetsTlv, type Tlv, tlvInt, tlvOctets } from '../codec/index.ts';
import type { Plan } from './choice.ts';
import { type DataCoding, type DefaultAlphabet, readDataCoding } from './data-coding.ts';
import {
  concatElement,
  type Element,
  formatElements,
  formatHeader,
  headerBytesOf,
  identifiers,
  type PartOf,
  parseElements,
  partOf,
  portElement,
  readHeader,
} from './header.ts';
import { fillBits, packSeptets, unpackSeptets } from './septets.ts';
import { type Concat, capacity } from './split.ts';

export interface Part {
  readonly short_message: Buffer;
  readonly hasHeader: boolean;
  readonly tlvs: readonly Tlv[];
}

// s.5.2.22: short_message holds 254 octets; what is longer on the wire than on the air goes into message_payload.
const shortMessageBytes = 254;

/** `reference` tells the parts of one text from those of another between the same two numbers. */
export function toParts(plan: Plan, concat: Concat, reference: number): Part[] {
  const total = plan.bodies.length;
  return plan.bodies.map((body, index) => {
    const elements = [...plan.elements, ...(index === 0 ? plan.firstElements : [])];
    const isHeaded = total > 1 && concat !== 'sar';
    if (isHeaded) elements.unshift(concatElement(concat === 'udh16', reference, total, index + 1));
    const header = formatHeader(elements);
    const octets = plan.isPacked ? packSeptets(body, fillBits(header.length)) : body;
    const userData = header.length > 0 ? Buffer.concat([header, octets]) : octets;
    const sar = total > 1 && concat === 'sar' ? sarTlvs(reference, total, index + 1) : [];
    const hasHeader = header.length > 0;
    const isPayload = (plan.count > 1 && concat === 'payload') || userData.length > shortMessageBytes;
    if (!isPayload) return { short_message: userData, hasHeader, tlvs: sar };
    return { short_message: Buffer.alloc(0), hasHeader, tlvs: [...sar, octetsTlv('message_payload', userData)] };
  });
}

/** Octets that are no text, sent as they are. Throws GatewayError `too-large`, or `malformed` for a header that is none. */
export function planBinary(
  binary: NonNullable<SmsHints['binary']>,
  concat: Concat,
  maxParts: number,
  alphabet0: DefaultAlphabet = 'gsm',
): Plan {
  const data = Buffer.from(binary.data, 'base64');
  const header = Buffer.from(binary.udh ?? '', 'hex');
  const elements = parseElements(header);
  if (formatElements(elements).length !== header.length) {
    throw new GatewayError('malformed', 'the user data header is cut short');
  }
  const isSeptets = areSeptets(data, binary.dataCoding, alphabet0);
  const bytes = header.length;
  const whole = capacity({ isSeptets }, bytes);
  const limit = data.length <= whole ? data.length : capacity({ isSeptets }, bytes, concat);
  const count = limit <= 0 ? 1 : Math.ceil(data.length / limit);
  const isPart = elements.some(
    ({ identifier }) => identifier === identifiers.concat8 || identifier === identifiers.concat16,
  );
  if (count > maxParts || limit < 0 || (isPart && count > 1)) {
    throw new GatewayError('too-large', `${data.length} octets beside a header of ${header.length} need ${count} SMS`);
  }
  const cut = count === 1 || concat === 'payload' ? data.length : limit;
  const bodies = Array.from({ length: Math.max(1, Math.ceil(data.length / Math.max(1, cut))) }, (_, at) => {
    return data.subarray(at * cut, (at + 1) * cut);
  });
  return {
    alphabet: 'binary',
    isSeptets,
    dataCoding: binary.dataCoding,
    isPacked: isSeptets && alphabet0 === 'gsm-packed',
    elements,
    firstElements: [],
    bodies,
    count,
    reason: `${count === 1 ? '1 part' : `${count} parts`} binary`,
  };
}

// A vCard for a port is often written in septets: they are counted as such.
function areSeptets(data: Buffer, dataCoding: number, alphabet0: DefaultAlphabet): boolean {
  const isWritten = readDataCoding(dataCoding, alphabet0).alphabet?.isSeptets ?? false;
  return isWritten && data.every((octet) => octet < 0x80);
}

/** One short message as it arrived, its header taken off. */
export interface Segment {
  readonly payload: Buffer;
  /** Of a whole: which, how many, and which one this is. */
  readonly part?: PartOf;
  /** The other elements of the header; nothing: no more than the part. */
  readonly udh?: Buffer;
  /** Addressed to an application port: no text for a person (TS 23.040 s.9.2.3.24.4). */
  readonly isForApplication: boolean;
}

/** Takes the user data apart, ports of SMPP 3.4 s.5.3.2.20 among it; `coding` says whether septets are packed. */
export function readSegment(octets: Buffer, hasHeader: boolean, tlvs: readonly Tlv[], coding: DataCoding): Segment {
  const end = hasHeader ? headerBytesOf(octets) : 0;
  const elements = parseElements(octets.subarray(1, Math.max(1, end)));
  const port = tlvInt(tlvs, 'destination_port');
  const header = readHeader(elements);
  if (header.port === undefined && port !== undefined) {
    elements.push(portElement(port, tlvInt(tlvs, 'source_port') ?? 0));
  }
  const rest = octets.subarray(end);
  const payload = coding.isPacked ? unpackSeptets(rest, fillBits(end)) : rest;
  const part = header.part ?? readSar(tlvs);
  const udh = formatElements(elements.filter((element) => !isConcat(element)));
  return {
    payload,
    isForApplication: header.port !== undefined || port !== undefined,
    ...(part ? { part } : {}),
    ...(udh.length > 0 ? { udh } : {}),
  };
}

function isConcat({ identifier }: Element): boolean {
  return identifier === identifiers.concat8 || identifier === identifiers.concat16;
}

// SMPP 3.4 s.5.3.2.22 to 24.
function readSar(tlvs: readonly Tlv[]): PartOf | undefined {
  if (!tlvOctets(tlvs, 'sar_msg_ref_num')) return undefined;
  const reference = tlvInt(tlvs, 'sar_msg_ref_num');
  return partOf(`sar:${reference}`, tlvInt(tlvs, 'sar_total_segments'), tlvInt(tlvs, 'sar_segment_seqnum'));
}

function sarTlvs(reference: number, total: number, index: number): Tlv[] {
  return [
    intTlv('sar_msg_ref_num', reference & 0xffff),
    intTlv('sar_total_segments', total),
    intTlv('sar_segment_seqnum', index),
  ];
}
