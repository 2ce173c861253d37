// People of our own domains who do not publish: as their presence server we ask each of their phones that is registered
// (RFC 6665 s.4.1, RFC 3856 s.6.9 for all phones of one person), while anybody watches.
import { type Address, asGatewayError, GatewayError, type Hub, type ViewRow } from '../../../../src/contract/index.ts';
import type { SipResponse } from '../../codec/message.ts';
import type { Direction, Directions } from '../../directions.ts';
import type { Answer, Inbound } from '../../endpoint.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import type { Peers } from '../../peers.ts';
import type { Requester } from '../../requester.ts';
import { saidInRefusal } from '../../said.ts';
import type { TimerWheel } from '../../timer-wheel.ts';
import { hashedKey } from '../hashed-key.ts';
import { acceptedBodies, eventPackage, type Notification, readNotification } from '../subscriber/notification.ts';
import { OwnSender } from '../subscriber/own-sender.ts';
import { OwnDialogs } from '../subscriber/own-subscription.ts';
import { pauseMs, refreshDelayMs, startSpreadMs } from '../subscriber/pace.ts';
import { outcomeOf } from '../subscriber/phases.ts';
import { Household, Phone } from './phone.ts';

export interface PhonesParts {
  hub: Hub;
  wheel: TimerWheel;
  requester: Pick<Requester, 'send'>;
  directions: Pick<Directions, 'find'>;
  peers: Pick<Peers, 'learn'>;
  /** T1 of RFC 3261. */
  t1Ms: number;
  /** Somebody watches, and nothing is published. */
  isWanted(presentity: Address): boolean;
  changed(presentity: Address): void;
  random?: () => number;
}

/** Plain JSON: what watchers were told of each phone. */
interface Stored {
  presentity: Address;
  phones: ReadonlyArray<readonly [target: string, devices: readonly DevicePresence[]]>;
}

const prefix = 'phones/';
/** A phone that goes away without a word is noticed after this. */
const seconds = 600;
const keepMs = 86_400_000;

export class Phones {
  readonly #parts: PhonesParts;
  readonly #random: () => number;
  readonly #dialogs = new OwnDialogs<Phone>();
  readonly #sender: OwnSender<Phone>;
  readonly #households = new Map<string, Household>();
  readonly #stopping = new AbortController();

  constructor(parts: PhonesParts) {
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
    this.#sender = new OwnSender(parts.requester, this.#dialogs);
  }

  /** Reads what watchers were told before a restart. */
  async read(): Promise<void> {
    for await (const [, value] of this.#parts.hub.state.scan(prefix)) {
      const { presentity, phones } = JSON.parse(value) as Stored;
      const household = this.#householdOf(presentity);
      for (const [target, devices] of phones) this.#phoneAt(household, target).devices = devices;
    }
  }

