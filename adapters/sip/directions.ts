// Where a message to somebody goes: to the phones that registered with us, a trunk, the outbound proxy, or where DNS says.
import { type Address, bareAddress, GatewayError, splitAddress } from '../../src/contract/index.ts';
import { formatUri, parseUri, type SipUri } from './codec/uri.ts';
import type { Credentials } from './digest/index.ts';
import { type Binding, type Registrar, wayTo } from './registrar.ts';
import type { Route } from './requester.ts';
import type { Flow } from './transport/flow.ts';
import type { Transports } from './transport/transports.ts';
import type { Trunk } from './trunk/trunk.ts';
import type { Trunks } from './trunk/trunks.ts';

export interface Direction {
  /** Whose abilities count there: a trunk's account, or the recipient. */
  peer: string;
  route: Route;
  /** The Request-URI, where it is not the recipient's own. */
  target?: string;
  /** Route headers. */
  through: readonly string[];
  credentials?: readonly Credentials[];
  /** What From says in place of the sender. */
  showAs?: string;
  /** What P-Asserted-Identity says, to those who may be told (RFC 3325 s.6): the sender, or this URI. */
  asserts?: string;
  /** Our Contact where that is more than an address: what a registrar keeps a way to (RFC 5626 s.4.3, RFC 5627 s.4.4). */
  contact?: string;
  /** To be called when nobody has answered there. */
  unanswered?(): void;
  /** Nothing but what DNS says of the domain: inside a dialog its target knows better. */
  isDirect?: boolean;
}

/** A flow that somebody came by, as it lies in the store. */
export interface FlowName {
  id: string;
  transport: string;
  address: string;
  port: number;
}

export interface DirectionsParts {
  nativeDomains: ReadonlySet<string>;
  outboundProxy: SipUri | undefined;
  /** The outbound proxy is told who the sender is. */
  isProxyTold: boolean;
  registrar: Registrar;
  trunks: Pick<Trunks, 'all'>;
  transports: Transports;
}

export class Directions {
  readonly #parts: DirectionsParts;

  constructor(parts: DirectionsParts) {
    this.#parts = parts;
  }

  /** One or more at once (forks). Throws GatewayError when there is no way. */
  async find(to: Address): Promise<Direction[]> {
    const { nativeDomains, outboundProxy, isProxyTold } = this.#parts;
    const { scheme, domain } = splitAddress(to);
    if (scheme !== 'tel' && nativeDomains.has(domain)) return this.#phones(to);
    const trunk = this.#trunkFor(to);
    if (trunk) return [this.#through(trunk, to)];
    const peer = bareAddress(to);
    if (outboundProxy) {
      const isLoose = outboundProxy.parameters.has('lr');
      const through = isLoose ? [`<${formatUri(outboundProxy)}>`] : [];
      return [{ peer, route: { uri: outboundProxy }, through, ...(isProxyTold ? { asserts: 'sender' } : {}) }];
    }
    if (scheme !== 'tel') return [{ peer, route: { uri: parseUri(to) }, through: [], isDirect: true }];
    throw new GatewayError('unreachable', 'a number needs a way: configure outboundProxy or a trunk');
  }

  /** Whose abilities count on the way to somebody. */
  peerOf(to: Address): string {
    const { scheme, domain } = splitAddress(to);
    const isPhone = scheme !== 'tel' && this.#parts.nativeDomains.has(domain);
    return (isPhone ? undefined : this.#trunkFor(to)?.options.aor) ?? bareAddress(to);
  }

  /** What fails together (Adapter.destination): one phone, one trunk, the proxy, one domain. */
  destination(to: Address): string {
    const { scheme, domain } = splitAddress(to);
    if (scheme !== 'tel' && this.#parts.nativeDomains.has(domain)) return bareAddress(to);
    const trunk = this.#trunkFor(to);
    if (trunk) return trunk.options.aor;
    return this.#parts.outboundProxy?.host ?? domain;
  }

  #trunkFor(to: Address): Trunk | undefined {
    const { scheme, domain } = splitAddress(to);
    const { trunks, outboundProxy } = this.#parts;
    const own = trunks.all.find((trunk) => trunk.domains.includes(domain));
    return own ?? (scheme === 'tel' && !outboundProxy ? trunks.all[0] : undefined);
  }

  #through(trunk: Trunk, to: Address): Direction {
    if (!trunk.isRegistered) throw new GatewayError('unavailable', trunk.why);
    const { scheme, local } = splitAddress(to);
    const { direction } = trunk;
    if (trunk.options.showAs === 'account') direction.showAs = trunk.options.aor;
    if (trunk.options.asserts !== 'none') {
      direction.asserts = trunk.options.asserts === 'account' ? trunk.options.aor : 'sender';
    }
    // Providers know numbers as users of theirs (RFC 3261 s.19.1.6).
    if (scheme === 'tel') direction.target = `sip:${local}@${trunk.domains[0]};user=phone`;
    return direction;
  }

  async #phones(to: Address): Promise<Direction[]> {
    const all = await this.#parts.registrar.bindings(bareAddress(to));
    // RFC 5627 s.3.2: a GRUU is one phone. A resource that is none says only who wrote last.
    const { resource } = splitAddress(to);
    const meant = all.filter(({ instance }) => instance !== undefined && instance === resource);
    const bindings = meant.length > 0 ? meant : all;
    const found: Direction[] = [];
    const peer = bareAddress(to);
    for (const binding of bindings) {
      const route = await this.#wayTo(binding);
      if (route) found.push({ peer, route, target: binding.uri.replace(/\?.*$/s, ''), through: binding.path });
    }
    if (found.length > 0) return found;
    throw new GatewayError('unavailable', `${bareAddress(to)} has no phone registered`, { native: '480' });
  }

  async #wayTo(binding: Binding): Promise<Route | undefined> {
    const flow = await wayBack(binding.flow, this.#parts.transports);
    if (flow) return { flow };
    try {
      return { uri: wayTo(binding) };
    } catch {
      return undefined;
    }
  }
}

/** The same flow, while it is open. A phone behind a NAT is where it was heard, whatever its Contact says. */
export async function wayBack(
  { id, transport, address, port }: FlowName,
  transports: Pick<Transports, 'connection' | 'flowTo'>,
): Promise<Flow | undefined> {
  const open = transports.connection(id);
  if (open?.isOpen) return open;
  return transport === 'UDP' ? transports.flowTo({ transport, address, port, name: address }) : undefined;
}
