// People of other networks watch SIP contacts through us: the subscriber of RFC 6665 and RFC 8048 s.5.2, as one object.
import {
  type Address,
  bareAddress,
  type EventOf,
  type FailureReason,
  type GatewayDomain,
  GatewayError,
  type Hub,
  splitAddress,
  type ViewRow,
} from '../../../../src/contract/index.ts';
import type { Directions } from '../../directions.ts';
import type { Answer, Inbound } from '../../endpoint.ts';
import type { Peers } from '../../peers.ts';
import type { Requester } from '../../requester.ts';
import type { TimerWheel } from '../../timer-wheel.ts';
import { type Behalf, Life } from './life.ts';
import { Notified } from './notified.ts';
import type { Phase } from './phases.ts';
import { Sender } from './sender.ts';
import { WatchStore } from './store.ts';
import { Teller } from './teller.ts';
import { pairOf, type Watch, Watching } from './watch.ts';

export interface WatchingOptions {
  /** Seconds that a subscription is asked for. */
  expires: number;
  /** SUBSCRIBE requests under way to one destination; more wait. */
  perDestination: number;
  /** Subscriptions of our people in all; beyond it they are refused. */
  max: number;
  /** Of one watcher; beyond it they are refused for good. */
  maxPerWatcher: number;
}

export interface SubscriberOptions extends WatchingOptions {
  domains: readonly GatewayDomain[];
  /** T1 of RFC 3261. */
  t1Ms: number;
}

export interface SubscriberParts {
  hub: Hub;
  requester: Pick<Requester, 'send'>;
  directions: Pick<Directions, 'find' | 'destination'>;
  peers: Pick<Peers, 'learn'>;
  wheel: TimerWheel;
  random?: () => number;
}

