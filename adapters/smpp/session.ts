// One SMPP connection, as either end: framing, states, requests with a response timeout, enquire_link, backpressure.
// It knows PDUs only. Whatever the peer sends, it answers, nacks or closes; every pending request is settled on close.
import type { Duplex } from 'node:stream';
import { RecentMap } from '../../src/guards/recent-map.ts';
import {
  type Body,
  type CommandName,
  decode,
  encode,
  type Fault,
  Framer,
  isFault,
  isRequest,
  maxPduBytes,
  maxUnboundPduBytes,
  type RequestName,
  type RequestPdu,
  type ResponsePdu,
  responseTo,
  statuses,
  type Tlv,
} from './codec/index.ts';
import {
  type Answer,
  type Exchange,
  type Pending,
  SessionError,
  type SessionHandler,
  type SessionLimits,
} from './exchange.ts';
import { Outlet } from './outlet.ts';
import { wireUnit } from './wire-trace.ts';

export type SessionState = 'open' | 'bound' | 'unbinding' | 'closed';

const defaultInboundWindow = 500;
const maxLate = 1000;
// How long either side may take after an unbind to answer what it was asked before.
const lastAnswersMs = 2000;
const maxSequence = 0x7fffffff;

export class Session {
  state: SessionState = 'open';
  /** What its owner calls the far end, and for its figures the bind: `bind_transceiver 1`. */
  host = '';
  bind = '';
  readonly #socket: Duplex;
  readonly #limits: SessionLimits;
  readonly #handler: SessionHandler;
  readonly #now: () => number;
  readonly #framer = new Framer();
  readonly #outlet: Outlet;
  // In the order of sending: with one timeout for all, the oldest is always the first due.
  readonly #pending = new Map<number, Pending>();
  readonly #late = new RecentMap<number, unknown>(maxLate);
  #sequence = 0;
  #answering = 0;
  #heardAt: number;
  #isAsking = false;
  // An unbind of our own, which waits for our last answers.
  #leaving: { readonly since: number; answered(): void } | undefined;
  // The unbind of the peer, which is answered last.
  #farewell: { readonly sequence: number; readonly askedAt: number } | undefined;

  constructor(socket: Duplex, limits: SessionLimits, handler: SessionHandler, now: () => number) {
    this.#socket = socket;
    this.#limits = limits;
    this.#handler = handler;
    this.#now = now;
    this.#heardAt = now();
    this.#outlet = new Outlet(socket, now, handler.trace);
    this.#framer.limit = maxUnboundPduBytes;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => this.#readOn());
    socket.on('error', (error: Error) => this.close(error.message));
    socket.on('end', () => this.close('the peer closed the connection'));
    socket.on('close', () => this.close('the connection is closed'));
  }

  /** Requests without a response. */
  get outstanding(): number {
    return this.#pending.size;
  }

  /** From here on everything may be said (s.2.2). A client is bound by the response, a server calls this. */
  bound(): void {
    if (this.state === 'open') this.state = 'bound';
    this.#framer.limit = maxPduBytes;
  }

  /**
   * Resolves with whatever the peer answered, whichever its status. Rejects with SessionError (at once when either end has
   * said unbind, s.4.2), or RangeError when the body does not fit its fields. `context` comes back with a late response.
   */
  request<C extends RequestName>(
    command: C,
    body: Partial<Body<C>>,
    tlvs: readonly Tlv[] = [],
    context?: unknown,
  ): Promise<Exchange> {
    const isOver = this.state === 'closed' || (this.state === 'unbinding' && command !== 'unbind');
    if (isOver) return Promise.reject(new SessionError('closed', 'the session is over', false));
    return new Promise((resolve, reject) => {
      const sequence = this.#nextSequence();
      const request = encode({ command, sequence_number: sequence, body, tlvs });
      const inFlight = this.#pending.size + 1;
      this.#pending.set(sequence, { command, request, sentAt: this.#now(), inFlight, context, resolve, reject });
      this.#outlet.send(request);
    });
  }

  /** A request that has no response: outbind (s.4.1.7), alert_notification (s.4.12). */
  say<C extends RequestName>(command: C, body: Partial<Body<C>>): void {
    if (this.state !== 'closed') this.#outlet.send(encode({ command, sequence_number: this.#nextSequence(), body }));
  }

