// s.4.1.7: an SMSC that has messages for us connects, says outbind, and we bind on that connection. Hostile-proof: few
// strangers at a time, each with little time, and nothing but an outbind with the right password is an outbind.

import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { plainAddress } from '../../../src/formats/ip-address.ts';
import { readPems } from '../../../src/guards/pem.ts';
import type { RequestPdu } from '../codec/index.ts';
import { type BindCommand, endpointOf, type SmppOptions } from '../config.ts';
import type { Answer } from '../exchange.ts';
import { Session } from '../session.ts';
import { bindOn } from './dial.ts';
import type { LinkHandler } from './link.ts';

type OutbindOptions = NonNullable<SmppOptions['outbind']>;

const mostStrangers = 8;
const mostBound = 32;

interface Visit {
  readonly session: Session;
  readonly ip: string;
  readonly host: string;
  readonly since: number;
  isBound: boolean;
}

export class OutbindListener {
  readonly command: BindCommand;
  readonly #settings: OutbindOptions;
  readonly #options: SmppOptions;
  readonly #handler: LinkHandler;
  readonly #now: () => number;
  readonly #visits = new Set<Visit>();
  #server: Server | undefined;

  constructor(options: SmppOptions, settings: OutbindOptions, handler: LinkHandler, now: () => number) {
    this.command = settings.bind === 'receiver' ? 'bind_receiver' : 'bind_transceiver';
    this.#options = options;
    this.#settings = settings;
    this.#handler = handler;
    this.#now = now;
  }

  /** Rejects when the port is taken or a file cannot be read. */
  async start(): Promise<void> {
    const { tls, listen } = this.#settings;
    const files = tls && {
      ...readPems(tls),
      ...(tls.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
    };
    const welcome = (socket: Socket) => this.#welcome(socket);
    this.#server = files
      ? createTlsServer({ minVersion: 'TLSv1.2', handshakeTimeout: this.#options.responseTimeoutMs, ...files }, welcome)
      : createServer(welcome);
    this.#server.maxConnections = mostStrangers + mostBound;
    const { host, port } = endpointOf(listen, 0);
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    this.#server.on('error', (error) => this.#handler.oddity(`outbind: ${error.message}`));
  }

  get bound(): ReadonlyArray<{ session: Session; ip: string; host: string }> {
    return [...this.#visits].filter(({ isBound }) => isBound);
  }

  /** Called a few times a second. */
  tick(): void {
    for (const { session, isBound, since } of this.#visits) {
      session.tick();
      if (!isBound && this.#now() - since > this.#options.responseTimeoutMs) session.close('no outbind in time');
    }
  }

  async stop(): Promise<void> {
    this.#server?.close();
    await Promise.all([...this.#visits].map(({ session }) => session.unbind()));
  }

  cut(): void {
    for (const { session } of this.#visits) session.close('cut');
  }

  #welcome(socket: Socket): void {
    const ip = plainAddress(socket.remoteAddress);
    const host = `${ip}:${socket.remotePort}`;
    const strangers = this.#visits.size - this.bound.length;
    if (strangers >= mostStrangers || !this.#mayCome(socket)) {
      this.#handler.oddity(`outbind: ${host} is turned away`);
      socket.on('error', () => {}).destroy();
      return;
    }
    socket.setNoDelay(true);
    const { responseTimeoutMs, enquireLinkMs } = this.#options;
    const session: Session = new Session(
      socket,
      { responseTimeoutMs, enquireLinkMs },
      {
        request: (pdu, frame) => this.#request(visit, pdu, frame),
        closed: (why) => this.#closed(visit, why),
        oddity: (what) => this.#handler.oddity(`outbind: ${what}`),
        late: (response, context, from) => this.#handler.late(response, context, from),
        trace: this.#handler.trace,
      },
      this.#now,
    );
    session.host = ip;
    const visit: Visit = { session, ip, host, since: this.#now(), isBound: false };
    this.#visits.add(visit);
  }

  #mayCome({ remoteAddress }: Socket): boolean {
    const { from } = this.#settings;
    return from.length === 0 || from.includes(plainAddress(remoteAddress));
  }

  #request(visit: Visit, pdu: RequestPdu, frame: Buffer): Promise<Answer> | Answer {
    if (visit.session.state !== 'open') return this.#handler.request(pdu, frame, visit.session);
    if (pdu.command !== 'outbind') return { status: 'ESME_RINVBNDSTS' };
    const { systemId, password } = this.#settings;
    const isRight = (systemId === undefined || systemId === pdu.body.system_id) && isSame(password, pdu.body.password);
    if (isRight) void this.#bind(visit);
    else {
      this.#handler.oddity(`outbind: ${visit.host} does not know the password`);
      visit.session.close('a wrong outbind');
    }
    return 'silent';
  }

  async #bind(visit: Visit): Promise<void> {
    try {
      const smsc = await bindOn(visit.session, this.command, this.#options);
      // It may unbind in the same segment: closed() came before there was a bind to lose.
      if (visit.session.state === 'closed') throw new Error('the connection closed right after the bind');
      visit.isBound = true;
      this.#handler.up(visit.session, smsc);
    } catch (error) {
      visit.session.close('not bound');
      this.#handler.oddity(`outbind: ${error instanceof Error ? error.message : error}`);
    }
  }

  #closed(visit: Visit, why: string): void {
    this.#visits.delete(visit);
    if (visit.isBound) this.#handler.down(why, visit.session);
  }
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
