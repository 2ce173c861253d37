// A scriptable XMPP server for component connections (XEP-0114), in process, on port 0. Its XML is read by `@xmpp/client`'s
// own parser, so that both ends are never ours.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { until } from '../servers/process.ts';
import type { Stanza } from './xmpp-user.ts';

interface Parser {
  on(event: 'start' | 'element', listener: (element: Stanza) => void): void;
  on(event: 'end', listener: () => void): void;
  write(text: string): void;
}
const { xml } = createRequire(import.meta.url)('@xmpp/client') as { xml: { Parser: new () => Parser } };

export interface Script {
  secret: string;
  /** What answers the stream header; default: a stream header with an id. Undefined: silence. */
  onHeader: ((domain: string) => string | undefined) | undefined;
  /** Whether pings are answered. */
  answersPings: boolean;
  /** Sees every stanza but pings; what it returns is written. */
  onStanza: ((stanza: Stanza) => string | undefined) | undefined;
}

export interface FakeXmppServer {
  readonly port: number;
  readonly script: Script;
  /** Everything heard after the handshakes, pings too. */
  readonly heard: Stanza[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** To every component that is connected, as it is. */
  write(text: string | Uint8Array): void;
  hears(matches: (stanza: Stanza) => boolean, what: string): Promise<Stanza>;
  /** Reads nothing more, or again. */
  pause(): void;
  resume(): void;
  /** How many reads from sockets there were. */
  readonly reads: number;
  /** Drops every connection. */
  drop(): void;
  stop(): Promise<void>;
}

export const streamHeader = (domain: string, id = 'stream-1') =>
  `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='${domain}' id='${id}'>`;
export const streamError = (condition: string) =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`;
export const pong = ({ attrs: { id, from, to } }: Stanza, by = to) =>
  `<iq type='result' id='${id}' from='${by}' to='${from}'/>`;
export const isPing = (stanza: Stanza) => stanza.getChild('ping', 'urn:xmpp:ping') !== undefined;

export async function startFakeXmppServer(given: Partial<Script> = {}): Promise<FakeXmppServer> {
  const script: Script = {
    secret: 'secret',
    onHeader: streamHeader,
    answersPings: true,
    onStanza: undefined,
    ...given,
  };
  const sockets = new Set<Socket>();
  const heard: Stanza[] = [];
  let connections = 0;
  let reads = 0;
  const listener = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.on('data', () => reads++);
    serve(socket, script, heard);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    script,
    heard,
    get connections() {
      return connections;
    },
    get reads() {
      return reads;
    },
    pause() {
      for (const socket of sockets) socket.pause();
    },
    resume() {
      for (const socket of sockets) socket.resume();
    },
    write(text) {
      for (const socket of sockets) socket.write(text);
    },
    async hears(matches, what) {
      await until(() => heard.some(matches), what);
      return heard.find(matches) as Stanza;
    },
    drop,
    async stop() {
      listener.close();
      drop();
    },
  };
}

function serve(socket: Socket, script: Script, heard: Stanza[]): void {
  const parser = new xml.Parser();
  let isOpen = false;
  parser.on('start', ({ attrs }) => {
    const answer = script.onHeader?.(attrs.to ?? '');
    if (answer !== undefined) socket.write(answer);
  });
  parser.on('element', (stanza) => {
    if (!isOpen) {
      const proof = createHash('sha1').update(`stream-1${script.secret}`, 'utf8').digest('hex');
      isOpen = stanza.children[0] === proof;
      if (isOpen) socket.write('<handshake/>');
      else socket.end(streamError('not-authorized'));
      return;
    }
    heard.push(stanza);
    const answer = isPing(stanza) ? (script.answersPings ? pong(stanza) : undefined) : script.onStanza?.(stanza);
    if (answer !== undefined) socket.write(answer);
  });
  parser.on('end', () => socket.end('</stream:stream>'));
  socket.setEncoding('utf8').on('data', (text: string) => parser.write(text));
}