  /** Called a few times a second: response timeouts, enquire_link, a peer that does not read. */
  tick(): void {
    if (this.state === 'closed') return;
    const now = this.#now();
    const { enquireLinkMs, responseTimeoutMs } = this.#limits;
    this.#expire(now);
    if (this.#leaving && now - this.#leaving.since >= lastAnswersMs) this.#leaving.answered();
    if (now - (this.#outlet.stuckSince ?? now) > responseTimeoutMs) this.close('the peer does not read');
    this.#part();
    const isQuiet = enquireLinkMs > 0 && now - this.#heardAt >= enquireLinkMs;
    if (this.state !== 'bound' || this.#isAsking || !isQuiet) return;
    this.#isAsking = true;
    this.request('enquire_link', {}).then(
      () => {
        this.#isAsking = false;
      },
      () => this.close('enquire_link was not answered'),
    );
  }

  /**
   * s.4.2: gives its last answers (for at most two seconds), says goodbye, waits for the answer (at most the response
   * timeout, by tick), and closes.
   */
  async unbind(): Promise<void> {
    if (this.state === 'bound') {
      this.state = 'unbinding';
      if (this.#answering > 0) await this.#answered();
      await this.request('unbind', {}).catch(() => {});
    }
    this.close('unbound');
  }

  /** Settles everything that is pending. Safe to call twice. */
  close(why: string): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#outlet.close();
    this.#leaving?.answered();
    for (const pending of this.#pending.values()) pending.reject(new SessionError('closed', why, true));
    this.#pending.clear();
    this.#late.clear();
    this.#handler.closed(why);
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed()) return;
    this.#heardAt = this.#now();
    try {
      for (const frame of this.#framer.push(chunk)) {
        this.#handler.trace?.wire?.(wireUnit(this.#socket, 'inbound', frame));
        this.#take(frame);
        if (this.#isClosed()) return;
      }
    } catch (error) {
      // s.4.3.1: the one answer that is left when the stream cannot be followed any more.
      this.#respond('generic_nack', 0, { status: 'ESME_RINVCMDLEN' });
      this.close(error instanceof Error ? error.message : String(error));
    }
    if (this.#answering >= this.#inboundWindow) this.#socket.pause();
  }

  #take(frame: Buffer): void {
    const pdu = decode(frame);
    if (isFault(pdu)) this.#refuse(pdu);
    else if (isRequest(pdu)) this.#requested(pdu, frame);
    else this.#responded(pdu as ResponsePdu, frame);
  }

  #refuse(fault: Fault): void {
    this.#handler.oddity?.(fault.fault);
    const response = fault.command && responseTo(fault.command);
    this.#respond(response ?? 'generic_nack', fault.sequence_number, { status: fault.command_status });
  }

  #requested(pdu: RequestPdu, frame: Buffer): void {
    const { command, sequence_number } = pdu;
    if (command === 'enquire_link') {
      this.#respond('enquire_link_resp', sequence_number, { status: 'ESME_ROK' });
    } else if (command === 'unbind') {
      // s.4.2: nothing new from here on; what was asked before has its answer first.
      this.state = 'unbinding';
      this.#farewell = { sequence: sequence_number, askedAt: this.#now() };
      this.#part();
    } else if (this.#farewell) {
      const response = responseTo(command);
      if (response) this.#respond(response, sequence_number, { status: 'ESME_RINVBNDSTS' });
    } else {
      this.#answering++;
      void this.#answer(pdu, frame);
    }
  }

  async #answer(pdu: RequestPdu, frame: Buffer): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#handler.request(pdu, frame);
    } catch (error) {
      this.#handler.oddity?.(`${pdu.command}: ${error instanceof Error ? error.message : error}`);
      answer = { status: 'ESME_RSYSERR' };
    }
    if (--this.#answering === 0) this.#leaving?.answered();
    if (this.#isClosed()) return;
    this.#readOn();
    const response = responseTo(pdu.command);
    if (answer !== 'silent' && response) this.#respond(response, pdu.sequence_number, answer);
    this.#part();
  }

  #answered(): Promise<void> {
    return new Promise((answered) => {
      this.#leaving = { since: this.#now(), answered };
    });
  }

  // Once it has our answers and we have its own, or too late for them.
  #part(): void {
    if (!this.#farewell || this.#isClosed()) return;
    const waitedMs = this.#now() - this.#farewell.askedAt;
    const isWaiting = this.#answering > 0 || (this.#pending.size > 0 && waitedMs < lastAnswersMs);
    if (isWaiting && waitedMs < this.#limits.responseTimeoutMs) return;
    this.#respond('unbind_resp', this.#farewell.sequence, { status: 'ESME_ROK' });
    this.close('the peer unbound');
  }

  #responded(response: ResponsePdu, frame: Buffer): void {
    const { sequence_number: sequence, command } = response;
    const pending = this.#pending.get(sequence);
    if (pending && (command === 'generic_nack' || command === `${pending.command}_resp`)) {
      this.#pending.delete(sequence);
      // At once: the next PDU of this very chunk may be a deliver_sm.
      if (command.startsWith('bind_') && response.command_status === statuses.ESME_ROK) this.bound();
      const { request, sentAt, inFlight } = pending;
      const { host, bind } = this;
      pending.resolve({ host, bind, response, request, frame, tookMs: this.#now() - sentAt, inFlight });
      this.#part();
    } else if (this.#late.has(sequence)) {
      const context = this.#late.get(sequence);
      this.#late.delete(sequence);
      this.#handler.late?.(response, context, this.host);
    } else this.#handler.oddity?.(`${command} answers nothing that we asked (sequence ${sequence})`);
  }

  #expire(now: number): void {
    for (const [sequence, pending] of this.#pending) {
      if (now - pending.sentAt < this.#limits.responseTimeoutMs) return;
      this.#pending.delete(sequence);
      if (pending.context !== undefined) this.#late.set(sequence, pending.context);
      pending.reject(new SessionError('timeout', `no response to ${pending.command} in time`, true));
      // Nothing at all since then: the peer is gone, not merely slow with one request.
      if (this.#heardAt <= pending.sentAt) {
        this.close(`silent since ${pending.command}`);
        return;
      }
    }
  }

  #nextSequence(): number {
    do this.#sequence = this.#sequence >= maxSequence ? 1 : this.#sequence + 1;
    while (this.#pending.has(this.#sequence));
    return this.#sequence;
  }

  #respond(command: CommandName, sequence_number: number, answer: Exclude<Answer, 'silent'>): void {
    const { status, body, tlvs = [] } = answer;
    const command_status = typeof status === 'number' ? status : statuses[status];
    this.#outlet.send(encode({ command, command_status, sequence_number, tlvs, ...(body ? { body } : {}) }));
  }

  // Nothing more is read of a peer that reads nothing, or whose window is full.
  #readOn(): void {
    const mayRead = this.#answering < this.#inboundWindow && this.#outlet.stuckSince === undefined;
    if (mayRead && !this.#isClosed()) this.#socket.resume();
  }

  #isClosed(): boolean {
    return this.state === 'closed';
  }

  get #inboundWindow(): number {
    return this.#limits.inboundWindow ?? defaultInboundWindow;
  }
}
