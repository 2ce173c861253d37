// One connection of an ESME: not bound, then bound as one account; what it asks, and what we send it within its window.
import type { Duplex } from 'node:stream';
import type { Guesses } from '../../../src/guards/guesses.ts';
import { versions } from '../binds/versions.ts';
import { type Body, intTlv, type PduOf, type RequestPdu, type Tlv } from '../codec/index.ts';
import { type Answer, type Exchange, SessionError, type SessionHandler, type SessionLimits } from '../exchange.ts';
import { Session } from '../session.ts';
import type { Account, Accounts } from './account.ts';
import type { BindKind, ServerOptions } from './config.ts';

export interface ConnectionParts {
  /** As they are now: they may change while a connection lives. */
  readonly options: ServerOptions;
  readonly accounts: Accounts;
  readonly guesses: Guesses;
  /** Requests of an ESME that is bound, other than binds. */
  serve(connection: Connection, pdu: RequestPdu, frame: Buffer): Promise<Answer> | Answer;
  bound(connection: Connection): void;
  closed(connection: Connection, why: string): void;
  refused(connection: Connection, systemId: string, why: string): void;
  oddity(connection: Connection, what: string): void;
  readonly trace?: SessionHandler['trace'];
  now(): number;
}

export interface Origin {
  readonly ip: string;
  readonly isSecure: boolean;
  /** The account that we called there (outbind), and that nobody else may be. */
  readonly calledFor?: string;
}

type BindPdu = PduOf<'bind_transmitter'> | PduOf<'bind_receiver'> | PduOf<'bind_transceiver'>;

const kinds: Readonly<Record<BindPdu['command'], BindKind>> = {
  bind_transmitter: 'transmitter',
  bind_receiver: 'receiver',
  bind_transceiver: 'transceiver',
};
const timeoutBurden = 1000;

export class Connection {
  readonly origin: Origin;
  readonly openedAt: number;
  account: Account | undefined;
  kind: BindKind | undefined;
  version = 0;
  boundAt = 0;
  lastSentAt = 0;
  submitted = 0;
  delivered = 0;
  throttled = 0;
  readonly #parts: ConnectionParts;
  readonly #session: Session;
  readonly #waiting: Array<() => void> = [];
  #inFlight = 0;
  #timeouts = 0;
  #goodbye: Promise<void> | undefined;
  #usedAt: number;

  constructor(socket: Duplex, origin: Origin, parts: ConnectionParts) {
    this.origin = origin;
    this.#parts = parts;
    this.openedAt = parts.now();
    this.#usedAt = this.openedAt;
    const handler: SessionHandler = {
      request: (pdu, frame) => this.#request(pdu, frame),
      closed: (why) => this.#closed(why),
      oddity: (what) => parts.oddity(this, what),
      trace: parts.trace,
    };
    this.#session = new Session(socket, limitsOf(this, parts), handler, parts.now);
    let unboundBytes = 0;
    const count = (chunk: Buffer) => {
      unboundBytes += chunk.length;
      if (this.account) socket.removeListener('data', count);
      else if (unboundBytes > parts.options.maxUnboundBytes) this.close('too much before a bind');
    };
    socket.on('data', count);
  }

  get isBound(): boolean {
    return this.#session.state === 'bound' && this.account !== undefined;
  }

  /** s.5.2.4: from 3.4 on a peer knows optional parameters. */
  get takesTlvs(): boolean {
    return this.version >= versions.v34;
  }

