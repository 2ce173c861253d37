// The SIP adapter: joins the stack to the hub. What is said on the wire is in session.ts, what it means in mapping/.
import {
  type Adapter,
  type AdapterModule,
  type Address,
  type Delivery,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
  splitAddress,
} from '../../src/contract/index.ts';
import { SparingLog } from '../../src/guards/sparing-log.ts';
import { AskedStore } from './asked.ts';
import { reasonPhrase, type SipRequest } from './codec/message.ts';
import { parseUri } from './codec/uri.ts';
import { options, type SipOptions } from './config.ts';
import { diagnose } from './diagnose.ts';
import { Directions } from './directions.ts';
import { Door, doorOptions } from './door.ts';
import { type Answer, Endpoint, type Inbound, knownMethods, type Method } from './endpoint.ts';
import { Guard } from './guard.ts';
import { Holds } from './holds.ts';
import { Inbox } from './inbox.ts';
import { instanceIdIn } from './instance-id.ts';
import { acceptedTypes } from './mapping/inbound.ts';
import type { Outbox } from './outbox.ts';
import { Peers } from './peers.ts';
import { Presence } from './presence/index.ts';
import { ProxyWatch, type Way } from './proxy-watch.ts';
import { Recent } from './recent.ts';
import { Registrar } from './registrar.ts';
import { Relay } from './relay.ts';
import { Session } from './session.ts';
import { sessionOptions } from './session-options.ts';
import { Trunks } from './trunk/trunks.ts';
import { TypingWatch } from './typing-watch.ts';
import { Unsettled } from './unsettled.ts';
import { wayOut } from './way-out.ts';

interface Running {
  hub: Hub;
  session: Session;
  endpoint: Endpoint;
  outbox: Outbox;
  presence: Presence;
  directions: Directions;
  registrar: Registrar;
  peers: Peers;
  door: Door;
  trunks: Trunks;
  watches: readonly Way[];
}

/** What requests are handed to. */
type Answering = { inbox: Inbox; log: SparingLog } & Pick<Running, 'presence' | 'registrar' | 'door' | 'trunks'>;

export class SipAdapter implements Adapter {
  readonly accepts: ReadonlySet<EventType> = new Set<EventType>([
    'message',
    'receipt',
    'typing',
    'presence',
    'subscription',
  ]);
  /** The others are those of sockets, or of what peers were told. */
  readonly reconfigurable: ReadonlySet<keyof SipOptions> = new Set(['trunks', ...doorOptions]);
  #options: SipOptions;
  readonly #proxyCheckMs: number;
  #running: Running | undefined;
  readonly #stopping = new AbortController();

  /** `proxyCheckMs` lies between two OPTIONS to the outbound proxy; 0 asks it never. */
  constructor(settings: SipOptions, proxyCheckMs = 30_000) {
    this.#options = settings;
    this.#proxyCheckMs = proxyCheckMs;
  }

