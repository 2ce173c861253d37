// PDU -> octets: the size is summed first, then one buffer is filled. What cannot be said on the wire throws a RangeError.
import { headerBytes } from './decode.ts';
import {
  type Body,
  type CommandName,
  type CompiledField,
  type Destination,
  layouts,
  type Unsuccessful,
} from './pdus.ts';
import type { Tlv } from './tlvs.ts';

/** A PDU to be sent: fields left out are 0 or empty. */
export interface Sendable<C extends CommandName = CommandName> {
  readonly command: C;
  readonly command_status?: number;
  readonly sequence_number: number;
  readonly body?: Partial<Body<C>>;
  readonly tlvs?: readonly Tlv[];
}

const none: readonly Tlv[] = [];

export function encode<C extends CommandName>(pdu: Sendable<C>): Buffer {
  const layout = layouts[pdu.command];
  const body = (pdu.body ?? {}) as Readonly<Record<string, unknown>>;
  const tlvs = pdu.tlvs ?? none;
  const status = pdu.command_status ?? 0;
  // s.4.4.2 and its like: the body of a response is left out when it failed.
  const fields = layout.isResponse && status !== 0 && pdu.body === undefined ? [] : layout.fields;
  let size = headerBytes;
  for (const field of fields) size += sizeOf(field, body[field.name]);
  for (const tlv of tlvs) size += 4 + tlv.value.length;
  const frame = Buffer.allocUnsafe(size);
  frame.writeUInt32BE(size, 0);
  frame.writeUInt32BE(layout.id, 4);
  frame.writeUInt32BE(status, 8);
  frame.writeUInt32BE(pdu.sequence_number, 12);
  let offset = headerBytes;
  for (const field of fields) offset = write(frame, offset, field, body[field.name]);
  for (const { tag, value } of tlvs) {
    frame.writeUInt16BE(tag, offset);
    frame.writeUInt16BE(value.length, offset + 2);
    frame.set(value, offset + 4);
    offset += 4 + value.length;
  }
  return frame;
}

function sizeOf(field: CompiledField, value: unknown): number {
  switch (field.kind) {
    case 'int8':
      return 1;
    case 'int32':
      return 4;
    case 'cstring':
    case 'octets': {
      const length = value === undefined ? 0 : (value as string | Buffer).length;
      const most = field.kind === 'cstring' ? field.max - 1 : field.max;
      if (length > most) throw new RangeError(`${field.name} is ${length} octets; the most is ${most}`);
      return length + 1;
    }
    case 'destinations':
      return list<Destination>(value).reduce((sum, one) => sum + nameOf(one).length + ('dl_name' in one ? 2 : 4), 1);
    case 'unsuccessful':
      return list<Unsuccessful>(value).reduce((sum, one) => sum + one.destination_addr.length + 7, 1);
  }
}

function write(frame: Buffer, offset: number, field: CompiledField, value: unknown): number {
  switch (field.kind) {
    case 'int8':
      return frame.writeUInt8((value ?? 0) as number, offset);
    case 'int32':
      return frame.writeUInt32BE((value ?? 0) as number, offset);
    case 'cstring':
      return writeCstring(frame, offset, (value ?? '') as string);
    case 'octets': {
      const octets = value as Buffer | undefined;
      frame[offset] = octets?.length ?? 0;
      if (octets) frame.set(octets, offset + 1);
      return offset + 1 + (octets?.length ?? 0);
    }
    case 'destinations':
      return writeList(frame, offset, list<Destination>(value), writeDestination);
    case 'unsuccessful':
      return writeList(frame, offset, list<Unsuccessful>(value), writeUnsuccessful);
  }
}

function list<T>(value: unknown): readonly T[] {
  return (value ?? []) as readonly T[];
}

function writeCstring(frame: Buffer, offset: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0 || code > 0xff) throw new RangeError('a C-octet string holds neither NUL nor anything over U+00FF');
    frame[offset + index] = code;
  }
  frame[offset + text.length] = 0;
  return offset + text.length + 1;
}

function writeList<T>(
  frame: Buffer,
  offset: number,
  all: readonly T[],
  writeOne: (frame: Buffer, offset: number, one: T) => number,
): number {
  let next = frame.writeUInt8(all.length, offset);
  for (const one of all) next = writeOne(frame, next, one);
  return next;
}

function nameOf(destination: Destination): string {
  return 'dl_name' in destination ? destination.dl_name : destination.destination_addr;
}

function writeDestination(frame: Buffer, offset: number, one: Destination): number {
  if ('dl_name' in one) return writeCstring(frame, frame.writeUInt8(2, offset), one.dl_name);
  return writeSme(frame, frame.writeUInt8(1, offset), one);
}

function writeUnsuccessful(frame: Buffer, offset: number, one: Unsuccessful): number {
  return frame.writeUInt32BE(one.error_status_code, writeSme(frame, offset, one));
}

function writeSme(frame: Buffer, offset: number, one: Omit<Unsuccessful, 'error_status_code'>): number {
  const next = frame.writeUInt8(one.dest_addr_npi, frame.writeUInt8(one.dest_addr_ton, offset));
  return writeCstring(frame, next, one.destination_addr);
}
