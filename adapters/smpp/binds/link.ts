// One bind kept up: connects, binds, and when the link is lost tries again, host after host, with growing pauses and
// jitter. A bind that had to go to another host comes back to its own when that takes binds again.
import { type RequestPdu, statuses } from '../codec/index.ts';
import type { BindCommand, Endpoint, SmppOptions } from '../config.ts';
import type { Answer, SessionHandler } from '../exchange.ts';
import type { Session } from '../session.ts';
import { BindRefused, type Opening, open, type Smsc } from './dial.ts';

export interface LinkHandler {
  up(session: Session, smsc: Smsc): void;
  /** Undefined: the attempt failed before there was a session. */
  down(why: string, session?: Session): void;
  request(pdu: RequestPdu, frame: Buffer, session: Session): Promise<Answer> | Answer;
  oddity(what: string): void;
  late: NonNullable<SessionHandler['late']>;
  trace?: SessionHandler['trace'];
}

// Asking again at once with a wrong password gets accounts locked.
const credentialFaults: ReadonlySet<number | undefined> = new Set([
  statuses.ESME_RINVPASWD,
  statuses.ESME_RINVSYSID,
  statuses.ESME_RINVSYSTYP,
]);
const stableMs = 10_000;
const homecomingMs = 5 * 60_000;

export class Link {
  readonly command: BindCommand;
  readonly #options: SmppOptions;
  readonly #hosts: readonly Endpoint[];
  readonly #home: number;
  readonly #handler: LinkHandler;
  readonly #now: () => number;
  #at: number;
  #opening: Opening | undefined;
  #session: Session | undefined;
  /** On its way out: nothing new is sent there, its last answers are waited for. */
  #leaving: Session | undefined;
  #tries = 0;
  #upSince = 0;
  #nextTryAt = 0;
  #isStopped = false;

  /** `home` is the place of its own host among `hosts`. */
  constructor(
    command: BindCommand,
    options: SmppOptions,
    hosts: readonly Endpoint[],
    home: number,
    handler: LinkHandler,
    now: () => number,
  ) {
    this.command = command;
    this.#options = options;
    this.#hosts = hosts;
    this.#home = home;
    this.#at = home;
    this.#handler = handler;
    this.#now = now;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get isUp(): boolean {
    return this.#session !== undefined;
  }

  get state(): 'bound' | 'connecting' | 'waiting' | 'stopped' {
    if (this.#session) return 'bound';
    if (this.#isStopped) return 'stopped';
    return this.#opening ? 'connecting' : 'waiting';
  }

  /** Where it is bound, or where it is tried next. */
  get host(): string {
    const { host, port } = this.#endpoint(this.#at);
    return `${host}:${port}`;
  }

  /** Resolves after the first attempt, whichever way it went; with several hosts after one attempt at each. */
  async start(): Promise<void> {
    await this.#try();
    for (let others = this.#hosts.length - 1; others > 0; others--) {
      if (!this.isUp && this.#now() >= this.#nextTryAt) await this.#try();
    }
  }

  /** Called a few times a second. */
  tick(): void {
    this.#session?.tick();
    this.#opening?.session.tick();
    this.#leave();
    if (this.#opening || this.#isStopped || this.#now() < this.#nextTryAt) return;
    if (!this.#session || (this.#at !== this.#home && this.#leaving === undefined)) void this.#try();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#opening?.session.close('stopping');
    this.#leaving?.close('stopping');
    await this.#session?.unbind();
  }

  /** At once, without a word. */
  cut(): void {
    this.#isStopped = true;
    this.#leaving?.close('cut');
    this.#session?.close('cut');
  }

  #endpoint(at: number): Endpoint {
    return this.#hosts[at] as Endpoint;
  }

  async #try(): Promise<void> {
    if (this.#isStopped) return;
    const at = this.#session ? this.#home : this.#at;
    let opening: Opening;
    let smsc: Smsc;
    try {
      opening = this.#open(at);
      this.#opening = opening;
      smsc = await opening.bound;
    } catch (error) {
      this.#opening = undefined;
      if (!this.#isStopped) this.#failed(error);
      return;
    }
    this.#opening = undefined;
    this.#bound(opening.session, smsc, at);
  }

  #bound(session: Session, smsc: Smsc, at: number): void {
    const former = this.#session;
    this.#session = session;
    this.#at = at;
    this.#upSince = this.#now();
    this.#nextTryAt = this.#now() + homecomingMs;
    this.#handler.up(session, smsc);
    if (former) {
      this.#leaving = former;
      this.#handler.down('back at its own host', former);
    }
    // The peer may have closed in the same segment: closed() was called before there was a session to lose.
    if (session.state === 'closed') this.#closed(session, 'the connection closed right after the bind');
  }

  #leave(): void {
    const leaving = this.#leaving;
    leaving?.tick();
    if (leaving?.state !== 'bound' || leaving.outstanding > 0) return;
    void leaving.unbind();
  }

  #open(at: number): Opening {
    const opening: Opening = open(this.command, this.#options, this.#endpoint(at), this.#now, {
      request: (pdu, frame) => this.#request(opening, pdu, frame),
      closed: (why) => this.#closed(opening.session, why),
      oddity: (what) => this.#handler.oddity(what),
      late: (response, context, host) => this.#handler.late(response, context, host),
      trace: this.#handler.trace,
    });
    return opening;
  }

  async #request(opening: Opening, pdu: RequestPdu, frame: Buffer): Promise<Answer> {
    // s.2.2: nothing but the answer to the bind before we are bound; what follows it in the same segment waits its turn.
    if (opening.session.state === 'open') return { status: 'ESME_RINVBNDSTS' };
    if (this.#opening === opening) await opening.bound;
    return this.#handler.request(pdu, frame, opening.session);
  }

  #closed(session: Session, why: string): void {
    if (session === this.#leaving) this.#leaving = undefined;
    if (session !== this.#session) return;
    this.#session = undefined;
    const wasStable = this.#now() - this.#upSince >= stableMs;
    if (wasStable) this.#tries = 0;
    this.#at = this.#home;
    // Somebody else may take us at once.
    if (wasStable && this.#hosts.length > 1) this.#nextTryAt = this.#now();
    else this.#retryLater();
    this.#handler.down(why, session);
  }

  #failed(error: unknown): void {
    const isCredential = error instanceof BindRefused && credentialFaults.has(error.status);
    if (this.#session) {
      this.#nextTryAt = this.#now() + homecomingMs;
      return;
    }
    this.#at = (this.#at + 1) % this.#hosts.length;
    if (isCredential || this.#at === this.#home) this.#retryLater(isCredential ? this.#options.reconnect.maxMs : 0);
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
