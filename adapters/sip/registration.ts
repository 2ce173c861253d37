// An account at a provider, kept registered (RFC 3261 s.10.2): digest, refresh, 423, back-off, and goodbye at the end; over a
// flow that is kept alive and made anew when it fails (RFC 5626), under a name of this instance's own (GRUU, RFC 5627).
import { asGatewayError } from '../../src/contract/index.ts';
import { bareHost, sipHost } from './codec/host.ts';
import type { SipRequest, SipResponse } from './codec/message.ts';
import { formatNameAddr, type NameAddr, parseNameAddr } from './codec/name-addr.ts';
import { quote, unquote } from './codec/scan.ts';
import { formatUri, parseUri, type SipUri, sameUri } from './codec/uri.ts';
import { parseVia } from './codec/via.ts';
import type { TrunkOptions } from './config.ts';
import type { Credentials } from './digest/index.ts';
import { KeepAlive } from './keep-alive.ts';
import { plainRequest } from './plain-request.ts';
import type { Way } from './proxy-watch.ts';
import type { Requester } from './requester.ts';
import { Timer, type TimerWheel } from './timer-wheel.ts';
import { newTag } from './tokens.ts';
import type { Flow } from './transport/flow.ts';

export interface RegistrationParts {
  requester: Requester;
  wheel: TimerWheel;
  /** Called whenever `isRegistered` or `why` has changed. */
  changed(): void;
  /** `urn:uuid:...`: of this gateway, over all restarts (RFC 5626 s.4.1). */
  instanceId(): Promise<string>;
  random?: () => number;
}

const firstPauseMs = 5000;
const longestPauseMs = 1_800_000;
/** RFC 5626 s.4.4.1 asks 24 to 29 s of keep-alives over UDP; over connections pingMs decides, where no Flow-Timer does. */
const keepAliveMs = 25_000;
/** Of what Flow-Timer says: s.4.4.1 has between 80 and 100 %. */
const flowTimerShare = 0.85;
const goodbyeMs = 2000;

export class Registration implements Way {
  readonly options: TrunkOptions;
  readonly credentials: readonly Credentials[];
  /** Where it registers, and where its messages go. */
  readonly registrar: SipUri;
  /** RFC 3608: what its requests must pass. */
  serviceRoute: string[] = [];
  isRegistered = false;
  why = 'not registered yet';
  readonly #parts: RegistrationParts;
  readonly #refresh = new Timer(() => void this.#register());
  readonly #keepAlive: KeepAlive;
  readonly #callId = `${newTag()}${newTag()}`;
  readonly #stopping = new AbortController();
  #cseq = 0;
  #seconds: number;
  #failures = 0;
  #flow: Flow | undefined;
  #contact: string | undefined;
  #publicGruu: string | undefined;
  /** Where the registrar saw us, when that is not where we are: there is a NAT between. */
  #seenAt: { host: string; port: number } | undefined;
  #usesOutbound = false;

  constructor(options: TrunkOptions, parts: RegistrationParts) {
    this.options = options;
    this.#parts = parts;
    this.#keepAlive = new KeepAlive(parts.wheel, (flow) => this.closed(flow));
    this.#seconds = options.expires;
    const account = parseUri(options.aor);
    this.credentials = [{ user: options.user ?? account.user ?? '', password: options.password }];
    this.registrar = options.registrar === undefined ? { ...account } : parseUri(options.registrar);
    delete this.registrar.user;
  }

  get name(): string {
    return this.options.aor;
  }

  get isOpen(): boolean {
    return this.isRegistered;
  }

  /** Whether a registrar has said no, or nothing, since the last success. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  get domains(): string[] {
    return [parseUri(this.options.aor).host, ...this.options.domains];
  }

  /**
   * What Contact says in requests that make dialogs: the instance's public name where the registrar gave one (RFC 5627
   * s.4.4), else the address, with `ob` where the dialog shall keep to this flow (RFC 5626 s.4.3).
   */
  get contact(): string | undefined {
    return this.#publicGruu ?? (this.#usesOutbound ? `${this.#contact};ob` : this.#contact);
  }

