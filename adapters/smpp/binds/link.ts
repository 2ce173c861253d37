// One bind kept up: connects, binds, and when the link is lost tries again with growing pauses and jitter.
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type RequestPdu, statuses } from '../codec/index.ts';
import { type BindCommand, type SmppOptions, tlsFiles } from '../config.ts';
import { statusError } from '../errors.ts';
import type { Answer, SessionHandler } from '../exchange.ts';
import { Session } from '../session.ts';

export interface LinkHandler {
  up(session: Session): void;
  down(why: string): void;
  request(pdu: RequestPdu, frame: Buffer): Promise<Answer> | Answer;
  oddity(what: string): void;
  late: NonNullable<SessionHandler['late']>;
}

/** Why a bind did not come about, in words for the operator. */
export class BindRefused extends Error {
  readonly stage: 'network' | 'tls' | 'bind';
  readonly status: number | undefined;
  constructor(stage: 'network' | 'tls' | 'bind', message: string, status?: number) {
    super(message);
    this.stage = stage;
    this.status = status;
  }
}

// Asking again at once with a wrong password gets accounts locked.
const credentialFaults: ReadonlySet<number | undefined> = new Set([
  statuses.ESME_RINVPASWD,
  statuses.ESME_RINVSYSID,
  statuses.ESME_RINVSYSTYP,
]);
const stableMs = 10_000;

export class Link {
  readonly #command: BindCommand;
  readonly #options: SmppOptions;
  readonly #handler: LinkHandler;
  readonly #now: () => number;
  #opening: Opening | undefined;
  #session: Session | undefined;
  #tries = 0;
  #upSince = 0;
  #nextTryAt = 0;
  #isStopped = false;

  constructor(command: BindCommand, options: SmppOptions, handler: LinkHandler, now: () => number) {
    this.#command = command;
    this.#options = options;
    this.#handler = handler;
    this.#now = now;
  }

  get isUp(): boolean {
    return this.#session !== undefined;
  }

  /** Resolves after the first attempt, whichever way it went. */
  async start(): Promise<void> {
    await this.#try();
  }

  /** Called a few times a second. */
  tick(): void {
    this.#session?.tick();
    this.#opening?.session.tick();
    if (!this.#session && !this.#opening && !this.#isStopped && this.#now() >= this.#nextTryAt) void this.#try();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#opening?.session.close('stopping');
    await this.#session?.unbind();
  }

  /** At once, without a word. */
  cut(): void {
    this.#isStopped = true;
    this.#session?.close('cut');
  }

  async #try(): Promise<void> {
    if (this.#isStopped) return;
    let session: Session;
    try {
      const opening = this.#open();
      this.#opening = opening;
      await opening.bound;
      session = opening.session;
    } catch (error) {
      this.#opening = undefined;
      if (!this.#isStopped) this.#failed(error);
      return;
    }
    this.#opening = undefined;
    this.#session = session;
    this.#upSince = this.#now();
    this.#handler.up(session);
    // The peer may have closed in the same segment: closed() was called before there was a session to lose.
    if (session.state === 'closed') this.#closed(session, 'the connection closed right after the bind');
  }

  #open(): Opening {
    const opening: Opening = open(this.#command, this.#options, this.#now, {
      request: (pdu, frame) => this.#request(opening, pdu, frame),
      closed: (why) => this.#closed(opening.session, why),
      oddity: (what) => this.#handler.oddity(what),
      late: (response, context) => this.#handler.late(response, context),
    });
    return opening;
  }

  async #request(opening: Opening, pdu: RequestPdu, frame: Buffer): Promise<Answer> {
    // s.2.2: nothing but the answer to the bind before we are bound; what follows it in the same segment waits its turn.
    if (opening.session.state === 'open') return { status: 'ESME_RINVBNDSTS' };
    if (!this.#session) await opening.bound;
    return this.#handler.request(pdu, frame);
  }

