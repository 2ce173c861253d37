// A whole adapter in some eighty lines: a tutorial, a fixture for tests and a network to try things on. Its "network" is
// a list: what it is given it keeps, and what somebody says on it (`say`) it publishes.
import { z } from 'zod';
import {
  type Adapter,
  type AdapterModule,
  type Delivery,
  type DraftOf,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
  type Published,
  parseAddress,
  splitAddress,
  type ViewRow,
} from '../../src/contract/index.ts';

const options = z.strictObject({
  domain: z.string().default('loopback.example').describe('where strangers are shown'),
  echo: z.boolean().default(false).describe('answer every message with the same text'),
});
export type LoopbackOptions = z.output<typeof options>;

export class Loopback implements Adapter {
  readonly accepts: ReadonlySet<EventType> = new Set(['message', 'receipt', 'typing']);
  /** What arrived, oldest first; at most 1000. */
  readonly delivered: GatewayEvent[] = [];
  readonly views = { delivered: () => this.#rows() };
  readonly #options: LoopbackOptions;
  #hub: Hub | undefined;

  constructor(settings: LoopbackOptions) {
    this.#options = settings;
  }

  async start(hub: Hub): Promise<void> {
    this.#hub = hub;
    hub.status('up');
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    if (!this.#hub) throw new GatewayError('unavailable', 'not started');
    // People called `nobody` do not exist here: an address that always fails is good for trying things out.
    if (splitAddress(event.to).local === 'nobody') throw new GatewayError('not-found', 'nobody lives here');
    this.delivered.push(event);
    if (this.delivered.length > 1000) this.delivered.shift();
    this.#hub?.trace.hop(event.id, { direction: 'outbound', what: event.type, wire: JSON.stringify(event) });
    if (event.type === 'message' && this.#options.echo) await this.say(event.to, event.from, event.text[''] ?? '');
    return { state: 'delivered' };
  }

  /** Somebody on this network writes to somebody else. */
  async say(from: string, to: string, text: string, more: Partial<DraftOf<'message'>> = {}): Promise<Published> {
    if (!this.#hub) throw new GatewayError('unavailable', 'not started');
    const people = { from: parseAddress(from), to: parseAddress(to) };
    return this.#hub.publish({ type: 'message', ...people, text: { '': text }, wants: [], ...more });
  }

  async *#rows(): AsyncIterable<ViewRow> {
    for (const { id, type, from, to, at } of this.delivered) yield { id, type, from, to, at };
  }

  async stop(): Promise<void> {
    this.#hub?.status('down', 'stopped');
    this.#hub = undefined;
  }
}

export const adapter: AdapterModule<LoopbackOptions> = {
  protocol: 'loopback',
  network: 'im',
  options,
  gatewayDomains: ({ domain }) => [{ domain, shows: ['xmpp', 'sip', 'tel', 'wv'] }],
  create: (_name, settings) => new Loopback(settings),
};
