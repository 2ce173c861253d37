// Keeps the flow of a registration open, and notices when it is not (RFC 5626 s.4.4): CRLF, or STUN over UDP where the registrar
// speaks Outbound.
import { Timer, type TimerWheel } from '../timer-wheel.ts';
import type { Endpoint, Flow } from '../transport/flow.ts';

const crlf = Buffer.from('\r\n\r\n');
/** RFC 5389 s.7.2.1: seven requests, each after twice the pause; after the last one sixteen times the first. */
const firstPauseMs = 500;
const requests = 7;
const lastPauseMs = 16 * firstPauseMs;

export class KeepAlive {
  readonly #wheel: TimerWheel;
  readonly #failed: (flow: Flow) => void;
  readonly #timer = new Timer(() => this.#tick());
  #flow: Flow | undefined;
  #everyMs = 0;
  #usesStun = false;
  /** Requests since the last answer. */
  #asked = 0;
  /** Where the other side saw us last; unset while it has answered no STUN. */
  #seen: string | undefined;

  /** `failed` is called when that flow is no longer what it was. */
  constructor(wheel: TimerWheel, failed: (flow: Flow) => void) {
    this.#wheel = wheel;
    this.#failed = failed;
  }

  /** From now on, at that pace. */
  start(flow: Flow, everyMs: number, usesStun: boolean): void {
    if (flow.id !== this.#flow?.id) this.#seen = undefined;
    this.#flow = flow;
    this.#everyMs = everyMs;
    this.#usesStun = usesStun && flow.probe !== undefined;
    this.#rest();
  }

  stop(): void {
    this.#flow = undefined;
    this.#wheel.cancel(this.#timer);
  }

  #rest(): void {
    this.#asked = 0;
    this.#wheel.set(this.#timer, this.#everyMs);
  }

  #tick(): void {
    const flow = this.#flow;
    if (!flow) return;
    if (!this.#usesStun) {
      flow.send(crlf, () => {});
      this.#rest();
    } else if (this.#asked === requests) this.#missed(flow);
    else {
      this.#asked++;
      this.#wheel.set(this.#timer, this.#asked === requests ? lastPauseMs : firstPauseMs * 2 ** (this.#asked - 1));
      flow.probe?.((seen) => this.#heard(flow, seen));
    }
  }

  // s.4.4.2: another address than before is another flow.
  #heard(flow: Flow, { address, port }: Endpoint): void {
    if (flow !== this.#flow || this.#asked === 0) return;
    const seen = `${address}/${port}`;
    const isOther = this.#seen !== undefined && this.#seen !== seen;
    this.#seen = seen;
    this.#rest();
    if (isOther) this.#failed(flow);
  }

  // As with pings: only who has answered once can be missed. Many registrars speak Outbound and no STUN.
  #missed(flow: Flow): void {
    const hasAnswered = this.#seen !== undefined;
    this.#seen = undefined;
    this.#usesStun = hasAnswered;
    this.#rest();
    if (hasAnswered) this.#failed(flow);
    else flow.send(crlf, () => {});
  }
}
