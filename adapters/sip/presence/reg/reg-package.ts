// The event package `reg` (RFC 3680): people of our own domains learn which of their phones are registered.
import { createHash } from 'node:crypto';
import { type Address, GatewayError, type Hub, splitAddress } from '../../../../src/contract/index.ts';
import type { Binding } from '../../registrar.ts';
import { Timed, type TimerWheel } from '../../timer-wheel.ts';
import type { Asked, Body, EventPackage, Notifications, Watch } from '../notifier/package.ts';
import { formatRegInfo, type RegContact, regInfoType } from './reg-info.ts';

export interface RegParts {
  hub: Hub;
  wheel: TimerWheel;
  notifications: Notifications;
  /** What a person of ours has registered and what has not expired. */
  bindings(aor: Address): Promise<readonly Binding[]>;
}

/** RFC 3680 s.4.10. */
const pauseMs = 5000;
/** s.4.4: a little longer than a registration lasts. */
const usualSeconds = 3761;

export class RegPackage implements EventPackage {
  readonly name = 'reg';
  readonly types = [regInfoType];
  readonly expires: EventPackage['expires'];
  readonly pauseMs = pauseMs;
  readonly #domains: ReadonlySet<string>;
  readonly #parts: RegParts;
  /** Those who are watched. */
  readonly #people = new Map<string, Person>();
  readonly #known = new WeakMap<Watch, Person>();

  constructor(expires: EventPackage['expires'], domains: ReadonlySet<string>, parts: RegParts) {
    this.expires = { ...expires, usual: Math.min(usualSeconds, expires.most) };
    this.#domains = domains;
    this.#parts = parts;
  }

  /** s.4.6: whose phones they are may know. */
  async begin(watch: Watch, { expiresMs }: Asked): Promise<'active'> {
    const { watcher, presentity, isProven } = watch;
    if (!this.#domains.has(splitAddress(presentity).domain)) throw new GatewayError('not-found', 'nobody of ours');
    if (!isProven || watcher.toLowerCase() !== presentity.toLowerCase()) {
      throw new GatewayError('not-allowed', 'where somebody is registered is told to nobody else');
    }
    if (expiresMs > 0) this.resume(watch);
    await this.#read(this.#personOf(watch));
    return 'active';
  }

  async refresh(watch: Watch, { request }: Pick<Asked, 'request'>): Promise<void> {
    await this.#read(this.#personOf(watch));
    // After a restart: what expired meanwhile was told to nobody.
    if (!request) this.#parts.notifications.changed(watch);
  }

  resume(watch: Watch): void {
    const person = this.#personOf(watch);
    person.watches.add(watch);
    this.#people.set(watch.presentity.toLowerCase(), person);
  }

  async ended(watch: Watch): Promise<void> {
    const person = this.#personOf(watch);
    person.watches.delete(watch);
    if (person.watches.size > 0) return;
    this.#people.delete(watch.presentity.toLowerCase());
    this.#parts.wheel.cancel(person);
  }

  /** s.5.1: each document is the whole. */
  body(watch: Watch): Body {
    const { contacts, aor } = this.#personOf(watch);
    const info = { version: watch.version, aor, contacts: [...contacts.values()] };
    return { type: regInfoType, content: formatRegInfo(info, this.#parts.hub.now()) };
  }

  /** Phones of that person have come or gone. */
  registered(aor: Address): void {
    const person = this.#people.get(aor.toLowerCase());
    if (person) this.#changed(person);
  }

  #personOf(watch: Watch): Person {
    const { presentity } = watch;
    const person =
      this.#known.get(watch) ??
      this.#people.get(presentity.toLowerCase()) ??
      new Person(presentity, (expired) => this.#changed(expired));
    this.#known.set(watch, person);
    return person;
  }

  #changed(person: Person): void {
    this.#read(person)
      .then(() => {
        for (const watch of person.watches) this.#parts.notifications.changed(watch);
      })
      .catch((error: Error) => {
        this.#parts.hub.log.warn({ aor: person.aor, why: error.message }, 'its registrations could not be read');
      });
  }

  async #read(person: Person): Promise<void> {
    const { bindings, hub, wheel } = this.#parts;
    person.take(await bindings(person.aor), hub.now());
    const next = Math.min(...person.ends());
    if (person.watches.size > 0 && next < Number.POSITIVE_INFINITY) wheel.set(person, next - hub.now() + 1);
  }
}

/** A person of ours: due when the next of the phones expires. */
class Person extends Timed {
  readonly aor: Address;
  readonly watches = new Set<Watch>();
  /** By their ids. Those that are gone stay until the next change. */
  contacts = new Map<string, RegContact>();
  readonly #expired: (person: Person) => void;

  constructor(aor: Address, expired: (person: Person) => void) {
    super();
    this.aor = aor;
    this.#expired = expired;
  }

  fire(): void {
    this.#expired(this);
  }

  *ends(): Iterable<number> {
    for (const { state, expiresAt } of this.contacts.values()) if (state === 'active') yield expiresAt;
  }

  take(bindings: readonly Binding[], now: number): void {
    const before = [...this.contacts.values()].filter(({ state }) => state === 'active');
    const after = new Map<string, RegContact>();
    for (const { uri, callId, cseq, expiresAt, instance, q } of bindings) {
      const id = createHash('sha256').update(`${this.aor}|${uri}`).digest('base64url').slice(0, 16);
      const event = eventOf(this.contacts.get(id), expiresAt);
      after.set(id, { id, uri, state: 'active', event, callId, cseq, expiresAt, instance, q });
    }
    for (const contact of before) {
      if (after.has(contact.id)) continue;
      const event = contact.expiresAt <= now ? 'expired' : 'unregistered';
      after.set(contact.id, { ...contact, state: 'terminated', event });
    }
    this.contacts = after;
  }
}

function eventOf(before: RegContact | undefined, expiresAt: number): RegContact['event'] {
  if (before?.state !== 'active') return 'registered';
  if (expiresAt === before.expiresAt) return before.event;
  return expiresAt > before.expiresAt ? 'refreshed' : 'shortened';
}
