// The applications: who proves to be one, from where, as whom it may write, and how fast.
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type Address,
  bareAddress,
  GatewayError,
  type PhoneRules,
  parsePhone,
  splitAddress,
} from '../../src/contract/index.ts';
import { NumberTable, tableOf } from '../../src/formats/number-table.ts';
import { Guesses } from '../../src/guards/guesses.ts';
import { isAllowedBy } from '../../src/guards/networks.ts';
import { TokenBucket } from '../../src/guards/token-buckets.ts';
import type { AccountOptions, HttpOptions } from './config.ts';

export interface Account {
  readonly name: string;
  readonly options: AccountOptions;
}

interface Entry extends Account {
  readonly password: Buffer;
  readonly token: Buffer | undefined;
  readonly allows: (ip: string) => boolean;
  readonly senders: NumberTable<true>;
  /** The sender of messages that name none. */
  readonly first: Address | undefined;
  readonly keywords: ReadonlySet<string>;
  readonly rate: TokenBucket;
}

const guessLimits = { maxFailures: 10, firstMs: 60_000, maxMs: 3_600_000 };

export class Accounts {
  #entries = new Map<string, Entry>();
  readonly #byToken = new Map<string, Entry>();
  /** Whose number it is: several where keywords tell them apart. */
  #owners = new NumberTable<Entry[]>();
  readonly #rules: PhoneRules;
  readonly #now: () => number;
  readonly #guesses: Guesses;

  constructor(accounts: HttpOptions['accounts'], rules: PhoneRules, now: () => number) {
    this.#rules = rules;
    this.#now = now;
    this.#guesses = new Guesses(guessLimits, now);
    this.reconfigure(accounts);
  }

  /** Other accounts from the next request on. Throws GatewayError `malformed` for a sender that is none. */
  reconfigure(accounts: HttpOptions['accounts']): void {
    const entries = Object.entries(accounts).map(([name, settings]) => this.#entryOf(name, settings));
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.#byToken.clear();
    this.#owners = new NumberTable();
    for (const entry of entries) if (entry.token) this.#byToken.set(entry.token.toString('hex'), entry);
    const claims = entries.flatMap((entry) => {
      return entry.options.senders.map((text) => [patternOf(text, this.#rules), entry] as const);
    });
    for (const [pattern, owners] of Map.groupBy(claims, ([claimed]) => claimed)) {
      const sharing = owners.map(([, entry]) => entry);
      this.#owners.add(pattern, sharing);
    }
  }

  #entryOf(name: string, settings: AccountOptions): Entry {
    const former = this.#entries.get(name);
    const { password, token, senders, allowFrom, ratePerSecond, burst } = settings;
    const first = senders.find((text) => !text.endsWith('*'));
    const isSameRate = former?.options.ratePerSecond === ratePerSecond && former.options.burst === burst;
    return {
      name,
      options: settings,
      password: digest(password),
      token: token === undefined ? undefined : digest(token),
      allows: isAllowedBy(allowFrom),
      senders: tableOf(senders.map((text) => patternOf(text, this.#rules))),
      first: first === undefined ? undefined : parsePhone(first, this.#rules),
      keywords: new Set(settings.keywords.map((word) => word.toUpperCase())),
      // What was used up stays used up.
      rate: isSameRate ? former.rate : new TokenBucket({ perSecond: ratePerSecond, burst }, this.#now),
    };
  }

  /** Throws GatewayError `not-allowed` (wrong, or from elsewhere) and `throttled` (too many wrong ones). */
  byPassword(name: string, password: string, source: string): Account {
    this.#refuseGuessing(source);
    const entry = this.#entries.get(name);
    // Somebody who does not exist takes as long as somebody who does.
    const isRight = timingSafeEqual(digest(password), entry?.password ?? digest('')) && entry !== undefined;
    return this.#admitted(isRight ? entry : undefined, source);
  }

  /** As byPassword. */
  byToken(token: string, source: string): Account {
    this.#refuseGuessing(source);
    return this.#admitted(this.#byToken.get(digest(token).toString('hex')), source);
  }

  /** The sender that an application names, or its first. Throws GatewayError `not-allowed`. */
  senderOf({ name }: Account, text: string | undefined): Address {
    const entry = this.#entries.get(name);
    if (text === undefined) {
      if (entry?.first) return entry.first;
      throw new GatewayError('malformed', 'from: name a sender; the account has no number of its own');
    }
    const address = parsePhone(text, this.#rules);
    if (entry?.senders.find(address)) return address;
    throw new GatewayError('not-allowed', `from: ${text.slice(0, 40)} is not among the senders of this account`);
  }

  /** Whose number that is, among those who share it by what the text begins with. */
  ownerOf(address: Address, text?: string): Account | undefined {
    const owners = this.#owners.find(bareAddress(address)) ?? [];
    const word = (/^\s*(\S{1,40})/.exec(text ?? '')?.[1] ?? '').toUpperCase();
    const byKeyword = owners.find(({ keywords }) => keywords.has(word));
    return byKeyword ?? owners.find(({ keywords }) => keywords.size === 0) ?? owners[0];
  }

  byName(name: string): Account | undefined {
    return this.#entries.get(name);
  }

  /** Throws GatewayError `throttled` when the account sends too fast. */
  spend({ name }: Account, messages: number): void {
    const entry = this.#entries.get(name);
    if (!entry) throw new GatewayError('not-allowed', 'this account is no more');
    const retryAfterMs = entry.rate.take(messages);
    if (retryAfterMs === 0) return;
    const { ratePerSecond } = entry.options;
    throw new GatewayError('throttled', `at most ${ratePerSecond} messages a second`, { retryAfterMs });
  }

  #admitted(entry: Entry | undefined, source: string): Account {
    if (entry?.allows(source)) {
      this.#guesses.succeeded(source);
      return entry;
    }
    this.#guesses.failed(source);
    throw new GatewayError('not-allowed', 'user name or password is wrong, or this account may not be used from there');
  }

  #refuseGuessing(source: string): void {
    const retryAfterMs = this.#guesses.pauseMs(source);
    if (retryAfterMs > 0) throw new GatewayError('throttled', 'too many wrong passwords from there', { retryAfterMs });
  }
}

// Digests are of one length, so that the comparison tells nothing about the password's.
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** A sender as the table has it, without what people write between digits. Throws GatewayError `malformed`. */
function patternOf(text: string, rules: PhoneRules): string {
  if (text.endsWith('*')) return text.replace(/[-.() ]/g, '');
  return splitAddress(parsePhone(text, rules)).local;
}
