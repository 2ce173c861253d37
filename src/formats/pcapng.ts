// Capture files that Wireshark and its kin read (pcapng, draft-ietf-opsawg-pcapng): one section, one interface, little-endian.
// What we write can be read back; of other files only such as have the same shape.

export interface CaptureHeader {
  /** What wrote it. */
  readonly application: string;
  /** if_name and if_description. */
  readonly name: string;
  readonly description: string;
}

export interface Packet {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly direction: 'inbound' | 'outbound';
  /** An IPv4 or IPv6 packet. */
  readonly bytes: Uint8Array;
}

/** Why a file cannot be read, in words. */
export class CaptureFileError extends Error {}

const blocks = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 } as const;
const byteOrderMagic = 0x1a2b3c4d;
/** Raw IP: the packet begins with its IPv4 or IPv6 header. */
const linkTypeRaw = 101;
const options = { ifName: 2, ifDescription: 3, application: 4, packetFlags: 2 } as const;
const directions = { inbound: 1, outbound: 2 } as const;

export function encodeCaptureHeader({ application, name, description }: CaptureHeader): Buffer {
  const section = Buffer.alloc(16);
  section.writeUInt32LE(byteOrderMagic, 0);
  section.writeUInt16LE(1, 4);
  // The section's length is not known.
  section.writeBigInt64LE(-1n, 8);
  const link = Buffer.alloc(8);
  link.writeUInt16LE(linkTypeRaw, 0);
  const text = (code: number, words: string) => option(code, Buffer.from(words).subarray(0, 0xffff));
  return Buffer.concat([
    block(blocks.section, section, text(options.application, application)),
    block(blocks.interface, link, text(options.ifName, name), text(options.ifDescription, description)),
  ]);
}

export function encodePacket({ at, direction, bytes }: Packet): Buffer {
  const head = Buffer.alloc(20);
  writeTime(head, at);
  head.writeUInt32LE(bytes.length, 12);
  head.writeUInt32LE(bytes.length, 16);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(directions[direction]);
  return block(blocks.packet, head, padded(bytes), option(options.packetFlags, flags));
}

/** That until then, in milliseconds since 1970, nothing more came (s.4.6): something to write while nothing happens. */
export function encodeQuiet(at: number): Buffer {
  const head = Buffer.alloc(12);
  writeTime(head, at);
  return block(blocks.statistics, head);
}

// After the number of the interface, which is 0.
function writeTime(head: Buffer, at: number): void {
  const microseconds = BigInt(Math.round(at * 1000));
  head.writeUInt32LE(Number(microseconds >> 32n), 4);
  head.writeUInt32LE(Number(microseconds & 0xffffffffn), 8);
}

/** Throws CaptureFileError. A last block that is cut off is left out: whoever wrote the file was stopped. */
export function decodeCapture(file: Buffer): { description: string; packets: Packet[] } {
  let description: string | undefined;
  const packets: Packet[] = [];
  for (const { type, body } of blocksOf(file)) {
    if (type === blocks.interface) {
      if (body.length < 8 || body.readUInt16LE(0) !== linkTypeRaw)
        throw new CaptureFileError('not of raw IP packets: only what `capture` wrote can be read');
      if (description !== undefined) throw new CaptureFileError('of more than one interface');
      description = optionIn(body.subarray(8), options.ifDescription)?.toString() ?? '';
    } else if (type === blocks.packet) packets.push(packetIn(body));
  }
  if (description === undefined) throw new CaptureFileError('no interface is described in it');
  return { description, packets };
}

function* blocksOf(file: Buffer): Generator<{ type: number; body: Buffer }> {
  const isOurs =
    file.length >= 12 && file.readUInt32LE(0) === blocks.section && file.readUInt32LE(8) === byteOrderMagic;
  if (!isOurs) throw new CaptureFileError('no pcapng file, or one of the other byte order');
  for (let at = 0; at + 12 <= file.length; ) {
    const length = file.readUInt32LE(at + 4);
    if (length < 12 || length % 4 !== 0) throw new CaptureFileError(`a block of ${length} octets at ${at}`);
    if (at + length > file.length) return;
    yield { type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) };
    at += length;
  }
}

function packetIn(body: Buffer): Packet {
  if (body.length < 20) throw new CaptureFileError('a packet without a header');
  const microseconds = (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8));
  const length = body.readUInt32LE(12);
  if (20 + length > body.length) throw new CaptureFileError('a packet longer than its block');
  const flags = optionIn(body.subarray(20 + length + padding(length)), options.packetFlags);
  const isOutbound = flags?.length === 4 && (flags.readUInt32LE() & 3) === directions.outbound;
  return {
    at: Number(microseconds) / 1000,
    direction: isOutbound ? 'outbound' : 'inbound',
    bytes: body.subarray(20, 20 + length),
  };
}

function optionIn(bytes: Buffer, wanted: number): Buffer | undefined {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === wanted) return bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length + padding(length);
  }
  return undefined;
}

function block(type: number, ...parts: Uint8Array[]): Buffer {
  // opt_endofopt is four octets of zero.
  const length = 16 + parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(length, 4);
  return Buffer.concat([head, ...parts, tail]);
}

function option(code: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

const padding = (length: number) => (4 - (length % 4)) % 4;

function padded(bytes: Uint8Array): Uint8Array {
  const missing = padding(bytes.length);
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
