// An account at a provider: registered by one flow, or by several through proxies of its own, of which one that lives is enough
// (RFC 5626 s.4.2.1); and told by the provider what becomes of it (RFC 3680).
import type { ViewRow } from '../../../src/contract/index.ts';
import { formatUri, parseUri } from '../codec/uri.ts';
import type { TrunkOptions } from '../config.ts';
import type { Direction } from '../directions.ts';
import type { Answer, Inbound } from '../endpoint.ts';
import type { Way } from '../proxy-watch.ts';
import type { Flow } from '../transport/flow.ts';
import { RegWatch, type RegWatchParts } from './reg-watch.ts';
import { Registration, type RegistrationParts } from './registration.ts';

export type TrunkParts = RegistrationParts & RegWatchParts;

export class Trunk implements Way {
  readonly options: TrunkOptions;
  readonly domains: readonly string[];
  readonly #flows: readonly Registration[];
  readonly #watch: RegWatch | undefined;
  readonly #changed: () => void;
  #isStopped = false;
  #wasOpen = false;
  /** Through whose proxies there is no Outbound, while others have it: no flows beside those. */
  readonly #alone = new Set<Registration>();

  constructor(options: TrunkOptions, parts: TrunkParts) {
    const { aor, domains, outboundProxies } = options;
    this.options = options;
    this.domains = [parseUri(aor).host, ...domains];
    this.#changed = parts.changed;
    const places = outboundProxies.map((proxy, index) => ({ regId: index + 1, proxy: parseUri(proxy) }));
    this.#flows = (places.length > 0 ? places : [{ regId: 1 }]).map((place) => {
      const hasOther = () => this.#flows.some((flow) => flow.isRegistered && flow.place !== place);
      return new Registration(options, { ...parts, hasOther, changed: () => this.#balance() }, place);
    });
    if (options.watchRegistration === 'auto') this.#watch = new RegWatch(this, this.#flows, parts);
  }

  get name(): string {
    return this.options.aor;
  }

  get isOpen(): boolean {
    return this.isRegistered;
  }

  get isRegistered(): boolean {
    return this.#flows.some(({ isRegistered }) => isRegistered);
  }

  get hasFailed(): boolean {
    const started = this.#flows.filter(({ isStarted }) => isStarted);
    return started.length > 0 && started.every(({ hasFailed }) => hasFailed);
  }

  get why(): string {
    return this.#flows.flatMap(({ why, isStarted }) => (isStarted && why !== '' ? [why] : [])).join('; ');
  }

  /** The way to the provider. */
  get direction(): Direction {
    const flow = this.#current;
    const { firstHop, proxyRoute, serviceRoute, credentials, contact } = flow;
    return {
      peer: this.options.aor,
      route: { uri: firstHop },
      through: [...proxyRoute, ...serviceRoute],
      credentials,
      ...(contact === undefined ? {} : { contact }),
      unanswered: () => flow.doubt(),
    };
  }

  get address(): string | undefined {
    return this.#current.address;
  }

  isContact(uri: string): boolean {
    return this.#flows.some((flow) => flow.isContact(uri));
  }

  isTrusted(address: string): boolean {
    return this.#flows.some((flow) => flow.isTrusted(address));
  }

  closed(flow: Flow): void {
    for (const own of this.#flows) own.closed(flow);
  }

  /** One a flow. */
  *rows(): Iterable<ViewRow> {
    const isTold = this.#watch?.isTold ?? false;
    for (const flow of this.#flows) {
      const { firstHop, usesOutbound: outbound, why } = flow;
      yield { account: this.options.aor, way: formatUri(firstHop), state: stateOf(flow), outbound, isTold, why };
    }
  }

  /** Not after `stop`: a reload that was waiting for others to say goodbye must not revive it. */
  start(): void {
    if (!this.#isStopped) this.#flows[0]?.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watch?.stop();
    await Promise.all(this.#flows.map((flow) => flow.stop()));
  }

  /** NOTIFY of its own subscription; undefined when it is somebody else's. Throws SipParseError. */
  async handleNotify(inbound: Pick<Inbound, 'request'>): Promise<Answer | undefined> {
    return this.#watch?.handleNotify(inbound);
  }

  get #current(): Registration {
    const open = this.#flows.filter(({ isRegistered }) => isRegistered);
    return open.find(({ isDoubted }) => !isDoubted) ?? open[0] ?? (this.#flows[0] as Registration);
  }

  #balance(): void {
    if (this.#isStopped) return;
    const open = this.#flows.find(({ isRegistered }) => isRegistered);
    const spare = this.#flows.find(({ isStarted }) => !isStarted);
    if (this.#flows.some(({ isRegistered, usesOutbound }) => isRegistered && usesOutbound)) this.#startAll();
    else if (open) this.#leaveOnly(open);
    else this.#revive(spare);
    this.#wasOpen ||= open !== undefined;
    if (open) this.#watch?.begin();
    this.#changed();
  }

  // The last one that lived has just gone, or none ever lived.
  #revive(spare: Registration | undefined): void {
    if (this.#wasOpen) for (const flow of this.#flows) flow.hasten();
    this.#wasOpen = false;
    this.#alone.clear();
    if (this.hasFailed) spare?.start();
  }

  #startAll(): void {
    for (const flow of this.#flows) {
      if (flow.isRegistered && !flow.usesOutbound) {
        this.#alone.add(flow);
        void flow.stop();
      } else if (!flow.isStarted && !this.#alone.has(flow)) flow.start();
    }
  }

  // Where the registrar does not know flows apart (no Outbound), a second one would be a second phone: it only stands in.
  #leaveOnly(open: Registration): void {
    const later = this.#flows.slice(this.#flows.indexOf(open) + 1);
    for (const other of later) if (other.isStarted) void other.stop();
  }
}

function stateOf({ isRegistered, isDoubted, isStarted }: Registration): string {
  if (isRegistered) return isDoubted ? 'doubted' : 'registered';
  return isStarted ? 'trying' : 'spare';
}
