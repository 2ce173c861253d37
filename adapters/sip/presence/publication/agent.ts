// The event publication agent of RFC 3903 s.4: people of other networks at a presence server of the SIP side, which tells
// its own watchers by its own rules (reference 3.6, mode b).
import {
  type Address,
  asGatewayError,
  bareAddress,
  type EventOf,
  type Hub,
  splitAddress,
  type ViewRow,
} from '../../../../src/contract/index.ts';
import { encodePidf, pidfType } from '../../../../src/formats/pidf/index.ts';
import { Turns } from '../../../../src/guards/turns.ts';
import type { SipRequest, SipResponse } from '../../codec/message.ts';
import type { Directions } from '../../directions.ts';
import { errorOf } from '../../errors.ts';
import { documentOf } from '../../mapping/presence.ts';
import type { Peers } from '../../peers.ts';
import { plainRequest } from '../../plain-request.ts';
import type { Requester } from '../../requester.ts';
import type { TimerWheel } from '../../timer-wheel.ts';
import { traceMessage } from '../../wire-trace.ts';
import type { XcapServer } from '../rules/xcap.ts';
import { pauseMs, refreshDelayMs, startSpreadMs } from '../subscriber/pace.ts';
import { type Published, PublishedStore } from './published.ts';

/** A domain whose people watch through a presence server. */
export interface PresenceServer {
  domain: string;
  /** In place of NOTIFY to each watcher who subscribes with us, or as well. */
  mode: 'publish' | 'both';
  /** Seconds that a publication is asked for. */
  expires: number;
  /** People who wait there for a yes (presence.winfo) are asked about, as whoever subscribes with us is. */
  askPending: boolean;
  /** Where the answers become its rules. */
  rules?: XcapServer | undefined;
}

export interface AgentParts {
  hub: Hub;
  wheel: TimerWheel;
  requester: Pick<Requester, 'send'>;
  directions: Pick<Directions, 'find'>;
  peers: Pick<Peers, 'takes' | 'learn'>;
  random?: () => number;
  /** It has taken what is known of somebody. */
  published?(presentity: Address, towards: Address): void;
}

/** It will never take one: RFC 3903 s.4.5 and the twin of "405, 489, 501" in the reference. */
const refusals: ReadonlySet<number> = new Set([405, 489, 501]);
const mostSeconds = 86_400;
/** Itself, once more after 412 or 423, and once more after the other of them. */
const maxTries = 3;

export class Agent {
  readonly #servers: ReadonlyMap<string, PresenceServer>;
  readonly #parts: AgentParts;
  readonly #random: () => number;
  readonly #store: PublishedStore;
  readonly #turns = new Turns();
  readonly #stopping = new AbortController();

  constructor(servers: readonly PresenceServer[], max: number, parts: AgentParts) {
    this.#servers = new Map(servers.map((server) => [server.domain.toLowerCase(), server]));
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
    this.#store = new PublishedStore(max, parts.hub, (published) => this.#due(published));
  }

  /** Undefined: the domain has none that we know of, and watchers subscribe with us. */
  modeOf({ to }: EventOf<'presence'>): PresenceServer['mode'] | undefined {
    return this.#servers.get(splitAddress(to).domain)?.mode;
  }

  /** Goes on with the publications of an earlier process, and asks how those people are now. */
  async start(): Promise<void> {
    for await (const published of this.#store.load()) {
      if (this.#servers.has(published.server))
        this.#parts.wheel.set(published, this.#random() * Math.min(startSpreadMs, published.leftMs(this.#now())));
    }
  }

  /** Says no goodbye: the next process goes on. */
  stop(): void {
    this.#stopping.abort();
    for (const published of this.#store.values()) this.#parts.wheel.cancel(published);
  }

  /** Resolves when the server has taken it, or will never take any. Throws GatewayError. */
  async hear(event: EventOf<'presence'>, signal: AbortSignal): Promise<void> {
    const server = splitAddress(event.to).domain;
    const published = this.#store.take(bareAddress(event.from), server, bareAddress(event.to));
    published.hear(event);
    // s.4: one at a time for one person. What was said meanwhile goes along with the next.
    await this.#turns.take(published.key, async () => {
      signal.throwIfAborted();
      if (published.isStale) await this.#publish(published, signal, event.id);
    });
  }

