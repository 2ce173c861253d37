// Every socket of the adapter: listeners, connections and their re-use, limits, and the way from a target to a flow.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Turns } from '../../../src/guards/turns.ts';
import { bareHost } from '../codec/host.ts';
import type { Limits } from '../codec/message.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { Aliases } from './aliases.ts';
import type { Connection, ConnectionLimits } from './connection.ts';
import type { Endpoint, Flow, TransportName, TransportUser } from './flow.ts';
import { type ListenerOptions, listenStream, type SentBy, type StreamListener } from './listeners.ts';
import { SourceLimits } from './source-limits.ts';
import { StreamConnection, type StreamParts } from './stream.ts';
import { checkDomain, type TlsIdentity } from './tls.ts';
import { UdpListener } from './udp.ts';
import { openWebSocket, WebSocketConnection } from './websocket.ts';

export interface Target extends Endpoint {
  transport: TransportName;
  /** The domain that was asked for: whom a TLS certificate must name (RFC 5922). */
  name: string;
}

export interface TransportOptions {
  listen: readonly ListenerOptions[];
  /** For connections that we open. */
  tls: TlsIdentity;
  limits: Limits;
  connectionLimits: ConnectionLimits;
  maxConnections: number;
  maxConnectionsPerSource: number;
  connectTimeoutMs: number;
}

export class Transports {
  readonly #options: TransportOptions;
  readonly #parts: StreamParts;
  readonly #udp: UdpListener[] = [];
  readonly #listeners: StreamListener[] = [];
  readonly #connections = new Map<string, Connection>();
  readonly #byTarget = new Map<string, Flow>();
  readonly #aliases = new Aliases();
  readonly #opening = new Map<string, Promise<Flow>>();
  readonly #binding = new Turns();
  readonly #sources: SourceLimits;
  #isStopped = false;

