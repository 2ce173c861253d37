// The living stack: sockets, timers, transactions, next hops. Knows requests and responses, and no event.
import { bareHost } from './codec/host.ts';
import {
  createResponse,
  encodeMessage,
  type Limits,
  type SipMessage,
  SipParseError,
  type SipRequest,
} from './codec/message.ts';
import type { Credentials } from './digest/index.ts';
import { NextHop, type Resolver } from './next-hop.ts';
import { Requester } from './requester.ts';
import { realAlarm, TimerWheel } from './timer-wheel.ts';
import { newTag } from './tokens.ts';
import type { TimerValues } from './transaction/clockwork.ts';
import type { ServerTransaction } from './transaction/server.ts';
import { Transactions } from './transaction/transactions.ts';
import type { Flow, TransportUser } from './transport/flow.ts';
import { readFirst } from './transport/read-first.ts';
import { stampVia } from './transport/received.ts';
import { type Target, type TransportOptions, Transports } from './transport/transports.ts';

export interface SessionOptions extends TransportOptions {
  timers: TimerValues;
  maxServerTransactions: number;
  /** For whoever challenges us, as of now. */
  credentials: () => readonly Credentials[];
  resolver: Resolver;
  limits: Limits;
}

export interface SessionUser {
  onRequest(request: SipRequest, transaction: ServerTransaction): void;
  onClosed(flow: Flow): void;
  /** Something came that is no SIP. */
  onBroken(error: SipParseError, flow: Flow): void;
  readonly trace?: TransportUser['trace'];
  count(name: string, labels?: Readonly<Record<string, string>>): void;
}

export class Session {
  readonly wheel: TimerWheel;
  readonly transports: Transports;
  readonly transactions: Transactions;
  readonly requester: Requester;
  readonly #user: SessionUser;

  /** `now` is a clock in milliseconds that never goes backwards: it drives every timer. */
  constructor(options: SessionOptions, user: SessionUser, now: () => number) {
    this.#user = user;
    this.wheel = new TimerWheel(
      now,
      readFirst(() => this.transports.received, realAlarm),
    );
    this.transports = new Transports(options, this.wheel, {
      onMessage: (message, flow) => this.#receive(message, flow),
      onBroken: (error, flow) => this.#refuse(error, flow),
      trace: user.trace,
      onClosed: (flow) => {
        this.transactions.closed(flow);
        user.onClosed(flow);
      },
    });
    this.transactions = new Transactions(
      this.wheel,
      {
        onRequest: (request, transaction) => user.onRequest(request, transaction),
        onAck: () => user.count('requests_total', { method: 'ACK', status: '' }),
        retransmitted: () => user.count('retransmissions_total'),
      },
      {
        timers: options.timers,
        maxServerTransactions: options.maxServerTransactions,
        replyFlow: (request) => this.#flowBack(request),
      },
    );
    const { transports, transactions } = this;
    const nextHop = new NextHop({ resolver: options.resolver, transports: ['UDP', 'TCP', 'TLS', 'WS', 'WSS'], now });
    this.requester = new Requester({ transports, transactions, nextHop, credentials: options.credentials });
  }

  /** Rejects when a port is taken. */
  listen(): Promise<void> {
    return this.transports.listen();
  }

  /** Everything under way fails, then the sockets close. */
  async stop(): Promise<void> {
    this.transactions.stop();
    this.wheel.stop();
    await this.transports.stop();
  }

  #receive(message: SipMessage, flow: Flow): void {
    try {
      if (message.kind === 'response') this.transactions.receive(message, flow);
      else {
        const { via, replyTo } = stampVia(message.headers, flow);
        this.transactions.receive(message, flow.at(replyTo), via);
      }
    } catch (error) {
      // Whatever the codec let through and a closer look does not: dropped here, never thrown into a socket's event.
      if (!(error instanceof SipParseError)) throw error;
      this.#user.onBroken(error, flow);
    }
  }

  // A request that is none, yet says enough to be told so (RFC 3261 s.8.2.6, s.16.3). Nothing of it is kept.
  #refuse(error: SipParseError, flow: Flow): void {
    const { partial, status } = error;
    this.#user.onBroken(error, flow);
    if (!partial || partial.method === 'ACK' || !partial.headers.has('Via')) return;
    try {
      const way = flow.at(stampVia(partial.headers, flow).replyTo);
      const response = createResponse(partial, status, { reason: error.message.slice(0, 80), toTag: newTag() });
      way.send(encodeMessage(response), () => {});
      this.#user.count('requests_total', { method: 'malformed', status: String(status) });
    } catch {
      // A Via that cannot be read says nothing of where an answer should go.
    }
  }

  // RFC 3261 s.18.2.2: the connection is gone; the answer goes to where the top Via says, once.
  async #flowBack({ headers }: SipRequest): Promise<Flow> {
    const { transport, received, host, port } = headers.topVia();
    // RFC 7118 s.5.2.2: whoever came by WebSocket listens nowhere.
    if (/^wss?$/i.test(transport)) throw new Error('the WebSocket is closed');
    const isSecure = transport === 'TLS';
    const target: Target = {
      transport: isSecure ? 'TLS' : 'TCP',
      address: bareHost(received ?? host),
      port: port ?? (isSecure ? 5061 : 5060),
      name: host,
    };
    return this.transports.flowTo(target);
  }
}
