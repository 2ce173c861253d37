// Bytes to text and back without loss: UTF-8 where it is UTF-8, and each other byte as the lone surrogate U+DC00 + byte.
import { isAscii, isUtf8 } from 'node:buffer';

const nothing = new Uint8Array(0);

export function textOf(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString() : mixedText(bytes);
}

/** `tail` is put behind them as it is. */
export function bytesOf(text: string, tail: Uint8Array = nothing): Buffer {
  if (!text.isWellFormed()) return Buffer.concat([mixedBytes(text), tail]);
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(length + tail.length);
  bytes.write(text);
  bytes.set(tail, length);
  return bytes;
}

// Code units are written one by one: with thousands of broken bytes, slices and concatenation cost a hundred times more.
function mixedText(bytes: Buffer): string {
  const units = Buffer.alloc(bytes.length * 2);
  let end = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    const point = length === 0 ? 0xdc00 + bytes[at]! : codePoint(bytes, at, length);
    if (point > 0xffff) end = units.writeUInt16LE(0xd800 + ((point - 0x10000) >> 10), end);
    end = units.writeUInt16LE(point > 0xffff ? 0xdc00 + (point & 0x3ff) : point, end);
    at += length || 1;
  }
  return units.toString('utf16le', 0, end);
}

function mixedBytes(text: string): Buffer {
  const bytes = Buffer.alloc(text.length * 3);
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    const point = text.codePointAt(at)!;
    if (point < 0x80) bytes[end++] = point;
    else if (point >= 0xdc80 && point <= 0xdcff) bytes[end++] = point & 0xff;
    else end += bytes.write(String.fromCodePoint(point), end);
    if (point > 0xffff) at++;
  }
  return bytes.subarray(0, end);
}

/** Of the UTF-8 sequence that starts here; 0 when none does (RFC 3629 s.4). */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const isWhole = length > 0 && at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length));
  return isWhole ? length : 0;
}

function codePoint(bytes: Buffer, at: number, length: number): number {
  if (length === 1) return bytes[at]!;
  let point = bytes[at]! & (0x7f >> length);
  for (let next = at + 1; next < at + length; next++) point = (point << 6) | (bytes[next]! & 0x3f);
  return point;
}
