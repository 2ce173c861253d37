// One person, many addresses: the people of the configuration, those entered at run time, and the numbers lent to people
// who have none.
import {
  type Address,
  bareAddress,
  GatewayError,
  numberAddress,
  type Scheme,
  type State,
  schemeOf,
} from '../contract/index.ts';
import { RecentMap } from '../guards/recent-map.ts';

export interface Person {
  readonly name?: string | undefined;
  /** In the order in which the person prefers to be reached. */
  readonly addresses: readonly Address[];
}

export interface NumberPool {
  /** E.164. */
  readonly pool: readonly string[];
  /** How long a number stays with a pair of people after they last used it. */
  readonly holdForMs: number;
}

interface Cached {
  person: Person | undefined;
  until: number;
}

const cacheMs = 30_000;
const maxCached = 10_000;

export class Directory {
  readonly #state: State;
  readonly #now: () => number;
  #people = new Map<Address, Person>();
  #numbers: NumberPool = { pool: [], holdForMs: 0 };
  #ours = new Set<Address>();
  readonly #cache = new RecentMap<Address, Cached>(maxCached);

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  /** Takes the configuration's people and numbers, in place of any before. */
  configure(people: readonly Person[], numbers: NumberPool): void {
    this.#people = new Map(
      people.flatMap((person) => person.addresses.map((address) => [bareAddress(address), person])),
    );
    this.#numbers = numbers;
    this.#ours = new Set(numbers.pool.map(numberAddress));
    this.#cache.clear();
  }

  /** Whose address that is; the configuration's people come before those entered at run time. */
  async personOf(address: Address): Promise<Person | undefined> {
    const bare = bareAddress(address);
    const configured = this.#people.get(bare);
    if (configured) return configured;
    const cached = this.#cache.get(bare);
    if (cached && cached.until > this.#now()) return cached.person;
    const entered = await this.#state.get(`person/${bare}`);
    const person = entered === undefined ? undefined : (JSON.parse(entered) as Person);
    this.#cache.set(bare, { person, until: this.#now() + cacheMs });
    return person;
  }

  /** The person's address on that network. */
  async addressOn(scheme: Scheme, person: Address): Promise<Address | undefined> {
    return (await this.personOf(person))?.addresses.find((address) => schemeOf(address) === scheme);
  }

  /**
   * Enters a person at run time, in place of those whose addresses these were. Other processes see it within half a minute.
   * Throws GatewayError `not-allowed` for an address of the configuration.
   */
  async enter(person: Person): Promise<void> {
    const taken = person.addresses.find((address) => this.#people.has(bareAddress(address)));
    if (taken) throw new GatewayError('not-allowed', `${bareAddress(taken)} is somebody's in the configuration`);
    for (const address of person.addresses) {
      const former = await this.#state.get(`person/${bareAddress(address)}`);
      if (former !== undefined) await this.remove(JSON.parse(former) as Person);
    }
    for (const address of person.addresses) {
      await this.#state.set(`person/${bareAddress(address)}`, JSON.stringify(person));
      this.#cache.delete(bareAddress(address));
    }
  }

  async remove(person: Person): Promise<void> {
    for (const address of person.addresses) {
      await this.#state.delete(`person/${bareAddress(address)}`);
      this.#cache.delete(bareAddress(address));
    }
  }

  /** Every person entered at run time, once. For operators. */
  async *entered(): AsyncIterable<Person> {
    for await (const [key, value] of this.#state.scan('person/')) {
      const person = JSON.parse(value) as Person;
      if (key === `person/${bareAddress(person.addresses[0] as Address)}`) yield person;
    }
  }

  isPoolNumber(number: Address): boolean {
    return this.#ours.has(number);
  }

  /** Who answers to a lent number when this phone writes to it. */
  async holderOf(number: Address, phone: Address): Promise<Address | undefined> {
    const held = await this.#state.get(`holder/${number}|${phone}`);
    return held as Address | undefined;
  }

  /**
   * The number under which `person` writes to `phone`: the one held for the pair, or a free one of the pool, held from
   * now on. Undefined when the pool is empty or all of it is lent out towards this phone.
   */
  async lendNumber(person: Address, phone: Address): Promise<Address | undefined> {
    const bare = bareAddress(person);
    const pair = `lent/${bare}|${phone}`;
    const lent = (await this.#state.get(pair)) as Address | undefined;
    if (lent && this.#ours.has(lent)) return this.#renew(pair, lent, bare, phone);
    const { pool, holdForMs } = this.#numbers;
    const first = pool.length === 0 ? 0 : startAt(bare, pool.length);
    for (let i = 0; i < pool.length; i++) {
      const number = numberAddress(pool[(first + i) % pool.length] as string);
      const holder = `holder/${number}|${phone}`;
      const isOurs =
        (await this.#state.setIfAbsent(holder, bare, holdForMs)) || (await this.#state.get(holder)) === bare;
      if (!isOurs) continue;
      await this.#state.set(pair, number, holdForMs);
      this.#renewed.set(pair, this.#now());
      return number;
    }
    return undefined;
  }

  // When each pair was last written: a busy conversation renews its hold once an hour, not with every message.
  readonly #renewed = new RecentMap<string, number>(maxCached);

  async #renew(pair: string, number: Address, person: Address, phone: Address): Promise<Address> {
    const { holdForMs } = this.#numbers;
    const last = this.#renewed.get(pair) ?? 0;
    if (this.#now() - last < Math.min(holdForMs / 2, 3_600_000)) return number;
    await Promise.all([
      this.#state.set(`holder/${number}|${phone}`, person, holdForMs),
      this.#state.set(pair, number, holdForMs),
    ]);
    this.#renewed.set(pair, this.#now());
    return number;
  }
}

// People begin at different places of the pool, so that few pairs meet a number that is taken.
function startAt(person: Address, size: number): number {
  let hash = 0;
  for (let i = 0; i < person.length; i++) hash = (Math.imul(hash, 31) + person.charCodeAt(i)) >>> 0;
  return hash % size;
}
