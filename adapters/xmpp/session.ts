// The living component: connects, reconnects, writes what must arrive behind a ping barrier, keeps questions and answers
// together, notices a dead link.
import { randomUUID } from 'node:crypto';
import { GatewayError } from '../../src/contract/errors.ts';
import { type XmlElement, type XmlError, xml } from '../../src/formats/xml.ts';
import type { StanzaHead } from '../../src/formats/xml-stream.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';
import { Barrier } from './barrier.ts';
import type { Clock } from './clock.ts';
import { ns } from './codec/namespaces.ts';
import { encodeStanza } from './codec/stream.ts';
import { Connection, type ConnectionEvents, type ConnectionOptions, type Ending } from './connection.ts';
import { Quarantine } from './quarantine.ts';

export interface SessionOptions extends ConnectionOptions {
  /** Who is pinged. */
  barrierPeer: string;
  barrierTimeoutMs: number;
  keepaliveMs: number;
  window: number;
  reconnect: { firstMs: number; maxMs: number };
}

export interface SessionEvents {
  /** Everything but answers to our own pings. */
  onStanza(stanza: XmlElement): void;
  onSkipped(stanza: StanzaHead, why: XmlError): void;
  onState(state: SessionState, why?: string): void;
  readonly trace?: ConnectionEvents['trace'];
}

export type SessionState = 'connecting' | 'up' | 'down';

/** Refusals that trying again soon cannot mend, and that trying again soon makes worse (a kick war). */
const refusals: ReadonlySet<string> = new Set([
  'not-authorized',
  'host-unknown',
  'invalid-namespace',
  'no-component-port',
  'conflict',
]);
// A life shorter than this does not count as recovered.
const recoveredMs = 10_000;
const maxBacklog = 1024 * 1024;
const maxOwed = 1000;

export class Session {
  #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #barrier = new Barrier();
  readonly #quarantine = new Quarantine();
  readonly #waiting = new Set<() => void>();
  /** Answers that must not be lost with the link, until they are proven. */
  readonly #owed = new RecentMap<string, string>(maxOwed);
  #connection: Connection | undefined;
  #state: SessionState = 'down';
  #pingId = '';
  #isPaused = false;
  #isStopping = false;
  #pauseMs: number;
  #upSince = 0;
  #heardAt = 0;
  #cancelRetry = () => {};
  #cancelWatch = () => {};
  #ended = Promise.withResolvers<void>();

  constructor(options: SessionOptions, events: SessionEvents, clock: Clock, random: () => number = Math.random) {
    this.#options = options;
    this.#events = events;
    this.#clock = clock;
    this.#random = random;
    this.#pauseMs = options.reconnect.firstMs;
  }

