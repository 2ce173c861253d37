// What people here publish of their mood and activity (XEP-0163), as far as each watcher elsewhere may know: it becomes part of
// the presence of each of their devices. Servers say it once, so it is kept over restarts and while the person is offline.
import { type DraftOf, type State, splitAddress } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';
import { type Extended, fieldsOf, type News } from './mapping/extended-presence.ts';
import { isGone } from './mapping/presence.ts';
import { Noted, pairKey } from './noted.ts';
import type { Pair } from './watches.ts';

type Said = DraftOf<'presence'>;

const maxPairs = 10_000;
const maxDevices = 32;
// Asked for again with each probe, so that little is lost with it.
const keptMs = 30 * 86_400_000;

export class Heard {
  readonly #notes: Noted<Extended>;
  /** The last presence of each device that is there, oldest pair first. After a restart everybody is probed, and it fills again. */
  readonly #present = new RecentMap<string, Map<string, Said>>(maxPairs);

  constructor(domain: string, state: State) {
    this.#notes = new Noted<Extended>(state, `heard/${domain}/`, {}, keptMs);
  }

  /** Presence together with what else the watcher may know. */
  async complete(said: Said): Promise<Said> {
    const key = pairKey(said.from, said.to);
    this.#remember(key, said);
    return isGone(said) ? said : { ...said, ...fieldsOf(await this.#notes.read(key)) };
  }

  /** `publish` is called for each device of the person when the news is one. */
  async take({ watcher, presentity }: Pair, { kind, word }: News, publish: (said: Said) => Promise<unknown>) {
    const key = pairKey(presentity, watcher);
    const { [kind]: before, ...others } = await this.#notes.read(key);
    if (before === word) return;
    const after: Extended = word === undefined ? others : { ...others, [kind]: word };
    for (const said of this.#present.get(key)?.values() ?? []) await publish({ ...said, ...fieldsOf(after) });
    await this.#notes.keep(key, after);
  }

  /** Who may watch no longer knows nothing. */
  async forget({ watcher, presentity }: Pair): Promise<void> {
    const key = pairKey(presentity, watcher);
    this.#present.delete(key);
    await this.#notes.keep(key, {});
  }

  #remember(key: string, said: Said): void {
    const device = splitAddress(said.from).resource;
    const devices = this.#present.get(key) ?? new Map<string, Said>();
    if (isGone(said)) {
      if (device === undefined) devices.clear();
      else devices.delete(device);
    } else if (devices.has(device ?? '') || devices.size < maxDevices) {
      // When it was said is no news the second time.
      const { at: _, ...state } = said;
      devices.set(device ?? '', state);
    }
    if (devices.size === 0) this.#present.delete(key);
    else this.#present.set(key, devices);
  }
}
