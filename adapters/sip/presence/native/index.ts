// We are the presence server of our own domains: PUBLISH in, and everybody who may know is told (reference 3.6, mode c).
import { type Address, bareAddress, type EventOf, splitAddress, type ViewRow } from '../../../../src/contract/index.ts';
import type { PidfDocument } from '../../../../src/formats/pidf/index.ts';
import type { Answer, Inbound, Method } from '../../endpoint.ts';
import { type DevicePresence, devicesOf, documentOf } from '../../mapping/presence.ts';
import type { EventPackage, Notifications } from '../notifier/package.ts';
import { Compositor, type CompositorOptions } from '../publication/compositor.ts';
import { Shelf } from '../publication/shelf.ts';
import { Audience, type AudienceOptions, type AudienceParts } from './audience.ts';
import { Contacts } from './contacts.ts';
import { NativePackage } from './native-package.ts';
import { Phones, type PhonesParts } from './phones.ts';

export interface NativeOptions extends CompositorOptions, AudienceOptions {
  /** Who may watch: everybody, or those whom the person watches too. */
  allow: 'everybody' | 'contacts';
  /** How long SIP watchers subscribe. */
  watching: EventPackage['expires'];
  pauseMs: number;
}

export interface NativeParts extends Omit<PhonesParts, 'isWanted' | 'changed'> {
  notifications: Notifications;
  moved: AudienceParts['moved'];
  /** One spelling for each person of another network. */
  canonical(address: Address): Address;
}

export class NativePresence {
  readonly eventPackage: NativePackage;
  readonly #options: NativeOptions;
  readonly #parts: NativeParts;
  readonly #contacts: Contacts;
  readonly #shelf: Shelf;
  readonly #compositor: Compositor;
  readonly #audience: Audience;
  readonly #phones: Phones;

  constructor(options: NativeOptions, parts: NativeParts) {
    const { hub, wheel, notifications, moved } = parts;
    const wanted = (presentity: Address) => this.#look(presentity);
    this.#options = options;
    this.#parts = parts;
    this.#contacts = new Contacts(hub.state);
    const changed = (presentity: Address) => this.#published(presentity);
    this.#shelf = new Shelf({ state: hub.state, wheel, now: () => hub.now(), changed });
    this.#compositor = new Compositor(options, { hub, shelf: this.#shelf, changed });
    const allows = (presentity: Address, watcher: Address) => this.#allows(presentity, watcher);
    const devices = (presentity: Address) => this.#devices(presentity, 'live');
    const told = (presentity: Address) => this.#devices(presentity, 'expired too');
    this.#audience = new Audience(options, { hub, wheel, allows, devices, told, moved });
    this.eventPackage = new NativePackage(
      { ...options, expires: options.watching },
      { hub, notifications, allows, wanted, document: (presentity) => this.#document(presentity) },
    );
    this.#phones = new Phones({
      ...parts,
      isWanted: (presentity) => this.#isWanted(presentity),
      changed: (presentity) => this.#changed(presentity),
    });
  }

  get method(): Method {
    return { handle: (inbound) => this.#compositor.handle(inbound), isPassedOn: false, wantsProof: true };
  }

  /** Whether the person is ours to speak for. */
  serves(person: Address): boolean {
    return this.#options.nativeDomains.has(splitAddress(person).domain);
  }

  async start(): Promise<void> {
    await this.#shelf.read();
    await this.#phones.read();
    await this.#audience.start();
    this.#shelf.start();
    this.#phones.start();
  }

  stop(): void {
    this.#shelf.stop();
    this.#audience.stop();
    this.#phones.stop();
  }

  /** NOTIFY of a phone of ours; undefined when it is somebody else's. Throws SipParseError. */
  handleNotify(inbound: Pick<Inbound, 'request'>): Promise<Answer | undefined> {
    return this.#phones.handleNotify(inbound);
  }

  /** A phone has come or gone. */
  registered(person: Address): void {
    this.#look(person);
  }

  /** `request`, `cancel` and `fetch` of somebody who watches one of ours. Throws GatewayError. */
  async deliver(event: EventOf<'subscription'>): Promise<void> {
    await this.#audience.deliver(event);
    this.#look(bareAddress(event.to));
  }

  /** One of ours has begun to watch somebody, who may watch back from now on. */
  async watches(user: Address, contact: Address): Promise<void> {
    if (!this.serves(user)) return;
    const canonical = this.#parts.canonical(contact);
    if (!(await this.#contacts.remember(user, canonical))) return;
    this.eventPackage.admit(user, contact);
    await this.#audience.admit(user, canonical);
  }

  /** For operators: those of other networks. */
  *watchers(): Iterable<ViewRow> {
    for (const { watcher, presentity, standing } of this.#audience.members()) {
      yield { direction: 'inbound', event: 'presence', watcher, presentity, state: standing };
    }
  }

  *rows(): Iterable<ViewRow> {
    const now = this.#parts.hub.now();
    for (const [presentity, { expiresAt, document, source }] of this.#shelf.all()) {
      const expiresInSeconds = Math.max(Math.round((expiresAt - now) / 1000), 0);
      yield { direction: 'inbound', presentity, source, devices: document.tuples.length, expiresInSeconds };
    }
    yield* this.#phones.rows();
  }

  async #allows(presentity: Address, watcher: Address): Promise<boolean> {
    if (this.#options.allow === 'everybody' || watcher.toLowerCase() === presentity.toLowerCase()) return true;
    return this.#contacts.knows(presentity, this.#parts.canonical(watcher));
  }

  // What is published counts; phones are asked where nothing is.
  #devices(presentity: Address, which: 'live' | 'expired too'): DevicePresence[] {
    const published = devicesIn(this.#shelf.document(presentity, which));
    return published.length > 0 ? published : this.#phones.devices(presentity);
  }

  #document(presentity: Address): PidfDocument {
    const published = this.#shelf.document(presentity);
    if (published.tuples.length > 0) return published;
    return documentOf(this.#phones.devices(presentity), { presentity, at: this.#phones.changedAt(presentity) });
  }

  #isWanted(presentity: Address): boolean {
    const isWatched = this.#audience.has(presentity) || this.eventPackage.has(presentity);
    return isWatched && this.#shelf.of(presentity).length === 0;
  }

  #published(presentity: Address): void {
    this.#changed(presentity);
    if (this.#shelf.of(presentity).length === 0) this.#look(presentity);
    else this.#logged(presentity, this.#phones.forget(presentity));
  }

  #look(presentity: Address): void {
    this.#logged(presentity, this.#phones.look(presentity));
  }

  #logged(presentity: Address, work: Promise<void>): void {
    work.catch((error: Error) =>
      this.#parts.hub.log.warn({ presentity, why: error.message }, 'its phones are not asked'),
    );
  }

  #changed(presentity: Address): void {
    this.eventPackage.changed(presentity);
    this.#audience.changed(presentity);
  }
}

function devicesIn(document: PidfDocument): DevicePresence[] {
  return document.tuples.length === 0 ? [] : devicesOf(document);
}