  /** For operators. */
  *rows(): Iterable<ViewRow> {
    for (const { presentity, server, devices, expiresAt, failures } of this.#store.values()) {
      const expiresInSeconds = Math.max(Math.round((expiresAt - this.#now()) / 1000), 0);
      yield { direction: 'outbound', presentity, server, devices: devices.length, expiresInSeconds, failures };
    }
  }

  #due(published: Published): void {
    const { signal } = this.#stopping;
    const isFirst = !published.isAsked;
    const work = async () => {
      signal.throwIfAborted();
      await this.#publish(published, signal);
    };
    this.#turns.take(published.key, work).catch((thrown: unknown) => {
      const { message, retryAfterMs = 0 } = asGatewayError(thrown);
      if (signal.aborted) return;
      const { presentity } = published;
      this.#parts.hub.log.warn({ presentity, why: message }, 'a publication could not be refreshed');
      const pause = Math.max(pauseMs(published.failures++, this.#random), retryAfterMs);
      this.#parts.wheel.set(published, pause);
    });
    if (isFirst) this.#ask(published);
  }

  // After a restart: whoever has left in the meantime would seem to be there for ever.
  #ask(published: Published): void {
    published.isAsked = true;
    const { presentity: to, towards: from } = published;
    this.#parts.hub
      .publish({ type: 'subscription', action: 'fetch', from, to })
      .catch((error: Error) => this.#parts.hub.log.debug({ presentity: to, why: error.message }, 'nobody to ask'));
  }

  async #publish(published: Published, signal: AbortSignal, event?: string): Promise<void> {
    published.seconds ||= this.#servers.get(published.server)?.expires ?? 3600;
    for (let tries = 1; ; tries++) {
      if (published.etag === undefined && !published.isThere) return this.#forget(published);
      const isNews = published.isStale || published.etag === undefined;
      // What comes while this one is under way is news again.
      published.isStale = false;
      let response: SipResponse | undefined;
      try {
        response = await this.#send(published, isNews, signal, event);
      } catch (error) {
        published.isStale ||= isNews;
        throw error;
      }
      if (response === undefined) return this.#forget(published);
      if (response.status < 300) return this.#taken(published, response);
      published.isStale ||= isNews;
      if (!this.#canMend(published, response) || tries === maxTries) throw errorOf(response);
    }
  }

  // Undefined when the server takes none.
  async #send(published: Published, isNews: boolean, signal: AbortSignal, event?: string) {
    const { hub, requester, directions, peers } = this.#parts;
    const [direction] = await directions.find(published.towards);
    if (!direction) return undefined;
    if ((await peers.takes(published.server, 'publish')) === false) return undefined;
    const request = this.#request(published, direction.showAs ?? published.presentity, isNews);
    for (const hop of direction.through) request.headers.add('Route', hop);
    const response = await requester.send({
      ...{ request, signal, route: direction.route },
      credentials: direction.credentials,
      onSent: (sent, bytes) => {
        if (event !== undefined) traceMessage(hub, event, 'outbound', sent, bytes);
      },
    });
    hub.metrics.count('answers_total', { method: 'PUBLISH', status: String(response.status) });
    if (!refusals.has(response.status)) return response;
    await peers.learn(published.server, { publish: false }, String(response.status));
    hub.log.warn({ server: published.server, status: response.status }, 'no presence server: it takes no PUBLISH');
    return undefined;
  }

  // The table of s.4.1.
  #request(published: Published, uri: string, isNews: boolean): SipRequest {
    const { etag, isThere, seconds, presentity } = published;
    const request = plainRequest({ method: 'PUBLISH', uri, from: uri, to: uri });
    request.headers.add('Event', 'presence').add('Expires', String(isThere ? seconds : 0));
    if (etag !== undefined) request.headers.add('SIP-If-Match', etag);
    if (!isThere || !isNews) return request;
    const document = documentOf(published.devices, { presentity, at: published.nextMoment(this.#now()) });
    request.headers.add('Content-Type', pidfType);
    request.body = Buffer.from(encodePidf(document));
    return request;
  }

  async #taken(published: Published, { headers }: SipResponse): Promise<void> {
    const etag = headers.get('SIP-ETag');
    if (!published.isThere && !published.isStale) return this.#forget(published);
    const granted = Number(headers.get('Expires') ?? published.seconds);
    const seconds = granted > 0 ? Math.min(granted, mostSeconds) : published.seconds;
    published.etag = etag;
    published.failures = 0;
    this.#parts.published?.(published.presentity, published.towards);
    published.expiresAt = this.#now() + seconds * 1000;
    this.#parts.wheel.set(published, refreshDelayMs(seconds * 1000, this.#random));
    await this.#store.save(published);
    // Somebody came back while their leaving was told.
    if (published.isStale) this.#parts.wheel.set(published, 0);
  }

  /** Whether it is worth asking again at once, in other words. */
  #canMend(published: Published, response: SipResponse): boolean {
    if (response.status === 412 && published.etag !== undefined) {
      // s.4.4: the server knows it no longer. Never the same again, but all of it anew.
      published.etag = undefined;
      return true;
    }
    const least = Number(response.headers.get('Min-Expires') ?? Number.NaN);
    if (response.status === 423 && least > published.seconds && least <= mostSeconds) {
      published.seconds = least;
      return true;
    }
    return false;
  }

  #forget(published: Published): Promise<void> {
    this.#parts.wheel.cancel(published);
    return this.#store.forget(published);
  }

  #now(): number {
    return this.#parts.hub.now();
  }
}