/** There is a dialog: the contact's state comes by itself. */
const isWatched: ReadonlySet<Phase> = new Set(['live', 'probing', 'refreshing', 'lapsing']);
const maxOnline = 8;
/** Nobody is there, or nothing that could ever tell. */
const noSuch: ReadonlySet<FailureReason> = new Set(['not-found', 'unsupported']);

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #hub: Hub;
  readonly #store: WatchStore;
  readonly #teller: Teller;
  readonly #life: Life;
  readonly #notified: Notified;

  constructor(options: SubscriberOptions, parts: SubscriberParts) {
    const { hub, wheel, requester, directions, peers, random = Math.random } = parts;
    const seconds = options.expires;
    const store = new WatchStore(hub.state);
    const teller = new Teller(hub);
    const sender = new Sender(options, { hub, requester, directions, peers, store });
    this.#options = options;
    this.#hub = hub;
    this.#store = store;
    this.#teller = teller;
    this.#life = new Life({ seconds, t1Ms: options.t1Ms }, { hub, wheel, store, sender, teller, random });
    this.#notified = new Notified(seconds, { hub, store, teller, life: this.#life });
  }

  /** Its dialogs go on where an earlier process stopped. */
  async start(): Promise<void> {
    for await (const watch of this.#store.load()) {
      const watching = this.#newWatching(watch);
      watching.reservedCSeq = watch.dialog?.localCSeq ?? 0;
      watching.beganAt = this.#hub.now();
      this.#life.resume(watching);
    }
  }

  /** Nothing is said on the wire: the dialogs outlive us. */
  stop(): void {
    this.#life.stop();
  }

  get size(): number {
    return this.#store.size;
  }

  /** `subscription` of somebody here towards a SIP contact: `request`, `cancel` and `fetch`. Throws GatewayError. */
  async deliver(event: EventOf<'subscription'>, signal: AbortSignal): Promise<void> {
    const behalf: Behalf = { signal, event: event.id, hops: event.hops };
    const watching = this.#store.find(pairOf(event.from, event.to));
    switch (event.action) {
      case 'request':
        return this.#request(watching, event, behalf);
      case 'cancel':
        return this.#cancel(watching, behalf);
      case 'fetch':
        return watching ? this.#fetch(watching, event, behalf) : this.#poll(event, behalf);
      default:
        throw new GatewayError('unsupported', `${event.action} is no watcher's word`);
    }
  }

  /** `presence` of somebody here towards a SIP contact: how we learn who is there to be told anything. */
  heard({ from, to, availability }: EventOf<'presence'>): void {
    const watching = this.#store.find(pairOf(from, to));
    if (!watching || availability === 'unknown') return;
    const { resource } = splitAddress(from);
    if (availability !== 'unavailable') this.#noteOnline(watching, from);
    else watching.online = resource === undefined ? [] : without(watching.online, resource);
    this.#life.happen(watching, watching.isOnline ? 'wanted' : 'absent');
  }

  /** NOTIFY. Throws SipParseError. */
  handleNotify(inbound: Pick<Inbound, 'request'>): Promise<Answer> {
    return this.#notified.handle(inbound);
  }

  /** For operators. */
  *rows(): Iterable<ViewRow> {
    for (const { watch, phase, online, failures } of this.#store.values()) {
      const { watcher, contact, standing, expiresAt, devices, dialog } = watch;
      const expiresInSeconds = dialog ? Math.round((expiresAt - this.#hub.now()) / 1000) : 0;
      const counts = { devices: devices.length, watcherDevices: online.length, failures };
      yield { direction: 'outbound', watcher, contact, standing, phase, expiresInSeconds, ...counts };
    }
  }

  async #request(known: Watching | undefined, event: EventOf<'subscription'>, behalf: Behalf): Promise<void> {
    const watching =
      known ?? this.#newWatching({ ...this.#people(event), standing: 'asked', expiresAt: 0, devices: [] });
    const { watch, phase } = watching;
    this.#noteOnline(watching, event.from);
    if (isWatched.has(phase) && watch.standing === 'granted') {
      // Somebody who has forgotten that it was granted.
      await this.#teller.answer(watch, 'approve');
      await this.#teller.repeat(watch.devices, watch, event.from);
      return this.#life.happen(watching, 'wanted');
    }
    // A poll under way is no subscription.
    const isUnderWay = watch.standing !== 'polled' && (isWatched.has(phase) || phase === 'subscribing');
    watch.standing = 'asked';
    delete watch.isInvariant;
    await this.#store.save(watching);
    if (isUnderWay) return this.#life.happen(watching, 'wanted');
    try {
      await this.#life.subscribe(watching, behalf);
    } catch (error) {
      if (!(error instanceof GatewayError && error.isFinal)) throw error;
      // RFC 8048 s.5.2.1: what is no refusal leaves it standing, and the watch itself asks again.
      if (!noSuch.has(error.reason)) return;
      // Asking again cannot help, and whoever asked would wait for ever.
      await this.#life.deny(watching);
    }
  }

  async #cancel(watching: Watching | undefined, behalf: Behalf): Promise<void> {
    if (!watching) return;
    if (watching.watch.dialog && watching.phase !== 'leaving') return this.#life.leave(watching, behalf);
    // No dialog to end: a NOTIFY that still comes is answered 481, which ends it there (RFC 6665 s.4.2.2).
    await this.#life.deny(watching);
  }

  async #fetch(watching: Watching, { from }: EventOf<'subscription'>, behalf: Behalf): Promise<void> {
    const { watch, phase } = watching;
    if (watch.standing === 'polled') return;
    this.#noteOnline(watching, from);
    if (isWatched.has(phase) || watch.isInvariant) {
      if (watch.standing === 'granted') await this.#teller.repeat(watch.devices, watch, from);
      this.#life.happen(watching, 'wanted');
    } else if (phase === 'idle') {
      // What fails now is tried again by the watch itself.
      await this.#life.subscribe(watching, behalf).catch((error: unknown) => {
        if (!(error instanceof GatewayError)) throw error;
      });
    }
  }

  // RFC 8048 s.7.1: whoever was never authorised may still ask once.
  async #poll(event: EventOf<'subscription'>, behalf: Behalf): Promise<void> {
    const watching = this.#newWatching({ ...this.#people(event), standing: 'polled', expiresAt: 0, devices: [] });
    try {
      await this.#life.subscribe(watching, behalf);
    } catch (error) {
      await this.#life.forget(watching);
      throw error;
    }
  }

  #newWatching(watch: Watch): Watching {
    if (this.#store.size >= this.#options.max) {
      throw new GatewayError('throttled', `${this.#store.size} subscriptions are the most we keep`);
    }
    if (this.#store.countOf(watch.watcher) >= this.#options.maxPerWatcher) {
      throw new GatewayError('not-allowed', `${watch.watcher} watches ${this.#options.maxPerWatcher} contacts already`);
    }
    const watching = new Watching(watch, this.#due);
    this.#store.add(watching);
    this.#hub.metrics.gauge('watches', this.#store.size);
    return watching;
  }

  readonly #due = (watching: Watching) => this.#life.happen(watching, 'due');

  #people({ from, to }: EventOf<'subscription'>): Pick<Watch, 'watcher' | 'contact'> {
    return { watcher: bareAddress(from), contact: bareAddress(to) };
  }

  #noteOnline(watching: Watching, from: Address): void {
    const { resource = '' } = splitAddress(from);
    const others = without(watching.online, resource);
    // A bare name says that there is some device, until one is named.
    if (resource !== '' || others.length === 0) watching.online = [...others, resource].slice(-maxOnline);
    watching.heardAt = this.#hub.now();
  }
}

function without(devices: readonly string[], resource: string): string[] {
  return devices.filter((device) => device !== resource && device !== '');
}
