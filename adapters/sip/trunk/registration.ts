// One flow of an account at a provider, kept registered (RFC 3261 s.10.2): digest, refresh, 423, back-off, and goodbye at the end;
// kept alive and made anew when it fails (RFC 5626), under a name of this instance's own (GRUU, RFC 5627).
import { asGatewayError } from '../../../src/contract/index.ts';
import { parseCSeq } from '../codec/cseq.ts';
import type { SipResponse } from '../codec/message.ts';
import { formatUri, parseUri, type SipUri, sameUri } from '../codec/uri.ts';
import type { TrunkOptions } from '../config.ts';
import type { Credentials } from '../digest/index.ts';
import type { Requester } from '../requester.ts';
import { Timer, type TimerWheel } from '../timer-wheel.ts';
import { newTag } from '../tokens.ts';
import type { Flow } from '../transport/flow.ts';
import { BackOff } from './back-off.ts';
import { type Ended, grantedIn, isHopeless, type Place, seenIn } from './granted.ts';
import { InTurn } from './in-turn.ts';
import { KeepAlive } from './keep-alive.ts';
import { contactUri, contactValue, type FlowPlace, registerRequest } from './register.ts';

export interface RegistrationParts {
  requester: Pick<Requester, 'send'>;
  wheel: TimerWheel;
  /** Called whenever `isRegistered` or `why` has changed. */
  changed(): void;
  /** `urn:uuid:...`: of this gateway, over all restarts (RFC 5626 s.4.1). */
  instanceId(): Promise<string>;
  /** Another flow of the account lives: this one is in no hurry (RFC 5626 s.4.5). */
  hasOther?(): boolean;
  random?: () => number;
}

/** Whom the provider ends again so soon waits like anybody who failed. */
const settledMs = 60_000;
/** RFC 5626 s.4.4.1 asks 24 to 29 s of keep-alives over UDP; over connections pingMs decides, where no Flow-Timer does. */
const keepAliveMs = 25_000;
/** Of what Flow-Timer says: s.4.4.1 has between 80 and 100 %. */
const flowTimerShare = 0.85;
const goodbyeMs = 2000;

export class Registration {
  readonly options: TrunkOptions;
  readonly credentials: readonly Credentials[];
  readonly place: FlowPlace;
  /** RFC 3608: what its requests must pass. */
  serviceRoute: string[] = [];
  isRegistered = false;
  /** A request of ours was not answered by this flow; it is being registered anew to see. */
  isDoubted = false;
  usesOutbound = false;
  /** Of all its REGISTER requests. */
  readonly callId = `${newTag()}${newTag()}`;
  why = 'not registered yet';
  readonly #parts: RegistrationParts;
  readonly #registrar: SipUri;
  readonly #refresh = new Timer(() => this.#register());
  readonly #keepAlive: KeepAlive;
  readonly #backOff: BackOff;
  #stopping: AbortController | undefined;
  #cseq = 0;
  /** Of the last request that was answered with 2xx. */
  #registeredCSeq = 0;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #seconds: number;
  // RFC 3261 s.10.2: none before the one under way is answered.
  readonly #requests = new InTurn((signal) => this.#exchange(signal));
  #flow: Flow | undefined;
  #contact: string | undefined;
  #publicGruu: string | undefined;
  /** Where the registrar saw us, when that is not where we are: there is a NAT between. */
  #seenAt: Place | undefined;
  /** The first hop knows no Outbound (439), so nothing is said of it. */
  #isPlain = false;
  /** The provider wants to see it no more (RFC 3680). */
  #isRejected = false;

  constructor(options: TrunkOptions, parts: RegistrationParts, place: FlowPlace = { regId: 1 }) {
    this.options = options;
    this.place = place;
    this.#parts = parts;
    this.#keepAlive = new KeepAlive(parts.wheel, (flow) => this.closed(flow));
    const { wheel, hasOther = () => false, random = Math.random } = parts;
    this.#backOff = new BackOff({ now: () => wheel.now(), hasOther, random });
    this.#seconds = options.expires;
    const account = parseUri(options.aor);
    this.credentials = [{ user: options.user ?? account.user ?? '', password: options.password }];
    this.#registrar = options.registrar === undefined ? { ...account } : parseUri(options.registrar);
    delete this.#registrar.user;
  }

