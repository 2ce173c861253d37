// What a watcher is told, and nobody else (RFC 8048 s.8.2): approval, refusal, and the difference between two documents.
import {
  type Address,
  type DraftOf,
  formatAddress,
  type Hub,
  schemeOf,
  splitAddress,
} from '../../../../src/contract/index.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import type { Watch } from './watch.ts';

type Told = Pick<Watch, 'watcher' | 'contact'>;

export class Teller {
  readonly #hub: Pick<Hub, 'publish'>;

  constructor(hub: Pick<Hub, 'publish'>) {
    this.#hub = hub;
  }

  /** Throws what `Hub.publish` throws, like everything here. */
  async answer({ watcher, contact }: Told, action: 'approve' | 'deny', hops = 0): Promise<void> {
    await this.#hub.publish({ type: 'subscription', from: contact, to: watcher, action, hops });
  }

  /** RFC 8048 s.8.1: whether the watcher is there; answered by presence of the watcher. */
  async probe({ watcher, contact }: Told): Promise<void> {
    await this.#hub.publish({ type: 'subscription', from: contact, to: watcher, action: 'fetch' });
  }

  /** Each device as it is now, to somebody who asks. */
  async repeat(devices: readonly DevicePresence[], { contact }: Told, to: Address): Promise<void> {
    if (devices.length === 0) await this.#say(contact, to, { availability: 'unknown' });
    for (const device of devices) await this.#say(contact, to, device);
  }

  /** What has changed; a device that is no longer listed is gone. The last event's id, when there was one. */
  async tell(
    now: readonly DevicePresence[],
    before: readonly DevicePresence[],
    { watcher, contact }: Told,
    hops: number,
  ): Promise<string | undefined> {
    let event: string | undefined;
    const vanished = new Map(before.map((device) => [device.resource, device]));
    for (const device of now) {
      const last = vanished.get(device.resource);
      vanished.delete(device.resource);
      const isNews = last === undefined || JSON.stringify(last) !== JSON.stringify(device);
      if (isNews) event = await this.#say(contact, watcher, device, hops);
    }
    for (const { resource, availability } of vanished.values()) {
      if (resource === undefined || availability === 'unavailable') continue;
      event = await this.#say(contact, watcher, { resource, availability: 'unavailable' }, hops);
    }
    return event;
  }

  /** Nothing is known of any device any more. */
  async gone({ watcher, contact }: Told): Promise<void> {
    await this.#say(contact, watcher, { availability: 'unavailable' });
  }

  /** Nothing is known yet: an active subscription without a document. */
  unknown({ watcher, contact }: Told, hops: number): Promise<string> {
    return this.#say(contact, watcher, { availability: 'unknown' }, hops);
  }

  async #say(contact: Address, to: Address, { resource, ...said }: DevicePresence, hops = 0): Promise<string> {
    const from = deviceAddress(contact, resource);
    const draft: DraftOf<'presence'> = { type: 'presence', from, to, ...said, hops };
    return (await this.#hub.publish(draft)).id;
  }
}

/** RFC 7247 s.6.4: the device is `gr`, and the resource elsewhere. */
function deviceAddress(contact: Address, resource: string | undefined): Address {
  if (resource === undefined || schemeOf(contact) === 'tel') return contact;
  return formatAddress({ ...splitAddress(contact), resource });
}
