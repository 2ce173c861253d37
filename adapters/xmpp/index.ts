// The XMPP adapter: one XMPP server, one component connection for each of our domains there (XEP-0114).
import {
  type Adapter,
  type AdapterModule,
  type Delivery,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
  splitAddress,
  type ViewRow,
} from '../../src/contract/index.ts';
import { clockOf } from './clock.ts';
import { encodeStanza } from './codec/stream.ts';
import { Component } from './component.ts';
import { gatewayDomains, nativeDomains, type XmppOptions, xmppOptions } from './config.ts';
import { diagnose } from './diagnose.ts';
import { fromEvent } from './mapping/from-event.ts';
import type { SessionState } from './session.ts';
import { hiddenIn } from './trace.ts';

export class Xmpp implements Adapter {
  readonly accepts: ReadonlySet<EventType> = new Set(['message', 'receipt', 'typing', 'presence', 'subscription']);
  readonly views = { subscriptions: () => this.#subscriptions(), registrations: () => this.#registrations() };
  readonly #options: XmppOptions;
  readonly #components = new Map<string, Component>();
  readonly #states = new Map<string, { state: SessionState; why: string | undefined }>();
  /** Why each is down, since it was up: a server that stays away is told of once. */
  readonly #told = new Map<string, string>();
  #hub: Hub | undefined;

  constructor(options: XmppOptions) {
    this.#options = options;
  }

  /** Resolves when every component has been answered once, well or not. */
  async start(hub: Hub): Promise<void> {
    this.#hub = hub;
    for (const { domain } of this.#options.domains) this.#states.set(domain, { state: 'connecting', why: undefined });
    const first = this.#options.domains.map((component) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const opened = new Component(this.#options, component, hub, clockOf(hub.now), (state, why) => {
        if (state !== 'connecting') resolve();
        this.#report(component.domain, state, why);
      });
      this.#components.set(component.domain, opened);
      return promise;
    });
    await Promise.all([...this.#components.values()].map(({ registrations }) => registrations.open()));
    for (const { session } of this.#components.values()) session.start();
    await Promise.all(first);
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    const component = this.#componentOf(event);
    const { receivedAs, maxStanzaBytes } = this.#options;
    const hasChatStates = component.options.shows.some((scheme) => scheme !== 'tel');
    const stanza = fromEvent(event, { receivedAs, hasChatStates, now: this.#hub?.now() ?? 0 });
    if (!stanza) return { state: 'sent' };
    const wire = encodeStanza(stanza);
    const bytes = Buffer.byteLength(wire);
    if (bytes > maxStanzaBytes) throw new GatewayError('too-large', `${bytes} bytes; the most is ${maxStanzaBytes}`);
    // An error has the id of what it answers.
    const id = stanza.attributes.type === 'error' ? `re-${event.id}` : (stanza.attributes.id ?? event.id);
    const written = component.write(event, id, wire, signal);
    this.#hub?.trace.hop(event.id, {
      direction: 'outbound',
      what: stanza.name === 'message' ? `message ${event.type}` : `presence ${stanza.attributes.type ?? ''}`.trim(),
      wire,
      hidden: hiddenIn(wire),
    });
    await written;
    return { state: 'sent' };
  }

  /** The recipient's server, as reached from one component: a component that is away holds nobody else back. */
  destination({ from, to }: GatewayEvent): string {
    return `${splitAddress(to).domain} from ${splitAddress(from).domain}`;
  }

  async stop(): Promise<void> {
    const components = [...this.#components.values()];
    await Promise.all(components.map((component) => component.stop()));
    if (this.#hub) this.#hub.status('down', 'stopped');
    this.#hub = undefined;
  }

  async *#subscriptions(): AsyncIterable<ViewRow> {
    for (const { watches } of this.#components.values()) yield* watches.rows();
  }

  async *#registrations(): AsyncIterable<ViewRow> {
    for (const { registrations } of this.#components.values()) yield* registrations.rows();
  }

  #componentOf({ from }: GatewayEvent): Component {
    const { domain } = splitAddress(from);
    const component = this.#components.get(domain);
    if (component) return component;
    if (!this.#hub) throw new GatewayError('unavailable', 'not started');
    // A server closes the whole stream at a sender of a foreign domain (invalid-from).
    throw new GatewayError('not-allowed', `${domain} is no component of ours here, so nobody can write from it`);
  }

  #report(domain: string, state: SessionState, why: string | undefined): void {
    const hub = this.#hub;
    if (!hub) return;
    if (state === 'up') this.#told.delete(domain);
    if (why !== undefined) {
      const level = this.#told.get(domain) === why ? 'debug' : 'warn';
      hub.log[level]({ component: domain, why }, 'component is down');
      this.#told.set(domain, why);
    }
    this.#states.set(domain, { state, why });
    const away = [...this.#states].filter(([, one]) => one.state !== 'up');
    hub.metrics.gauge('components_up', this.#states.size - away.length);
    const reasons = away.filter(([, one]) => one.why !== undefined).map(([name, one]) => `${name}: ${one.why}`);
    const worst = away.some(([, one]) => one.state === 'down') ? 'down' : 'connecting';
    hub.status(away.length < this.#states.size ? 'up' : worst, reasons.length > 0 ? reasons.join('; ') : undefined);
  }
}

export const adapter: AdapterModule<XmppOptions> = {
  protocol: 'xmpp',
  network: 'xmpp',
  options: xmppOptions,
  create: (_name, options) => new Xmpp(options),
  gatewayDomains,
  nativeDomains,
  diagnose,
};
