// What each peer takes: pinned by the operator, else learnt from its own words and kept in the store for a while.
import type { State, ViewRow } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';

export const abilities = [
  'cpim',
  'html',
  'multipart',
  'typing',
  'imdn',
  'bareImdn',
  'message',
  'presence',
  'publish',
  'winfo',
  'reg',
] as const;
/** `bareImdn`: it sends notifications unasked and without CPIM, as Linphone does, and so wants them. */
export type Ability = (typeof abilities)[number];
export type Verdicts = Partial<Record<Ability, boolean>>;

/** `domain` is a domain, `*.domain` for those below it, or `*`. */
export type Pin = { [A in Ability]?: boolean | undefined } & { domain: string };

export interface PeersOptions {
  state: State;
  now(): number;
  pins: readonly Pin[];
  /** How long a verdict counts. */
  rememberMs: number;
}

interface Fact {
  takes: boolean;
  /** `415`, `OPTIONS` ... */
  from: string;
  /** Milliseconds since 1970. */
  until: number;
}

/** Plain JSON: it lies in the store as it is. `asked`: until when an answer to OPTIONS, or none, will do. */
type Known = Partial<Record<Ability | 'asked', Fact>>;

const prefix = 'peer/';
const maxCached = 10_000;

export class Peers {
  readonly #options: PeersOptions;
  /** Those that were asked about last, the empty-handed too. */
  readonly #cache = new RecentMap<string, Promise<Known>>(maxCached);

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Undefined when nobody knows. `peer` is a trunk's account or a person's bare address. */
  async takes(peer: string, ability: Ability): Promise<boolean | undefined> {
    const pinned = this.#pinned(peer, ability);
    if (pinned !== undefined) return pinned;
    const fact = (await this.#known(peer))[ability];
    return fact && fact.until > this.#options.now() ? fact.takes : undefined;
  }

  async learn(peer: string, verdicts: Verdicts, from: string): Promise<void> {
    const until = this.#options.now() + this.#options.rememberMs;
    const facts = Object.entries(verdicts).map(([ability, takes]) => [ability, { takes, from, until }] as const);
    if (facts.length > 0) await this.#keep(peer, Object.fromEntries(facts));
  }

  /** The same of a peer that we have dealt with: what a stranger says of itself is not kept. */
  async learnMore(peer: string, ability: Ability, from: string): Promise<void> {
    const known = await this.#known(peer);
    const { now, rememberMs } = this.#options;
    const isNews = (known[ability]?.until ?? 0) < now() + rememberMs / 2;
    if (isNews && Object.keys(known).length > 0) await this.learn(peer, { [ability]: true }, from);
  }

  /** True once in `forMs`, however often one asks: then it is time to ask the peer itself. */
  async isTimeToAsk(peer: string, forMs: number): Promise<boolean> {
    const now = this.#options.now();
    const { asked } = await this.#known(peer);
    if (asked && asked.until > now) return false;
    await this.#keep(peer, { asked: { takes: true, from: 'OPTIONS', until: now + forMs } });
    return true;
  }

  /** For `Adapter.views`: pins first, then what was learnt. */
  async *rows(): AsyncIterable<ViewRow> {
    for (const { domain, ...pinned } of this.#options.pins) {
      for (const [ability, takes] of Object.entries(pinned)) {
        if (takes === undefined) continue;
        yield { peer: domain, ability, verdict: verdictOf(takes), from: 'configuration', until: 'pinned' };
      }
    }
    const now = this.#options.now();
    for await (const [key, value] of this.#options.state.scan(prefix)) {
      const peer = key.slice(prefix.length);
      for (const [ability, { takes, from, until }] of Object.entries(JSON.parse(value) as Known)) {
        if (ability === 'asked' || until <= now || this.#pinned(peer, ability as Ability) !== undefined) continue;
        yield { peer, ability, verdict: verdictOf(takes), from, until: new Date(until).toISOString() };
      }
    }
  }

  #pinned(peer: string, ability: Ability): boolean | undefined {
    if (this.#options.pins.length === 0) return undefined;
    const domain = domainOf(peer);
    return this.#options.pins.find((pin) => pin[ability] !== undefined && isWithin(domain, pin.domain))?.[ability];
  }

  #known(peer: string): Promise<Known> {
    const cached = this.#cache.get(peer);
    if (cached) return cached;
    const found = this.#options.state.get(prefix + peer).then((text): Known => (text ? JSON.parse(text) : {}));
    found.catch(() => this.#cache.delete(peer));
    this.#cache.set(peer, found);
    return found;
  }

  async #keep(peer: string, facts: Known): Promise<void> {
    const now = this.#options.now();
    const known = await this.#known(peer);
    Object.assign(known, facts);
    const untils = Object.values(known).map(({ until }) => until);
    await this.#options.state.set(prefix + peer, JSON.stringify(known), Math.max(...untils, now + 1) - now);
  }
}

function verdictOf(takes: boolean): string {
  return takes ? 'takes it' : 'refuses it';
}

/** Of `sip:bob@example.net;gr=x` and `sip:example.net:5070`. */
function domainOf(peer: string): string {
  return (
    peer
      .slice(peer.indexOf(':') + 1)
      .split('@')
      .at(-1) ?? ''
  )
    .replace(/[:;].*$/s, '')
    .toLowerCase();
}

function isWithin(domain: string, pattern: string): boolean {
  if (pattern === '*') return true;
  return pattern.startsWith('*.') ? domain.endsWith(pattern.slice(1)) : domain === pattern.toLowerCase();
}