  constructor(options: TransportOptions, wheel: TimerWheel, user: TransportUser) {
    this.#options = options;
    this.#sources = new SourceLimits(options.maxConnections, options.maxConnectionsPerSource);
    this.#parts = {
      wheel,
      limits: options.limits,
      connectionLimits: options.connectionLimits,
      user: {
        onMessage: (message, flow) => {
          if (flow instanceof StreamConnection && flow.certificate) this.#aliases.note(message, flow, flow.certificate);
          user.onMessage(message, flow);
        },
        trace: user.trace,
        onBroken: (error, flow) => user.onBroken(error, flow),
        onClosed: (flow) => {
          const connection = this.#connections.get(flow.id);
          if (!connection) return;
          this.#connections.delete(flow.id);
          if (!connection.isOurs) this.#sources.leave(flow.remote.address);
          this.#aliases.closed(flow);
          user.onClosed(flow);
        },
      },
    };
  }

  /** Connections, ours and theirs; only theirs are limited. */
  get size(): number {
    return this.#connections.size;
  }

  /** Datagrams so far. */
  get received(): number {
    return this.#udp.reduce((sum, { received }) => sum + received, 0);
  }

  /** Where our first listener of that transport is to be found. */
  sentByOf(transport: TransportName): SentBy | undefined {
    if (transport === 'UDP') return this.#udp[0]?.sentBy;
    return this.#listeners.find((listener) => listener.transport === transport)?.sentBy;
  }

  /** Rejects when a port is taken or a certificate cannot be read. */
  async listen(): Promise<void> {
    for (const options of this.#options.listen) {
      if (options.transport === 'udp') await this.#bindUdp(options.host, options.port, options.advertise);
      else {
        const admit = (address: string) => !this.#isStopped && this.#sources.enter(address);
        const keep = (connection: Connection) => this.#keep(connection);
        this.#listeners.push(await listenStream(options, { parts: this.#parts, admit, keep }));
      }
    }
  }

  /** An open connection. */
  connection(id: string): Flow | undefined {
    return this.#connections.get(id);
  }

  /** A flow for which nothing has to be opened: a socket of ours, or a connection (RFC 3261 s.18.1.1, RFC 5923). */
  openFlowTo(target: Target): Flow | undefined {
    if (this.#isStopped) return undefined;
    const { transport, address, port, name } = target;
    if (transport === 'UDP') {
      const isSix = address.includes(':');
      return this.#udp.find((one) => one.isOpen && one.isIPv6 === isSix)?.flowTo({ address, port });
    }
    const open = this.#byTarget.get(keyOf(target));
    if (open?.isOpen) return open;
    return transport === 'TLS' ? this.#aliases.find(target, name) : undefined;
  }

  /** The same, opened where there is none. Rejects when that takes too long. */
  async flowTo(target: Target): Promise<Flow> {
    if (this.#isStopped) throw new Error('stopped');
    const open = this.openFlowTo(target);
    if (open) return open;
    if (target.transport === 'UDP') return this.#unboundFlowTo(target);
    const key = keyOf(target);
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = this.#connect(target, key).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const closing = this.#listeners.map((listener) => listener.close());
    for (const flow of [...this.#connections.values()]) flow.close();
    await Promise.all([...closing, ...this.#udp.map((listener) => listener.close())]);
  }

  #keep(connection: Connection): void {
    this.#connections.set(connection.id, connection);
  }

  // Where nobody listens over UDP and somebody must be reached over it, a socket on a port of the system's choice will do.
  #unboundFlowTo(target: Target): Promise<Flow> {
    const { address, port } = target;
    return this.#binding.take(isIPv6(address) ? 'udp6' : 'udp4', async () => {
      const open = this.openFlowTo(target);
      if (open) return open;
      const local = await localAddressTowards(address);
      const listener = await this.#bindUdp(local, 0, undefined);
      if (!this.#isStopped) return listener.flowTo({ address, port });
      await listener.close();
      throw new Error('stopped');
    });
  }

  async #bindUdp(host: string, port: number, advertise: string | undefined): Promise<UdpListener> {
    const { user, wheel } = this.#parts;
    const listener = new UdpListener(bareHost(host), user, this.#options.limits, () => wheel.now());
    await listener.bind(bareHost(host), port, advertise);
    this.#udp.push(listener);
    return listener;
  }

  async #connect(target: Target, key: string): Promise<Flow> {
    const { address, port } = target;
    const patience = AbortSignal.timeout(this.#options.connectTimeoutMs);
    try {
      const socket = await this.#openSocket(target, patience);
      const flow = await this.#flowOver(socket, target, patience);
      if (this.#isStopped || socket.destroyed) {
        socket.destroy();
        throw new Error(`${address}:${port} closed the connection`);
      }
      this.#keep(flow);
      this.#byTarget.set(key, flow);
      socket.once('close', () => {
        if (this.#byTarget.get(key) === flow) this.#byTarget.delete(key);
      });
      return flow;
    } catch (error) {
      throw patience.aborted ? new Error(`no connection to ${address}:${port} in time`) : error;
    }
  }

  async #flowOver(socket: Socket, target: Target, patience: AbortSignal): Promise<Connection> {
    const { transport, address, name, port } = target;
    // Via names the listener, so that an answer finds us when this connection is gone (s.18.2.2).
    const sentBy = this.sentByOf(transport) ?? { host: socket.localAddress ?? address, port: socket.localPort ?? 5060 };
    if (transport === 'WS' || transport === 'WSS') {
      const maxPayload = this.#options.limits.messageBytes;
      const opened = await openWebSocket(socket, { name, port, isSecure: isSecure(target) }, { maxPayload, patience });
      return new WebSocketConnection(opened, socket, this.#parts, { transport, sentBy, isOurs: true });
    }
    return new StreamConnection(socket, this.#parts, {
      transport: transport as 'TCP' | 'TLS',
      sentBy,
      isOurs: true,
      offersAlias: transport === 'TLS' && this.#options.tls.cert !== undefined && this.sentByOf('TLS') !== undefined,
    });
  }

  async #openSocket(target: Target, patience: AbortSignal): Promise<Socket> {
    const { address, port, name } = target;
    const { cert, key, ca } = this.#options.tls;
    const socket = isSecure(target)
      ? connectTls({
          host: address,
          port,
          ...(cert === undefined ? {} : { cert }),
          ...(key === undefined ? {} : { key }),
          ...(ca === undefined ? {} : { ca }),
          ...(/^[\d.:]+$/.test(name) ? {} : { servername: name }),
          checkServerIdentity: (_, certificate) => checkDomain(name, certificate),
        })
      : connectTcp({ host: address, port });
    try {
      await once(socket, isSecure(target) ? 'secureConnect' : 'connect', { signal: patience });
      return socket;
    } catch (error) {
      socket.on('error', () => {});
      socket.destroy();
      throw error;
    }
  }
}

function keyOf(target: Target): string {
  const { transport, address, port, name } = target;
  return `${transport}/${address}/${port}/${isSecure(target) ? name : ''}`;
}

function isSecure({ transport }: Target): boolean {
  return transport === 'TLS' || transport === 'WSS';
}

/** The address of ours from which the system would reach `address`. */
async function localAddressTowards(address: string): Promise<string> {
  const probe = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  try {
    probe.connect(9, address);
    await once(probe, 'connect');
    return probe.address().address;
  } finally {
    probe.close();
  }
}
