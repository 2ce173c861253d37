// An account at a provider, kept registered (RFC 3261 s.10.2): digest, refresh, 423, back-off, and goodbye at the end.
import { asGatewayError } from '../../src/contract/index.ts';
import type { SipRequest, SipResponse } from './codec/message.ts';
import { formatNameAddr, parseNameAddr } from './codec/name-addr.ts';
import { formatUri, parseUri, type SipUri, sameUri } from './codec/uri.ts';
import type { TrunkOptions } from './config.ts';
import type { Credentials } from './digest/index.ts';
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
  random?: () => number;
}

const firstPauseMs = 5000;
const longestPauseMs = 1_800_000;
/** RFC 5626 s.4.4.1 asks 24 to 29 s of keep-alives over UDP. */
const keepAliveMs = 25_000;
const goodbyeMs = 2000;
const keepAlive = Buffer.from('\r\n\r\n');

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
  readonly #keepAlive = new Timer(() => this.#ping());
  readonly #callId = `${newTag()}${newTag()}`;
  readonly #stopping = new AbortController();
  #cseq = 0;
  #seconds: number;
  #failures = 0;
  #flow: Flow | undefined;
  #contact: string | undefined;

  constructor(options: TrunkOptions, parts: RegistrationParts) {
    this.options = options;
    this.#parts = parts;
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
    this.#parts.wheel.cancel(this.#keepAlive);
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

  #send(seconds: number, signal: AbortSignal): Promise<SipResponse> {
    const { aor } = this.options;
    const { scheme, host, port } = this.registrar;
    const uri = formatUri({ scheme, host, parameters: new Map(), ...(port === undefined ? {} : { port }) });
    const cseq = this.#nextCSeq();
    const request = plainRequest({ method: 'REGISTER', uri, from: aor, to: aor, callId: this.#callId, cseq });
    request.headers.add('Expires', String(seconds)).add('Supported', 'path');
    return this.#parts.requester.send({
      request,
      route: { uri: this.registrar },
      signal,
      credentials: this.credentials,
      prepare: (sent, flow) => this.#addContact(sent, flow),
    });
  }

  // A digest answer raises the CSeq on its own, at most twice: leave it the room.
  #nextCSeq(): number {
    this.#cseq += 4;
    return this.#cseq;
  }

  #addContact(request: SipRequest, flow: Flow): void {
    this.#flow = flow;
    const { host, port } = flow.sentBy;
    const { user } = parseUri(this.options.aor);
    const parameters = new Map(flow.transport === 'UDP' ? [] : [['transport', flow.transport.toLowerCase()]]);
    this.#contact = formatUri({ scheme: 'sip', host, port, parameters, ...(user === undefined ? {} : { user }) });
    request.headers.set('Contact', formatNameAddr({ uri: this.#contact, parameters: new Map() }));
  }

  #succeeded(response: SipResponse): void {
    this.#failures = 0;
    this.serviceRoute = response.headers.all('Service-Route');
    const granted = grantedSeconds(response, this.#contact) ?? this.#seconds;
    this.#parts.wheel.set(this.#refresh, Math.max(granted * 850, 1000));
    this.#parts.wheel.set(this.#keepAlive, keepAliveMs);
    this.#become(true, '');
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
    wheel.cancel(this.#keepAlive);
    wheel.set(this.#refresh, pause * (0.5 + random() / 2));
    this.#become(false, `${this.options.aor}: ${why}`);
  }

  #become(isRegistered: boolean, why: string): void {
    const isChanged = this.isRegistered !== isRegistered || this.why !== why;
    this.isRegistered = isRegistered;
    this.why = why;
    if (isChanged) this.#parts.changed();
  }

  #ping(): void {
    if (this.#flow?.transport === 'UDP') this.#flow.send(keepAlive, () => {});
    this.#parts.wheel.set(this.#keepAlive, keepAliveMs);
  }
}

/** What will not get better by asking soon: a wrong password, an account that is none. */
function isHopeless(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 423 && status !== 480 && status !== 491;
}

function grantedSeconds({ headers }: SipResponse, contact: string | undefined): number | undefined {
  for (const value of headers.all('Contact')) {
    const { uri, parameters } = parseNameAddr(value);
    if (contact !== undefined && sameUri(uri, contact) && /^\d{1,9}$/.test(parameters.get('expires') ?? '')) {
      return Number(parameters.get('expires'));
    }
  }
  const expires = headers.get('Expires');
  return expires !== undefined && /^\d{1,9}$/.test(expires) ? Number(expires) : undefined;
}