  /** Their phones are asked anew. */
  start(): void {
    for (const phone of this.#all()) this.#parts.wheel.set(phone, this.#random() * startSpreadMs);
  }

  stop(): void {
    this.#stopping.abort();
    for (const phone of this.#all()) this.#parts.wheel.cancel(phone);
  }

  devices(presentity: Address): DevicePresence[] {
    return this.#households.get(keyOf(presentity))?.devices ?? [];
  }

  changedAt(presentity: Address): number {
    return this.#households.get(keyOf(presentity))?.changedAt ?? 0;
  }

  /** Somebody watches, a phone has come or gone, or a publication has ended. */
  async look(presentity: Address): Promise<void> {
    if (!this.#parts.isWanted(presentity)) return;
    const directions = await this.#directionsTo(presentity);
    const household = this.#householdOf(presentity);
    for (const phone of household.phones.values()) {
      if (!directions.some(({ target }) => target === phone.target)) await this.#remove(phone);
    }
    for (const { target } of directions) {
      if (target === undefined || household.phones.has(target)) continue;
      this.#parts.wheel.set(this.#phoneAt(household, target), 0);
    }
    if (household.phones.size === 0) this.#households.delete(keyOf(presentity));
  }

  /** The person publishes: that counts and nothing else. */
  async forget(presentity: Address): Promise<void> {
    const household = this.#households.get(keyOf(presentity));
    for (const phone of household?.phones.values() ?? []) await this.#remove(phone);
    this.#households.delete(keyOf(presentity));
  }

  /** NOTIFY; undefined when it is somebody else's. Throws SipParseError. */
  handleNotify({ request }: Pick<Inbound, 'request'>): Promise<Answer | undefined> {
    return this.#dialogs.notified(request, readNotification, (phone, notification) => this.#apply(phone, notification));
  }

  async #apply(
    phone: Phone,
    { state, devices, expiresMs = seconds * 1000, retryAfterMs }: Notification,
  ): Promise<Answer> {
    if (state === 'terminated') await this.#lost(phone, retryAfterMs);
    else {
      phone.failures = 0;
      this.#parts.wheel.set(phone, refreshDelayMs(Math.min(expiresMs, seconds * 1000), this.#random));
      if (devices && state === 'active') await this.#tell(phone, devices);
    }
    return { status: 200 };
  }

  *rows(): Iterable<ViewRow> {
    for (const { household, target, devices, dialog } of this.#all()) {
      const { presentity } = household;
      yield { direction: 'inbound', presentity, source: target, devices: devices.length, isLive: dialog !== undefined };
    }
  }

  async #due(phone: Phone): Promise<void> {
    const { hub, isWanted } = this.#parts;
    const { presentity } = phone.household;
    try {
      const directions = isWanted(presentity) ? await this.#directionsTo(presentity) : [];
      const direction = directions.find(({ target }) => target === phone.target);
      if (!direction) return await this.#remove(phone);
      if (phone.refusedUntil > hub.now()) return this.#parts.wheel.set(phone, phone.refusedUntil - hub.now());
      if (phone.attempt) this.#dialogs.drop(phone);
      const response = await this.#subscribe(phone, direction, seconds);
      if (this.#isKnown(phone)) await this.#answered(phone, direction, response);
    } catch (thrown) {
      if (this.#stopping.signal.aborted || !this.#isKnown(phone)) return;
      const { message, retryAfterMs } = asGatewayError(thrown);
      hub.log.debug({ presentity, why: message }, 'a phone does not tell of itself');
      await this.#lost(phone, retryAfterMs);
    }
  }

  #subscribe(phone: Phone, direction: Direction, lasting: number): Promise<SipResponse> {
    const wish = { direction, event: eventPackage, accept: acceptedBodies, seconds: lasting };
    return this.#sender.subscribe(phone, { ...wish, person: phone.household.presentity }, this.#stopping.signal);
  }

  async #answered(phone: Phone, { peer }: Direction, response: SipResponse): Promise<void> {
    const { hub, wheel, peers, t1Ms } = this.#parts;
    const { status } = response;
    hub.metrics.count('answers_total', { method: 'SUBSCRIBE', status: String(status) });
    if (status < 300) {
      // RFC 6665 s.4.1.2.4, Timer N: without a NOTIFY there is no subscription.
      if (!phone.dialog) wheel.set(phone, 64 * t1Ms);
      return;
    }
    await peers.learn(peer, saidInRefusal(response, 'SUBSCRIBE', []), String(status));
    const isForGood = outcomeOf(status) === 'refused' || status === 405 || status === 501;
    if (isForGood) phone.refusedUntil = hub.now() + keepMs;
    await this.#lost(phone, isForGood ? keepMs : undefined);
  }

  // Whoever does not answer any more is not there any more.
  async #lost(phone: Phone, leastMs = 0): Promise<void> {
    this.#dialogs.drop(phone);
    this.#parts.wheel.set(phone, Math.max(pauseMs(phone.failures++, this.#random), leastMs));
    await this.#tell(phone, []);
  }

  async #remove(phone: Phone): Promise<void> {
    const { household, target, dialog } = phone;
    this.#parts.wheel.cancel(phone);
    household.phones.delete(target);
    if (dialog) {
      const [direction] = (await this.#directionsTo(household.presentity)).filter((one) => one.target === target);
      if (direction) await this.#subscribe(phone, direction, 0).catch(() => {});
    }
    this.#dialogs.drop(phone);
    const hadDevices = phone.devices.length > 0;
    phone.devices = [];
    if (hadDevices) await this.#changed(household);
  }

  async #tell(phone: Phone, devices: readonly DevicePresence[]): Promise<void> {
    if (JSON.stringify(devices) === JSON.stringify(phone.devices)) return;
    phone.devices = devices;
    await this.#changed(phone.household);
  }

  async #changed(household: Household): Promise<void> {
    const { hub, changed } = this.#parts;
    const { presentity, phones } = household;
    household.changedAt = Math.max(hub.now(), household.changedAt + 1);
    const told = [...phones.values()].map(({ target, devices }) => [target, devices] as const);
    await hub.state.set(storeKey(presentity), JSON.stringify({ presentity, phones: told } satisfies Stored), keepMs);
    changed(presentity);
  }

  // None while no phone is registered.
  async #directionsTo(presentity: Address): Promise<Direction[]> {
    try {
      return await this.#parts.directions.find(presentity);
    } catch (error) {
      if (error instanceof GatewayError) return [];
      throw error;
    }
  }

  #householdOf(presentity: Address): Household {
    const household = this.#households.get(keyOf(presentity)) ?? new Household(presentity);
    this.#households.set(keyOf(presentity), household);
    return household;
  }

  #phoneAt(household: Household, target: string): Phone {
    const phone = household.phones.get(target) ?? new Phone(household, target, (due) => void this.#due(due));
    household.phones.set(target, phone);
    return phone;
  }

  /** Not let go of while its answer was waited for. */
  #isKnown(phone: Phone): boolean {
    const { household, target } = phone;
    return this.#households.get(keyOf(household.presentity))?.phones.get(target) === phone;
  }

  *#all(): Iterable<Phone> {
    for (const { phones } of this.#households.values()) yield* phones.values();
  }
}

const keyOf = (address: Address) => address.toLowerCase();

function storeKey(presentity: Address): string {
  return hashedKey(prefix, keyOf(presentity));
}