  /** What speaks against sending over this bind rather than over another of its account. */
  get burden(): number {
    return this.#inFlight + this.#waiting.length + this.#timeouts * timeoutBurden;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Called a few times a second. */
  tick(): void {
    const { bindTimeoutMs, idleMs } = this.#parts.options;
    const now = this.#parts.now();
    this.#session.tick();
    if (this.account === undefined) {
      if (now - this.openedAt >= bindTimeoutMs) this.#session.close('no bind in time');
    } else if (idleMs > 0 && now - this.#usedAt >= idleMs && this.#session.state === 'bound') {
      void this.unbind();
    }
  }

  /** Rejects with SessionError, or with the signal's reason while it waits for its turn. */
  async send(
    command: 'deliver_sm' | 'data_sm',
    body: Partial<Body<'deliver_sm'>>,
    tlvs: readonly Tlv[],
    signal: AbortSignal,
  ): Promise<Exchange> {
    if (this.#inFlight >= (this.account?.options.deliverWindow ?? 1)) await this.#turn();
    else this.#inFlight++;
    try {
      signal.throwIfAborted();
      this.lastSentAt = this.#parts.now();
      this.#usedAt = this.lastSentAt;
      const exchange = await this.#session.request<'deliver_sm' | 'data_sm'>(command, body, this.takesTlvs ? tlvs : []);
      this.#timeouts = 0;
      this.delivered++;
      return exchange;
    } catch (error) {
      if (error instanceof SessionError && error.kind === 'timeout') this.#timeouts++;
      throw error;
    } finally {
      this.#leave();
    }
  }

  /** s.4.1.7: asks the other end to bind. */
  outbind(systemId: string, password: string): void {
    this.#session.say('outbind', { system_id: systemId, password });
  }

  /** As often as somebody wants it gone. */
  unbind(): Promise<void> {
    this.#goodbye ??= this.#session.unbind();
    return this.#goodbye;
  }

  close(why: string): void {
    this.#session.close(why);
  }

  // Who leaves hands on the place.
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#inFlight--;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #request(pdu: RequestPdu, frame: Buffer): Promise<Answer> | Answer {
    if (pdu.command in kinds) return this.#bind(pdu as BindPdu);
    if (!this.isBound) return { status: 'ESME_RINVBNDSTS' };
    this.#usedAt = this.#parts.now();
    return this.#parts.serve(this, pdu, frame);
  }

  #bind({ command, body }: BindPdu): Answer {
    if (this.account) return { status: 'ESME_RALYBND' };
    const { accounts, guesses, options } = this.#parts;
    const kind = kinds[command];
    const { ip, calledFor } = this.origin;
    const account = accounts.authenticate(body.system_id, body.password);
    if (!account?.allows(this.origin)) {
      guesses.failed(ip);
      if (account)
        return this.#refuse(
          'ESME_RBINDFAIL',
          body.system_id,
          calledFor === undefined ? 'not from this address' : `called for ${calledFor}`,
        );
      return this.#refuse('ESME_RINVPASWD', body.system_id, 'wrong system_id or password');
    }
    if (!account.options.binds.includes(kind)) return this.#refuse('ESME_RBINDFAIL', body.system_id, `not as ${kind}`);
    if (account.binds.size >= account.options.maxBinds) {
      return this.#refuse('ESME_RALYBND', body.system_id, 'too many binds');
    }
    guesses.succeeded(ip);
    this.account = account;
    this.kind = kind;
    this.version = body.interface_version;
    this.boundAt = this.#parts.now();
    this.#session.bound();
    this.#session.bind = `${account.name} ${kind}`;
    account.binds.add(this);
    this.#parts.bound(this);
    const tlvs = this.takesTlvs ? [intTlv('sc_interface_version', versions.v34)] : [];
    return { status: 'ESME_ROK', body: { system_id: options.systemId }, tlvs };
  }

  #refuse(status: 'ESME_RINVPASWD' | 'ESME_RBINDFAIL' | 'ESME_RALYBND', systemId: string, why: string): Answer {
    this.#parts.refused(this, systemId, why);
    // After the answer, which leaves before anything that a later turn does.
    setImmediate(() => this.#session.close(why));
    return { status };
  }

  #closed(why: string): void {
    this.account?.binds.delete(this);
    for (const next of this.#waiting.splice(0)) next();
    this.#parts.closed(this, why);
  }
}

// Read anew each time: they may change while it lives.
function limitsOf(connection: Connection, parts: ConnectionParts): SessionLimits {
  return {
    get responseTimeoutMs() {
      return parts.options.responseTimeoutMs;
    },
    get enquireLinkMs() {
      return parts.options.enquireLinkMs;
    },
    get inboundWindow() {
      return connection.account?.options.window ?? 1;
    },
  };
}
