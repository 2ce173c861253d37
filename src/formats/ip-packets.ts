// IP packets around a payload, for capture files: IPv4 (RFC 791) and IPv6 (RFC 8200), with TCP (RFC 9293) or UDP (RFC 768).
// Checksums are right, so that no tool complains; there are no options, and no fragments.

export interface Segment {
  readonly transport: 'tcp' | 'udp';
  readonly from: PacketEnd;
  readonly to: PacketEnd;
  /** Of TCP: place of the first octet, and of the next that is expected from the other side. */
  readonly sequence?: number;
  readonly acknowledged?: number;
  readonly payload: Uint8Array;
}

export interface PacketEnd {
  /** An IP address as text; an IPv4 address mapped into IPv6 counts as IPv4. */
  readonly address: string;
  readonly port: number;
}

/** What fits into one packet, whichever the headers are. */
export const maxPayloadBytes = 65_000;

const protocols = { tcp: 6, udp: 17 } as const;
const transportBytes = { tcp: 20, udp: 8 } as const;

/** Throws RangeError for what is no IP address, and for a payload that is too long. */
export function encodeIpPacket(segment: Segment): Buffer {
  const { transport, payload } = segment;
  if (payload.length > maxPayloadBytes) throw new RangeError(`${payload.length} octets do not fit into a packet`);
  const [from, to] = bothOf(segment);
  const upper = Buffer.concat([transport === 'tcp' ? tcpHeader(segment) : udpHeader(segment), payload]);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(upper.length, 0);
  pseudo.writeUInt32BE(protocols[transport], 4);
  const sum = checksum(from, to, pseudo, upper);
  // RFC 768: 0 would mean that there is none.
  upper.writeUInt16BE(transport === 'udp' && sum === 0 ? 0xffff : sum, transport === 'tcp' ? 16 : 6);
  const lower = from.length === 4 ? ipv4Header(from, to, segment, upper) : ipv6Header(from, to, segment, upper);
  return Buffer.concat([lower, upper]);
}

/** Undefined for anything but TCP and UDP without extension headers and fragments. */
export function decodeIpPacket(packet: Buffer): Segment | undefined {
  const version = (packet[0] ?? 0) >> 4;
  const lower = version === 4 ? ((packet[0] ?? 0) & 0x0f) * 4 : 40;
  if ((version !== 4 && version !== 6) || packet.length < lower + 8) return undefined;
  const protocol = packet[version === 4 ? 9 : 6];
  const transport = protocol === protocols.tcp ? 'tcp' : protocol === protocols.udp ? 'udp' : undefined;
  if (!transport || packet.length < lower + transportBytes[transport]) return undefined;
  const total = version === 4 ? packet.readUInt16BE(2) : 40 + packet.readUInt16BE(4);
  const [from, to] =
    version === 4
      ? [packet.subarray(12, 16), packet.subarray(16, 20)]
      : [packet.subarray(8, 24), packet.subarray(24, 40)];
  const upper = packet.subarray(lower, Math.min(total, packet.length));
  const ends = {
    from: { address: textOf(from), port: upper.readUInt16BE(0) },
    to: { address: textOf(to), port: upper.readUInt16BE(2) },
  };
  if (transport === 'udp') return { transport, ...ends, payload: upper.subarray(8) };
  const payload = upper.subarray(((upper[12] ?? 0) >> 4) * 4);
  return { transport, ...ends, sequence: upper.readUInt32BE(4), acknowledged: upper.readUInt32BE(8), payload };
}

function tcpHeader({ from, to, sequence = 0, acknowledged = 0 }: Segment): Buffer {
  const header = Buffer.alloc(transportBytes.tcp);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt32BE(acknowledged >>> 0, 8);
  // Five words of header; PSH and ACK; a window of all that there is.
  header.writeUInt16BE(0x5018, 12);
  header.writeUInt16BE(0xffff, 14);
  return header;
}

function udpHeader({ from, to, payload }: Segment): Buffer {
  const header = Buffer.alloc(transportBytes.udp);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt16BE(transportBytes.udp + payload.length, 4);
  return header;
}

function ipv4Header(from: Buffer, to: Buffer, { transport }: Segment, upper: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x4500, 0);
  header.writeUInt16BE(header.length + upper.length, 2);
  // Not to be fragmented; 64 hops.
  header.writeUInt16BE(0x4000, 6);
  header.writeUInt16BE(0x4000 | protocols[transport], 8);
  from.copy(header, 12);
  to.copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function ipv6Header(from: Buffer, to: Buffer, { transport }: Segment, upper: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(0x60000000, 0);
  header.writeUInt16BE(upper.length, 4);
  header.writeUInt8(protocols[transport], 6);
  header.writeUInt8(64, 7);
  return Buffer.concat([header, from, to]);
}

/** RFC 1071. */
function checksum(...parts: Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

// Both in the longer of their forms: a packet has one family.
function bothOf({ from, to }: Segment): [from: Buffer, to: Buffer] {
  const ends = [octetsOf(from.address), octetsOf(to.address)] as [Buffer, Buffer];
  return ends[0].length === ends[1].length ? ends : (ends.map(mapped) as [Buffer, Buffer]);
}

const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex');
const mapped = (octets: Buffer) => (octets.length === 16 ? octets : Buffer.concat([mappedPrefix, octets]));

function octetsOf(text: string): Buffer {
  const address = text.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes an IPv6 address in its one short form, dotted tails included.
  const host = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1);
  if (host === undefined) throw new RangeError(`${text} is no IP address`);
  const [head = '', tail] = host.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function textOf(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => octets.readUInt16BE(at * 2).toString(16));
  return URL.parse(`http://[${groups.join(':')}]/`)?.hostname.slice(1, -1) ?? '';
}
