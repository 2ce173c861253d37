// A capture file as conversations: who spoke when on each connection, message by message.
import { decodeIpPacket, maxPayloadBytes, type PacketEnd } from '../formats/ip-packets.ts';
import { decodeCapture } from '../formats/pcapng.ts';

export interface Conversation {
  readonly transport: 'tcp' | 'udp';
  readonly remote: PacketEnd;
  readonly messages: Said[];
}

export interface Said {
  /** `inbound`: the far end said it. */
  readonly direction: 'inbound' | 'outbound';
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** Throws CaptureFileError. */
export function conversationsIn(file: Buffer): { protocol: string; conversations: Conversation[] } {
  const { description: protocol, packets } = decodeCapture(file);
  const conversations = new Map<string, Conversation>();
  for (const { direction, at, bytes } of packets) {
    const segment = decodeIpPacket(Buffer.from(bytes));
    if (!segment) continue;
    const { transport, payload } = segment;
    const [remote, local] = direction === 'inbound' ? [segment.from, segment.to] : [segment.to, segment.from];
    const key = `${transport} ${remote.address} ${remote.port} ${local.address} ${local.port}`;
    const { messages } = conversations.get(key) ?? setIn(conversations, key, { transport, remote, messages: [] });
    const last = messages.at(-1);
    // A message that did not fit into one packet goes on in the next.
    const goesOn = last?.direction === direction && last.bytes.length % maxPayloadBytes === 0;
    if (goesOn) messages[messages.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, payload]) };
    else messages.push({ direction, at, bytes: Buffer.from(payload) });
  }
  return { protocol, conversations: [...conversations.values()] };
}

function setIn<T>(map: Map<string, T>, key: string, value: T): T {
  map.set(key, value);
  return value;
}
