// The servers behind `listen:`: TCP, TLS, and WebSocket with and without TLS. What they accept becomes a connection.

import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { sipHost } from '../codec/host.ts';
import type { Connection } from './connection.ts';
import type { TransportName } from './flow.ts';
import { StreamConnection, type StreamParts } from './stream.ts';
import type { TlsIdentity } from './tls.ts';
import { WebSocketConnection } from './websocket.ts';

export interface ListenerOptions {
  transport: 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';
  host: string;
  port: number;
  /** What Via and Contact say instead of `host`. */
  advertise?: string | undefined;
  tls?: (TlsIdentity & { requestCert?: boolean | undefined }) | undefined;
}

export interface SentBy {
  host: string;
  port: number;
}

export interface StreamListener {
  readonly transport: Exclude<TransportName, 'UDP'>;
  readonly sentBy: SentBy;
  close(): Promise<void>;
}

/** What becomes of an accepted socket: `admit` says whether it may stay, `keep` takes the connection. */
export interface Reception {
  parts: StreamParts;
  admit(address: string): boolean;
  keep(connection: Connection): void;
}

/** Rejects when the port is taken or the certificate cannot be read. */
export async function listenStream(options: ListenerOptions, reception: Reception): Promise<StreamListener> {
  const transport = options.transport.toUpperCase() as StreamListener['transport'];
  const sentBy: SentBy = { host: sipHost(options.advertise ?? options.host), port: options.port };
  const server = createServer(transport, options, reception, sentBy);
  server.listen({ host: options.host, port: options.port, exclusive: true });
  await once(server, 'listening');
  sentBy.port = (server.address() as AddressInfo).port;
  return { transport, sentBy, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

function createServer(
  transport: StreamListener['transport'],
  { tls }: ListenerOptions,
  reception: Reception,
  sentBy: SentBy,
): Server | HttpServer {
  const secrets = {
    ...defined(tls ?? {}),
    handshakeTimeout: reception.parts.connectionLimits.messageMs,
    rejectUnauthorized: tls?.requestCert === true,
  };
  const accept = (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress);
    // Reset before we looked: there is nobody to answer.
    if (address === '' || !reception.admit(address)) return void socket.destroy();
    const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
    const way = { transport: transport as 'TCP' | 'TLS', sentBy, isOurs: false, certificate };
    reception.keep(new StreamConnection(socket, reception.parts, way));
  };
  if (transport === 'TCP') return createTcpServer(accept);
  if (transport === 'TLS')
    return createTlsServer(secrets, accept).on('tlsClientError', (_, socket) => socket.destroy());
  const server = transport === 'WS' ? createHttpServer() : createHttpsServer(secrets);
  server.headersTimeout = reception.parts.connectionLimits.messageMs;
  return upgrading(server, transport, reception, sentBy);
}

function upgrading(server: HttpServer, transport: 'WS' | 'WSS', reception: Reception, sentBy: SentBy): HttpServer {
  const { parts, admit, keep } = reception;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: parts.limits.messageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('sip') ? 'sip' : false),
  });
  server.on('request', (_, response) => void response.writeHead(426, { upgrade: 'websocket' }).end());
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    // RFC 7118 s.4: no subprotocol `sip`, no connection.
    if (!/(^|,)\s*sip\s*(,|$)/.test(request.headers['sec-websocket-protocol'] ?? '')) {
      return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    }
    if (!admit(plainAddress(request.socket.remoteAddress))) {
      return void socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
    }
    sockets.handleUpgrade(request, socket, head, (opened) =>
      keep(new WebSocketConnection(opened, request.socket, parts, { transport, sentBy, isOurs: false })),
    );
  });
  return server;
}

/** Node's options take a missing key, not one that is undefined. */
function defined<T extends object>(options: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