  get domain(): string {
    return this.#options.domain;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Stanzas written and not yet proven taken. */
  get unproven(): number {
    return this.#barrier.size;
  }

  /** Holds from now on; what is of the connection, from the next one on. */
  configure(options: SessionOptions): void {
    this.#options = options;
    this.#letIn(options.window - this.#barrier.size);
  }

  start(): void {
    if (this.#isStopping) return;
    // Only the first time: later an operator would rather read why it is down.
    this.#setState('connecting');
    this.#connect();
  }

  /** Says goodbye; resolves when the stream has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelRetry();
    if (!this.#connection) return;
    this.#connection.close();
    await this.#ended.promise;
  }

  /**
   * Writes a stanza; resolves when the server has taken it. Rejects with GatewayError: what the server refused it with, or
   * `unavailable` when that is unknown. Nothing is written once `signal` is aborted.
   */
  async send(id: string, stanza: string, signal?: AbortSignal): Promise<void> {
    if (this.#quarantine.isGuilty(id))
      throw new GatewayError('malformed', 'the XMPP server ends the stream whenever it reads this message');
    const write = () => this.#write(id, stanza, signal);
    await (this.#quarantine.isSuspect(id) ? this.#quarantine.alone(write) : write());
  }

  async #write(id: string, stanza: string, signal: AbortSignal | undefined): Promise<void> {
    while (this.#state === 'up' && this.#isFull()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    signal?.throwIfAborted();
    const connection = this.#connection;
    if (this.#state !== 'up' || !connection) throw new GatewayError('unavailable', `${this.domain} is not connected`);
    const proof = this.#barrier.add(id);
    connection.write(stanza);
    await proof;
    this.#quarantine.acquit(id);
  }

  /** Writes an answer that is worth nothing later: to a question, to presence. Left out while the server reads too slowly. */
  answer(stanza: XmlElement): void {
    const connection = this.#connection;
    if (this.#state === 'up' && connection && connection.backlog <= maxBacklog) connection.write(encodeStanza(stanza));
  }

  /** Writes what somebody must be told, after a reconnect if need be. */
  owe(stanza: XmlElement): void {
    const key = `owed-${randomUUID()}`;
    this.#owed.set(key, encodeStanza(stanza));
    this.#pay(key);
  }

  /** A stanza came back. False when it had been taken before. */
  refused(id: string, error: GatewayError): boolean {
    this.#quarantine.acquit(id);
    return this.#barrier.refused(id, error);
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#connection?.resume();
  }

  #pay(key: string): void {
    const stanza = this.#owed.get(key);
    if (stanza === undefined || this.#state !== 'up') return;
    this.send(key, stanza).then(
      () => this.#owed.delete(key),
      () => {},
    );
  }

  #isFull(): boolean {
    return this.#barrier.size >= this.#options.window || (this.#connection?.backlog ?? 0) > maxBacklog;
  }

  #connect(): void {
    this.#connection = new Connection(
      this.#options,
      {
        onUp: () => this.#onUp(),
        onStanza: (stanza) => this.#onStanza(stanza),
        onSkipped: (stanza, why) => this.#events.onSkipped(stanza, why),
        onFlush: () => this.#ping(),
        onEnd: (ending) => this.#onEnd(ending),
        trace: this.#events.trace,
      },
      this.#clock,
    );
  }

  #onUp(): void {
    this.#upSince = this.#heardAt = this.#clock.now();
    if (this.#isPaused) this.#connection?.pause();
    this.#watch(this.#options.keepaliveMs);
    this.#setState('up');
    for (const key of this.#owed.keys()) this.#pay(key);
  }

  #onEnd(ending: Ending): void {
    const lived = this.#state === 'up' ? this.#clock.now() - this.#upSince : 0;
    this.#connection = undefined;
    this.#cancelWatch();
    const why = this.#isStopping ? 'stopped' : ending.why;
    this.#setState('down', why);
    this.#quarantine.onEnd(ending.condition, this.#barrier.lost(`${this.domain}: ${why}`));
    this.#letIn(this.#waiting.size);
    this.#ended.resolve();
    if (!this.#isStopping) this.#retry(ending, lived);
  }

  // Decorrelated jitter, so that many components of a restarted server do not come back all at once.
  #retry({ condition }: Ending, livedMs: number): void {
    const { firstMs, maxMs } = this.#options.reconnect;
    if (livedMs >= recoveredMs) this.#pauseMs = firstMs;
    const pauseMs = refusals.has(condition)
      ? maxMs * (0.5 + this.#random() / 2)
      : Math.min(maxMs, firstMs + this.#random() * (this.#pauseMs * 3 - firstMs));
    this.#pauseMs = pauseMs;
    this.#ended = Promise.withResolvers();
    this.#cancelRetry = this.#clock.after(pauseMs, () => this.#connect());
  }

  #onStanza(stanza: XmlElement): void {
    this.#heardAt = this.#clock.now();
    const { type, id, from } = stanza.attributes;
    const isAnswer = stanza.name === 'iq' && (type === 'result' || type === 'error');
    // From somebody else than was asked it is no answer to it.
    if (isAnswer && id === this.#pingId && from === this.#options.barrierPeer) this.#onPong();
    else this.#events.onStanza(stanza);
  }

  #onPong(): void {
    this.#pingId = '';
    this.#watch(this.#options.keepaliveMs);
    this.#barrier.proven();
    this.#letIn(this.#options.window - this.#barrier.size);
    if (this.#barrier.size > 0) this.#connection?.flushSoon();
  }

  #letIn(count: number): void {
    for (const enter of this.#waiting) {
      if (count-- <= 0) return;
      this.#waiting.delete(enter);
      enter();
    }
  }

  /** The ping that goes with this write, if one is due. */
  #ping(isProbe = false): string {
    if (!this.#barrier.begin(isProbe)) return '';
    this.#pingId = `ping-${randomUUID()}`;
    this.#watch(this.#options.barrierTimeoutMs);
    const { domain: from, barrierPeer: to } = this.#options;
    return encodeStanza(xml('iq', ns.component, { from, to, id: this.#pingId, type: 'get' }, xml('ping', ns.ping)));
  }

  /** One timer a connection: to the answer that is due, or to the next question. */
  #watch(ms: number): void {
    this.#cancelWatch();
    this.#cancelWatch = this.#clock.after(ms, () => this.#onWatch());
  }

  #onWatch(): void {
    const { barrierTimeoutMs, keepaliveMs } = this.#options;
    if (!this.#barrier.isUnderWay) {
      const idleMs = this.#clock.now() - this.#heardAt;
      if (idleMs < keepaliveMs) this.#watch(keepaliveMs - idleMs);
      else this.#connection?.write(this.#ping(true));
    } else if (this.#isPaused) {
      // We are not listening: no answer means nothing.
      this.#watch(barrierTimeoutMs);
    } else {
      this.#connection?.destroy({ condition: 'timeout', why: `no answer to a ping in ${barrierTimeoutMs} ms` });
    }
  }

  #setState(state: SessionState, why?: string): void {
    this.#state = state;
    this.#events.onState(state, why);
  }
}