  #closed(session: Session, why: string): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    if (this.#now() - this.#upSince >= stableMs) this.#tries = 0;
    this.#retryLater();
    this.#handler.down(why);
  }

  #failed(error: unknown): void {
    const isCredential = error instanceof BindRefused && credentialFaults.has(error.status);
    this.#retryLater(isCredential ? this.#options.reconnect.maxMs : 0);
    this.#handler.down(error instanceof Error ? error.message : String(error));
  }

  #retryLater(atLeastMs = 0): void {
    const { firstMs, maxMs } = this.#options.reconnect;
    const pauseMs = Math.max(atLeastMs, Math.min(maxMs, firstMs * 2 ** Math.min(this.#tries, 20)));
    this.#tries++;
    // Jitter, so that a thousand clients do not come back in the same second.
    this.#nextTryAt = this.#now() + pauseMs * (0.75 + Math.random() / 2);
  }
}

interface Opening {
  readonly session: Session;
  /** Resolves when bound; rejects with BindRefused, the session closed. */
  readonly bound: Promise<void>;
}

/** One attempt to connect and bind. Its owner ticks the session. Throws when a file of the TLS options cannot be read. */
export function open(command: BindCommand, options: SmppOptions, now: () => number, handler: SessionHandler): Opening {
  const socket = dial(options);
  const dialled: Dialled = { failure: undefined, isConnected: false, isSecure: false };
  socket.once('connect', () => {
    dialled.isConnected = true;
  });
  socket.once('secureConnect', () => {
    dialled.isSecure = true;
  });
  socket.on('error', (error) => {
    dialled.failure = error;
  });
  const { responseTimeoutMs, enquireLinkMs } = options;
  socket.setTimeout(responseTimeoutMs, () => socket.destroy(new Error('no answer in time')));
  const session = new Session(socket, { responseTimeoutMs, enquireLinkMs }, handler, now);
  // With TLS not a word before the certificate is checked: the bind holds the password.
  const ready = new Promise<void>((resolve, reject) => {
    socket.once(options.tls === false ? 'connect' : 'secureConnect', resolve);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  const bind = async () => {
    const { systemId, password, systemType, interfaceVersion, addressRange } = options;
    const fields = {
      system_id: systemId,
      password,
      system_type: systemType,
      interface_version: interfaceVersion,
      address_range: addressRange,
    };
    const asked = ready.then(() => session.request(command, fields));
    const { response } = await asked.catch((error: Error) => {
      session.close(error.message);
      throw refusal(options, dialled, error.message);
    });
    const { command_status: status } = response;
    if (status !== statuses.ESME_ROK) {
      session.close('bind refused');
      throw new BindRefused('bind', `${command}: ${statusError(status).message}`, status);
    }
    socket.setTimeout(0);
  };
  return { session, bound: bind() };
}

function dial(options: SmppOptions): Socket {
  const { host, port, tls } = options;
  if (tls === false) return connect({ host, port, noDelay: true });
  const name = typeof tls === 'object' ? tls.serverName : undefined;
  const servername = name ?? (isIP(host) === 0 ? host : '');
  const socket = connectTls({ host, port, servername, minVersion: 'TLSv1.2', ...tlsFiles(options) });
  return socket.setNoDelay(true);
}

const tlsAdvice: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from a CA that is not trusted here (tls.ca)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed (tls.ca)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from a CA that is not trusted here (tls.ca)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from a CA that is not trusted here (tls.ca)',
  CERT_SIGNATURE_FAILURE: 'its certificate comes from another CA of the same name (tls.ca)',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; look at the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name (tls.serverName)',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on this port',
  EPROTO: 'the TLS handshake failed',
};

/** How far the connection came. */
interface Dialled {
  failure: NodeJS.ErrnoException | undefined;
  isConnected: boolean;
  isSecure: boolean;
}

function refusal(
  { host, port, tls }: SmppOptions,
  { failure, isConnected, isSecure }: Dialled,
  why: string,
): BindRefused {
  const code = failure?.code ?? '';
  const said = failure?.message || code || why;
  if (tls === false || !isConnected || isSecure) return new BindRefused('network', `${host}:${port}: ${said}`);
  const advice = tlsAdvice[code] ?? `no handshake came about, perhaps it does not speak TLS on this port (${said})`;
  return new BindRefused('tls', `TLS with ${host}:${port}: ${advice}`);
}