  /** Whether a registrar has said no, or nothing, since the last success. */
  get hasFailed(): boolean {
    return this.#backOff.failures > 0;
  }

  get isStarted(): boolean {
    return this.#stopping !== undefined;
  }

  /** Where its requests go first: the proxy of this flow, else the registrar. */
  get firstHop(): SipUri {
    return this.place.proxy ?? this.#registrar;
  }

  /** The proxy of this flow as a Route, where it is a loose one. */
  get proxyRoute(): string[] {
    const { proxy } = this.place;
    return proxy?.parameters.has('lr') ? [`<${formatUri(proxy)}>`] : [];
  }

  /**
   * What Contact says in requests that make dialogs: the instance's public name where the registrar gave one (RFC 5627
   * s.4.4), else the address, with `ob` where the dialog shall keep to this flow (RFC 5626 s.4.3).
   */
  get contact(): string | undefined {
    return this.#publicGruu ?? this.address;
  }

  get address(): string | undefined {
    return this.usesOutbound ? `${this.#contact};ob` : this.#contact;
  }

  /** A request says our Contact, and so nothing of whom it is for. */
  isContact(uri: string): boolean {
    return [this.#contact, this.#publicGruu].some((own) => own !== undefined && sameUri(own, uri));
  }

  /** s.4.5: a flow that fails is made anew at once; only when that fails too is there a pause. */
  closed(flow: Flow): void {
    if (flow === this.#flow && this.isRegistered) this.#parts.wheel.set(this.#refresh, 0);
  }

  /** A request had no answer: the flow may be dead, which keep-alives will find out late (RFC 5626 s.4.4.2). */
  doubt(): void {
    if (!this.isRegistered || this.isDoubted) return;
    this.isDoubted = true;
    this.#parts.wheel.set(this.#refresh, 0);
  }

  /** What comes from its registrar is believed. */
  isTrusted(address: string): boolean {
    return this.options.trusted && this.isRegistered && this.#flow?.remote.address === address;
  }

  start(): void {
    this.#stopping ??= new AbortController();
    this.#register();
  }

  /** Unregisters, if the registrar answers soon. May be started again. */
  async stop(): Promise<void> {
    this.#stopping?.abort();
    this.#stopping = undefined;
    this.#parts.wheel.cancel(this.#refresh);
    this.#keepAlive.stop();
    // What is under way may still arrive.
    const mayBeRegistered = this.isRegistered || (this.#requests.isBusy && this.#backOff.failures === 0);
    this.#backOff.failures = 0;
    if (!mayBeRegistered) return;
    this.isRegistered = false;
    await this.#send(0, AbortSignal.timeout(goodbyeMs)).catch(() => {});
  }

  /** `cseq`, where it is known, is that of the REGISTER which the provider speaks of: what is older is over anyway. */
  ended(how: Ended, retryAfterMs: number | undefined, cseq: number | undefined): void {
    if (!this.isRegistered || (cseq !== undefined && cseq < this.#registeredCSeq)) return;
    const { wheel } = this.#parts;
    const why = `the provider has ended the registration (${how})`;
    const isOften = wheel.now() - this.#endedAtMs < settledMs;
    this.#endedAtMs = wheel.now();
    if (how === 'rejected') {
      this.#isRejected = true;
      this.#failed(why, true);
      wheel.cancel(this.#refresh);
    } else if (how === 'probation') this.#failed(why, false, retryAfterMs);
    else if (isOften) this.#failed(why, false);
    else this.#register();
  }

  /** No other flow lives any more, and so the pause that it rests is too long. */
  hasten(): void {
    const isResting = this.hasFailed && this.isStarted && !this.#isRejected;
    if (isResting) this.#parts.wheel.set(this.#refresh, this.#backOff.hastened());
  }

  /** The provider leaves it so many seconds more: refreshed at half of them. */
  shortened(seconds: number): void {
    if (this.isRegistered) this.#parts.wheel.set(this.#refresh, Math.max(seconds * 500, 1000));
  }

  #register(): void {
    if (this.#stopping) this.#requests.want(this.#stopping.signal);
  }

  async #exchange(signal: AbortSignal): Promise<void> {
    try {
      const response = await this.#send(this.#seconds, signal);
      if (signal.aborted) return;
      if (response.status < 300) await this.#succeeded(response, signal);
      else if (response.status === 423 && this.#backOff.failures === 0) this.#ask(response);
      else if (response.status === 439 && !this.#isPlain) this.#withoutOutbound();
      else this.#failed(`${response.status} ${response.reason}`, isHopeless(response.status));
    } catch (error) {
      if (!signal.aborted) this.#failed(asGatewayError(error).message, false);
    }
  }

  async #send(seconds: number, signal: AbortSignal): Promise<SipResponse> {
    const { aor } = this.options;
    const instanceId = await this.#parts.instanceId();
    const wish = { aor, registrar: this.#registrar, callId: this.callId, cseq: this.#nextCSeq(), seconds };
    return this.#parts.requester.send({
      request: registerRequest({ ...wish, through: this.proxyRoute, usesOutbound: !this.#isPlain }),
      route: { uri: this.firstHop },
      signal,
      credentials: this.credentials,
      prepare: ({ headers }, flow) => {
        this.#flow = flow;
        this.#contact = contactUri(aor, flow, this.#seenAt);
        headers.set('Contact', contactValue(this.#contact, instanceId, this.#isPlain ? undefined : this.place.regId));
      },
    });
  }

  // A digest answer raises the CSeq on its own, at most twice: leave it the room.
  #nextCSeq(): number {
    this.#cseq += 4;
    return this.#cseq;
  }

  async #succeeded(response: SipResponse, signal: AbortSignal): Promise<void> {
    const seenAt = this.#seenElsewhere(response);
    if (seenAt) return this.#move(seenAt, signal);
    const { wheel } = this.#parts;
    const granted = grantedIn(response, this.#contact, this.place.regId);
    if (granted.seconds === 0) return void this.#failed('the registrar grants no time (expires=0)', false);
    this.#backOff.failures = 0;
    this.#registeredCSeq = parseCSeq(response.headers.get('CSeq') ?? '').number;
    this.serviceRoute = response.headers.all('Service-Route');
    this.#publicGruu = granted.publicGruu;
    this.usesOutbound = granted.usesOutbound;
    wheel.set(this.#refresh, Math.max((granted.seconds ?? this.#seconds) * 850, 1000));
    const { flowTimer } = granted;
    // A connection pings by itself, unless the far side wants it more often.
    const everyMs = flowTimer ? flowTimer * flowTimerShare * 1000 : keepAliveMs;
    if (this.#flow?.isReliable === false || (this.#flow && flowTimer)) {
      this.#keepAlive.start(this.#flow, everyMs, this.usesOutbound);
    }
    this.#become(true, '');
  }

  // A registrar that sees us elsewhere each time is not believed twice.
  #seenElsewhere(response: SipResponse): Place | undefined {
    if (this.#flow?.transport !== 'UDP') return undefined;
    const seen = seenIn(response, this.#seenAt ?? this.#flow.sentBy);
    if (this.#seenAt === undefined) return seen;
    this.#seenAt = seen ?? this.#seenAt;
    return undefined;
  }

  // s.10.2.2: what was said first leads nowhere, and would stay beside the new one.
  async #move(seenAt: Place, signal: AbortSignal): Promise<void> {
    await this.#send(0, signal);
    this.#seenAt = seenAt;
    this.#register();
  }

  // s.10.3: the registrar says how long is long enough.
  #ask(response: SipResponse): void {
    const least = Number(response.headers.get('Min-Expires') ?? Number.NaN);
    if (!(least > this.#seconds && least <= 86_400)) {
      this.#failed('423 and no Min-Expires that could be used', true);
      return;
    }
    this.#seconds = least;
    this.#backOff.failures = 1;
    this.#register();
  }

  // RFC 5626 s.4.2.1
  #withoutOutbound(): void {
    this.#isPlain = true;
    this.#register();
  }

  #failed(why: string, isHopeless: boolean, leastMs = 0): void {
    this.#requests.drop();
    this.#keepAlive.stop();
    this.#parts.wheel.set(this.#refresh, this.#backOff.failed(isHopeless, leastMs));
    this.#become(false, `${this.options.aor}: ${why}`);
  }

  #become(isRegistered: boolean, why: string): void {
    this.isDoubted = false;
    const isChanged = this.isRegistered !== isRegistered || this.why !== why;
    this.isRegistered = isRegistered;
    this.why = why;
    if (isChanged) this.#parts.changed();
  }
}
