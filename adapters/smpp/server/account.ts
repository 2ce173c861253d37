// One ESME: what it may do, and its binds. And all of them: who logs in, and whose number that is.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Address, GatewayError } from '../../../src/contract/index.ts';
import { NumberTable, tableOf } from '../../../src/formats/number-table.ts';
import { isAllowedBy } from '../../../src/guards/networks.ts';
import { type AddressRules, fromSme, type SmeAddress } from '../addresses.ts';
import type { AccountOptions, ServerOptions } from './config.ts';
import type { Connection, Origin } from './connection.ts';
import { Throttle } from './throttle.ts';

/** What its options say, ready for use. */
interface Terms {
  readonly options: AccountOptions;
  readonly rules: AddressRules;
  readonly throttle: Throttle;
  readonly allows: (ip: string) => boolean;
  readonly senders: NumberTable<true>;
  readonly destinations: NumberTable<true>;
  readonly defaultSender: Address | undefined;
}

export class Account {
  readonly name: string;
  readonly binds = new Set<Connection>();
  readonly #context: string;
  readonly #now: () => number;
  #terms: Terms;

  constructor(name: string, options: AccountOptions, shortCodeContext: string, now: () => number) {
    this.name = name;
    this.#context = shortCodeContext;
    this.#now = now;
    this.#terms = this.#read(options);
  }

  get options(): AccountOptions {
    return this.#terms.options;
  }

  get rules(): AddressRules {
    return this.#terms.rules;
  }

  get throttle(): Throttle {
    return this.#terms.throttle;
  }

  /** Other terms, for the binds that are there too; those that they forbid are unbound. */
  reconfigure(options: AccountOptions): void {
    const isOtherPassword = options.password !== this.options.password;
    this.#terms = this.#read(options, this.#terms);
    let left = options.maxBinds;
    for (const bind of this.binds) {
      const { kind, origin } = bind;
      const isAllowed = this.allows(origin) && kind !== undefined && options.binds.includes(kind);
      if (isAllowed && !isOtherPassword && left > 0) left--;
      else void bind.unbind();
    }
  }

  /** The account is no more. */
  end(): void {
    for (const bind of this.binds) void bind.unbind();
  }

  /** Whether it may bind from there: where it was called, or from its addresses. */
  allows({ ip, calledFor }: Origin): boolean {
    return calledFor === undefined ? this.#terms.allows(ip) : calledFor === this.name;
  }

  #read(options: AccountOptions, former?: Terms): Terms {
    const rules = { defaultCountry: options.defaultCountry, shortCodeContext: this.#context };
    const isSameRate = former?.options.ratePerSecond === options.ratePerSecond;
    return {
      options,
      rules,
      // What was used up stays used up.
      throttle: (isSameRate && former?.throttle) || new Throttle(options.ratePerSecond, this.#now),
      allows: isAllowedBy(options.allow),
      senders: tableOf([...options.numbers, ...options.senders]),
      destinations: tableOf(options.destinations),
      defaultSender:
        options.defaultSender === undefined
          ? undefined
          : fromSme({ ton: 0, npi: 0, addr: options.defaultSender }, rules),
    };
  }

  /** Undefined when it may not send as that. */
  senderOf(source: SmeAddress): Address | undefined {
    if (source.addr === '') return this.#terms.defaultSender;
    const sender = addressOf(source, this.rules);
    return sender !== undefined && this.#terms.senders.find(sender) ? sender : undefined;
  }

  /** Undefined when it is nobody, or not for this account. */
  recipientOf(destination: SmeAddress): Address | undefined {
    const recipient = addressOf(destination, this.rules);
    return recipient !== undefined && this.#terms.destinations.find(recipient) ? recipient : undefined;
  }

  /** Binds that take what we send, those that answer best first; so all share the load. */
  receivers(): Connection[] {
    return [...this.binds]
      .filter((bind) => bind.kind !== 'transmitter' && bind.isBound)
      .sort((a, b) => a.burden - b.burden || a.lastSentAt - b.lastSentAt);
  }
}

// Kannel and its like say "national" of every number unless told otherwise: without a country that says nothing.
const nationalTon = 2;

function addressOf(sme: SmeAddress, rules: AddressRules): Address | undefined {
  const isVague = sme.ton === nationalTon && rules.defaultCountry === undefined;
  try {
    return fromSme(isVague ? { ...sme, ton: 0 } : sme, rules);
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

/** Whose number it is, by name. */
export function ownersOf(accounts: ServerOptions['accounts']): NumberTable<string> {
  const owners = new NumberTable<string>();
  for (const [name, { numbers }] of Object.entries(accounts)) for (const number of numbers) owners.add(number, name);
  return owners;
}

export class Accounts {
  readonly #byName = new Map<string, Account>();
  readonly #context: string;
  readonly #now: () => number;
  readonly #salt = randomBytes(32);
  readonly #nobody = randomBytes(32);
  readonly #digests = new Map<string, Buffer>();
  #owners = new NumberTable<string>();

  constructor(accounts: ServerOptions['accounts'], shortCodeContext: string, now: () => number) {
    this.#context = shortCodeContext;
    this.#now = now;
    this.prepare(accounts)();
  }

  /**
   * Throws GatewayError for accounts that cannot be; else returns what makes them hold: new ones may bind at once, those that
   * are missing are unbound, the others have their new terms.
   */
  prepare(accounts: ServerOptions['accounts']): () => void {
    const fresh = Object.entries(accounts).map(
      ([name, options]) => new Account(name, options, this.#context, this.#now),
    );
    return () => this.#adopt(accounts, fresh);
  }

  #adopt(accounts: ServerOptions['accounts'], fresh: readonly Account[]): void {
    for (const [name, account] of this.#byName) {
      if (Object.hasOwn(accounts, name)) continue;
      this.#byName.delete(name);
      this.#digests.delete(name);
      account.end();
    }
    for (const account of fresh) {
      const { name, options } = account;
      this.#digests.set(name, this.#digest(options.password));
      const known = this.#byName.get(name);
      if (known) known.reconfigure(options);
      else this.#byName.set(name, account);
    }
    this.#owners = ownersOf(accounts);
  }

  all(): Iterable<Account> {
    return this.#byName.values();
  }

  get(name: string): Account | undefined {
    return this.#byName.get(name);
  }

  ownerOf(address: Address): Account | undefined {
    return this.#byName.get(this.#owners.find(address) ?? '');
  }

  /** Undefined for a wrong password as for a wrong name, after the same time. */
  authenticate(systemId: string, password: string): Account | undefined {
    const isRight = timingSafeEqual(this.#digest(password), this.#digests.get(systemId) ?? this.#nobody);
    return isRight ? this.#byName.get(systemId) : undefined;
  }

  #digest(password: string): Buffer {
    return createHmac('sha256', this.#salt).update(password).digest();
  }
}
