// What one connection writes: all PDUs of a turn in one write, and since when the peer has not read them.
import type { Duplex } from 'node:stream';
import type { Trace } from '../../src/contract/index.ts';
import { wireUnit } from './wire-trace.ts';

const maxWritableBytes = 256 * 1024;
const goodbyeMs = 2000;

export class Outlet {
  /** The peer has left more than 256 KiB unread since then (by the clock given): what it asks meanwhile waits, its socket is paused. */
  stuckSince: number | undefined;
  readonly #socket: Duplex;
  readonly #now: () => number;
  readonly #trace: Pick<Trace, 'wire'> | undefined;
  #frames: Buffer[] = [];
  #isClosed = false;

  constructor(socket: Duplex, now: () => number, trace: Pick<Trace, 'wire'> | undefined) {
    this.#socket = socket;
    this.#now = now;
    this.#trace = trace;
    socket.on('drain', () => {
      this.stuckSince = undefined;
    });
  }

  send(frame: Buffer): void {
    this.#trace?.wire?.(wireUnit(this.#socket, 'outbound', frame));
    if (this.#frames.push(frame) === 1) setImmediate(() => this.#flush());
  }

  /** What is written may still leave; a peer that does not read is cut off. */
  close(): void {
    this.#flush();
    this.#isClosed = true;
    if (this.stuckSince !== undefined || this.#socket.errored) this.#socket.destroy();
    else this.#socket.end(() => this.#socket.destroy());
    if (this.#socket.destroyed) return;
    // Less than that is never written to a peer that reads nothing, and would keep the socket for ever.
    const timer = setTimeout(() => this.#socket.destroy(), goodbyeMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #flush(): void {
    const [first] = this.#frames;
    if (!first || this.#isClosed || this.#socket.destroyed) return;
    const joined = this.#frames.length === 1 ? first : Buffer.concat(this.#frames);
    this.#frames = [];
    this.#socket.write(joined);
    if (this.#socket.writableLength <= maxWritableBytes) return;
    this.stuckSince ??= this.#now();
    this.#socket.pause();
  }
}
