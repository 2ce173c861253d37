// The subscriber of presence.winfo (RFC 3857): who waits at a presence server to see people of other networks, who are then
// asked as by any SUBSCRIBE (RFC 8048 s.5.3.1).
import {
  type Address,
  asGatewayError,
  bareAddress,
  GatewayError,
  type Hub,
  splitAddress,
  type ViewRow,
} from '../../../../src/contract/index.ts';
import type { SipResponse } from '../../codec/message.ts';
import type { Answer, Inbound } from '../../endpoint.ts';
import { retryAfterOf } from '../../errors.ts';
import { addressOf } from '../../mapping/addresses.ts';
import type { TimerWheel } from '../../timer-wheel.ts';
import { hashedKey } from '../hashed-key.ts';
import type { AgentParts, PresenceServer } from '../publication/agent.ts';
import { OwnSender } from '../subscriber/own-sender.ts';
import { OwnDialogs } from '../subscriber/own-subscription.ts';
import { pauseMs, refreshDelayMs, startSpreadMs } from '../subscriber/pace.ts';
import { outcomeOf } from '../subscriber/phases.ts';
import { AskedPeople, type AskedPerson } from './asked-person.ts';
import { type Watcher, watcherInfoType } from './watcher-info.ts';
import { readWinfo, type WinfoNotice, winfoPackage } from './winfo-notice.ts';

export interface WinfoSubscriberOptions {
  servers: readonly PresenceServer[];
  /** People in all. */
  max: number;
  t1Ms: number;
}

export type WinfoSubscriberParts = Pick<AgentParts, 'hub' | 'wheel' | 'requester' | 'directions' | 'peers' | 'random'>;

/** It will never tell: RFC 3903 s.4.5 has the same for PUBLISH. */
const never: ReadonlySet<number> = new Set([405, 489, 501]);
/** Whoever was asked about is not asked about again for so long, unless the answer was heard. */
const askAgainMs = 7 * 86_400_000;
const retryAfterMs = 5000;
/** RFC 3857 s.4.2. */
const usualSeconds = 3600;

export class WinfoSubscriber {
  readonly #servers: ReadonlySet<string>;
  readonly #parts: WinfoSubscriberParts;
  readonly #hub: Hub;
  readonly #wheel: TimerWheel;
  readonly #random: () => number;
  readonly #timerNMs: number;
  readonly #people: AskedPeople;
  readonly #dialogs = new OwnDialogs<AskedPerson>();
  readonly #sender: OwnSender<AskedPerson>;
  readonly #stopping = new AbortController();

  constructor({ servers, max, t1Ms }: WinfoSubscriberOptions, parts: WinfoSubscriberParts) {
    this.#servers = new Set(servers.filter(({ askPending }) => askPending).map(({ domain }) => domain.toLowerCase()));
    this.#parts = parts;
    this.#hub = parts.hub;
    this.#wheel = parts.wheel;
    this.#random = parts.random ?? Math.random;
    this.#timerNMs = 64 * t1Ms;
    this.#people = new AskedPeople(max, parts.hub, (person) => void this.#due(person));
    this.#sender = new OwnSender(parts.requester, this.#dialogs);
  }

