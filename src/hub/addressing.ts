// From the addresses a network wrote to the instance that carries the event and the addresses that one understands.
import {
  type Address,
  bareAddress,
  type EventType,
  fromGatewayForm,
  type GatewayDomain,
  GatewayError,
  gatewayForm,
  type Message,
  nativeForm,
  type Scheme,
  schemeOf,
  splitAddress,
} from '../contract/index.ts';
import type { Directory } from './directory.ts';
import { candidates, type Route, type RouteTable } from './router.ts';

/** What the hub must know of an instance to address people on its network. */
export interface Network {
  readonly instance: string;
  readonly scheme: Scheme;
  readonly gatewayDomains: readonly GatewayDomain[];
  readonly nativeDomains: ReadonlySet<string>;
  /** Its people write to one another through us. */
  readonly isSwitch?: boolean;
  /** That address lives with this instance, though maybe nobody is there now (Adapter.serves). */
  serves?(address: Address): Promise<boolean>;
  isUp(): boolean;
  /** True too where only another process could say. */
  accepts(type: EventType): boolean;
}

export interface Plan {
  readonly instance: string;
  /** The others that could take it, in order. */
  readonly alternatives: readonly string[];
  readonly from: Address;
  readonly to: Address;
  /** Of the instance. */
  readonly network: Scheme;
  /** Who is meant, as that person's own network writes it. */
  readonly recipient: Address;
  /** The pair of people, the same in both directions. */
  readonly conversation: string;
}

/** Told each step of a decision, for `dragoman route`. */
export type Explain = (step: string) => void;
const silently: Explain = () => {};

export interface Asked {
  readonly explain?: Explain;
  /** What must be carried. Default: a message. */
  readonly type?: EventType;
  /** What keywords are looked for in. */
  readonly text?: string | undefined;
}

export class Addressing {
  readonly #directory: Directory;
  readonly #networks: ReadonlyMap<string, Network>;
  #routes: RouteTable;

  constructor(directory: Directory, networks: ReadonlyMap<string, Network>, routes: RouteTable) {
    this.#directory = directory;
    this.#networks = networks;
    this.#routes = routes;
  }

  configure(routes: RouteTable): void {
    this.#routes = routes;
  }

