// Presence on SIP: who watches whom, in both directions, and what each is told. Joins the rooms of this folder to the adapter.
import { type Adapter, GatewayError, type GatewayEvent } from '../../../src/contract/index.ts';
import type { Method } from '../endpoint.ts';
import { Notifier } from './notifier/notifier.ts';

export class Presence {
  readonly #notifier: Notifier;

  constructor() {
    this.#notifier = new Notifier([]);
  }

  /** What it answers, for the endpoint. */
  methods(): Map<string, Method> {
    return new Map<string, Method>([
      ['SUBSCRIBE', { handle: (inbound) => this.#notifier.handle(inbound), isPassedOn: true, wantsProof: true }],
      // RFC 6665 s.4.1.3: a NOTIFY to no subscription of ours.
      ['NOTIFY', { handle: async () => ({ status: 481 }), isPassedOn: false, wantsProof: false }],
    ]);
  }

  /** Event packages, for Allow-Events. */
  get events(): string[] {
    return this.#notifier.events;
  }

  /** `presence` and `subscription`. Throws GatewayError. */
  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    throw new GatewayError('unsupported', `no ${event.type} over SIP here`);
  }

  /** Goes on where the last process stopped. */
  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  get views(): NonNullable<Adapter['views']> {
    return {};
  }
}
