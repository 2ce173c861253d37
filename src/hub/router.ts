// Which instances may carry an address: rules in their order, numbers by longest prefix; by sender and keyword. Pure.
import { type Address, GatewayError, type Scheme, schemes, splitAddress } from '../contract/index.ts';

export interface Route {
  /** As configured, for explanations. */
  readonly to: string;
  readonly via: readonly string[];
  /**
   * `failover`: the first that is up. `share`: each conversation has its own favourite, the others step in. `cheapest`:
   * the first by `costs`, the others in their order.
   */
  readonly mode: 'failover' | 'share' | 'cheapest';
  /** What a part costs through each instance, in the operator's currency. */
  readonly costs?: Readonly<Record<string, number>> | undefined;
  /** Only what this sender says. */
  readonly from?: string | undefined;
  /** Only texts that begin with one of these words, whatever their case. */
  readonly keyword?: readonly string[] | undefined;
  /** Who is meant in place of the recipient. */
  readonly as?: Address | undefined;
}

/** What a rule may ask of an event besides its recipient. */
export interface Said {
  readonly from?: Address | undefined;
  readonly text?: string | undefined;
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
    if (!prefix && !/^[\w#]{1,21}$/.test(rest))
      throw wrong(text, 'for numbers write tel:* or tel:+44* or tel:+447700900123, for short codes tel:88222');
    if (!prefix) return { scheme, local: rest };
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

export type Matches = (address: Address) => boolean;

/** Whether an address fits. Throws GatewayError `malformed`. */
export function matcher(text: string): Matches {
  const { scheme, prefix, local, domain } = parsePattern(text);
  const isOfDomain = domain === undefined ? undefined : glob(domain);
  return (address) => {
    const parts = splitAddress(address);
    if (parts.scheme !== scheme) return false;
    if (prefix !== undefined) return parts.local.startsWith(prefix);
    return (local === undefined || parts.local === local) && (isOfDomain?.test(parts.domain) ?? true);
  };
}

interface Rule {
  readonly route: Route;
  readonly fits: Matches;
  readonly fitsSender: Matches | undefined;
  readonly keywords: ReadonlySet<string> | undefined;
}

/** The configured routes, indexed: number rules by prefix, the others in order within their scheme. */
export class RouteTable {
  readonly #prefixes = new Map<string, Rule[]>();
  readonly #rules = new Map<Scheme, Rule[]>();
  /** Whether any rule looks at what is said. */
  readonly readsText: boolean;

  constructor(routes: readonly Route[]) {
    this.readsText = routes.some(({ keyword }) => keyword !== undefined);
    for (const route of routes) {
      const pattern = parsePattern(route.to);
      const rule: Rule = {
        route,
        fits: matcher(route.to),
        fitsSender: route.from === undefined ? undefined : matcher(route.from),
        keywords: route.keyword && new Set(route.keyword.map((word) => word.toUpperCase())),
      };
      const prefix = pattern.prefix ?? (pattern.scheme === 'tel' ? `${pattern.local}$` : undefined);
      if (prefix === undefined) append(this.#rules, pattern.scheme, rule);
      else append(this.#prefixes, prefix, rule);
    }
  }

  /** The first rule that fits; for numbers the one with the longest prefix, and of these one with a keyword first. */
  find(address: Address, said: Said = {}): Route | undefined {
    const { scheme, local, domain } = splitAddress(address);
    if (scheme === 'tel') return this.#findNumber(local, domain === '', said);
    return this.#rules.get(scheme)?.find((rule) => rule.fits(address) && isSaid(rule, said))?.route;
  }

  #findNumber(number: string, isGlobal: boolean, said: Said): Route | undefined {
    const exact = this.#first(`${number}$`, said);
    if (exact) return exact;
    for (let length = isGlobal ? number.length : 0; length >= 0; length--) {
      const route = this.#first(number.slice(0, length), said);
      if (route) return route;
    }
    return undefined;
  }

  #first(prefix: string, said: Said): Route | undefined {
    const rules = this.#prefixes.get(prefix)?.filter((rule) => isSaid(rule, said));
    return (rules?.find(({ keywords }) => keywords !== undefined) ?? rules?.[0])?.route;
  }
}

function append<K>(rules: Map<K, Rule[]>, key: K, rule: Rule): void {
  const known = rules.get(key);
  if (known) known.push(rule);
  else rules.set(key, [rule]);
}

function isSaid({ fitsSender, keywords }: Rule, { from, text }: Said): boolean {
  if (fitsSender && (from === undefined || !fitsSender(from))) return false;
  return keywords === undefined || (text !== undefined && keywords.has(firstWord(text)));
}

const firstWord = (text: string) => (/^\s*(\S{1,40})/.exec(text)?.[1] ?? '').toUpperCase();

/** The route's instances in the order in which they should be tried for this conversation. */
export function candidates(route: Route, conversation: string): string[] {
  const { costs } = route;
  if (route.mode === 'cheapest') {
    const costOf = (instance: string) => costs?.[instance] ?? Number.POSITIVE_INFINITY;
    // Not by subtraction: two infinite costs are alike.
    return [...route.via].sort((a, b) => (costOf(a) === costOf(b) ? 0 : costOf(a) < costOf(b) ? -1 : 1));
  }
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