  /** A request says our Contact, and so nothing of whom it is for. */
  isContact(uri: string): boolean {
    return [this.#contact, this.#publicGruu].some((own) => own !== undefined && sameUri(own, uri));
  }

  /** s.4.5: a flow that fails is made anew at once; only when that fails too is there a pause. */
  closed(flow: Flow): void {
    if (flow === this.#flow && this.isRegistered) this.#parts.wheel.set(this.#refresh, 0);
  }

  /** What comes from its registrar is believed. */
  isTrusted(address: string): boolean {
    return this.options.trusted && this.isRegistered && this.#flow?.remote.address === address;
  }

  start(): void {
    void this.#register();
  }

  /** Unregisters, if the registrar answers soon. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#parts.wheel.cancel(this.#refresh);
    this.#keepAlive.stop();
    if (!this.isRegistered) return;
    this.isRegistered = false;
    await this.#send(0, AbortSignal.timeout(goodbyeMs)).catch(() => {});
  }

  async #register(): Promise<void> {
    try {
      const response = await this.#send(this.#seconds, this.#stopping.signal);
      if (response.status < 300) this.#succeeded(response);
      else if (response.status === 423 && this.#failures === 0) this.#ask(response);
      else this.#failed(`${response.status} ${response.reason}`, isHopeless(response.status));
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#failed(asGatewayError(error).message, false);
    }
  }

  async #send(seconds: number, signal: AbortSignal): Promise<SipResponse> {
    const { aor } = this.options;
    const instanceId = await this.#parts.instanceId();
    const { scheme, host, port } = this.registrar;
    const uri = formatUri({ scheme, host, parameters: new Map(), ...(port === undefined ? {} : { port }) });
    const cseq = this.#nextCSeq();
    const request = plainRequest({ method: 'REGISTER', uri, from: aor, to: aor, callId: this.#callId, cseq });
    request.headers.add('Expires', String(seconds)).add('Supported', 'path, outbound, gruu');
    return this.#parts.requester.send({
      request,
      route: { uri: this.registrar },
      signal,
      credentials: this.credentials,
      prepare: (sent, flow) => this.#addContact(sent, flow, instanceId),
    });
  }

  // A digest answer raises the CSeq on its own, at most twice: leave it the room.
  #nextCSeq(): number {
    this.#cseq += 4;
    return this.#cseq;
  }

  #addContact(request: SipRequest, flow: Flow, instanceId: string): void {
    this.#flow = flow;
    const { host, port } = this.#seenAt ?? flow.sentBy;
    const { user } = parseUri(this.options.aor);
    const parameters = new Map(flow.transport === 'UDP' ? [] : [['transport', flow.transport.toLowerCase()]]);
    this.#contact = formatUri({ scheme: 'sip', host, port, parameters, ...(user === undefined ? {} : { user }) });
    const instance = new Map([
      ['+sip.instance', quote(`<${instanceId}>`)],
      ['reg-id', '1'],
    ]);
    request.headers.set('Contact', formatNameAddr({ uri: this.#contact, parameters: instance }));
  }

  #succeeded(response: SipResponse): void {
    if (this.#isSeenElsewhere(response)) {
      void this.#register();
      return;
    }
    this.#failures = 0;
    this.serviceRoute = response.headers.all('Service-Route');
    const own = ownBinding(response, this.#contact);
    this.#publicGruu = gruuOf(own);
    this.#usesOutbound = response.headers.all('Require').includes('outbound');
    const granted = secondsIn(own?.parameters.get('expires') ?? response.headers.get('Expires')) ?? this.#seconds;
    const flowTimer = secondsIn(response.headers.get('Flow-Timer'));
    this.#parts.wheel.set(this.#refresh, Math.max(granted * 850, 1000));
    // A connection pings by itself, unless the far side wants it more often.
    const everyMs = flowTimer ? flowTimer * flowTimerShare * 1000 : keepAliveMs;
    if (this.#flow?.isReliable === false || (this.#flow && flowTimer)) {
      this.#keepAlive.start(this.#flow, everyMs, this.#usesOutbound);
    }
    this.#become(true, '');
  }

  // RFC 3581: behind a NAT a registrar that knows no Outbound reaches us only where it saw us.
  #isSeenElsewhere(response: SipResponse): boolean {
    const [top] = response.headers.all('Via');
    const isOutbound = response.headers.all('Require').includes('outbound');
    if (this.#flow?.transport !== 'UDP' || isOutbound || top === undefined) return false;
    const { received, rport } = parseVia(top);
    const { host, port } = this.#seenAt ?? this.#flow.sentBy;
    const seen = { host: sipHost(received ?? bareHost(host)), port: typeof rport === 'number' ? rport : port };
    if (seen.host === host && seen.port === port) return false;
    // A registrar that sees us elsewhere each time is not believed twice.
    const isNew = this.#seenAt === undefined;
    this.#seenAt = seen;
    return isNew;
  }

  // s.10.3: the registrar says how long is long enough.
  #ask(response: SipResponse): void {
    const least = Number(response.headers.get('Min-Expires') ?? Number.NaN);
    if (!(least > this.#seconds && least <= 86_400)) {
      this.#failed('423 and no Min-Expires that could be used', true);
      return;
    }
    this.#seconds = least;
    this.#failures = 1;
    void this.#register();
  }

  #failed(why: string, isHopeless: boolean): void {
    const { wheel, random = Math.random } = this.#parts;
    const pause = isHopeless ? longestPauseMs : Math.min(firstPauseMs * 2 ** this.#failures, longestPauseMs);
    this.#failures++;
    this.#keepAlive.stop();
    wheel.set(this.#refresh, pause * (0.5 + random() / 2));
    this.#become(false, `${this.options.aor}: ${why}`);
  }

  #become(isRegistered: boolean, why: string): void {
    const isChanged = this.isRegistered !== isRegistered || this.why !== why;
    this.isRegistered = isRegistered;
    this.why = why;
    if (isChanged) this.#parts.changed();
  }
}

/** What will not get better by asking soon: a wrong password, an account that is none. */
function isHopeless(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 423 && status !== 480 && status !== 491;
}

/** Ours among the bindings that a 2xx lists. */
function ownBinding({ headers }: SipResponse, contact: string | undefined): NameAddr | undefined {
  if (contact === undefined) return undefined;
  return headers
    .all('Contact')
    .filter((value) => value !== '*')
    .map(parseNameAddr)
    .find(({ uri }) => sameUri(uri, contact));
}

/** RFC 5627 s.4.2. The temporary one is for people who hide: nobody does behind a gateway. */
function gruuOf(own: NameAddr | undefined): string | undefined {
  const gruu = unquote(own?.parameters.get('pub-gruu') ?? '');
  return /^sips?:/i.test(gruu) ? gruu : undefined;
}

function secondsIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
