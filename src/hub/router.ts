// Which instances may carry an address: rules in their order, numbers by longest prefix. Pure.
import { type Address, GatewayError, type Scheme, schemes, splitAddress } from '../contract/index.ts';

export interface Route {
  /** As configured, for explanations. */
  readonly to: string;
  readonly via: readonly string[];
  /** `failover`: the first that is up. `share`: each conversation has its own favourite, the others step in. */
  readonly mode: 'failover' | 'share';
}

/** `scheme:*`, `tel:+44*`, `sip:*@*.example.net`, `xmpp:alice@example.org`. */
export interface Pattern {
  readonly scheme: Scheme;
  /** Digits with `+` that a number begins with; empty for any number. Only for `tel`. */
  readonly prefix?: string;
  /** Undefined: anybody. */
  readonly local?: string;
  /** `*` stands for any part of a name, dots included. Undefined: any domain. */
  readonly domain?: string;
}

/** Throws GatewayError `malformed` with an example of what would be right. */
export function parsePattern(text: string): Pattern {
  const [, name = '', rest = ''] = /^([a-z]+):(.+)$/.exec(text) ?? [];
  const scheme = schemes.find((known) => known === name);
  if (!scheme) throw wrong(text, `begin with one of ${schemes.map((known) => `${known}:`).join(' ')}`);
  if (scheme === 'tel') {
    const prefix = /^(?:(\+\d{0,15})|)\*?$/.exec(rest);
    if (!prefix) throw wrong(text, 'for numbers write tel:* or tel:+44* or tel:+447700900123');
    return rest.endsWith('*') ? { scheme, prefix: prefix[1] ?? '' } : { scheme, local: rest };
  }
  if (rest === '*') return { scheme };
  const at = rest.lastIndexOf('@');
  const local = at < 0 ? '*' : rest.slice(0, at);
  const domain = rest.slice(at + 1).toLowerCase();
  if (!/^[a-z0-9*._:[\]-]+$/.test(domain) || local === '') {
    throw wrong(text, `write ${scheme}:* or ${scheme}:*@example.org or ${scheme}:*@*.example.org`);
  }
  return { scheme, domain, ...(local === '*' ? {} : { local }) };
}

interface Rule {
  readonly route: Route;
  readonly local: string | undefined;
  readonly domain: RegExp | undefined;
}

/** The configured routes, indexed: number rules by prefix, the others in order within their scheme. */
export class RouteTable {
  readonly #prefixes = new Map<string, Route>();
  readonly #rules = new Map<Scheme, Rule[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const pattern = parsePattern(route.to);
      const prefix = pattern.prefix ?? (pattern.scheme === 'tel' ? `${pattern.local}$` : undefined);
      if (prefix !== undefined) {
        if (!this.#prefixes.has(prefix)) this.#prefixes.set(prefix, route);
        continue;
      }
      const rules = this.#rules.get(pattern.scheme) ?? [];
      rules.push({
        route,
        local: pattern.local,
        domain: pattern.domain === undefined ? undefined : glob(pattern.domain),
      });
      this.#rules.set(pattern.scheme, rules);
    }
  }

  /** The first rule that fits; for numbers the one with the longest prefix. */
  find(address: Address): Route | undefined {
    const { scheme, local, domain } = splitAddress(address);
    if (scheme === 'tel') return this.#findNumber(local, domain === '');
    return this.#rules
      .get(scheme)
      ?.find((rule) => (rule.local === undefined || rule.local === local) && (rule.domain?.test(domain) ?? true))
      ?.route;
  }

  #findNumber(number: string, isGlobal: boolean): Route | undefined {
    if (!isGlobal) return this.#prefixes.get('');
    const exact = this.#prefixes.get(`${number}$`);
    if (exact) return exact;
    for (let length = number.length; length >= 0; length--) {
      const route = this.#prefixes.get(number.slice(0, length));
      if (route) return route;
    }
    return undefined;
  }
}

/** The route's instances in the order in which they should be tried for this conversation. */
export function candidates(route: Route, conversation: string): string[] {
  if (route.mode === 'failover' || route.via.length < 2) return [...route.via];
  return route.via
    .map((instance) => ({ instance, score: score(instance, conversation) }))
    .sort((a, b) => b.score - a.score)
    .map(({ instance }) => instance);
}

/** Rendezvous hashing: taking one instance away moves only that instance's conversations. */
function score(instance: string, conversation: string): number {
  let hash = 0x811c9dc5;
  for (const text of [instance, '\0', conversation]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  // Murmur3's finaliser: FNV alone leaves the high bits of short, similar names too alike.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function glob(pattern: string): RegExp {
  const source = pattern
    .split('*')
    .map((literal) => literal.replace(/[.[\]\\^$+?(){}|]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`);
}

function wrong(text: string, hint: string): GatewayError {
  return new GatewayError('malformed', `route pattern ${JSON.stringify(text)}: ${hint}`);
}
