// UDP: a socket per listener, a flow per peer address (RFC 3261 s.18, RFC 3581).
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { sipHost } from '../codec/host.ts';
import { decodeMessage, type Limits, SipParseError } from '../codec/message.ts';
import { isStun } from '../codec/stun.ts';
import { wireUnit } from '../wire-trace.ts';
import type { Endpoint, Flow, TransportUser } from './flow.ts';
import { StunAgent } from './stun-agent.ts';

// At 15,000 messages a second the default of 208 KiB holds 20 ms: a garbage collection loses messages.
const receiveBufferBytes = 4 * 1024 * 1024;
const maxHeard = 4096;

export class UdpListener {
  readonly #socket: Socket;
  readonly #user: TransportUser;
  readonly #limits: Limits;
  readonly isIPv6: boolean;
  readonly stun: StunAgent;
  sentBy = { host: '', port: 0 };
  /** Datagrams so far. */
  received = 0;
  #isOpen = true;
  readonly #heard = new Map<string, UdpFlow>();

  /** `now` is in milliseconds. */
  constructor(host: string, user: TransportUser, limits: Limits, now: () => number) {
    this.isIPv6 = isIPv6(host);
    this.#user = user;
    this.#limits = limits;
    this.stun = new StunAgent((bytes, to) => this.send(bytes, to, () => {}), now);
    this.#socket = createSocket({
      type: this.isIPv6 ? 'udp6' : 'udp4',
      recvBufferSize: receiveBufferBytes,
      // Only what we listen on may be a name. What is sent to is an address: no way round by the resolver, no turn lost.
      lookup: (name, options, done) =>
        this.sentBy.port === 0 ? lookup(name, options, done) : done(null, name, this.isIPv6 ? 6 : 4),
    });
    this.#socket.on('message', (bytes, { address, port }) => this.#receive(bytes, { address, port }));
  }

  async bind(host: string, port: number, advertise = host): Promise<void> {
    const listening = once(this.#socket, 'listening');
    this.#socket.bind({ address: host, port, exclusive: true });
    await listening;
    // A late ICMP answer is about a datagram already given up for lost; the transaction's timer says so.
    this.#socket.on('error', () => {});
    this.sentBy = { host: sipHost(advertise), port: this.#socket.address().port };
  }

  /** Cheap: nothing is kept of it here. */
  flowTo(remote: Endpoint): Flow {
    return new UdpFlow(this, remote);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get trace(): TransportUser['trace'] {
    return this.#user.trace;
  }

  send(bytes: Uint8Array, { address, port }: Endpoint, onError: (error: Error) => void): void {
    if (!this.#isOpen) {
      onError(new Error('the socket is closed'));
      return;
    }
    this.#socket.send(bytes, port, address, (error) => {
      if (error) onError(error);
    });
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  // A proxy sends thousands of requests that live for 32 s: they share what is known of it.
  #flowFrom(remote: Endpoint): UdpFlow {
    const key = `${remote.port}/${remote.address}`;
    const known = this.#heard.get(key);
    if (known) return known;
    if (this.#heard.size >= maxHeard) this.#heard.clear();
    const flow = new UdpFlow(this, remote);
    this.#heard.set(key, flow);
    return flow;
  }

  #receive(bytes: Buffer, remote: Endpoint): void {
    this.received++;
    if (isKeepAlive(bytes)) return;
    if (isStun(bytes)) {
      this.stun.receive(bytes, remote);
      return;
    }
    const flow = this.#flowFrom(remote);
    this.#user.trace?.wire?.(wireUnit(flow, 'inbound', bytes));
    try {
      this.#user.onMessage(decodeMessage(bytes, this.#limits), flow);
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      this.#user.onBroken(error, flow);
    }
  }
}

class UdpFlow implements Flow {
  readonly transport = 'UDP';
  readonly isReliable = false;
  readonly remote: Endpoint;
  readonly #listener: UdpListener;

  constructor(listener: UdpListener, remote: Endpoint) {
    this.#listener = listener;
    this.remote = remote;
  }

  get id(): string {
    return `udp/${this.remote.address}/${this.remote.port}`;
  }

  get sentBy() {
    return this.#listener.sentBy;
  }

  get isOpen(): boolean {
    return this.#listener.isOpen;
  }

  send(bytes: Uint8Array, onError: (error: Error) => void): void {
    this.#listener.trace?.wire?.(wireUnit(this, 'outbound', bytes));
    this.#listener.send(bytes, this.remote, onError);
  }

  close(): void {}

  probe(heard: (seen: Endpoint) => void): void {
    this.#listener.stun.ask(this.remote, heard);
  }

  at(remote: Endpoint): Flow {
    const isSame = remote.port === this.remote.port && remote.address === this.remote.address;
    return isSame ? this : new UdpFlow(this.#listener, remote);
  }
}

function isKeepAlive(bytes: Buffer): boolean {
  if (bytes.length > 4) return false;
  for (const byte of bytes) if (byte !== 13 && byte !== 10 && byte !== 0) return false;
  return true;
}
