// The applications: who proves to be one, from where, as whom it may write, and how fast.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { BlockList } from 'node:net';
import { isIPv6 } from 'node:net';
import {
  type Address,
  bareAddress,
  GatewayError,
  type PhoneRules,
  parsePhone,
  splitAddress,
} from '../../src/contract/index.ts';
import { type AccountOptions, type HttpOptions, listOf } from './config.ts';

export interface Account {
  readonly name: string;
  readonly options: AccountOptions;
}

interface Entry extends Account {
  readonly password: Buffer;
  readonly token: Buffer | undefined;
  readonly allowed: BlockList | undefined;
  readonly senders: readonly Sender[];
  readonly keywords: ReadonlySet<string>;
  /** Messages it may send at once, as of `filledAt`. */
  tokens: number;
  filledAt: number;
}

interface Sender {
  readonly address: Address | undefined;
  /** Of numbers that may be used: `+4477009002`. */
  readonly prefix: string | undefined;
}

// Guessing passwords is slowed down by address; whoever is remembered last is forgotten last.
const maxFailures = 10;
const forgiveMs = 60_000;
const maxSources = 10_000;

export class Accounts {
  readonly #entries = new Map<string, Entry>();
  readonly #byToken = new Map<string, Entry>();
  /** Whose number it is: several where keywords tell them apart. */
  readonly #byNumber = new Map<Address, Entry[]>();
  readonly #byPrefix: Array<{ prefix: string; entry: Entry }> = [];
  readonly #rules: PhoneRules;
  readonly #now: () => number;
  readonly #failures = new Map<string, { count: number; until: number }>();

  constructor({ accounts }: Pick<HttpOptions, 'accounts'>, rules: PhoneRules, now: () => number) {
    this.#rules = rules;
    this.#now = now;
    for (const [name, settings] of Object.entries(accounts)) {
      const { password, token, senders, allowFrom, burst } = settings;
      const entry: Entry = {
        name,
        options: settings,
        password: digest(password),
        token: token === undefined ? undefined : digest(token),
        allowed: listOf(allowFrom),
        senders: senders.map((text) => senderOf(text, rules)),
        keywords: new Set(settings.keywords.map((word) => word.toUpperCase())),
        tokens: burst,
        filledAt: now(),
      };
      this.#entries.set(name, entry);
      if (entry.token) this.#byToken.set(entry.token.toString('hex'), entry);
      for (const { address, prefix } of entry.senders) {
        if (address !== undefined) this.#byNumber.set(address, [...(this.#byNumber.get(address) ?? []), entry]);
        if (prefix !== undefined) this.#byPrefix.push({ prefix, entry });
      }
    }
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
    const senders = this.#entries.get(name)?.senders ?? [];
    if (text === undefined) {
      const first = senders.find(({ address }) => address !== undefined)?.address;
      if (first) return first;
      throw new GatewayError('malformed', 'from: name a sender; the account has no number of its own');
    }
    const address = parsePhone(text, this.#rules);
    const { local, domain } = splitAddress(address);
    const isAllowed = senders.some(
      (sender) =>
        sender.address === address || (domain === '' && sender.prefix !== undefined && local.startsWith(sender.prefix)),
    );
    if (isAllowed) return address;
    throw new GatewayError('not-allowed', `from: ${text.slice(0, 40)} is not among the senders of this account`);
  }

  /** Whose number that is, among those who share it by what the text begins with. */
  ownerOf(address: Address, text?: string): Account | undefined {
    const bare = bareAddress(address);
    const { local, domain } = splitAddress(bare);
    const exact = this.#byNumber.get(bare) ?? [];
    const owners =
      exact.length > 0 || domain !== ''
        ? exact
        : this.#byPrefix.flatMap(({ prefix, entry }) => (local.startsWith(prefix) ? [entry] : []));
    const word = (/^\s*(\S{1,40})/.exec(text ?? '')?.[1] ?? '').toUpperCase();
    const byKeyword = owners.find(({ keywords }) => keywords.has(word));
    return byKeyword ?? owners.find(({ keywords }) => keywords.size === 0) ?? owners[0];
  }

  byName(name: string): Account | undefined {
    return this.#entries.get(name);
  }

  /** Throws GatewayError `throttled` when the account sends too fast. */
  spend({ name }: Account, messages: number): void {
    const entry = this.#entries.get(name) as Entry;
    const { ratePerSecond, burst } = entry.options;
    const now = this.#now();
    entry.tokens = Math.min(burst, entry.tokens + ((now - entry.filledAt) / 1000) * ratePerSecond);
    entry.filledAt = now;
    if (entry.tokens < messages) {
      const retryAfterMs = Math.ceil(((messages - entry.tokens) / ratePerSecond) * 1000);
      throw new GatewayError('throttled', `at most ${ratePerSecond} messages a second`, { retryAfterMs });
    }
    entry.tokens -= messages;
  }

  #admitted(entry: Entry | undefined, source: string): Account {
    const isFromThere = entry?.allowed?.check(source, isIPv6(source) ? 'ipv6' : 'ipv4') ?? true;
    if (entry && isFromThere) {
      this.#failures.delete(source);
      return entry;
    }
    const { count } = this.#failures.get(source) ?? { count: 0 };
    this.#failures.delete(source);
    this.#failures.set(source, { count: count + 1, until: this.#now() + forgiveMs });
    if (this.#failures.size > maxSources) this.#failures.delete(this.#failures.keys().next().value as string);
    throw new GatewayError('not-allowed', 'user name or password is wrong, or this account may not be used from there');
  }

  #refuseGuessing(source: string): void {
    const failures = this.#failures.get(source);
    if (!failures) return;
    const leftMs = failures.until - this.#now();
    if (leftMs <= 0) this.#failures.delete(source);
    else if (failures.count >= maxFailures)
      throw new GatewayError('throttled', 'too many wrong passwords from there', { retryAfterMs: leftMs });
  }
}

// Digests are of one length, so that the comparison tells nothing about the password's.
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function senderOf(text: string, rules: PhoneRules): Sender {
  if (!text.endsWith('*')) return { address: parsePhone(text, rules), prefix: undefined };
  return { address: undefined, prefix: text.slice(0, -1).replace(/[-.() ]/g, '') };
}
