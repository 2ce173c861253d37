// s.4.1.7: an ESME that waits to be called. When something waits for its account we connect and say outbind, and it binds on
// that connection as on any other.

import type { Socket } from 'node:net';
import type { Log } from '../../../src/contract/index.ts';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { dial } from '../binds/dial.ts';
import type { Account } from './account.ts';
import type { ServerOptions } from './config.ts';
import type { Connection, Origin } from './connection.ts';

export interface OutbinderParts {
  readonly options: () => Pick<ServerOptions, 'systemId' | 'bindTimeoutMs'>;
  /** From here on it is a connection like those that came to us. */
  readonly accept: (socket: Socket, origin: Origin) => Connection;
  readonly log: Log;
  readonly now: () => number;
}

interface Call {
  /** While one is under way, or its connection lives. */
  socket: Socket | undefined;
  pauseMs: number;
  nextAt: number;
}

const firstPauseMs = 5000;
const maxPauseMs = 300_000;

export class Outbinder {
  readonly #parts: OutbinderParts;
  readonly #calls = new Map<string, Call>();

  constructor(parts: OutbinderParts) {
    this.#parts = parts;
  }

  /** Something waits for an account that is not there. */
  wake({ name, options: { outbind } }: Account): void {
    if (!outbind) return;
    const { log, now } = this.#parts;
    const call = this.#calls.get(name) ?? { socket: undefined, pauseMs: firstPauseMs, nextAt: 0 };
    if (call.socket || now() < call.nextAt) return;
    this.#calls.set(name, call);
    call.nextAt = now() + call.pauseMs;
    call.pauseMs = Math.min(maxPauseMs, call.pauseMs * 2);
    try {
      call.socket = this.#call(name, outbind, call);
    } catch (error) {
      // A file of its TLS options.
      log.warn({ account: name, why: error instanceof Error ? error.message : String(error) }, 'outbind: no call');
    }
  }

  /** The ESME of that account bound where we called it. */
  bound(name: string): void {
    const call = this.#calls.get(name);
    if (call) call.pauseMs = firstPauseMs;
  }

  /** It took what waited: it is called again as soon as something else does. */
  served(name: string): void {
    const call = this.#calls.get(name);
    if (call) call.nextAt = 0;
  }

  /** At once, whoever is there. */
  cut(): void {
    for (const { socket } of this.#calls.values()) socket?.destroy();
  }

  #call(name: string, { host, port, tls, password }: NonNullable<Account['options']['outbind']>, call: Call): Socket {
    const { options, accept, log } = this.#parts;
    const { systemId, bindTimeoutMs } = options();
    const socket = dial(tls, { host, port });
    let why = 'the connection ended';
    socket.setTimeout(bindTimeoutMs, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (error: Error) => {
      why = error.message;
    });
    socket.once(tls === false ? 'connect' : 'secureConnect', () => {
      socket.setTimeout(0);
      accept(socket, {
        ip: plainAddress(socket.remoteAddress) || host,
        isSecure: tls !== false,
        calledFor: name,
      }).outbind(systemId, password);
    });
    socket.once('close', () => {
      call.socket = undefined;
      log.debug({ account: name, host, port, why }, 'outbind: over');
    });
    return socket;
  }
}
