// Where ESMEs come in: listeners in the clear and with TLS, and how many strangers may stand there at once.
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { sourceOf } from '../../../src/guards/guesses.ts';
import type { ServerOptions } from './config.ts';
import type { Origin } from './connection.ts';

type Listener = ServerOptions['listen'][number];
export type TurnedAway = 'full' | 'too many of one address' | 'blocked' | 'tls';

export interface DoorHandler {
  arrived(socket: Socket, origin: Origin): void;
  turnedAway(ip: string, why: TurnedAway): void;
  isBlocked(ip: string): boolean;
}

export class Door {
  /** As they are now. */
  readonly #options: () => ServerOptions;
  readonly #handler: DoorHandler;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #sources = new Map<string, number>();

  constructor(options: () => ServerOptions, handler: DoorHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Resolves with the ports when all are open; rejects when one is taken or a certificate cannot be read. */
  async open(): Promise<number[]> {
    const listeners = this.#options().listen;
    for (const listener of listeners) this.#servers.push(this.#server(listener));
    return Promise.all(this.#servers.map((server, at) => listen(server, listeners[at] as Listener)));
  }

  /** No new ones. */
  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }

  /** At once, whoever is there. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #server({ tls }: Listener): Server {
    if (!tls) {
      const server = createServer({ noDelay: true });
      return server.on('connection', (socket: Socket) => {
        if (this.#admits(socket)) this.#handler.arrived(socket, { ip: ipOf(socket), isSecure: false });
      });
    }
    const server = createTlsServer({ ...tlsOptions(tls), handshakeTimeout: this.#options().bindTimeoutMs });
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true);
      this.#admits(socket);
    });
    server.on('secureConnection', (socket) => {
      this.#handler.arrived(socket, { ip: ipOf(socket), isSecure: true });
    });
    server.on('tlsClientError', (_, socket) => {
      this.#handler.turnedAway(ipOf(socket), 'tls');
      socket.destroy();
    });
    return server;
  }

  #admits(socket: Socket): boolean {
    const ip = ipOf(socket);
    const source = sourceOf(ip);
    const reason = this.#reasonAgainst(ip, source);
    socket.on('error', () => {});
    if (reason !== undefined) {
      this.#handler.turnedAway(ip, reason);
      socket.destroy();
      return false;
    }
    this.#sockets.add(socket);
    this.#sources.set(source, (this.#sources.get(source) ?? 0) + 1);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const left = (this.#sources.get(source) ?? 1) - 1;
      if (left === 0) this.#sources.delete(source);
      else this.#sources.set(source, left);
    });
    return true;
  }

  #reasonAgainst(ip: string, source: string): TurnedAway | undefined {
    const { maxConnections, maxConnectionsPerSource } = this.#options();
    if (this.#handler.isBlocked(ip)) return 'blocked';
    if (this.#sockets.size >= maxConnections) return 'full';
    return (this.#sources.get(source) ?? 0) >= maxConnectionsPerSource ? 'too many of one address' : undefined;
  }
}

/** Throws when a file cannot be read. */
export function tlsOptions({ cert, key, ca, requestCert }: NonNullable<Listener['tls']>): TlsOptions {
  return {
    cert: pemOf(cert),
    key: pemOf(key),
    ...(ca === undefined ? {} : { ca: pemOf(ca) }),
    requestCert,
    rejectUnauthorized: requestCert,
    minVersion: 'TLSv1.2',
  };
}

function pemOf(text: string): string | Buffer {
  return text.startsWith('-----BEGIN') ? text : readFileSync(text);
}

/** Empty when it is gone already. */
export function ipOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

function listen(server: Server, { host, port }: Listener): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      server.on('error', () => {});
      resolve((server.address() as AddressInfo).port);
    });
  });
}
