// Recipients who are there again (a telephone that was switched on, a phone that registered): what waits for its own next try need
// not wait for it. Looked at a few times a second, all at once, so that it costs the same however many come back.
import { type Address, bareAddress } from '../contract/index.ts';

const most = 10_000;

export class Returned {
  #addresses = new Set<string>();

  /** Beyond some thousands between two looks they wait as if nothing had been said. */
  note(address: Address): void {
    if (this.#addresses.size < most) this.#addresses.add(bareAddress(address));
  }

  /** Those who came back since the last look. */
  take(): ReadonlySet<string> {
    const back = this.#addresses;
    if (back.size > 0) this.#addresses = new Set();
    return back;
  }
}
