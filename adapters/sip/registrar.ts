// A light registrar for our own domains (RFC 3261 s.10.3, RFC 3327): who is where, kept in the store; flows while they last.
import { type Address, bareAddress, GatewayError, type State, splitAddress } from '../../src/contract/index.ts';
import { Turns } from '../../src/guards/turns.ts';
import { parseCSeq, parseUint32 } from './codec/cseq.ts';
import type { SipRequest } from './codec/message.ts';
import { formatNameAddr, parseNameAddr } from './codec/name-addr.ts';
import type { Parameters } from './codec/parameters.ts';
import { quote, unquote } from './codec/scan.ts';
import { parseUri, sameUri } from './codec/uri.ts';
import type { FlowName } from './directions.ts';
import type { Answer, Inbound } from './endpoint.ts';
import { addressOf } from './mapping/addresses.ts';
import type { Flow } from './transport/flow.ts';

export interface Binding {
  /** The Contact's URI: what a request to it says. */
  uri: string;
  callId: string;
  cseq: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
  /** Route headers on the way there, first hop first. */
  path: string[];
  /** The way it registered by. */
  flow: FlowName;
  /** `urn:uuid:...`: which phone it is, whatever its address (RFC 5626 s.4.1). */
  instance?: string;
  /** Which of its ways. */
  regId?: string;
  /** How much its owner likes to be reached there, as written; without it, as much as can be (RFC 3261 s.20.10). */
  q?: string;
  /** Who made it has proved who they are, or came from a trusted address. */
  isProven?: boolean;
}

export interface RegistrarOptions {
  domains: ReadonlySet<string>;
  state: State;
  now(): number;
  /** Phones have come or gone. */
  changed?(aor: Address): void;
  /** A phone is there, maybe after a while: what waits for its owner can go. */
  appeared?(aor: Address): void;
}

const expires = { least: 60, usual: 3600, most: 7200 };
/** How long somebody without a phone counts as one of ours. A made-up name does so only as long as its binding would last. */
const knownMs = 7 * 86_400_000;
const maxBindings = 10;
const maxPeoplePerFlow = 100;

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #turns = new Turns();
  /** Who has to be forgotten when a connection closes. */
  readonly #byFlow = new Map<string, Set<Address>>();

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /** REGISTER. */
  async handle(inbound: Inbound): Promise<Answer> {
    const { request, user } = inbound;
    const aor = bareAddress(addressOf(parseNameAddr(request.headers.get('To') ?? '').uri));
    const { local, domain } = splitAddress(aor);
    if (!this.#options.domains.has(domain)) return { status: 404 };
    if (user !== undefined && user !== local && user !== `${local}@${domain}`) return { status: 403 };
    return this.#turns.take(aor, () => this.#register(aor, inbound));
  }

  /** Those that have not expired, the best liked first (RFC 3261 s.16.6). */
  async bindings(aor: Address): Promise<Binding[]> {
    const stored = await this.#options.state.get(keyOf(aor));
    const all = stored === undefined ? [] : (JSON.parse(stored) as Binding[]);
    const liked = ({ q = '1' }: Binding) => Number(q);
    return all
      .filter(({ expiresAt }) => expiresAt > this.#options.now())
      .sort((one, other) => liked(other) - liked(one));
  }

  /** Whether phones of theirs register with us, though maybe none is there now. */
  async knows(person: Address): Promise<boolean> {
    const aor = bareAddress(person);
    const { domains, state } = this.#options;
    return domains.has(splitAddress(aor).domain) && (await state.get(keyOf(aor))) !== undefined;
  }

  /** RFC 5626 s.4.2: what registered over a flow is gone with it. */
  async closed(flow: Flow): Promise<void> {
    const people = this.#byFlow.get(flow.id);
    this.#byFlow.delete(flow.id);
    for (const aor of people ?? []) {
      await this.#turns.take(aor, async () => {
        const before = await this.bindings(aor);
        const left = before.filter((binding) => binding.flow.id !== flow.id);
        if (left.length < before.length) await this.#store(aor, before, left);
      });
    }
  }

  /** Users who are no more, or prove themselves otherwise now: `bob`, of each domain of ours, or `bob@example.org`. */
  async forget(users: readonly string[]): Promise<void> {
    const names = users.flatMap((user) =>
      user.includes('@') ? [user] : [...this.#options.domains].map((domain) => `${user}@${domain}`),
    );
    for (const aor of names.flatMap(aorsOf)) {
      await this.#turns.take(aor, () => this.#options.state.delete(keyOf(aor)));
      this.#options.changed?.(aor);
    }
  }

  async #register(aor: Address, { request, flow, isTrusted, user }: Inbound): Promise<Answer> {
    const { headers } = request;
    const isProven = isTrusted || user !== undefined;
    const before = await this.bindings(aor);
    const contacts = headers.all('Contact');
    if (contacts.length === 0) return this.#listing(aor, before, request);
    const callId = headers.get('Call-ID') ?? '';
    const { number: cseq } = parseCSeq(headers.get('CSeq') ?? '');
    // s.10.3 step 7: an older request that was overtaken changes nothing.
    if (before.some((binding) => binding.callId === callId && binding.cseq >= cseq)) return { status: 500 };
    if (contacts.includes('*')) {
      if (contacts.length > 1 || headers.get('Expires') !== '0') return { status: 400 };
      await this.#store(aor, before, []);
      return this.#listing(aor, [], request);
    }
    const path = headers.all('Path');
    let bindings = before;
    for (const contact of contacts) {
      const { uri, parameters } = parseNameAddr(contact);
      const device = { ...deviceOf(parameters, request), ...likingOf(parameters) };
      const seconds = secondsOf(parameters.get('expires'), headers.get('Expires'));
      if (seconds !== 0 && seconds < expires.least)
        return { status: 423, headers: [['Min-Expires', String(expires.least)]] };
      bindings = bindings.filter((binding) => !sameUri(binding.uri, uri) && !isSameWay(binding, device));
      const { id, transport, remote } = flow;
      const expiresAt = this.#options.now() + seconds * 1000;
      if (seconds > 0)
        bindings.push({ uri, callId, cseq, expiresAt, path, flow: { id, transport, ...remote }, ...device, isProven });
    }
    if (bindings.length > maxBindings || this.#isCrowded(flow, aor))
      return { status: 403, reason: 'Too Many Contacts' };
    await this.#store(aor, before, bindings);
    const isNew = (one: Binding) => !before.some(({ uri, flow }) => uri === one.uri && flow.id === one.flow.id);
    if (bindings.some(isNew)) this.#options.appeared?.(aor);
    // What came through a proxy goes back through it, whether or not this connection to it lives.
    if (flow.isReliable && path.length === 0) this.#watch(flow, aor);
    return this.#listing(aor, bindings, request);
  }

  #isCrowded({ id }: Flow, aor: Address): boolean {
    const people = this.#byFlow.get(id);
    return people !== undefined && people.size >= maxPeoplePerFlow && !people.has(aor);
  }

  #watch(flow: Flow, aor: Address): void {
    const people = this.#byFlow.get(flow.id) ?? new Set();
    this.#byFlow.set(flow.id, people.add(aor));
  }

  async #store(aor: Address, before: readonly Binding[], bindings: readonly Binding[]): Promise<void> {
    const { state, now, changed } = this.#options;
    const ends = [...before, ...bindings].map(({ expiresAt, isProven }) => expiresAt + (isProven ? knownMs : 0));
    // Nobody was there, and nobody is.
    if (ends.length === 0) return;
    await state.set(keyOf(aor), JSON.stringify(bindings), Math.max(...ends) - now());
    changed?.(aor);
  }

  #listing(aor: Address, bindings: readonly Binding[], { headers }: SipRequest): Answer {
    const now = this.#options.now();
    const takesGruu = headers.all('Supported').includes('gruu');
    const contacts = bindings.map(({ uri, expiresAt, instance, regId, q }) => {
      const left = String(Math.max(Math.round((expiresAt - now) / 1000), 0));
      const parameters = new Map([['expires', left]]);
      if (q !== undefined) parameters.set('q', q);
      if (instance !== undefined) parameters.set('+sip.instance', quote(`<${instance}>`));
      if (regId !== undefined) parameters.set('reg-id', regId);
      if (instance !== undefined && takesGruu) parameters.set('pub-gruu', quote(`${aor};gr=${instance}`));
      return ['Contact', formatNameAddr({ uri, parameters })] as const;
    });
    // RFC 5626 s.6: that its reg-id counts.
    const usesOutbound = bindings.some(({ regId, callId }) => regId !== undefined && callId === headers.get('Call-ID'));
    const required = usesOutbound ? [['Require', 'outbound'] as const] : [];
    return { status: 200, headers: [...contacts, ...required, ['Date', new Date(now).toUTCString()]] };
  }
}

