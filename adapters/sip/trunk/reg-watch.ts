// The subscriber of the event package `reg` (RFC 3680): a provider tells what becomes of our registration, so that one which it
// ended is made anew at once. Nothing of it is in the store.
import { asGatewayError, type Log, parseAddress } from '../../../src/contract/index.ts';
import type { SipResponse } from '../codec/message.ts';
import type { TrunkOptions } from '../config.ts';
import type { Direction } from '../directions.ts';
import type { Answer, Inbound } from '../endpoint.ts';
import { retryAfterOf } from '../errors.ts';
import type { Peers } from '../peers.ts';
import { type ContactNews, parseRegInfo, type RegNews, regInfoType } from '../presence/reg/reg-info.ts';
import { type OwnNotice, readNotice } from '../presence/subscriber/own-notice.ts';
import { OwnSender } from '../presence/subscriber/own-sender.ts';
import { OwnDialogs, OwnSubscription } from '../presence/subscriber/own-subscription.ts';
import { pauseMs, refreshDelayMs } from '../presence/subscriber/pace.ts';
import { outcomeOf } from '../presence/subscriber/phases.ts';
import type { Requester } from '../requester.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { type Ended, isHopeless } from './granted.ts';
import type { Registration } from './registration.ts';

export interface RegWatchParts {
  requester: Pick<Requester, 'send'>;
  wheel: TimerWheel;
  peers: Pick<Peers, 'takes' | 'learn'>;
  log: Log;
  t1Ms: number;
  random?: () => number;
}

/** The account, as far as a request to the provider needs it. */
export interface Account {
  readonly options: TrunkOptions;
  readonly isRegistered: boolean;
  readonly direction: Direction;
  /** Where we are, whether or not we are registered. */
  readonly address: string | undefined;
}

/** RFC 3680 s.4.4: a little longer than a registration lasts. */
const form = { event: 'reg', type: regInfoType, usualSeconds: 3761, parse: parseRegInfo };
const ends: ReadonlySet<string> = new Set<Ended>(['expired', 'deactivated', 'probation', 'unregistered', 'rejected']);
/** A provider that says yes and never tells is taken at its deeds. */
const mostSilences = 3;

export class RegWatch extends OwnSubscription {
  readonly #account: Account;
  readonly #flows: readonly Registration[];
  readonly #parts: RegWatchParts;
  readonly #dialogs = new OwnDialogs<RegWatch>();
  readonly #sender: OwnSender<RegWatch>;
  readonly #stopping = new AbortController();
  /** Those that the provider has listed: only they can be missing. */
  readonly #listed = new Set<Registration>();
  #version = -1;
  #isAsking = false;

  constructor(account: Account, flows: readonly Registration[], parts: RegWatchParts) {
    super();
    this.#account = account;
    this.#flows = flows;
    this.#parts = parts;
    this.#sender = new OwnSender(parts.requester, this.#dialogs);
  }

  fire(): void {
    void this.#due();
  }

  /** The provider tells. */
  get isTold(): boolean {
    return this.dialog !== undefined;
  }

  /** The account is registered. Nothing new to a subscription that is there. */
  begin(): void {
    const isIdle = this.callId === undefined && this.failures === 0 && !this.#isAsking;
    if (isIdle) this.#parts.wheel.set(this, 0);
  }

  stop(): void {
    this.#stopping.abort();
    this.#parts.wheel.cancel(this);
    this.#dialogs.drop(this);
  }

