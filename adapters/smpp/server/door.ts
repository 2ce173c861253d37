// Where ESMEs come in: listeners in the clear and with TLS, and how many strangers may stand there at once.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { sourceOf } from '../../../src/guards/guesses.ts';
import { readPems } from '../../../src/guards/pem.ts';
import type { ServerOptions } from './config.ts';
import type { Origin } from './connection.ts';

type Listener = ServerOptions['listen'][number];
export type TurnedAway = 'full' | 'too many of one address' | 'blocked' | 'tls';

export interface DoorHandler {
  arrived(socket: Socket, origin: Origin): void;
  turnedAway(ip: string, why: TurnedAway): void;
  isBlocked(ip: string): boolean;
}

interface Opened {
  readonly listener: Listener;
  readonly server: Server;
}

export class Door {
  /** As they are now. */
  readonly #options: () => ServerOptions;
  readonly #handler: DoorHandler;
  #open: Opened[] = [];
  #changing: Promise<unknown> = Promise.resolve();
  readonly #sockets = new Set<Socket>();
  readonly #sources = new Map<string, number>();

  constructor(options: () => ServerOptions, handler: DoorHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /**
   * Listens there and nowhere else; who is connected stays. Resolves with the ports; rejects, with all as it was, when one is
   * taken or a certificate cannot be read.
   */
  open(listeners: readonly Listener[]): Promise<number[]> {
    const change = this.#changing.then(() => this.#change(listeners));
    this.#changing = change.catch(() => {});
    return change;
  }

  async #change(listeners: readonly Listener[]): Promise<number[]> {
    const leaving = [...this.#open];
    const staying = listeners.map((listener) => {
      const at = leaving.findIndex((opened) => isDeepStrictEqual(opened.listener, listener));
      return at < 0 ? undefined : leaving.splice(at, 1)[0];
    });
    const coming = listeners.filter((_, at) => staying[at] === undefined);
    // A port is free for its next listener only once the former is gone.
    const before = leaving.filter(({ listener }) => coming.some(({ port }) => port === listener.port));
    for (const { server } of before) server.close();
    const fresh = await this.#openAll(coming).catch(async (error: unknown) => {
      const back = await this.#openAll(before.map(({ listener }) => listener));
      this.#open = [...this.#open.filter((opened) => !before.includes(opened)), ...back];
      throw error;
    });
    for (const { server } of leaving) server.close();
    this.#open = staying.map((opened) => opened ?? (fresh.shift() as Opened));
    return this.#open.map(({ server }) => (server.address() as AddressInfo).port);
  }

  /** No new ones. */
  close(): void {
    for (const { server } of this.#open.splice(0)) server.close();
  }

  async #openAll(listeners: readonly Listener[]): Promise<Opened[]> {
    const opened = listeners.map((listener) => ({ listener, server: this.#server(listener) }));
    try {
      await Promise.all(opened.map(({ server, listener }) => listen(server, listener)));
      return opened;
    } catch (error) {
      for (const { server } of opened) server.close();
      throw error;
    }
  }

  /** At once, whoever is there. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #server({ tls }: Listener): Server {
    if (!tls) {
      const server = createServer({ noDelay: true });
      return server.on('connection', (socket: Socket) => {
        if (this.#admits(socket))
          this.#handler.arrived(socket, { ip: plainAddress(socket.remoteAddress), isSecure: false });
      });
    }
    const server = createTlsServer({ ...tlsOptions(tls), handshakeTimeout: this.#options().bindTimeoutMs });
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true);
      this.#admits(socket);
    });
    server.on('secureConnection', (socket) => {
      this.#handler.arrived(socket, { ip: plainAddress(socket.remoteAddress), isSecure: true });
    });
    server.on('tlsClientError', (_, socket) => {
      this.#handler.turnedAway(plainAddress(socket.remoteAddress), 'tls');
      socket.destroy();
    });
    return server;
  }

  #admits(socket: Socket): boolean {
    const ip = plainAddress(socket.remoteAddress);
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
export function tlsOptions({ requestCert, ...files }: NonNullable<Listener['tls']>): TlsOptions {
  return {
    ...readPems(files),
    requestCert,
    rejectUnauthorized: requestCert,
    minVersion: 'TLSv1.2',
  };
}

function listen(server: Server, { host, port }: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}
