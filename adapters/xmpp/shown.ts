// Which devices of a contact somebody here was shown. On XMPP each goes away by itself, so when another network says that
// all of them have, each is withdrawn.
import { type Address, formatAddress, type Presence, type State, splitAddress } from '../../src/contract/index.ts';
import { isGone } from './mapping/presence.ts';
import { Noted, pairKey } from './noted.ts';

const maxDevices = 32;

export class Shown {
  readonly #devices: Noted<readonly string[]>;

  constructor(domain: string, state: State) {
    this.#devices = new Noted<readonly string[]>(state, `shown/${domain}/`, []);
  }

  /**
   * Resolves as `write` does, which writes the event itself. `withdraw` is called first for each device that the event says
   * has gone with the others. Events of one pair come one after the other.
   */
  async carry(
    event: Presence,
    write: () => Promise<void>,
    withdraw: (device: Address) => Promise<void>,
  ): Promise<void> {
    const key = pairKey(event.from, event.to);
    const shown = await this.#devices.read(key);
    const { resource, ...person } = splitAddress(event.from);
    if (!isGone(event)) {
      if (resource !== undefined && !shown.includes(resource) && shown.length < maxDevices)
        await this.#devices.keep(key, [...shown, resource]);
      return write();
    }
    const isAll = resource === undefined;
    if (isAll) await Promise.all(shown.map((device) => withdraw(formatAddress({ ...person, resource: device }))));
    await write();
    const left = isAll ? [] : shown.filter((device) => device !== resource);
    if (left.length < shown.length) await this.#devices.keep(key, left);
  }
}
