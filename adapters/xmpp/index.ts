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
import { type ComponentOptions, gatewayDomains, nativeDomains, type XmppOptions, xmppOptions } from './config.ts';
import { diagnose } from './diagnose.ts';
import { fromEvent } from './mapping/from-event.ts';
import { releaseOthers } from './registration.ts';
import type { SessionState } from './session.ts';
import { hiddenIn } from './trace.ts';

export class Xmpp implements Adapter {
  readonly accepts: ReadonlySet<EventType> = new Set(['message', 'receipt', 'typing', 'presence', 'subscription']);
  readonly views = { subscriptions: () => this.#subscriptions(), registrations: () => this.#registrations() };
  /** The others are those of the connection to the server, which all components share. */
  readonly reconfigurable: ReadonlySet<keyof XmppOptions> = new Set([
    'domains',
    'nativeDomains',
    'receivedAs',
    'maxStanzaBytes',
    'maxDepth',
    'connectTimeoutMs',
    'barrierTimeoutMs',
    'keepaliveMs',
    'window',
    'highWater',
    'maxRecipients',
    'holdMs',
    'reconnect',
  ]);
  #options: XmppOptions;
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
    await this.#releaseOthers(hub);
    if (this.#hub !== hub) return;
    await Promise.all(this.#options.domains.map((component) => this.#open(hub, component)));
  }

  /** Components that come connect, those that go say goodbye; one with another secret does both. Who stays notices nothing. */
  async reconfigure(options: XmppOptions): Promise<void> {
    this.#options = options;
    const hub = this.#hub;
    if (!hub) return;
    const wanted = new Map(options.domains.map((component) => [component.domain, component]));
    const leaving = [...this.#components.values()].filter(
      ({ options: { domain, secret } }) => wanted.get(domain)?.secret !== secret,
    );
    await Promise.all(leaving.map((component) => this.#close(component)));
    // Stopped meanwhile: nobody would end what is opened now.
    if (this.#hub !== hub) return;
    this.#releaseOthers(hub).catch((error: Error) => hub.log.warn({ why: error.message }, 'registrations stay'));
    for (const component of options.domains) {
      const known = this.#components.get(component.domain);
      if (known) known.configure(options, component);
      // Whether it gets in is told by its status.
      else this.#open(hub, component).catch((error: Error) => this.#report(component.domain, 'down', error.message));
    }
  }

  #releaseOthers(hub: Hub): Promise<void> {
    return releaseOthers(
      hub,
      this.#options.domains.map(({ domain }) => domain),
    );
  }

  async #open(hub: Hub, component: ComponentOptions): Promise<void> {
    const { domain } = component;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#states.set(domain, { state: 'connecting', why: undefined });
    const opened: Component = new Component(this.#options, component, hub, clockOf(hub.now), (state, why) => {
      if (state !== 'connecting') resolve();
      // What it says of its end is said of another by then.
      if (this.#components.get(domain) === opened) this.#report(domain, state, why);
    });
    this.#components.set(domain, opened);
    await opened.registrations.open();
    opened.session.start();
    await promise;
  }

  async #close(component: Component): Promise<void> {
    const { domain } = component.options;
    this.#components.delete(domain);
    this.#states.delete(domain);
    await component.stop();
    for (const [other, { state, why }] of this.#states) this.#report(other, state, why);
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    const component = this.#componentOf(event);
    const { receivedAs, maxStanzaBytes } = this.#options;
    const hasChatStates = component.options.shows.some((scheme) => scheme !== 'tel');
    const caps = event.type === 'presence' ? component.caps(event.from) : undefined;
    const stanza = fromEvent(event, { receivedAs, hasChatStates, caps, now: this.#hub?.now() ?? 0 });
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
    const hub = this.#hub;
    this.#hub = undefined;
    await Promise.all([...this.#components.values()].map((component) => component.stop()));
    hub?.status('down', 'stopped');
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
    if (this.#options.domains.some((ours) => ours.domain === domain))
      throw new GatewayError('unavailable', `${domain} is on its way back, with other options`);
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
