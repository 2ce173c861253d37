// People of other networks who watch people of our own domains: asked for once, kept for good (RFC 8048 s.5.1), and told what
// is published.
import { type Address, bareAddress, type EventOf, GatewayError, type Hub } from '../../../../src/contract/index.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import { Timed, type TimerWheel } from '../../timer-wheel.ts';
import { hashedKey } from '../hashed-key.ts';
import { Teller } from '../subscriber/teller.ts';

export type Standing = 'pending' | 'active';

/** Plain JSON: it lies in the store as it is. */
interface Member {
  presentity: Address;
  watcher: Address;
  standing: Standing;
}

export interface AudienceOptions {
  /** Of one person; beyond it they are refused. */
  maxPerPresentity: number;
}

export interface AudienceParts {
  hub: Hub;
  wheel: TimerWheel;
  /** Whether the presentity lets the watcher see. */
  allows(presentity: Address, watcher: Address): Promise<boolean>;
  /** What is known of the presentity; empty: nothing is published. */
  devices(presentity: Address): DevicePresence[];
  /** What was known of the presentity before anything expired. */
  told(presentity: Address): DevicePresence[];
  /** Somebody came, was let in, or left. */
  moved(member: Readonly<Member>, isGone: boolean): void;
}

const prefix = 'audience/';
const retryMs = 5000;

class House extends Timed {
  readonly presentity: Address;
  readonly members = new Map<string, Member>();
  /** What its members were told last. */
  told: readonly DevicePresence[];
  isTelling = false;
  isStale = false;
  readonly #due: (house: House) => void;

  constructor(presentity: Address, told: readonly DevicePresence[], due: (house: House) => void) {
    super();
    this.presentity = presentity;
    this.told = told;
    this.#due = due;
  }

  fire(): void {
    this.#due(this);
  }
}

export class Audience {
  readonly #options: AudienceOptions;
  readonly #parts: AudienceParts;
  readonly #teller: Teller;
  readonly #houses = new Map<string, House>();

  constructor(options: AudienceOptions, parts: AudienceParts) {
    this.#options = options;
    this.#parts = parts;
    this.#teller = new Teller(parts.hub);
  }

  /** Reads who watched before the restart. `told` must still know what they were told then. */
  async start(): Promise<void> {
    for await (const [, value] of this.#parts.hub.state.scan(prefix)) this.#enter(JSON.parse(value) as Member);
  }

  stop(): void {
    for (const house of this.#houses.values()) this.#parts.wheel.cancel(house);
  }

  *members(): Iterable<Readonly<Member>> {
    for (const { members } of this.#houses.values()) yield* members.values();
  }

  /** `request`, `cancel` and `fetch` of a watcher. Throws GatewayError. */
  async deliver(event: EventOf<'subscription'>): Promise<void> {
    const [watcher, presentity] = [bareAddress(event.from), bareAddress(event.to)];
    const known = this.#find(presentity, watcher);
    switch (event.action) {
      case 'request':
        return this.#request(known ?? { presentity, watcher, standing: 'pending' }, event);
      case 'cancel':
        if (known) await this.#leave(known);
        return this.#teller.answer({ watcher, contact: presentity }, 'deny', event.hops);
      case 'fetch':
        // RFC 6121 s.4.3.2: whoever may not know is told so.
        if (!known) return this.#teller.answer({ watcher, contact: presentity }, 'deny', event.hops);
        if (known.standing === 'active') await this.#repeat(known, event.from);
        return;
      default:
        throw new GatewayError('unsupported', `${event.action} is no watcher's word`);
    }
  }

  /** Whether anybody watches or waits to. */
  has(presentity: Address): boolean {
    return this.#houses.has(keyOf(presentity));
  }

  /** The presentity has made clear that this watcher may see. */
  async admit(presentity: Address, watcher: Address): Promise<void> {
    const member = this.#find(presentity, watcher);
    if (member?.standing === 'pending') await this.#letIn(member, 0);
  }

  /** What is published is different. */
  changed(presentity: Address): void {
    const house = this.#houses.get(keyOf(presentity));
    if (!house) return;
    house.isStale = true;
    if (!house.isTelling) void this.#tell(house);
  }

  async #request(member: Member, { hops }: EventOf<'subscription'>): Promise<void> {
    const house = this.#houses.get(keyOf(member.presentity));
    if ((house?.members.size ?? 0) >= this.#options.maxPerPresentity) {
      throw new GatewayError('not-allowed', 'too many people watch this one');
    }
    if (member.standing === 'active' || (await this.#parts.allows(member.presentity, member.watcher))) {
      return this.#letIn(member, hops);
    }
    await this.#save(member);
  }

  async #letIn(member: Member, hops: number): Promise<void> {
    const { presentity: contact, watcher } = member;
    member.standing = 'active';
    await this.#save(member);
    await this.#teller.answer({ watcher, contact }, 'approve', hops);
    await this.#repeat(member, watcher);
  }

  async #repeat({ presentity: contact, watcher }: Member, to: Address): Promise<void> {
    const devices = this.#parts.devices(contact);
    if (devices.length === 0) await this.#teller.gone({ watcher: to, contact });
    else await this.#teller.repeat(devices, { watcher, contact }, to);
  }

  async #tell(house: House): Promise<void> {
    const { presentity: contact } = house;
    house.isTelling = true;
    try {
      while (house.isStale) {
        house.isStale = false;
        const now = this.#parts.devices(contact);
        for (const { watcher, standing } of [...house.members.values()]) {
          if (standing === 'active') await this.#teller.tell(now, house.told, { watcher, contact }, 0);
        }
        house.told = now;
      }
    } catch (error) {
      // Those who know already hear it once more.
      house.isStale = true;
      this.#parts.wheel.set(house, retryMs);
      this.#parts.hub.log.debug({ presentity: contact, error }, 'its watchers will be told later');
    } finally {
      house.isTelling = false;
    }
  }

  #find(presentity: Address, watcher: Address): Member | undefined {
    return this.#houses.get(keyOf(presentity))?.members.get(keyOf(watcher));
  }

  async #save(member: Member): Promise<void> {
    await this.#parts.hub.state.set(storeKey(member), JSON.stringify(member));
    this.#enter(member);
  }

  #enter(member: Member): void {
    const key = keyOf(member.presentity);
    let house = this.#houses.get(key);
    if (!house) {
      const due = (one: House) => void (one.isTelling || this.#tell(one));
      house = new House(member.presentity, this.#parts.told(member.presentity), due);
      this.#houses.set(key, house);
    }
    house.members.set(keyOf(member.watcher), member);
    this.#parts.moved(member, false);
  }

  async #leave(member: Member): Promise<void> {
    await this.#parts.hub.state.delete(storeKey(member));
    const key = keyOf(member.presentity);
    const house = this.#houses.get(key);
    house?.members.delete(keyOf(member.watcher));
    if (house?.members.size === 0) {
      this.#parts.wheel.cancel(house);
      this.#houses.delete(key);
    }
    this.#parts.moved(member, true);
  }
}

const keyOf = (address: Address) => address.toLowerCase();

function storeKey({ presentity, watcher }: Member): string {
  return hashedKey(prefix, `${presentity}|${watcher}`.toLowerCase());
}
