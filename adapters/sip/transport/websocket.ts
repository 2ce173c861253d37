// SIP over WebSocket (RFC 7118): one message a frame, text or binary, subprotocol `sip`.
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { sipHost } from '../codec/host.ts';
import { decodeMessage, SipParseError } from '../codec/message.ts';
import { wireUnit } from '../wire-trace.ts';
import { Connection } from './connection.ts';
import type { StreamParts } from './stream.ts';

const closeWithinMs = 1000;

/**
 * As the client of whoever is at the other end of a socket that is open, with TLS where `isSecure`. Rejects when that is no WebSocket
 * server, or none that speaks `sip` (s.4.1).
 */
export async function openWebSocket(
  carrier: Socket,
  { name, port, isSecure }: { name: string; port: number; isSecure: boolean },
  { maxPayload, patience }: { maxPayload: number; patience: AbortSignal },
): Promise<WebSocket> {
  const socket = new WebSocket(`${isSecure ? 'wss' : 'ws'}://${sipHost(name)}:${port}/`, ['sip'], {
    createConnection: () => carrier,
    maxPayload,
    perMessageDeflate: false,
    followRedirects: false,
  });
  socket.on('error', () => {});
  try {
    await once(socket, 'open', { signal: patience });
    if (socket.protocol !== 'sip') throw new Error(`${name} does not speak SIP over WebSocket`);
    return socket;
  } catch (error) {
    socket.terminate();
    throw error;
  }
}

export class WebSocketConnection extends Connection {
  readonly #socket: WebSocket;
  readonly #parts: StreamParts;

  constructor(
    socket: WebSocket,
    carrier: Socket,
    parts: StreamParts,
    way: { transport: 'WS' | 'WSS'; sentBy: { host: string; port: number }; isOurs: boolean },
  ) {
    const { remoteAddress, remotePort = 0 } = carrier;
    const remote = { address: plainAddress(remoteAddress), port: remotePort };
    super(parts.wheel, parts.connectionLimits, { ...way, remote });
    this.#socket = socket;
    this.#parts = parts;
    socket.on('message', (data: Buffer) => this.#receive(data));
    socket.on('ping', () => this.heard(true, false));
    socket.on('pong', () => {
      this.heard(true, false);
      this.heardPong();
    });
    socket.on('error', () => this.close());
    socket.on('close', () => {
      this.close();
      parts.user.onClosed(this);
    });
  }

  send(bytes: Uint8Array, onError: (error: Error) => void): void {
    if (!this.isOpen) {
      onError(new Error('the connection is closed'));
      return;
    }
    this.#parts.user.trace?.wire?.(wireUnit(this, 'outbound', bytes));
    // A browser hands text frames to its page as strings; what is no UTF-8 cannot go as text (RFC 6455 s.5.6).
    this.#socket.send(bytes, { binary: !isUtf8(bytes) }, (error) => {
      if (error) onError(error);
    });
    this.checkUnread();
  }

  protected ping(): void {
    this.#socket.ping();
  }

  protected destroy(): void {
    this.#socket.close(1001);
    // A browser answers the close frame at once; a peer that is gone never does.
    setTimeout(() => this.#socket.terminate(), closeWithinMs).unref();
  }

  protected get unreadBytes(): number {
    return this.#socket.bufferedAmount;
  }

  #receive(data: Buffer): void {
    this.heard(true, false);
    // RFC 5626 s.3.5.1 over RFC 7118 s.6: JsSIP and SIP.js send CRLF CRLF in a frame of its own.
    if (data.length <= 4 && /^[\r\n]*$/.test(data.toString('latin1'))) {
      if (data.length === 4) this.#socket.send('\r\n');
      else this.heardPong();
      return;
    }
    this.#parts.user.trace?.wire?.(wireUnit(this, 'inbound', data));
    try {
      this.#parts.user.onMessage(decodeMessage(data, this.#parts.limits), this);
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      this.#parts.user.onBroken(error, this);
    }
  }
}
