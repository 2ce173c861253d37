// Where a URI is to be sent: RFC 3263 (NAPTR, SRV, A, AAAA), and which of those places are best left alone for a while.
import { isIP } from 'node:net';
import { GatewayError } from '../../src/contract/index.ts';
import { bareHost } from './codec/host.ts';
import type { SipUri } from './codec/uri.ts';
import type { Target } from './transport/transports.ts';

/** The part of node:dns/promises that is asked; `addresses` is for names without SRV. */
export interface Resolver {
  resolveNaptr(
    name: string,
  ): Promise<Array<{ service: string; flags: string; replacement: string; order: number; preference: number }>>;
  resolveSrv(name: string): Promise<Array<{ name: string; port: number; priority: number; weight: number }>>;
  addresses(name: string): Promise<string[]>;
}

export type HopTransport = Target['transport'];

export interface NextHopOptions {
  resolver: Resolver;
  /** Which transports we can open, best first. */
  transports: readonly HopTransport[];
  now(): number;
  /** 0 to 1. */
  random?: () => number;
}

interface Choice {
  allowed: readonly HopTransport[];
  /** What NAPTR may choose from. */
  byNaptr: readonly HopTransport[];
  /** Where no record says anything. */
  first: HopTransport;
}

// RFC 3263 s.4.1, RFC 7118 s.10.2
const services = new Map<string, HopTransport>([
  ['sips+d2t', 'TLS'],
  ['sip+d2t', 'TCP'],
  ['sip+d2u', 'UDP'],
  ['sips+d2w', 'WSS'],
  ['sip+d2w', 'WS'],
]);
/** For domains without NAPTR; WebSocket has no SRV name of its own. */
const srvPrefixes = new Map<HopTransport, string>([
  ['TLS', '_sips._tcp.'],
  ['TCP', '_sip._tcp.'],
  ['UDP', '_sip._udp.'],
]);
const maxTargets = 16;
const maxBlocked = 10_000;

export class NextHop {
  readonly #options: NextHopOptions;
  readonly #blockedUntil = new Map<string, number>();

  constructor(options: NextHopOptions) {
    this.#options = options;
  }

  /** In the order to try. Throws GatewayError: `not-found` when DNS says there is no such domain, else `unreachable`. */
  async resolve(uri: SipUri): Promise<Target[]> {
    const isSecure = uri.scheme === 'sips';
    const asked = uri.parameters.get('transport')?.toUpperCase();
    const wanted = transportsFor(isSecure, asked);
    const allowed = this.#options.transports.filter((one) => !wanted || wanted.includes(one));
    if (allowed.length === 0) throw new GatewayError('unsupported', `no transport ${asked ?? ''} towards ${uri.host}`);
    const name = bareHost(uri.parameters.get('maddr') ?? uri.host);
    const isChosen = isSecure || asked !== undefined;
    // s.4.1: of a sips: URI only what is secure, and nothing where the URI says how.
    const byNaptr = asked === undefined ? this.#options.transports.filter((one) => !isSecure || isSecured(one)) : [];
    const first = plainTransport(allowed, isChosen);
    // s.4.2: nothing to ask anybody.
    if (isIP(name) !== 0) return [{ transport: first, address: name, port: uri.port ?? defaultPort(first), name }];
    const targets =
      uri.port === undefined
        ? await this.#services(name, { allowed, byNaptr, first })
        : await this.#addressesOf(name, name, uri.port, first);
    if (targets.length === 0) throw new GatewayError('unreachable', `${name} has no address that can be reached`);
    return this.#bestFirst(targets).slice(0, maxTargets);
  }

