// Recipients who are there again (a telephone that was switched on): what waits for its own next try need not wait for it. Looked
// at a few times a second, all at once, so that it costs the same however many come back.
import { type Address, bareAddress } from '../contract/index.ts';
import type { Lane } from './lane.ts';

const most = 10_000;

export class Returned {
  readonly #addresses = new Set<Address>();

  /** Beyond some thousands between two looks they wait as if nothing had been said. */
  note(address: Address): void {
    if (this.#addresses.size < most) this.#addresses.add(bareAddress(address));
  }

  /** Those of the lanes that are for somebody who came back since the last look, their back-off begun anew. */
  *among(lanes: Iterable<Lane>): Iterable<Lane> {
    if (this.#addresses.size === 0) return;
    const back = new Set(this.#addresses);
    this.#addresses.clear();
    for (const lane of lanes) {
      if (lane.state !== 'delayed' || !back.has(bareAddress(lane.to))) continue;
      lane.tries = 0;
      yield lane;
    }
  }
}
