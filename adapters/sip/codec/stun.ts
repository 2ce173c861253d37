// STUN as far as keep-alives need it: Binding requests and what answers them (RFC 5389 s.6, s.15; RFC 5626 s.8).

import { isIPv6 } from 'node:net';
import { plainAddress } from '../../../src/formats/ip-address.ts';

export interface StunMessage {
  kind: 'request' | 'success' | 'error';
  /** 96 bits that tie an answer to its request. */
  id: Buffer;
  /** Where the server saw the client (XOR-MAPPED-ADDRESS); IPv6 in eight groups. */
  seen?: { address: string; port: number };
  /** Attributes that must be understood and are not. */
  unknown: number[];
}

const cookie = 0x2112a442;
const headerBytes = 20;
/** Far more than any keep-alive has. */
const maxBytes = 548;
const types = { request: 0x0001, success: 0x0101, error: 0x0111 } as const;
const kinds = new Map(Object.entries(types).map(([kind, type]) => [type as number, kind as StunMessage['kind']]));
const xorMappedAddress = 0x0020;
const errorCode = 0x0009;
const unknownAttributes = 0x000a;
const families = { four: 1, six: 2 } as const;

/** No SIP message begins so: its first two bits are zero, and the cookie follows. */
export function isStun(bytes: Buffer): boolean {
  return bytes.length >= headerBytes && (bytes[0] as number) < 0x40 && bytes.readUInt32BE(4) === cookie;
}

/** Undefined for what is no Binding message, or none that holds together. */
export function decodeStun(bytes: Buffer): StunMessage | undefined {
  if (!isStun(bytes) || bytes.length > maxBytes) return undefined;
  const kind = kinds.get(bytes.readUInt16BE(0));
  const length = bytes.readUInt16BE(2);
  if (kind === undefined || length % 4 !== 0 || length !== bytes.length - headerBytes) return undefined;
  const message: StunMessage = { kind, id: Buffer.from(bytes.subarray(8, headerBytes)), unknown: [] };
  for (let at = headerBytes; at < bytes.length; ) {
    const type = bytes.readUInt16BE(at);
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) return undefined;
    const value = bytes.subarray(at + 4, end);
    if (type === xorMappedAddress) {
      const seen = readAddress(value, message.id);
      if (!seen) return undefined;
      message.seen = seen;
    } else if (type < 0x8000 && type !== errorCode && type !== unknownAttributes) message.unknown.push(type);
    at = end + ((4 - (end % 4)) % 4);
  }
  return message;
}

export function encodeBindingRequest(id: Uint8Array): Buffer {
  return encode('request', id, []);
}

/** `seen` is where the request came from. */
export function encodeBindingSuccess(id: Uint8Array, seen: { address: string; port: number }): Buffer {
  return encode('success', id, [attribute(xorMappedAddress, writeAddress(seen, id))]);
}

/** 420: an attribute that must be understood (RFC 5389 s.7.3.1). */
export function encodeBindingRefusal(id: Uint8Array, unknown: readonly number[]): Buffer {
  const listed = Buffer.alloc(unknown.length * 2);
  unknown.forEach((type, index) => void listed.writeUInt16BE(type, index * 2));
  return encode('error', id, [attribute(errorCode, Buffer.of(0, 0, 4, 20)), attribute(unknownAttributes, listed)]);
}

function encode(kind: StunMessage['kind'], id: Uint8Array, attributes: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(types[kind], 0);
  header.writeUInt16BE(
    attributes.reduce((sum, { length }) => sum + length, 0),
    2,
  );
  header.writeUInt32BE(cookie, 4);
  header.set(id, 8);
  return Buffer.concat([header, ...attributes]);
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

// s.15.2: port and address are masked, so that no NAT rewrites them in passing.
function maskOf(id: Uint8Array): Buffer {
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(cookie, 0);
  mask.set(id, 4);
  return mask;
}

function masked(address: Uint8Array, id: Uint8Array): Buffer {
  const mask = maskOf(id);
  return Buffer.from(address.map((byte, index) => byte ^ (mask[index] as number)));
}

function readAddress(value: Buffer, id: Uint8Array): StunMessage['seen'] {
  const length = value[1] === families.four ? 4 : value[1] === families.six ? 16 : undefined;
  if (length === undefined || value.length !== 4 + length) return undefined;
  const address = masked(value.subarray(4), id);
  const groups = Array.from({ length: 8 }, (_, index) =>
    length === 4 ? '' : address.readUInt16BE(index * 2).toString(16),
  );
  return {
    address: length === 4 ? address.join('.') : groups.join(':'),
    port: value.readUInt16BE(2) ^ (cookie >>> 16),
  };
}

function writeAddress({ address, port }: { address: string; port: number }, id: Uint8Array): Buffer {
  const plain = plainAddress(address).replace(/%.*$/, '');
  const bytes = isIPv6(plain) ? sixBytes(plain) : Buffer.from(plain.split('.').map(Number));
  const head = Buffer.of(0, bytes.length === 4 ? families.four : families.six, 0, 0);
  head.writeUInt16BE(port ^ (cookie >>> 16), 2);
  return Buffer.concat([head, masked(bytes, id)]);
}

function sixBytes(address: string): Buffer {
  const [left = '', right] = address.split('::').map((side) => side.split(':').filter((group) => group !== ''));
  const gap = right === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  const bytes = Buffer.alloc(16);
  [...left, ...gap, ...(right ?? [])].forEach(
    (group, index) => void bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2),
  );
  return bytes;
}