  async start(hub: Hub): Promise<void> {
    const running = this.#build(hub);
    await running.presence.start();
    await running.session.listen();
    if (this.#stopping.signal.aborted) return running.session.stop();
    this.#running = running;
    this.#report();
    for (const way of waysOf(running)) way.start();
  }

  async reconfigure(settings: SipOptions): Promise<void> {
    this.#options = settings;
    const running = this.#running;
    if (!running) return;
    const gone = running.door.goneWith(settings);
    running.door.reconfigure(settings);
    await Promise.all([running.registrar.forget(gone), running.trunks.reconfigure(settings.trunks)]);
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    if (!this.#running) throw new GatewayError('unavailable', 'not started');
    const { outbox, presence } = this.#running;
    if (event.type !== 'presence' && event.type !== 'subscription') return outbox.deliver(event, signal);
    await presence.deliver(event, signal);
    return { state: 'sent' };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const running = this.#running;
    this.#running = undefined;
    if (!running) return;
    running.presence.stop();
    await Promise.all(waysOf(running).map((way) => way.stop()));
    await running.session.stop();
    running.hub.status('down', 'stopped');
  }

  get views(): NonNullable<Adapter['views']> {
    const running = this.#running;
    if (!running) return {};
    const { presence, peers, trunks } = running;
    return { ...presence.views, peers: () => peers.rows(), trunks: () => trunks.rows() };
  }

  destination({ to }: GatewayEvent): string {
    return this.#running?.directions.destination(to) ?? splitAddress(to).domain;
  }

  /** The phones of our own domains, there or away. */
  async serves(address: Address): Promise<boolean> {
    return (await this.#running?.registrar.knows(address)) ?? false;
  }

  /** Where it listens, in the order of the options: for tests, which let the system choose. */
  portOf(transport: 'UDP' | 'TCP' | 'TLS' | 'WS' | 'WSS'): number {
    return this.#running?.session.transports.sentByOf(transport)?.port ?? 0;
  }

  #build(hub: Hub): Running {
    const now = () => performance.now();
    const settings = this.#options;
    const log = new SparingLog(hub.log, () => hub.now());
    const door = new Door(settings);
    const session = new Session(
      { ...sessionOptions(settings, now), credentials: () => door.credentials },
      {
        onRequest: (request, transaction) => void endpoint.receive(request, transaction),
        onClosed: (flow) => {
          trunks.closed(flow);
          registrar.closed(flow).catch((error: Error) => hub.log.warn({ why: error.message }, 'a binding stays'));
        },
        onBroken: ({ message: why, status }, { transport, remote }) => {
          hub.metrics.count('malformed_total', { transport });
          log.warn('malformed', { transport, from: remote.address, status, why }, 'what came is no SIP');
        },
        count: (name, labels) => hub.metrics.count(name, labels),
        trace: hub.trace,
      },
      now,
    );
    const { wheel, transports, requester } = session;
    const nativeDomains = new Set(settings.nativeDomains);
    const registrar = new Registrar({
      ...{ domains: nativeDomains, state: hub.state, now: () => hub.now() },
      changed: (person) => presence.registered(person),
      appeared: (person) => hub.reachable(person),
    });
    const changed = () => this.#report();
    const peers = peersOf(hub, settings);
    const trunks = new Trunks(settings.trunks, {
      ...{ requester, wheel, changed, peers, log: hub.log, t1Ms: settings.t1Ms },
      instanceId: instanceIdIn(hub.state),
    });
    const outboundProxy = settings.outboundProxy === undefined ? undefined : parseUri(settings.outboundProxy);
    const proxyCheckMs = this.#proxyCheckMs;
    const watches =
      outboundProxy && proxyCheckMs > 0
        ? [new ProxyWatch(outboundProxy, proxyCheckMs, { requester, wheel, changed })]
        : [];
    const isProxyTold = settings.assertIdentity;
    const directions = new Directions({ nativeDomains, outboundProxy, isProxyTold, registrar, trunks, transports });
    const shared = { hub, peers, holds: new Holds(wheel), asked: new AskedStore(hub.state), refused: new Recent() };
    const unsettled = new Unsettled(hub.instance, () => hub.now());
    const domains = new Set([...nativeDomains, ...settings.domains.map(({ domain }) => domain)]);
    const inbox = new Inbox(
      { ...settings, domains, nativeDomains, isOurContact: (uri) => trunks.isContact(uri) },
      {
        ...{ ...shared, unsettled },
        typing: new TypingWatch(wheel),
        peerOf: (address) => directions.peerOf(address),
        guard: new Guard({ ...settings, rates: door.rates, domains, now: () => hub.now() }),
        relay: new Relay({ hub, requester, directions, patienceMs: 50 * settings.t1Ms }),
      },
    );
    const stopping = this.#stopping.signal;
    const outbox = wayOut(settings, {
      ...{ ...shared, unsettled, session, directions, stopping },
      domains: gatewayDomains(settings),
    });
    const presence = new Presence(
      { ...settings, ...settings.watchers, domains, nativeDomains, gatewayDomains: gatewayDomains(settings) },
      { hub, requester, transports, directions, peers, wheel, bindings: (aor) => registrar.bindings(aor) },
    );
    const endpoint = this.#endpoint(hub, session, { inbox, presence, registrar, door, trunks, log });
    return { hub, session, endpoint, outbox, presence, directions, registrar, peers, door, trunks, watches };
  }

  #endpoint(hub: Hub, session: Session, { inbox, presence, registrar, door, trunks, log }: Answering): Endpoint {
    const { nativeDomains, acceptSips } = this.#options;
    const methods = new Map<string, Method>([
      ['MESSAGE', { handle: (inbound) => inbox.handle(inbound), isPassedOn: true, wantsProof: true }],
      ...presence.methods(),
    ]);
    const notify = async (inbound: Inbound) => (await trunks.handleNotify(inbound)) ?? presence.handleNotify(inbound);
    methods.set('NOTIFY', { handle: notify, isPassedOn: true, wantsProof: false });
    if (nativeDomains.length > 0) {
      methods.set('REGISTER', { handle: (inbound) => registrar.handle(inbound), isPassedOn: false, wantsProof: true });
    }
    return new Endpoint({
      methods,
      accept: acceptedTypes,
      supported: [...presence.extensions, ...(nativeDomains.length > 0 ? ['path', 'outbound', 'gruu'] : [])],
      acceptSips,
      events: presence.events,
      isTrusted: (address) => door.isTrusted(address) || trunks.isTrusted(address),
      get digest() {
        return door.digest;
      },
      get isProxy() {
        return door.isProxy;
      },
      get maxPending() {
        return door.maxPending;
      },
      get maxPendingPerSource() {
        return door.maxPendingPerSource;
      },
      rates: door.rates,
      now: () => hub.now(),
      answered: (request, answer, bytes) => answered(hub, session, request, answer, bytes),
      refused: ({ method }, { message: why, status }, from) =>
        log.warn('refused', { method, from, status, why }, 'a request makes no sense'),
      failed: (request, error) => hub.log.error({ method: request.method, error }, 'a request failed in our hands'),
    });
  }

  // Up when somebody can be reached; where nothing has to be opened first, that is as soon as we listen.
  #report(): void {
    const running = this.#running;
    if (!running) return;
    const { hub } = running;
    const ways = waysOf(running);
    const closed = ways.filter((way) => !way.isOpen);
    const failed = closed.filter((way) => way.hasFailed);
    for (const { name, why } of failed) hub.log.warn({ way: name, why }, 'no way out here');
    if (ways.length === 0 || closed.length < ways.length) hub.status('up');
    else if (failed.length < closed.length) hub.status('connecting');
    else hub.status('down', failed.map(({ why }) => why).join('; '));
  }
}

