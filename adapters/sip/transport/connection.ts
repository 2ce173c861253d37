// What every connection has in common: it dies of silence, of a message that never ends, and of a peer that does not read.
import { Timer, type TimerWheel } from '../timer-wheel.ts';
import { type Endpoint, type Flow, newFlowId, type TransportName } from './flow.ts';

export interface ConnectionLimits {
  /** A connection on which nothing at all arrives is closed after this. Default 10 min. */
  idleMs: number;
  /** From the first byte of a message to its last, and from the connection to its first message. Default 10 s. */
  messageMs: number;
  /** Between our pings, 0 for none. Default 95 s: RFC 5626 s.4.4.1 has 95 to 120 s. */
  pingMs: number;
  /** Bytes a peer may leave unread. Default 1 MiB. */
  unreadBytes: number;
}

export const defaultConnectionLimits: Readonly<ConnectionLimits> = {
  idleMs: 600_000,
  messageMs: 10_000,
  pingMs: 95_000,
  unreadBytes: 1024 * 1024,
};

// RFC 5626 s.4.4.1
const pongWithinMs = 10_000;

export abstract class Connection implements Flow {
  readonly id = newFlowId();
  readonly isReliable = true;
  readonly transport: TransportName;
  readonly remote: Endpoint;
  readonly sentBy: { readonly host: string; readonly port: number };
  /** We opened it. */
  readonly isOurs: boolean;
  readonly #wheel: TimerWheel;
  readonly #limits: ConnectionLimits;
  readonly #timer = new Timer(() => this.#look());
  #heardAt: number;
  #startedAt: number | undefined;
  #pingAt: number;
  #pingedAt: number | undefined;
  /** Only a peer that has once answered a ping can be missed for not answering. */
  #answersPings = false;
  #isOpen = true;

  constructor(
    wheel: TimerWheel,
    limits: ConnectionLimits,
    way: { transport: TransportName; remote: Endpoint; sentBy: { host: string; port: number }; isOurs: boolean },
  ) {
    this.#wheel = wheel;
    this.#limits = limits;
    this.transport = way.transport;
    this.remote = way.remote;
    this.sentBy = way.sentBy;
    this.isOurs = way.isOurs;
    this.#heardAt = wheel.now();
    this.#pingAt = this.#heardAt + limits.pingMs;
    // A stranger that connects and says nothing is as slow as one that never ends its message.
    this.#startedAt = way.isOurs ? undefined : this.#heardAt;
    this.#schedule();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  abstract send(bytes: Uint8Array, onError: (error: Error) => void): void;
  protected abstract ping(): void;
  protected abstract destroy(): void;
  protected abstract get unreadBytes(): number;

  at(): Flow {
    return this;
  }

  /** Safe to call twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#wheel.cancel(this.#timer);
    this.destroy();
  }

  /** To be called when bytes came: whether they ended a message (or were a keep-alive), and whether they began another. */
  protected heard(endedOne: boolean, isUnfinished: boolean): void {
    this.#heardAt = this.#wheel.now();
    this.#pingedAt = undefined;
    if (endedOne || !isUnfinished) this.#startedAt = undefined;
    if (!isUnfinished || this.#startedAt !== undefined) return;
    this.#startedAt = this.#heardAt;
    this.#schedule();
  }

  protected heardPong(): void {
    this.#answersPings = true;
  }

  /** To be called after each write. */
  protected checkUnread(): void {
    if (this.unreadBytes > this.#limits.unreadBytes) this.close();
  }

  /** Called before a connection is closed on which a message was begun and not ended in time. */
  protected gaveUp(): void {}

  #look(): void {
    const now = this.#wheel.now();
    if (now >= this.#deadline()) {
      if (this.#startedAt !== undefined && now >= this.#startedAt + this.#limits.messageMs) this.gaveUp();
      this.close();
      return;
    }
    if (this.isOurs && this.#limits.pingMs > 0 && now >= this.#pingAt) {
      this.#pingAt = now + this.#limits.pingMs;
      if (this.#answersPings) this.#pingedAt = now;
      this.ping();
    }
    this.#schedule();
  }

  #deadline(): number {
    const { idleMs, messageMs } = this.#limits;
    return Math.min(
      this.#heardAt + idleMs,
      (this.#startedAt ?? Number.POSITIVE_INFINITY) + messageMs,
      (this.#pingedAt ?? Number.POSITIVE_INFINITY) + pongWithinMs,
    );
  }

  #schedule(): void {
    if (!this.#isOpen) return;
    const ping = this.isOurs && this.#limits.pingMs > 0 ? this.#pingAt : Number.POSITIVE_INFINITY;
    this.#wheel.set(this.#timer, Math.min(this.#deadline(), ping) - this.#wheel.now());
  }
}
