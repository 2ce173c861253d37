// Which devices of a contact somebody here was shown. On XMPP each goes away by itself, so when another network says that
// all of them have, each is withdrawn.
import { createHash } from 'node:crypto';
import {
  type Address,
  bareAddress,
  formatAddress,
  type Presence,
  type State,
  splitAddress,
} from '../../src/contract/index.ts';

const maxDevices = 32;
const maxKnown = 10_000;
const none: ReadonlySet<string> = new Set();

export class Shown {
  readonly #state: State;
  readonly #domain: string;
  /** What was read or written last; forgotten when full, and read again. */
  readonly #known = new Map<string, ReadonlySet<string>>();

  constructor(domain: string, state: State) {
    this.#domain = domain;
    this.#state = state;
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
    const key = this.#keyOf(event);
    const shown = await this.#read(key);
    const { resource, ...person } = splitAddress(event.from);
    const isGone = event.availability === 'unavailable' || event.availability === 'unknown';
    if (!isGone) {
      if (resource !== undefined && !shown.has(resource) && shown.size < maxDevices)
        await this.#keep(key, new Set([...shown, resource]));
      return write();
    }
    const isAll = resource === undefined;
    if (isAll) await Promise.all([...shown].map((device) => withdraw(formatAddress({ ...person, resource: device }))));
    await write();
    const left = isAll ? none : new Set([...shown].filter((device) => device !== resource));
    if (left.size < shown.size) await this.#keep(key, left);
  }

  async #read(key: string): Promise<ReadonlySet<string>> {
    const known = this.#known.get(key);
    if (known) return known;
    const text = await this.#state.get(key);
    return this.#remember(key, text === undefined ? none : new Set(JSON.parse(text) as string[]));
  }

  async #keep(key: string, devices: ReadonlySet<string>): Promise<void> {
    if (devices.size === 0) await this.#state.delete(key);
    else await this.#state.set(key, JSON.stringify([...devices]));
    this.#remember(key, devices);
  }

  #remember(key: string, devices: ReadonlySet<string>): ReadonlySet<string> {
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(key, devices);
    return devices;
  }

  // Two JIDs can be longer than a key may be.
  #keyOf({ from, to }: Presence): string {
    const pair = `${bareAddress(from)} ${bareAddress(to)}`;
    return `shown/${this.#domain}/${createHash('sha256').update(pair).digest('base64url')}`;
  }
}
