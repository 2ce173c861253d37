// What one watcher may know of one presentity (RFC 8048 s.8.2: a cache of nobody else's), device by device.
import { type EventOf, splitAddress } from '../../../../src/contract/index.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import type { Watch } from './package.ts';

const maxDevices = 32;

export class Pair {
  readonly key: string;
  watches: Watch[] = [];
  /** The presentity has said yes to the watcher. */
  isAuthorised = false;
  /** Milliseconds since 1970; 0: nothing was heard yet. */
  heardAt = 0;
  /** When it was heard last that made a difference; rises with each (RFC 3863 s.4.1.7). */
  changedAt = 0;
  askedAt = 0;
  #devices: DevicePresence[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** All that are there; else the last that left, since it may have said why. Empty: nothing worth saying. */
  get devices(): readonly DevicePresence[] {
    return this.#devices;
  }

  /** Whether that made a difference. */
  hear(event: EventOf<'presence'>, now: number): boolean {
    const isFirst = this.heardAt === 0;
    this.heardAt = now;
    const before = this.#devices;
    this.#devices = this.#after(event);
    if (!isFirst && JSON.stringify(before) === JSON.stringify(this.#devices)) return false;
    this.changedAt = Math.max(now, this.changedAt + 1);
    return true;
  }

  forget(): void {
    this.#devices = [];
    this.heardAt = 0;
    this.isAuthorised = false;
  }

  #after(event: EventOf<'presence'>): DevicePresence[] {
    const { resource } = splitAddress(event.from);
    const isWhole = resource === undefined;
    if (event.availability === 'unknown' && isWhole) return [];
    const others = this.#devices.filter((other) => other.resource !== resource && other.availability !== 'unavailable');
    if (event.availability !== 'unavailable') return [...others, stateOf(event, resource)].slice(-maxDevices);
    return isWhole || others.length === 0 ? [stateOf(event, resource)] : others;
  }
}

// In one order and without the undefined ones, so that two can be compared as text.
function stateOf(event: EventOf<'presence'>, resource: string | undefined): DevicePresence {
  const { availability, notes, priority, activities, moods, idleSince, device, extensions } = event;
  const state = { resource, availability, notes, priority, activities, moods, idleSince, device, extensions };
  return JSON.parse(JSON.stringify(state)) as DevicePresence;
}
