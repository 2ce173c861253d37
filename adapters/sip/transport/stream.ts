// One TCP or TLS connection: messages framed by Content-Length, keep-alives between them (RFC 3261 s.18.3, RFC 5626 s.3.5.1).

import type { Socket } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { encodeMessage, type Limits, SipParseError, StreamDecoder } from '../codec/message.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { wireUnit } from '../wire-trace.ts';
import { Connection, type ConnectionLimits } from './connection.ts';
import type { TransportUser } from './flow.ts';

const ping = Buffer.from('\r\n\r\n');
const pong = Buffer.from('\r\n');

export interface StreamParts {
  wheel: TimerWheel;
  user: TransportUser;
  limits: Limits;
  connectionLimits: ConnectionLimits;
}

export interface StreamWay {
  transport: 'TCP' | 'TLS';
  sentBy: { host: string; port: number };
  isOurs: boolean;
  offersAlias?: boolean;
  /** What the peer has proved itself with. */
  certificate?: PeerCertificate | undefined;
}

export class StreamConnection extends Connection {
  readonly offersAlias: boolean;
  readonly certificate: PeerCertificate | undefined;
  readonly #socket: Socket;
  readonly #decoder: StreamDecoder;
  readonly #user: TransportUser;

  constructor(socket: Socket, parts: StreamParts, way: StreamWay) {
    const remote = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    super(parts.wheel, parts.connectionLimits, { ...way, remote });
    this.offersAlias = way.offersAlias ?? false;
    this.certificate = way.certificate;
    this.#socket = socket;
    this.#user = parts.user;
    this.#decoder = new StreamDecoder(parts.limits);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => this.close());
    socket.on('close', () => {
      this.close();
      this.#user.onClosed(this);
    });
  }

  send(bytes: Uint8Array, onError: (error: Error) => void): void {
    if (!this.isOpen) {
      onError(new Error('the connection is closed'));
      return;
    }
    this.#user.trace?.wire?.(wireUnit(this, 'outbound', bytes));
    this.#socket.write(bytes, (error) => {
      if (error) onError(error);
    });
    this.checkUnread();
  }

  protected ping(): void {
    this.#socket.write(ping);
  }

  protected destroy(): void {
    this.#socket.destroySoon();
    // A peer that does not read never lets the last bytes go.
    if (this.#socket.writableLength > 0 && this.unreadBytes > 65_536) this.#socket.destroy();
  }

  protected get unreadBytes(): number {
    return this.#socket.writableLength;
  }

  protected override gaveUp(): void {
    const { pendingBytes } = this.#decoder;
    if (pendingBytes > 0)
      this.#user.onBroken(new SipParseError(`${pendingBytes} bytes of a message that never ended`), this);
  }

  #receive(chunk: Buffer): void {
    const items = this.#decoder.push(chunk);
    for (const item of items) {
      if (!this.isOpen) return;
      if (item === 'ping') this.#socket.write(pong);
      else if (item === 'pong') this.heardPong();
      else if (item instanceof SipParseError) this.#refuse(item);
      else {
        // Written anew: where in the stream it stood, nobody knows any more.
        this.#user.trace?.wire?.(wireUnit(this, 'inbound', encodeMessage(item)));
        this.#user.onMessage(item, this);
      }
    }
    this.heard(items.length > 0, this.#decoder.pendingBytes > 0);
  }

  #refuse(error: SipParseError): void {
    this.#user.onBroken(error, this);
    if (error.isFatal) this.close();
  }
}
