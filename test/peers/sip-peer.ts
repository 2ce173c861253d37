// A SIP peer over UDP and TCP on one loopback port, scripted by the test. It reads messages with regular expressions and
// writes them as text, and shares nothing with the code under test.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface PeerMessage {
  /** Whole, as it came. */
  text: string;
  first: string;
  body: string;
  /** First value of that header, by its long name. */
  header(name: string): string;
  transport: 'UDP' | 'TCP';
  reply(text: string): void;
}

export interface SipPeer {
  readonly port: number;
  readonly uri: string;
  /** Everything that came, oldest first, copies included. */
  readonly heard: PeerMessage[];
  /** Answers a request; undefined is silence. The default is 200. */
  onRequest: (request: PeerMessage) => string | undefined;
  /** Resolves with the first message, past or future, that matches. */
  until(matches: (message: PeerMessage) => boolean, timeoutMs?: number): Promise<PeerMessage>;
  sendUdp(text: string | Uint8Array, port: number): void;
  stop(): Promise<void>;
}

/** On `host` of loopback; `sendUdp` goes there too. */
export async function startSipPeer({ takesTcp = true, host = '127.0.0.1' } = {}): Promise<SipPeer> {
  const { udp, tcp, port } = await openBoth(host);
  if (!takesTcp) tcp.close();
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  const receive = (text: string, transport: 'UDP' | 'TCP', reply: (text: string) => void) => {
    if (text.trim() === '') return;
    const message = readMessage(text, transport, reply);
    peer.heard.push(message);
    if (!message.first.startsWith('SIP/2.0')) {
      const answer = peer.onRequest(message);
      if (answer !== undefined) reply(answer);
    }
    for (const watcher of watchers) watcher();
  };
  udp.on('message', (bytes, { port: from, address }) =>
    receive(bytes.toString(), 'UDP', (text) => udp.send(text, from, address)),
  );
  tcp.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let held = '';
    socket.on('data', (chunk) => {
      held += chunk.toString('latin1');
      for (let message = takeMessage(held); message; message = takeMessage(held)) {
        held = held.slice(message.length);
        receive(Buffer.from(message, 'latin1').toString(), 'TCP', (text) => socket.write(text));
      }
    });
  });
  const peer: SipPeer = {
    port,
    uri: `sip:bob@${host.includes(':') ? `[${host}]` : host}:${port}`,
    heard: [],
    onRequest: (request) => responseTo(request, '200 OK'),
    until: (matches, timeoutMs = 5000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = peer.heard.find(matches);
          if (!found) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve(found);
        };
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(
            new Error(
              `not heard in ${timeoutMs} ms; heard: ${peer.heard
                .slice(-20)
                .map(({ first }) => first)
                .join(', ')}`,
            ),
          );
        }, timeoutMs);
        watchers.add(look);
        look();
      }),
    sendUdp: (text, to) => udp.send(text, to, host),
    async stop() {
      for (const socket of sockets) socket.destroy();
      if (takesTcp) await new Promise((resolve) => tcp.close(resolve));
      await new Promise<void>((resolve) => udp.close(resolve));
    },
  };
  return peer;
}

/** A response with what RFC 3261 s.8.2.6 copies. */
export function responseTo(request: PeerMessage, status: string, more: readonly string[] = [], body = ''): string {
  const copied = request.text
    .split('\r\n\r\n')[0]!
    .split('\r\n')
    .slice(1)
    .filter((line) => /^(via|from|to|call-id|cseq):/i.test(line))
    .map((line) => (/^to:/i.test(line) && !/;tag=/i.test(line) ? `${line};tag=peer` : line));
  return [`SIP/2.0 ${status}`, ...copied, ...more, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}

export interface RequestParts {
  port: number;
  method?: string;
  uri?: string;
  from?: string;
  to?: string;
  callId?: string;
  cseq?: number;
  branch?: string;
  sentBy?: string;
  transport?: string;
  type?: string;
  body?: string;
  more?: readonly string[];
}

let requests = 0;

/** A request that a peer on `port` might write. */
export function requestText(parts: RequestParts): string {
  requests++;
  const { method = 'MESSAGE', body = 'hello', type = 'text/plain', cseq = 1, transport = 'UDP' } = parts;
  const { uri = 'sip:alice%40xmpp.example@gw.example', to = `<${uri}>` } = parts;
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/${transport} ${parts.sentBy ?? `127.0.0.1:${parts.port}`};branch=${parts.branch ?? `z9hG4bK-peer-${requests}`};rport`,
    'Max-Forwards: 70',
    `From: ${parts.from ?? '<sip:bob@other.example>;tag=b1'}`,
    `To: ${to}`,
    `Call-ID: ${parts.callId ?? `call-${requests}@peer`}`,
    `CSeq: ${cseq} ${method}`,
    ...(parts.more ?? []),
    ...(body === '' ? [] : [`Content-Type: ${type}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}

async function openBoth(host: string) {
  for (;;) {
    const udp = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1024 * 1024 });
    udp.bind(0, host);
    await once(udp, 'listening');
    const { port } = udp.address();
    const tcp = createServer();
    tcp.listen(port, host);
    // The port may be somebody else's over TCP: then another one.
    const isOpen = await once(tcp, 'listening').then(
      () => true,
      () => false,
    );
    if (isOpen) return { udp, tcp, port: (tcp.address() as AddressInfo).port };
    udp.close();
  }
}

/** The first whole message of a stream, as latin1; undefined while it is not there. */
function takeMessage(held: string): string | undefined {
  if (held.startsWith('\r\n')) return '\r\n';
  const end = held.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const length = Number(/^content-length:\s*(\d+)/im.exec(held.slice(0, end))?.[1] ?? 0);
  return held.length < end + 4 + length ? undefined : held.slice(0, end + 4 + length);
}

function readMessage(text: string, transport: 'UDP' | 'TCP', reply: (text: string) => void): PeerMessage {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [first = ''] = head.split('\r\n');
  const header = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(head)?.[1]?.trim() ?? '';
  return { text, first, body: rest.join('\r\n\r\n'), header, transport, reply };
}