  /** After a 503 (s.4.3) or when it could not be reached. */
  block(target: Target, forMs: number): void {
    if (this.#blockedUntil.size >= maxBlocked) this.#sweep();
    if (forMs > 0) this.#blockedUntil.set(keyOf(target), this.#options.now() + forMs);
  }

  unblock(target: Target): void {
    if (this.#blockedUntil.size > 0) this.#blockedUntil.delete(keyOf(target));
  }

  async #services(name: string, { allowed, byNaptr, first }: Choice): Promise<Target[]> {
    const services = byNaptr.length > 0 ? await this.#naptr(name, byNaptr) : [];
    const wanted =
      services.length > 0
        ? services
        : allowed.flatMap((one) => {
            const prefix = srvPrefixes.get(one);
            return prefix === undefined ? [] : [{ transport: one, srv: prefix + name }];
          });
    for (const { transport, srv } of wanted) {
      const found = await this.#srv(srv, name, transport);
      if (found.length > 0) return found;
    }
    return this.#addressesOf(name, name, defaultPort(first), first);
  }

  async #naptr(
    name: string,
    allowed: readonly HopTransport[],
  ): Promise<Array<{ transport: HopTransport; srv: string }>> {
    const records = await noneWhenAbsent(this.#options.resolver.resolveNaptr(name));
    return records
      .sort((a, b) => a.order - b.order || a.preference - b.preference)
      .flatMap(({ service, flags, replacement }) => {
        const transport = services.get(service.toLowerCase());
        const isUsable = transport !== undefined && allowed.includes(transport) && flags.toLowerCase() === 's';
        return isUsable ? [{ transport, srv: replacement }] : [];
      });
  }

  async #srv(srv: string, name: string, transport: HopTransport): Promise<Target[]> {
    const records = await noneWhenAbsent(this.#options.resolver.resolveSrv(srv));
    const ordered = inOrderOfWeight(records, this.#options.random ?? Math.random).slice(0, maxTargets);
    const found = await Promise.all(
      ordered.map((record) => this.#addressesOf(record.name, name, record.port, transport).catch(() => [])),
    );
    return found.flat();
  }

  async #addressesOf(host: string, name: string, port: number, transport: HopTransport): Promise<Target[]> {
    let addresses: string[];
    try {
      addresses = isIP(host) === 0 ? await this.#options.resolver.addresses(host) : [host];
    } catch (error) {
      if (isAbsent(error))
        throw new GatewayError('not-found', `there is no domain ${host}`, {
          native: 'ENOTFOUND',
          fault: { condition: 'remote-server-not-found' },
          cause: error,
        });
      throw new GatewayError('unreachable', `DNS does not answer for ${host}`, { cause: error });
    }
    return addresses.map((address) => ({ transport, address, port, name }));
  }

  // What is blocked comes last rather than never: when all are, somebody must be tried.
  #bestFirst(targets: Target[]): Target[] {
    const now = this.#options.now();
    const isBlocked = (target: Target) => (this.#blockedUntil.get(keyOf(target)) ?? 0) > now;
    return [...targets.filter((target) => !isBlocked(target)), ...targets.filter(isBlocked)];
  }

  #sweep(): void {
    const now = this.#options.now();
    for (const [key, until] of this.#blockedUntil) if (until <= now) this.#blockedUntil.delete(key);
    if (this.#blockedUntil.size >= maxBlocked) this.#blockedUntil.clear();
  }
}

// s.4.1: UDP for sip: when nothing else is said.
function plainTransport(allowed: readonly HopTransport[], isChosen: boolean): HopTransport {
  if (!isChosen && allowed.includes('UDP')) return 'UDP';
  return (isChosen ? allowed[0] : (allowed.find((one) => !isSecured(one)) ?? allowed[0])) as HopTransport;
}

export function defaultPort(transport: HopTransport): number {
  // RFC 7118 s.5.3: those of HTTP.
  if (transport === 'WS' || transport === 'WSS') return transport === 'WS' ? 80 : 443;
  return transport === 'TLS' ? 5061 : 5060;
}

/** Undefined: any. RFC 7118 s.5.2.1 knows `ws` alone, which sips: makes WSS; some write `wss`. */
function transportsFor(isSecure: boolean, asked: string | undefined): readonly string[] | undefined {
  if (!isSecure) return asked === undefined ? undefined : [asked];
  return asked === 'WS' || asked === 'WSS' ? ['WSS'] : ['TLS'];
}

function isSecured(transport: HopTransport): boolean {
  return transport === 'TLS' || transport === 'WSS';
}

function keyOf({ transport, address, port }: Target): string {
  return `${transport}/${address}/${port}`;
}

/** RFC 2782: by priority; within one, at random by weight. */
function inOrderOfWeight<T extends { priority: number; weight: number }>(records: T[], random: () => number): T[] {
  const rest = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: T[] = [];
  while (rest.length > 0) {
    const same = rest.filter(({ priority }) => priority === rest[0]?.priority);
    const pick = random() * same.reduce((sum, { weight }) => sum + weight, 0);
    let passed = 0;
    const chosen = same.find(({ weight }) => {
      passed += weight;
      return passed >= pick;
    });
    if (!chosen) break;
    ordered.push(chosen);
    rest.splice(rest.indexOf(chosen), 1);
  }
  return ordered;
}

async function noneWhenAbsent<T>(question: Promise<T[]>): Promise<T[]> {
  try {
    return await question;
  } catch {
    // No such record and no answer look alike to what comes next: the plain address decides.
    return [];
  }
}

/** DNS answered, and the answer is no. */
export function isAbsent(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === 'ENOTFOUND' || code === 'ENODATA';
}
