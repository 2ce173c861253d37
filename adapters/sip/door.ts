// Who is let in, on the terms of the options as they are now: who is believed, who must prove who they are, and how much of it.
import { Networks } from '../../src/guards/networks.ts';
import type { Rate } from '../../src/guards/token-buckets.ts';
import type { SipOptions } from './config.ts';
import { baseAlgorithms, type Credentials, DigestServer } from './digest/index.ts';
import { credentialsOf } from './session-options.ts';

export type Terms = Pick<
  SipOptions,
  'auth' | 'credentials' | 'trusted' | 'rates' | 'maxPending' | 'maxPendingPerSource'
>;

export const doorOptions = [
  'auth',
  'credentials',
  'trusted',
  'rates',
  'maxPending',
  'maxPendingPerSource',
] as const satisfies readonly (keyof Terms)[];

export class Door {
  /** The same objects for ever, of which each number is today's. */
  readonly rates: { source: Rate; target: Rate; wrongPasswords: Rate };
  digest: DigestServer | undefined;
  #terms: Terms;
  #proxies: Networks;

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#proxies = new Networks(terms.trusted);
    this.digest = this.#newDigest(terms.auth);
    const rate = (name: keyof Terms['rates']) => currentRate(() => this.#terms.rates[name]);
    this.rates = { source: rate('source'), target: rate('target'), wrongPasswords: rate('wrongPasswords') };
  }

  /** Who has asked for a nonce may still answer it, unless that is another realm's now. */
  reconfigure(terms: Terms): void {
    const { auth } = this.#terms;
    const isOtherRealm =
      auth?.realm !== terms.auth?.realm || String(auth?.algorithms) !== String(terms.auth?.algorithms);
    this.#terms = terms;
    this.#proxies = new Networks(terms.trusted);
    if (isOtherRealm) this.digest = this.#newDigest(terms.auth);
  }

  /** Users whom `terms` no longer knows, or not by their password. */
  goneWith({ auth }: Terms): string[] {
    const before = Object.entries(this.#terms.auth?.users ?? {});
    const isKnown = (user: string, password: string) =>
      !auth || (Object.hasOwn(auth.users, user) && auth.users[user]?.password === password);
    return before.flatMap(([user, { password }]) => (isKnown(user, password) ? [] : [user]));
  }

  isTrusted(address: string): boolean {
    return this.#proxies.has(address);
  }

  get isProxy(): boolean | undefined {
    return this.#terms.auth?.asProxy;
  }

  get maxPending(): number {
    return this.#terms.maxPending;
  }

  get maxPendingPerSource(): number {
    return this.#terms.maxPendingPerSource;
  }

  /** For whoever challenges us. */
  get credentials(): Credentials[] {
    return credentialsOf(this.#terms);
  }

  #newDigest(auth: Terms['auth']): DigestServer | undefined {
    if (!auth) return undefined;
    return new DigestServer({
      realm: auth.realm,
      algorithms: auth.algorithms.filter((name) => baseAlgorithms.includes(name)),
      users: (user) => {
        const { users = {} } = this.#terms.auth ?? {};
        return Object.hasOwn(users, user) ? users[user] : undefined;
      },
    });
  }
}

function currentRate(current: () => Rate): Rate {
  return {
    get perSecond() {
      return current().perSecond;
    },
    get burst() {
      return current().burst;
    },
  };
}