  /** Goes on with those an earlier process looked after: their dialogs begin anew, and the old ones are left to end. */
  async start(): Promise<void> {
    for await (const person of this.#people.load()) {
      if (this.#servers.has(person.record.server)) this.#wheel.set(person, this.#random() * startSpreadMs);
    }
  }

  stop(): void {
    this.#stopping.abort();
    for (const person of this.#people.values()) this.#wheel.cancel(person);
  }

  /** Somebody of another network is published there, or watches somebody there. */
  async look(presentity: Address, towards: Address): Promise<void> {
    const { domain: server } = splitAddress(towards);
    if (!this.#servers.has(server)) return;
    const sign = { presentity: bareAddress(presentity), server, towards: bareAddress(towards) };
    const found = await this.#people.note(sign);
    if (found?.isNew) this.#wheel.set(found.person, 0);
  }

  /** NOTIFY; undefined when it is somebody else's. Throws SipParseError. */
  handleNotify({ request }: Pick<Inbound, 'request'>): Promise<Answer | undefined> {
    return this.#dialogs.notified(request, readWinfo, (person, notice) => this.#apply(person, notice));
  }

  /** For operators: those who wait or watch there. */
  *rows(): Iterable<ViewRow> {
    for (const { record, table } of this.#people.values()) {
      for (const { uri, status } of table.watchers.values()) {
        const { presentity, server } = record;
        yield { direction: 'inbound', event: 'presence', watcher: uri, presentity, state: status, server };
      }
    }
  }

  async #apply(person: AskedPerson, { info, state, ending, expiresMs, retryMs }: WinfoNotice): Promise<Answer> {
    const isWhole = info === undefined || person.table.apply(info);
    if (state === 'terminated') this.#ended(person, ending === 'now' ? 0 : retryMs);
    else {
      person.failures = 0;
      // RFC 3858 s.4: something was missed, and the answer to a refresh is whole.
      this.#wheel.set(person, isWhole ? refreshDelayMs(expiresMs, this.#random) : 0);
    }
    try {
      for (const watcher of person.table.watchers.values()) await this.#ask(person, watcher);
    } catch (thrown) {
      const { retryAfterMs: asked = retryAfterMs } = asGatewayError(thrown);
      // Seen again with the next whole document.
      if (state !== 'terminated') this.#wheel.set(person, asked);
      return { status: 503, headers: [['Retry-After', String(Math.ceil(asked / 1000))]] };
    }
    return { status: 200 };
  }

  // Throws GatewayError when that should be tried again.
  async #ask({ record: { presentity, server } }: AskedPerson, { uri, status }: Watcher): Promise<void> {
    if (status !== 'pending' && status !== 'waiting') return;
    const watcher = watcherAt(uri, server);
    if (watcher === undefined) return;
    const key = askedKey(watcher, presentity);
    if (!(await this.#hub.state.setIfAbsent(key, '1', askAgainMs))) return;
    try {
      await this.#hub.publish({ type: 'subscription', action: 'request', from: watcher, to: presentity });
    } catch (error) {
      if (error instanceof GatewayError && error.isFinal) return;
      await this.#hub.state.delete(key);
      throw error;
    }
  }

  async #due(person: AskedPerson): Promise<void> {
    const { server, until, presentity } = person.record;
    try {
      if (until < this.#hub.now()) return await this.#leave(person);
      if ((await this.#parts.peers.takes(server, 'winfo')) === false) return await this.#forget(person);
      if (person.attempt) this.#dialogs.drop(person);
      await this.#answered(person, await this.#subscribe(person, usualSeconds));
    } catch (thrown) {
      if (this.#stopping.signal.aborted) return;
      const { message, retryAfterMs: asked } = asGatewayError(thrown);
      this.#hub.log.debug({ presentity, server, why: message }, 'its watchers are not to be had');
      this.#later(person, asked);
    }
  }

  async #answered(person: AskedPerson, response: SipResponse): Promise<void> {
    const { status, headers } = response;
    const { server } = person.record;
    this.#hub.metrics.count('answers_total', { method: 'SUBSCRIBE', status: String(status) });
    if (status < 300) {
      // RFC 6665 s.4.1.2.4, Timer N: without a NOTIFY there is no subscription.
      const seconds = Number(headers.get('Expires') ?? usualSeconds);
      this.#wheel.set(person, person.dialog ? refreshDelayMs(seconds * 1000, this.#random) : this.#timerNMs);
      return;
    }
    if (never.has(status)) {
      await this.#parts.peers.learn(server, { winfo: false }, String(status));
      this.#hub.log.warn({ server, status }, 'a presence server that does not tell who waits there');
      return this.#forget(person);
    }
    if (outcomeOf(status) === 'dead') this.#dialogs.drop(person);
    this.#later(person, retryAfterOf(response));
  }

  #ended(person: AskedPerson, leastMs: number | undefined): void {
    this.#dialogs.drop(person);
    this.#later(person, leastMs);
  }

  #later(person: AskedPerson, leastMs = 0): void {
    this.#wheel.set(person, Math.max(pauseMs(person.failures++, this.#random), leastMs));
  }

  // No sign of the person for a month.
  async #leave(person: AskedPerson): Promise<void> {
    if (person.dialog) await this.#subscribe(person, 0).catch(() => {});
    await this.#forget(person);
  }

  async #subscribe(person: AskedPerson, seconds: number): Promise<SipResponse> {
    const { presentity, towards } = person.record;
    const [direction] = await this.#parts.directions.find(towards);
    if (!direction) throw new GatewayError('unreachable', 'there is no way to this presence server');
    const wish = { person: presentity, direction, event: winfoPackage, accept: [watcherInfoType], seconds };
    return this.#sender.subscribe(person, wish, this.#stopping.signal);
  }

  #forget(person: AskedPerson): Promise<void> {
    this.#wheel.cancel(person);
    this.#dialogs.drop(person);
    return this.#people.forget(person);
  }
}

/** Watchers of other domains have other servers, which would not hear the answer. */
function watcherAt(uri: string, server: string): Address | undefined {
  try {
    const watcher = bareAddress(addressOf(uri));
    return splitAddress(watcher).domain === server ? watcher : undefined;
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

function askedKey(watcher: Address, presentity: Address): string {
  return hashedKey('asked-about/', `${watcher}|${presentity}`.toLowerCase());
}
