// XEP-0077 at a component: whoever knows the code of a number has it from then on, and is known on every network under it.
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type Address,
  bareAddress,
  type FailureCondition,
  GatewayError,
  type Hub,
  parseAddress,
  splitAddress,
  type ViewRow,
} from '../../src/contract/index.ts';
import { childrenOf, type XmlElement } from '../../src/formats/xml.ts';
import { Guesses } from '../../src/guards/guesses.ts';
import { ns } from './codec/namespaces.ts';
import { type Filled, readRegistration, registrationForm } from './codec/register.ts';
import type { RegistrationOptions } from './config.ts';
import { reply } from './replies.ts';

const guessing = { maxFailures: 5, firstMs: 1000, maxMs: 600_000 };

export class Registrations {
  readonly #domain: string;
  readonly #hub: Hub;
  readonly #options: () => RegistrationOptions | undefined;
  readonly #guesses: Guesses;

  /** `options`: as they are when they are asked; undefined where nobody can register. */
  constructor(domain: string, hub: Hub, options: () => RegistrationOptions | undefined) {
    this.#domain = domain;
    this.#hub = hub;
    this.#options = options;
    this.#guesses = new Guesses(guessing, () => hub.now());
  }

  get isOffered(): boolean {
    return this.#options() !== undefined;
  }

  /** Whether the question is one for us: to the domain itself. */
  concerns(iq: XmlElement): boolean {
    const [query] = childrenOf(iq);
    return this.isOffered && iq.attributes.to === this.#domain && query?.name === 'query' && query.ns === ns.register;
  }

  /** What the store knows is entered in the directory; who has a number that is no longer given out loses it. */
  async open(): Promise<void> {
    const numbers = this.#options()?.numbers ?? {};
    for await (const [number, jid] of this.#known()) {
      if (Object.hasOwn(numbers, number)) await this.#enterAgain(jid, number);
      else await this.#release(jid, number);
    }
  }

  /** The answer to a question that concerns us. Throws GatewayError with the condition of s.3. */
  async answer(iq: XmlElement): Promise<XmlElement | undefined> {
    const [query] = childrenOf(iq);
    const person = bareAddress(parseAddress(`xmpp:${iq.attributes.from ?? ''}`));
    this.#refuseStranger(person);
    const jid = person.slice('xmpp:'.length);
    const number = await this.#hub.state.get(this.#key('jid', jid));
    if (iq.attributes.type === 'get') return reply(iq, 'result', registrationForm(number));
    const filled = query && readRegistration(query);
    if (filled === undefined) throw refusal('malformed', 'not-acceptable', 'a number and its code are needed');
    if (filled === 'remove') {
      if (number === undefined) throw refusal('not-allowed', 'registration-required', 'you are not registered');
      await this.#release(jid, number);
    } else if (filled !== 'cancel') await this.#register(jid, number, filled);
    return reply(iq, 'result');
  }

  async *rows(): AsyncIterable<ViewRow> {
    for await (const [number, jid] of this.#known()) yield { component: this.#domain, number, jid };
  }

  async *#known(): AsyncIterable<[number: string, jid: string]> {
    const prefix = this.#key('number', '');
    for await (const [key, jid] of this.#hub.state.scan(prefix)) yield [key.slice(prefix.length), jid];
  }

  async #enterAgain(jid: string, number: string): Promise<void> {
    await this.#hub.people.enter(addressesOf(jid, number)).catch((error: unknown) => {
      if (!(error instanceof GatewayError) || error.reason !== 'not-allowed') throw error;
      this.#hub.log.warn({ component: this.#domain, jid, number, why: error.message }, 'a registration does not hold');
    });
  }

  async #register(jid: string, former: string | undefined, { phone, password }: Filled): Promise<void> {
    const number = phone.replace(/[\s().-]/g, '');
    this.#refuseGuess(jid, number, password);
    const { state, people, log } = this.#hub;
    const holder = await state.get(this.#key('number', number));
    // Before anything is noted: the configuration may have given one of them to somebody else. In the directory it takes the
    // place of whatever the two had.
    await people.enter(addressesOf(jid, number));
    if (former !== undefined && former !== number) await this.#forget(jid, former);
    if (holder !== undefined && holder !== jid) await this.#forget(holder, number);
    await Promise.all([state.set(this.#key('number', number), jid), state.set(this.#key('jid', jid), number)]);
    log.info({ component: this.#domain, jid, number }, 'registered');
  }

  async #release(jid: string, number: string): Promise<void> {
    await this.#hub.people.remove(addressesOf(jid, number));
    await this.#forget(jid, number);
  }

  async #forget(jid: string, number: string): Promise<void> {
    const { state, log } = this.#hub;
    await Promise.all([state.delete(this.#key('number', number)), state.delete(this.#key('jid', jid))]);
    log.info({ component: this.#domain, jid, number }, 'no longer registered');
  }

  // A wrong number and a wrong code get the same answer: which numbers there are is worth knowing.
  #refuseGuess(jid: string, number: string, password: string): void {
    const guessers = [jid, number.slice(0, 20)];
    if (guessers.some((guesser) => this.#guesses.pauseMs(guesser) > 0))
      throw refusal('throttled', 'resource-constraint', 'too many wrong codes; wait a while');
    const numbers = this.#options()?.numbers ?? {};
    const code = Object.hasOwn(numbers, number) ? numbers[number] : undefined;
    if (isSame(password, code ?? '') && code !== undefined) {
      for (const guesser of guessers) this.#guesses.succeeded(guesser);
      return;
    }
    for (const guesser of guessers) this.#guesses.failed(guesser);
    this.#hub.metrics.count('registrations_refused_total');
    throw refusal('not-allowed', 'not-authorized', 'the number and its code do not belong together');
  }

  #refuseStranger(person: Address): void {
    const { local, domain } = splitAddress(person);
    const { from = [] } = this.#options() ?? {};
    if (local !== '' && (from.length === 0 || from.includes(domain))) return;
    throw refusal('not-allowed', 'forbidden', `people of ${domain} cannot register here`);
  }

  #key(kind: 'number' | 'jid', name: string): string {
    return `registered/${this.#domain}/${kind}/${name}`;
  }
}

/** Nobody is registered any longer at components that are not among `domains`. */
export async function releaseOthers(hub: Hub, domains: readonly string[]): Promise<void> {
  const gone = new Set<string>();
  for await (const [key] of hub.state.scan('registered/')) gone.add(key.split('/')[1] ?? '');
  for (const domain of domains) gone.delete(domain);
  for (const domain of gone) await new Registrations(domain, hub, () => undefined).open();
}

function addressesOf(jid: string, number: string): Address[] {
  return [parseAddress(`xmpp:${jid}`), parseAddress(`tel:${number}`)];
}

function refusal(
  reason: 'malformed' | 'not-allowed' | 'throttled',
  condition: FailureCondition,
  text: string,
): GatewayError {
  return new GatewayError(reason, text, { fault: { condition } });
}

function isSame(one: string, other: string): boolean {
  // Digests are of one length, so that the comparison tells nothing about the code's.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
