// Octets of one whole PDU -> PDU. Bounded by the frame; a PDU that breaks its table comes back as a Fault, never as an exception.
import {
  type CompiledField,
  type Destination,
  layoutsById,
  type Pdu,
  type RequestName,
  type Unsuccessful,
} from './pdus.ts';
import { type StatusName, statuses } from './status.ts';
import { type Tlv, tlvs } from './tlvs.ts';

/** A PDU that was framed well but cannot be read; what to answer it with. */
export interface Fault {
  readonly fault: string;
  readonly command_status: number;
  readonly sequence_number: number;
  /** The request it claimed to be; undefined when unknown, so that a generic_nack answers it. */
  readonly command: RequestName | undefined;
}

export const headerBytes = 16;

class Unreadable extends Error {
  readonly status: number;
  constructor(status: number, why: string) {
    super(why);
    this.status = status;
  }
}

interface Reader {
  readonly frame: Buffer;
  readonly end: number;
  offset: number;
}

/** `frame` is one PDU with its header, as framing.ts cut it. */
export function decode(frame: Buffer): Pdu | Fault {
  const id = frame.readUInt32BE(4);
  const command_status = frame.readUInt32BE(8);
  const sequence_number = frame.readUInt32BE(12);
  const layout = layoutsById.get(id);
  if (!layout) {
    const fault = `unknown command_id 0x${id.toString(16).padStart(8, '0')}`;
    return { fault, command_status: statuses.ESME_RINVCMDID, sequence_number, command: undefined };
  }
  const reader: Reader = { frame, end: frame.length, offset: headerBytes };
  const body: Record<string, unknown> = {};
  const pdu = { command: layout.command, command_status, sequence_number, body, tlvs: [] as Tlv[] };
  // A response has been acted on by our peer whatever its body looks like, and a failed one may have none (s.4.4.2):
  // what can be read of it counts, the rest takes its default.
  try {
    for (const field of layout.fields) {
      body[field.name] = layout.isResponse && reader.offset >= reader.end ? absent(field) : read(reader, field);
    }
    if (reader.offset < reader.end) readTlvs(reader, pdu.tlvs);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    if (!layout.isResponse) {
      const command = layout.command as RequestName;
      return { fault: `${command}: ${error.message}`, command_status: error.status, sequence_number, command };
    }
    for (const field of layout.fields) body[field.name] ??= absent(field);
  }
  return pdu as unknown as Pdu;
}

export function isFault(decoded: Pdu | Fault): decoded is Fault {
  return 'fault' in decoded;
}

/** Where in a frame the text of a person stands: [start, end) of short_message and message_payload. */
export function textRanges(frame: Buffer): Array<readonly [start: number, end: number]> {
  const ranges: Array<readonly [number, number]> = [];
  const decoded = decode(frame);
  if (isFault(decoded)) return [[headerBytes, frame.length]];
  const payload = decoded.tlvs.find(({ tag }) => tag === tlvs.message_payload[0])?.value;
  const short = 'short_message' in decoded.body ? decoded.body.short_message : undefined;
  for (const part of [short, payload]) {
    if (!part || part.length === 0) continue;
    const start = part.byteOffset - frame.byteOffset;
    ranges.push([start, start + part.length]);
  }
  return ranges;
}

// bind_receiver, bind_transmitter, bind_transceiver, outbind: system_id, then the password (s.4.1).
const idsWithPassword: ReadonlySet<number> = new Set([0x01, 0x02, 0x09, 0x0b]);

/** Where a frame holds a password, however badly it is written: [start, end). */
export function secretRanges(frame: Buffer): Array<readonly [start: number, end: number]> {
  if (!idsWithPassword.has(frame.readUInt32BE(4))) return [];
  const name = frame.indexOf(0, headerBytes);
  const end = name < 0 ? -1 : frame.indexOf(0, name + 1);
  return [[name < 0 ? headerBytes : name + 1, end < 0 ? frame.length : end]];
}

