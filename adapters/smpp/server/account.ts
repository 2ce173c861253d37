// One ESME: what it may do, and its binds. And all of them: who logs in, and whose number that is.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Address, GatewayError } from '../../../src/contract/index.ts';
import { isAllowedBy } from '../../../src/guards/networks.ts';
import { type AddressRules, fromSme, type SmeAddress } from '../addresses.ts';
import type { AccountOptions, ServerOptions } from './config.ts';
import type { Connection } from './connection.ts';
import { NumberTable, tableOf } from './number-table.ts';
import { Throttle } from './throttle.ts';

export class Account {
  readonly name: string;
  readonly options: AccountOptions;
  readonly throttle: Throttle;
  /** Whether it may bind from there. */
  readonly allows: (ip: string) => boolean;
  readonly rules: AddressRules;
  readonly binds = new Set<Connection>();
  readonly #senders: NumberTable<true>;
  readonly #destinations: NumberTable<true>;
  readonly #defaultSender: Address | undefined;

  constructor(name: string, options: AccountOptions, shortCodeContext: string, now: () => number) {
    this.name = name;
    this.options = options;
    this.throttle = new Throttle(options.ratePerSecond, now);
    this.rules = { defaultCountry: options.defaultCountry, shortCodeContext };
    this.allows = isAllowedBy(options.allow);
    this.#senders = tableOf([...options.numbers, ...options.senders]);
    this.#destinations = tableOf(options.destinations);
    const { defaultSender } = options;
    this.#defaultSender =
      defaultSender === undefined ? undefined : fromSme({ ton: 0, npi: 0, addr: defaultSender }, this.rules);
  }

  /** Undefined when it may not send as that. */
  senderOf(source: SmeAddress): Address | undefined {
    if (source.addr === '') return this.#defaultSender;
    const sender = addressOf(source, this.rules);
    return sender !== undefined && this.#senders.find(sender) ? sender : undefined;
  }

  /** Undefined when it is nobody, or not for this account. */
  recipientOf(destination: SmeAddress): Address | undefined {
    const recipient = addressOf(destination, this.rules);
    return recipient !== undefined && this.#destinations.find(recipient) ? recipient : undefined;
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
  readonly #byName: ReadonlyMap<string, Account>;
  readonly #owners: NumberTable<string>;
  readonly #salt = randomBytes(32);
  readonly #digests = new Map<string, Buffer>();
  readonly #nobody: Buffer;

  constructor({ accounts }: ServerOptions, shortCodeContext: string, now: () => number) {
    const all = Object.entries(accounts).map(([name, options]) => new Account(name, options, shortCodeContext, now));
    this.#byName = new Map(all.map((account) => [account.name, account]));
    this.#owners = ownersOf(accounts);
    for (const { name, options } of all) this.#digests.set(name, this.#digest(options.password));
    this.#nobody = randomBytes(32);
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
