// A phone of somebody of ours that tells of itself when asked (RFC 3856), and all of them as one person has them.
import type { Address } from '../../../../src/contract/index.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import { OwnSubscription } from '../subscriber/own-subscription.ts';

export class Phone extends OwnSubscription {
  readonly household: Household;
  /** Its Contact. */
  readonly target: string;
  devices: readonly DevicePresence[] = [];
  /** It takes no SUBSCRIBE: not asked before. Milliseconds since 1970. */
  refusedUntil = 0;
  readonly #due: (phone: Phone) => void;

  constructor(household: Household, target: string, due: (phone: Phone) => void) {
    super();
    this.household = household;
    this.target = target;
    this.#due = due;
  }

  fire(): void {
    this.#due(this);
  }
}

export class Household {
  readonly presentity: Address;
  readonly phones = new Map<string, Phone>();
  /** Milliseconds since 1970; rises with each change (RFC 3863 s.4.1.7). */
  changedAt = 0;

  constructor(presentity: Address) {
    this.presentity = presentity;
  }

  /** Of all phones; phones of one kind call their devices the same. */
  get devices(): DevicePresence[] {
    const taken = new Set<string | undefined>();
    return [...this.phones.values()].flatMap(({ devices }) =>
      devices.map((device) => {
        let { resource } = device;
        for (let number = 2; taken.has(resource); number++) resource = `${device.resource ?? ''}.${number}`;
        taken.add(resource);
        return resource === undefined ? device : { ...device, resource };
      }),
    );
  }
}