function read(reader: Reader, field: CompiledField): unknown {
  switch (field.kind) {
    case 'int8':
      return readInt8(reader, field.name);
    case 'int32':
      return readInt32(reader, field.name);
    case 'cstring':
      return readCstring(reader, field);
    case 'octets':
      return readOctets(reader, field);
    case 'destinations':
      return readList(reader, field, readDestination);
    case 'unsuccessful':
      return readList(reader, field, readUnsuccessful);
  }
}

function absent({ kind }: CompiledField): unknown {
  if (kind === 'cstring') return '';
  if (kind === 'octets') return Buffer.alloc(0);
  return kind === 'int8' || kind === 'int32' ? 0 : [];
}

function readInt8(reader: Reader, name: string): number {
  const value = reader.frame[reader.offset];
  if (value === undefined) throw endsBefore(name);
  reader.offset++;
  return value;
}

function readInt32(reader: Reader, name: string): number {
  if (reader.offset + 4 > reader.end) throw endsBefore(name);
  reader.offset += 4;
  return reader.frame.readUInt32BE(reader.offset - 4);
}

function readCstring(reader: Reader, { name, max, refusal }: CompiledField): string {
  const { frame, offset: start } = reader;
  let end = start;
  while (frame[end] !== 0) {
    if (end >= reader.end) throw endsBefore(`the end of ${name}`);
    if (end - start >= max - 1) throw new Unreadable(refusal, `${name} is over ${max - 1} octets`);
    end++;
  }
  reader.offset = end + 1;
  return end === start ? '' : frame.toString('latin1', start, end);
}

function readOctets(reader: Reader, { name, refusal }: CompiledField): Buffer {
  const length = readInt8(reader, 'sm_length');
  const start = reader.offset;
  if (start + length > reader.end) {
    throw new Unreadable(refusal, `${name} says ${length} octets, ${reader.end - start} are there`);
  }
  reader.offset += length;
  return reader.frame.subarray(start, start + length);
}

function readList<T>(reader: Reader, field: CompiledField, readOne: (reader: Reader) => T): T[] {
  return Array.from({ length: readInt8(reader, field.name) }, () => readOne(reader));
}

const address: CompiledField = {
  name: 'destination_addr',
  kind: 'cstring',
  max: 21,
  refusal: statuses.ESME_RINVDSTADR,
};
const listName: CompiledField = { name: 'dl_name', kind: 'cstring', max: 21, refusal: statuses.ESME_RINVDLNAME };

function readSme(reader: Reader) {
  const dest_addr_ton = readInt8(reader, 'dest_addr_ton');
  const dest_addr_npi = readInt8(reader, 'dest_addr_npi');
  return { dest_addr_ton, dest_addr_npi, destination_addr: readCstring(reader, address) };
}

function readDestination(reader: Reader): Destination {
  const flag = readInt8(reader, 'dest_flag');
  if (flag === 1) return readSme(reader);
  if (flag === 2) return { dl_name: readCstring(reader, listName) };
  throw new Unreadable(statuses.ESME_RINVDESTFLAG, `dest_flag is ${flag}`);
}

function readUnsuccessful(reader: Reader): Unsuccessful {
  return { ...readSme(reader), error_status_code: readInt32(reader, 'error_status_code') };
}

function readTlvs(reader: Reader, into: Tlv[]): void {
  const { frame, end } = reader;
  while (reader.offset < end) {
    const start = reader.offset + 4;
    if (start > end) throw unreadable('ESME_RINVOPTPARSTREAM', 'the last TLV is cut short');
    const tag = frame.readUInt16BE(reader.offset);
    const length = frame.readUInt16BE(reader.offset + 2);
    if (start + length > end) {
      const why = `TLV 0x${tag.toString(16)} says ${length} octets, ${end - start} are there`;
      throw unreadable('ESME_RINVOPTPARSTREAM', why);
    }
    into.push({ tag, value: frame.subarray(start, start + length) });
    reader.offset = start + length;
  }
}

function endsBefore(name: string): Unreadable {
  return unreadable('ESME_RINVCMDLEN', `it ends before ${name}`);
}

function unreadable(status: StatusName, why: string): Unreadable {
  return new Unreadable(statuses[status], why);
}
