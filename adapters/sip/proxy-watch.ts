// Whether the outbound proxy is there: OPTIONS every now and then (RFC 3261 s.11). Any answer but 503 says yes.
import { asGatewayError } from '../../src/contract/index.ts';
import type { SipRequest } from './codec/message.ts';
import { formatUri, type SipUri } from './codec/uri.ts';
import { plainRequest } from './plain-request.ts';
import type { Requester } from './requester.ts';
import { Timer, type TimerWheel } from './timer-wheel.ts';

/** Something that has to be open before messages can go out: a proxy that answers, a trunk that is registered. */
export interface Way {
  readonly name: string;
  readonly isOpen: boolean;
  /** It has been tried, and why it is not open. */
  readonly hasFailed: boolean;
  readonly why: string;
  start(): void;
  stop(): Promise<void>;
}

export class ProxyWatch implements Way {
  readonly name: string;
  isOpen = false;
  hasFailed = false;
  why = 'not asked yet';
  readonly #proxy: SipUri;
  readonly #parts: { requester: Requester; wheel: TimerWheel; changed(): void };
  readonly #pauseMs: number;
  readonly #timer = new Timer(() => void this.#ask());
  readonly #stopping = new AbortController();

  constructor(proxy: SipUri, pauseMs: number, parts: { requester: Requester; wheel: TimerWheel; changed(): void }) {
    this.name = formatUri(proxy);
    this.#proxy = proxy;
    this.#pauseMs = pauseMs;
    this.#parts = parts;
  }

  start(): void {
    void this.#ask();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#parts.wheel.cancel(this.#timer);
  }

  async #ask(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      const { status, reason } = await this.#parts.requester.send({
        request: this.#options(),
        route: { uri: this.#proxy },
        signal,
      });
      this.#become(status !== 503, `${this.name}: ${status} ${reason}`);
    } catch (error) {
      if (!signal.aborted) this.#become(false, asGatewayError(error).message);
    }
    if (!signal.aborted) this.#parts.wheel.set(this.#timer, this.#pauseMs);
  }

  #options(): SipRequest {
    const { scheme, host, port } = this.#proxy;
    const uri = formatUri({ scheme, host, parameters: new Map(), ...(port === undefined ? {} : { port }) });
    return plainRequest({ method: 'OPTIONS', uri, from: uri, to: uri });
  }

  #become(isOpen: boolean, why: string): void {
    const isNews = this.isOpen !== isOpen || this.hasFailed === isOpen;
    this.isOpen = isOpen;
    this.hasFailed = !isOpen;
    this.why = why;
    if (isNews) this.#parts.changed();
  }
}