  /** Throws GatewayError with words that say what to do when there is no way. */
  async plan(origin: string, from: Address, to: Address, asked: Asked = {}): Promise<Plan> {
    const { explain = silently, type = 'message' } = asked;
    const source = this.#network(origin);
    const { recipient, route } = await this.#meant(source, from, to, asked);
    const conversation = conversationOf(from, recipient);
    explain(`rule "${route.to}" names ${route.via.join(', ')} (${route.mode})`);
    const isTheirOwn = type === 'message' && (await livesWith(source, recipient, route));
    if (isTheirOwn) explain(`${bareAddress(recipient)} lives with ${origin}: what is said there waits there`);
    const others = isTheirOwn
      ? [origin]
      : candidates(route, conversation).filter((instance) => instance !== origin || source.isSwitch);
    if (others.length === 0)
      throw new GatewayError('not-found', `${bareAddress(recipient)} is on the network it came from`);
    const able = others.filter((instance) => this.#networks.get(instance)?.accepts(type) ?? true);
    if (able.length === 0) throw new GatewayError('unsupported', `${others.join(', ')} cannot carry a ${type}`);
    const chosen = able.find((instance) => this.#networks.get(instance)?.isUp()) ?? (able[0] as string);
    explain(
      `${chosen} takes it${able.length > 1 ? `, in need ${able.filter((other) => other !== chosen).join(', ')}` : ''}`,
    );
    const written = await this.write(chosen, from, recipient, explain);
    const alternatives = able.filter((instance) => instance !== chosen);
    const network = this.#network(chosen).scheme;
    return { instance: chosen, alternatives, network, recipient, conversation, ...written };
  }

  /** What a part of the message costs through that instance, where the rule that sent it there says. */
  costOf(instance: string, message: Pick<Message, 'source' | 'to' | 'text'>): number | undefined {
    const said = { from: message.source.from, text: wordsOf(message) };
    return this.#routes.find(message.to, said)?.costs?.[instance];
  }

  async #meant(
    origin: Network,
    from: Address,
    to: Address,
    { explain = silently, type = 'message', text }: Asked,
  ): Promise<{ recipient: Address; route: Route }> {
    const said = { from, text };
    const byKeyword = text !== undefined && this.#routes.readsText ? this.#routes.find(to, said) : undefined;
    if (byKeyword?.keyword) explain(`the text begins with a keyword of rule "${byKeyword.to}"`);
    const recipient = byKeyword?.keyword ? to : await this.#recipient(origin, from, to, explain, type);
    const route = byKeyword?.keyword ? byKeyword : this.#routes.find(recipient, said);
    if (!route) throw new GatewayError('not-found', `no route to ${bareAddress(recipient)}`);
    const { as } = route;
    if (as === undefined) return { recipient, route };
    explain(`rule "${route.to}" means ${as}`);
    const onwards = this.#routes.find(as, said);
    if (!onwards || onwards.as !== undefined) throw new GatewayError('not-found', `no route to ${as}`);
    return { recipient: as, route: onwards };
  }

  /** Both people as the instance's network writes them. */
  async write(
    instance: string,
    from: Address,
    recipient: Address,
    explain: Explain = silently,
  ): Promise<{ from: Address; to: Address }> {
    const network = this.#network(instance);
    const to = recipientOn(network, recipient);
    const shown = await this.#sender(network, from, to, explain);
    explain(`on ${instance} the recipient is ${to}`);
    return { from: shown, to };
  }

  /** Who is meant, as an address of that person's own network. */
  async recipientOf(origin: string, from: Address, to: Address): Promise<Address> {
    return this.#recipient(this.#network(origin), from, to, silently, 'message');
  }

  async #recipient(origin: Network, from: Address, to: Address, explain: Explain, type: EventType): Promise<Address> {
    if (schemeOf(to) === 'sips') {
      throw new GatewayError(
        'not-allowed',
        'a sips: address is never carried to another network (RFC 7247 s.8); use sip:',
      );
    }
    if (schemeOf(to) !== origin.scheme && schemeOf(to) !== 'tel' && origin.scheme !== 'sip') {
      explain(`${to} is written as its own network does`);
      return to;
    }
    const { domain } = splitAddress(to);
    const ours = origin.gatewayDomains.find((gateway) => gateway.domain === domain);
    if (ours && schemeOf(to) === origin.scheme) {
      const meant = fromGatewayForm(to, ours);
      explain(`${domain} is our domain on ${origin.instance}: ${to} stands for ${meant}`);
      return meant;
    }
    if (this.#directory.isPoolNumber(to)) {
      const holder = await this.#directory.holderOf(to, bareAddress(from));
      if (!holder)
        throw new GatewayError('not-found', `${to} is not lent to anybody who wrote to ${bareAddress(from)}`);
      explain(`${to} is lent to ${holder} towards ${bareAddress(from)}`);
      return holder;
    }
    const person = schemeOf(to) === origin.scheme ? await this.#directory.personOf(to) : undefined;
    const elsewhere = person?.addresses.find(
      (address) => schemeOf(address) !== origin.scheme && this.#routes.find(address),
    );
    if (elsewhere) {
      explain(`the directory knows ${to} as ${elsewhere}`);
      return elsewhere;
    }
    const staysHere = type === 'message' && (await livesWith(origin, to, this.#routes.find(to)));
    const renamed = staysHere ? to : this.#underAnotherScheme(origin, to);
    explain(
      renamed === to
        ? `${to} stands for itself`
        : `${domain} is ours on ${origin.instance}: ${to} stands for ${renamed}`,
    );
    return renamed;
  }

  // The domain form: on SIP `alice@example.org` is our XMPP user of that name, unless a route knows a SIP user so called.
  #underAnotherScheme(origin: Network, to: Address): Address {
    if (!origin.nativeDomains.has(splitAddress(to).domain)) return to;
    if (this.#routes.find(to)?.via.some((instance) => instance !== origin.instance)) return to;
    const others = namedAlike.filter((scheme) => scheme !== origin.scheme).map((scheme) => nativeForm(to, scheme));
    return others.find((other) => this.#routes.find(other)) ?? to;
  }

  // DESIGN 3: the person's own address, else the native form at a domain of ours, else the escaped form, else a lent number.
  async #sender(network: Network, from: Address, to: Address, explain: Explain): Promise<Address> {
    const { scheme, instance } = network;
    if (schemeOf(from) === scheme) return from;
    const own = await this.#directory.addressOn(scheme, from);
    if (own && canSpeakAs(network, own)) {
      explain(`on ${instance} the sender is ${own}, as the directory says`);
      return own;
    }
    const { domain } = splitAddress(from);
    if (network.nativeDomains.has(domain)) {
      explain(`${domain} is ours on ${instance}: the sender keeps that name`);
      return nativeForm(from, scheme);
    }
    const ours = network.gatewayDomains.find((gateway) => gateway.shows.includes(schemeOf(from)));
    if (ours) {
      const shown = gatewayForm(from, scheme, ours.domain);
      explain(`on ${instance} the sender is shown as ${shown}`);
      return shown;
    }
    if (scheme === 'tel') {
      const lent = await this.#directory.lendNumber(from, to);
      if (!lent) {
        throw new GatewayError(
          'not-allowed',
          `${bareAddress(from)} has no phone number and none is free to lend: give the person a tel: address under "people" or add numbers under "numbers"`,
          { fault: { condition: 'registration-required' } },
        );
      }
      explain(`towards ${to} the sender is lent ${lent}`);
      return lent;
    }
    throw new GatewayError(
      'not-allowed',
      `${instance} has no domain that shows ${schemeOf(from)}: people; add one under its "domains"`,
    );
  }

  #network(instance: string): Network {
    const network = this.#networks.get(instance);
    if (!network) throw new GatewayError('internal', `no instance is called ${instance}`);
    return network;
  }
}

/** What keywords are looked for in. */
export function wordsOf({ text }: Pick<Message, 'text'>): string | undefined {
  return text[''] ?? Object.values(text)[0];
}

/** The same for both directions: their events share the favourite instance and the trace of a conversation. */
export function conversationOf(one: Address, other: Address): string {
  const pair = [bareAddress(one), bareAddress(other)].sort();
  return pair.join('|');
}

/** A route has to name the instance as well: it is what an operator reads to know who is reached where. */
async function livesWith(network: Network, address: Address, route: Route | undefined): Promise<boolean> {
  if (!network.serves || !route?.via.includes(network.instance)) return false;
  return network.serves(address);
}

function canSpeakAs(network: Network, address: Address): boolean {
  if (network.scheme === 'tel') return true;
  const { domain } = splitAddress(address);
  return network.nativeDomains.has(domain) || network.gatewayDomains.some((gateway) => gateway.domain === domain);
}

// Networks that may share a domain, so that one name serves on each.
const namedAlike: readonly Scheme[] = ['xmpp', 'sip', 'wv'];
const uriSchemes: ReadonlySet<Scheme> = new Set(['xmpp', 'sip', 'im', 'pres']);

function recipientOn(network: Network, recipient: Address): Address {
  const scheme = schemeOf(recipient);
  if (scheme === network.scheme) return recipient;
  // A SIP network carries telephone numbers as they are (RFC 3261 s.19.1.6).
  if (scheme === 'tel' && network.scheme === 'sip') return recipient;
  if (uriSchemes.has(scheme) && uriSchemes.has(network.scheme)) return nativeForm(recipient, network.scheme);
  throw new GatewayError('unsupported', `${network.instance} cannot reach ${scheme}: addresses`);
}
