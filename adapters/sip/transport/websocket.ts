// SIP over WebSocket (RFC 7118): one message a frame, text or binary, subprotocol `sip`.

import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { decodeMessage, SipParseError } from '../codec/message.ts';
import { wireUnit } from '../wire-trace.ts';
import { Connection } from './connection.ts';
import type { StreamParts } from './stream.ts';

const closeWithinMs = 1000;

export class WebSocketConnection extends Connection {
  readonly #socket: WebSocket;
  readonly #parts: StreamParts;

  constructor(
    socket: WebSocket,
    carrier: Socket,
    parts: StreamParts,
    way: { transport: 'WS' | 'WSS'; sentBy: { host: string; port: number } },
  ) {
    const { remoteAddress, remotePort = 0 } = carrier;
    const remote = { address: plainAddress(remoteAddress), port: remotePort };
    super(parts.wheel, parts.connectionLimits, { ...way, remote, isOurs: false });
    this.#socket = socket;
    this.#parts = parts;
    socket.on('message', (data: Buffer) => this.#receive(data));
    socket.on('ping', () => this.heard(true, false));
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