type Device = Pick<Binding, 'instance' | 'regId'>;

/** RFC 5627 s.5.1, RFC 5626 s.6: a reg-id counts behind us alone, or behind an edge proxy that says `ob` in its Path. */
function deviceOf(parameters: Parameters, { headers }: SipRequest): Device {
  const instance = /^<(urn:[!-;=?-~]{1,200})>$/.exec(unquote(parameters.get('+sip.instance') ?? ''))?.[1];
  if (instance === undefined) return {};
  const regId = parameters.get('reg-id') ?? '';
  const [edge] = headers.all('Path').slice(-1);
  const isKept = edge === undefined ? headers.all('Via').length === 1 : /;ob\b/i.test(edge);
  const usesOutbound = headers.all('Supported').includes('outbound') && /^[1-9]\d{0,9}$/.test(regId) && isKept;
  return usesOutbound ? { instance, regId } : { instance };
}

/** s.25.1 `qvalue`; what is none is left out. */
function likingOf(parameters: Parameters): Pick<Binding, 'q'> {
  const q = parameters.get('q') ?? '';
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? { q } : {};
}

function isSameWay(binding: Binding, { instance, regId }: Device): boolean {
  return regId !== undefined && binding.instance === instance && binding.regId === regId;
}

/** Where a request to a binding goes first: its Path, else itself. Throws GatewayError when it was reachable only by a flow. */
export function wayTo(binding: Binding): ReturnType<typeof parseUri> {
  const [first] = binding.path;
  const uri = parseUri(first === undefined ? binding.uri : parseNameAddr(first).uri);
  // RFC 7118 s.5: a browser's Contact ends in .invalid and leads nowhere.
  if (first !== undefined || !binding.flow.transport.startsWith('WS')) return uri;
  throw new GatewayError('unavailable', 'the phone is no longer connected', { native: '430' });
}

/** None of a name that is no address: nobody can have registered as such. */
function aorsOf(name: string): Address[] {
  try {
    return [bareAddress(addressOf(`sip:${encodeURI(name.toWellFormed())}`))];
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return [];
  }
}

function keyOf(aor: Address): string {
  return `binding/${aor.toLowerCase()}`;
}

/** s.20.10: what makes no sense in a Contact counts as an hour. Throws SipParseError for a header that makes none. */
function secondsOf(ofContact: string | undefined, header: string | undefined): number {
  if (ofContact !== undefined)
    return Math.min(/^\d+$/.test(ofContact) ? Number(ofContact) : expires.usual, expires.most);
  return header === undefined ? expires.usual : Math.min(parseUint32(header, 'Expires'), expires.most);
}