  /** NOTIFY; undefined when it is somebody else's. Throws SipParseError. */
  handleNotify({ request }: Pick<Inbound, 'request'>): Promise<Answer | undefined> {
    return this.#dialogs.notified(
      request,
      (one) => readNotice(one, form),
      async (_, notice) => this.#apply(notice),
    );
  }

  #apply({ info, state, ending, expiresMs, retryMs }: OwnNotice<RegNews>): Answer {
    const isWhole = info === undefined || this.#read(info);
    if (state === 'terminated') {
      this.#forget();
      this.#later(ending === 'now' ? 0 : retryMs);
    } else {
      this.failures = 0;
      this.#parts.wheel.set(this, isWhole ? refreshDelayMs(expiresMs, this.#random) : 0);
    }
    return { status: 200 };
  }

  /** False when something was missed: then only the full state helps, which a refresh brings (s.5.2). */
  #read({ version, isFull, contacts }: RegNews): boolean {
    if (!isFull && version !== this.#version + 1) return false;
    this.#version = version;
    const told = new Set<Registration>();
    for (const contact of contacts) {
      const flow =
        this.#flows.find(({ callId }) => callId === contact.callId) ??
        this.#flows.find((one) => one.isContact(contact.uri));
      if (!flow) continue;
      told.add(flow);
      this.#hear(flow, contact);
    }
    for (const flow of isFull ? [...this.#listed] : []) {
      if (!told.has(flow) && this.#listed.delete(flow)) flow.ended('expired', undefined, undefined);
    }
    return true;
  }

  #hear(flow: Registration, { isActive, event, cseq, expires, retryAfter }: ContactNews): void {
    if (isActive) {
      this.#listed.add(flow);
      if (event === 'shortened') flow.shortened(expires ?? 0);
      return;
    }
    this.#listed.delete(flow);
    const how = ends.has(event) ? (event as Ended) : 'deactivated';
    flow.ended(how, retryAfter === undefined ? undefined : retryAfter * 1000, cseq);
  }

  async #due(): Promise<void> {
    const { peers, log } = this.#parts;
    const { isRegistered, options } = this.#account;
    this.#isAsking = true;
    try {
      if (!isRegistered || (await peers.takes(options.aor, 'reg')) === false) return this.#rest();
      if (this.attempt && this.failures >= mostSilences) return await this.#refused('no NOTIFY');
      if (this.attempt) this.#forget();
      await this.#answered(await this.#subscribe());
    } catch (thrown) {
      if (this.#stopping.signal.aborted) return;
      const { message, retryAfterMs } = asGatewayError(thrown);
      log.debug({ aor: options.aor, why: message }, 'the provider cannot be asked about the registration');
      this.#later(retryAfterMs);
    } finally {
      this.#isAsking = false;
    }
  }

  async #answered(response: SipResponse): Promise<void> {
    const { status, headers } = response;
    const { wheel, t1Ms } = this.#parts;
    if (status < 300) {
      const seconds = Number(headers.get('Expires') ?? form.usualSeconds);
      // RFC 6665 s.4.1.2.4, Timer N: without a NOTIFY there is no subscription.
      if (this.dialog) wheel.set(this, refreshDelayMs(seconds * 1000, this.#random));
      else {
        this.failures++;
        wheel.set(this, 64 * t1Ms);
      }
    } else if (isHopeless(status)) await this.#refused(String(status));
    else {
      if (outcomeOf(status) === 'dead') this.#forget();
      this.#later(retryAfterOf(response));
    }
  }

  // Most providers have no such thing: asked again when `peers.rememberMs` are over.
  async #refused(why: string): Promise<void> {
    const { aor } = this.#account.options;
    this.#rest();
    await this.#parts.peers.learn(aor, { reg: false }, why);
    this.#parts.log.info({ aor, why }, 'the provider does not tell what becomes of the registration (RFC 3680)');
  }

  #subscribe(): Promise<SipResponse> {
    const { direction: way, address, options } = this.#account;
    const person = parseAddress(options.aor);
    // A GRUU leads to us by way of the registration, and so not once that has ended.
    const direction = address === undefined ? way : { ...way, contact: address };
    const wish = { person, direction, event: form.event, accept: [form.type], seconds: form.usualSeconds };
    return this.#sender.subscribe(this, wish, this.#stopping.signal);
  }

  /** Until it is registered anew. */
  #rest(): void {
    this.#forget();
    this.failures = 0;
  }

  #forget(): void {
    this.#dialogs.drop(this);
    this.#listed.clear();
    this.#version = -1;
  }

  #later(leastMs = 0): void {
    this.#parts.wheel.set(this, Math.max(pauseMs(this.failures++, this.#random), leastMs));
  }

  get #random(): () => number {
    return this.#parts.random ?? Math.random;
  }
}