function waysOf({ trunks, watches }: Running): Way[] {
  return [...trunks.all, ...watches];
}

function answered(
  hub: Hub,
  session: Session,
  request: SipRequest,
  answer: Answer,
  bytes: Uint8Array | undefined,
): void {
  const status = String(answer.status);
  // What strangers call their methods must not use up the series.
  const method = knownMethods.has(request.method) ? request.method : 'other';
  hub.metrics.count('requests_total', { method, status });
  hub.metrics.gauge('transactions', session.transactions.serverCount);
  hub.metrics.gauge('flows', session.transports.size);
  if (answer.event === undefined || !bytes) return;
  const what = `${status} ${answer.reason ?? reasonPhrase(answer.status)}`;
  hub.trace.hop(answer.event, { direction: 'outbound', what, wire: bytes });
}

function peersOf(hub: Hub, { peers: { pinned, rememberMs } }: SipOptions): Peers {
  return new Peers({ state: hub.state, now: () => hub.now(), pins: pinned, rememberMs });
}

function gatewayDomains({ domains }: SipOptions) {
  return domains.map(({ home, ...domain }) => (home === undefined ? domain : { ...domain, home }));
}

export const adapter: AdapterModule<SipOptions> = {
  protocol: 'sip',
  network: 'sip',
  options,
  gatewayDomains,
  nativeDomains: ({ nativeDomains }) => nativeDomains,
  create: (_name, settings) => new SipAdapter(settings),
  diagnose,
};
