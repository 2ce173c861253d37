// What watchers here were last told of a contact's mood and activity. On XMPP these are the account's and not a device's
// (XEP-0163), so of several devices the one that changed last and has a word is believed.
import { type Presence, type State, splitAddress } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';
import { type Extended, extendedOf, kinds, type News } from './mapping/extended-presence.ts';
import { isGone } from './mapping/presence.ts';
import { Noted, pairKey } from './noted.ts';
import type { Pair } from './watches.ts';

/** Devices that have a word, the latest last. A bare address counts as a device without a name. */
interface Note {
  readonly devices: ReadonlyArray<readonly [device: string, said: Extended]>;
  readonly told: Extended;
}

const maxDevices = 32;
const keptMs = 30 * 86_400_000;
const maxDue = 10_000;

export class Told {
  readonly #notes: Noted<Note>;
  /** Whose watcher has come, and knows nothing yet. */
  readonly #due = new RecentMap<string, true>(maxDue);

  constructor(domain: string, state: State) {
    this.#notes = new Noted<Note>(state, `told/${domain}/`, { devices: [], told: {} }, keptMs);
  }

  /** A device of the watcher's may be new, so that all has to be told again with the next presence. */
  asked({ watcher, presentity }: Pair): void {
    this.#due.set(pairKey(presentity, watcher), true);
  }

  /**
   * Resolves as `write` does, which writes the event itself; `tell` is called afterwards for what has changed. Events of one
   * pair come one after the other. What is repeated after a failure does no harm.
   */
  async carry(event: Presence, write: () => Promise<void>, tell: (news: News) => Promise<void>): Promise<void> {
    const key = pairKey(event.from, event.to);
    const before = await this.#notes.read(key);
    await write();
    const devices = devicesAfter(before.devices, event);
    const told: Extended = {};
    for (const kind of kinds) {
      const word = devices.findLast(([, said]) => said[kind] !== undefined)?.[1][kind];
      if (word !== undefined) told[kind] = word;
      if (word !== before.told[kind] || (word !== undefined && this.#due.has(key))) await tell({ kind, word });
    }
    this.#due.delete(key);
    const after = { devices, told };
    if (JSON.stringify(after) !== JSON.stringify(before)) await this.#notes.keep(key, after);
  }
}

function devicesAfter(before: Note['devices'], event: Presence): Note['devices'] {
  const { resource } = splitAddress(event.from);
  const hasLeft = isGone(event);
  if (hasLeft && resource === undefined) return [];
  const device = resource ?? '';
  const said = hasLeft ? {} : extendedOf(event);
  const earlier = before.find(([one]) => one === device)?.[1] ?? {};
  if (kinds.every((kind) => said[kind] === earlier[kind])) return before;
  const others = before.filter(([one]) => one !== device);
  return kinds.some((kind) => said[kind] !== undefined)
    ? [...others, [device, said] as const].slice(-maxDevices)
    : others;
}
