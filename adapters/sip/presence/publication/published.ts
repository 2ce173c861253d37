// What we have published of one person at one presence server: in the store as it is, so that the next process goes on.
import { type Address, type EventOf, GatewayError, type Hub, splitAddress } from '../../../../src/contract/index.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import { Timed } from '../../timer-wheel.ts';
import { hashedKey } from '../hashed-key.ts';

/** Plain JSON. */
interface Record {
  presentity: Address;
  /** The domain of those who watch through it. */
  server: string;
  /** One of those: the way to them is the way to the server. */
  towards: Address;
  devices: DevicePresence[];
  etag: string | undefined;
  /** Milliseconds since 1970. */
  expiresAt: number;
  /** How long a publication is asked for; 0: as configured. */
  seconds: number;
}

const prefix = 'published/';
const maxDevices = 32;

export class Published extends Timed implements Record {
  readonly presentity: Address;
  readonly server: string;
  towards: Address;
  devices: DevicePresence[];
  etag: string | undefined;
  expiresAt: number;
  seconds: number;
  /** The server does not know the last of it. */
  isStale = false;
  /** The person's own network was asked how they are, or has said so by itself. */
  isAsked = false;
  /** In a row. */
  failures = 0;
  #moment = 0;
  readonly #due: (published: Published) => void;

  constructor(record: Record, due: (published: Published) => void) {
    super();
    this.presentity = record.presentity;
    this.server = record.server;
    this.towards = record.towards;
    this.devices = record.devices;
    this.etag = record.etag;
    this.expiresAt = record.expiresAt;
    this.seconds = record.seconds;
    this.#due = due;
  }

  fire(): void {
    this.#due(this);
  }

  get key(): string {
    return `${this.presentity}|${this.server}`.toLowerCase();
  }

  /** Somebody to publish; otherwise what is published is to be taken back. */
  get isThere(): boolean {
    return this.devices.length > 0;
  }

  leftMs(now: number): number {
    return Math.max(this.expiresAt - now, 0);
  }

  /** RFC 3863 s.4.1.7: never the same in two documents. */
  nextMoment(now: number): number {
    this.#moment = Math.max(now, this.#moment + 1);
    return this.#moment;
  }

  hear(event: EventOf<'presence'>): void {
    const { from, availability, notes, priority, activities, moods, idleSince, device, extensions } = event;
    const { resource } = splitAddress(from);
    this.isAsked = true;
    if (availability === 'unknown') return;
    const before = JSON.stringify(this.devices);
    const others = this.devices.filter((other) => other.resource !== resource);
    if (availability === 'unavailable') this.devices = resource === undefined ? [] : others;
    else {
      const said = { resource, availability, notes, priority, activities, moods, idleSince, device, extensions };
      const state = JSON.parse(JSON.stringify(said)) as DevicePresence;
      const at = this.devices.findIndex((other) => other.resource === resource);
      this.devices = at < 0 ? [...others, state].slice(-maxDevices) : this.devices.with(at, state);
    }
    if (JSON.stringify(this.devices) !== before) this.isStale = true;
  }

  record(): Record {
    const { presentity, server, towards, devices, etag, expiresAt, seconds } = this;
    return { presentity, server, towards, devices, etag, expiresAt, seconds };
  }
}

export class PublishedStore {
  readonly #max: number;
  readonly #hub: Pick<Hub, 'state' | 'now'>;
  readonly #due: (published: Published) => void;
  readonly #all = new Map<string, Published>();

  constructor(max: number, hub: Pick<Hub, 'state' | 'now'>, due: (published: Published) => void) {
    this.#max = max;
    this.#hub = hub;
    this.#due = due;
  }

  values(): Iterable<Published> {
    return this.#all.values();
  }

  /** The one there is, or a new one. Throws GatewayError when there are too many. */
  take(presentity: Address, server: string, towards: Address): Published {
    const record: Record = { presentity, server, towards, devices: [], etag: undefined, expiresAt: 0, seconds: 0 };
    const made = new Published(record, this.#due);
    const known = this.#all.get(made.key);
    if (!known && this.#all.size >= this.#max) throw new GatewayError('throttled', 'too many people are published');
    if (!known) this.#all.set(made.key, made);
    return known ?? made;
  }

  async *load(): AsyncIterable<Published> {
    for await (const [, value] of this.#hub.state.scan(prefix)) {
      const published = new Published(JSON.parse(value) as Record, this.#due);
      this.#all.set(published.key, published);
      yield published;
    }
  }

  async save(published: Published): Promise<void> {
    const record = JSON.stringify(published.record());
    await this.#hub.state.set(keyOf(published), record, published.leftMs(this.#hub.now()) + 1);
  }

  async forget(published: Published): Promise<void> {
    published.isStale = false;
    published.etag = undefined;
    this.#all.delete(published.key);
    await this.#hub.state.delete(keyOf(published));
  }
}

function keyOf({ key }: Published): string {
  return hashedKey(prefix, key);
}
