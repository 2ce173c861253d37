// One person of another network whose watchers a presence server keeps: what the store has of it, and the subscription that
// brings the watchers.
import type { Address, Hub } from '../../../../src/contract/index.ts';
import { hashedKey } from '../hashed-key.ts';
import { OwnSubscription } from '../subscriber/own-subscription.ts';
import { WatcherTable } from './watcher-info.ts';

/** Plain JSON. */
export interface AskedRecord {
  presentity: Address;
  /** The domain of those who watch through it. */
  server: string;
  /** One of those: the way to them is the way to the server. */
  towards: Address;
  /** Nothing of the person since: no longer looked after then. Milliseconds since 1970. */
  until: number;
}

export class AskedPerson extends OwnSubscription {
  readonly record: AskedRecord;
  readonly table = new WatcherTable();

  readonly #due: (person: AskedPerson) => void;

  constructor(record: AskedRecord, due: (person: AskedPerson) => void) {
    super();
    this.record = record;
    this.#due = due;
  }

  fire(): void {
    this.#due(this);
  }

  get key(): string {
    return keyOf(this.record);
  }
}

const prefix = 'winfo/';
/** So long nobody is forgotten of whom nothing is heard. */
const keepMs = 30 * 86_400_000;

export class AskedPeople {
  readonly #hub: Pick<Hub, 'state' | 'now'>;
  readonly #max: number;
  readonly #due: (person: AskedPerson) => void;
  readonly #all = new Map<string, AskedPerson>();

  constructor(max: number, hub: Pick<Hub, 'state' | 'now'>, due: (person: AskedPerson) => void) {
    this.#max = max;
    this.#hub = hub;
    this.#due = due;
  }

  values(): Iterable<AskedPerson> {
    return this.#all.values();
  }

  /** A sign of the person. The one there is, a new one, or undefined when there are too many. */
  async note(sign: Omit<AskedRecord, 'until'>): Promise<{ person: AskedPerson; isNew: boolean } | undefined> {
    const until = this.#hub.now() + keepMs;
    const known = this.#all.get(keyOf(sign));
    if (!known && this.#all.size >= this.#max) return undefined;
    const person = known ?? new AskedPerson({ ...sign, until: 0 }, this.#due);
    this.#all.set(person.key, person);
    // One write in a while.
    if (person.record.until < until - keepMs / 30) {
      person.record.until = until;
      await this.#hub.state.set(storeKey(person), JSON.stringify(person.record), keepMs);
    }
    return { person, isNew: !known };
  }

  async *load(): AsyncIterable<AskedPerson> {
    for await (const [, value] of this.#hub.state.scan(prefix)) {
      const person = new AskedPerson(JSON.parse(value) as AskedRecord, this.#due);
      this.#all.set(person.key, person);
      yield person;
    }
  }

  async forget(person: AskedPerson): Promise<void> {
    this.#all.delete(person.key);
    await this.#hub.state.delete(storeKey(person));
  }
}

function keyOf({ presentity, server }: Pick<AskedRecord, 'presentity' | 'server'>): string {
  return `${presentity}|${server}`.toLowerCase();
}

function storeKey({ key }: AskedPerson): string {
  return hashedKey(prefix, key);
}
