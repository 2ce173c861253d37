// What may be said at all: block lists, people who asked not to be written to (STOP), and quotas. Asked for each message
// after it is known where it goes, before it is made durable.
import {
  type Address,
  bareAddress,
  type DraftOf,
  GatewayError,
  type Scheme,
  type State,
  schemeOf,
} from '../contract/index.ts';
import { type Matches, matcher } from './router.ts';

/** Patterns as in routes; undefined is anybody. */
export interface PairRule {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface Block extends PairRule {
  /** Told to the sender. */
  readonly why?: string | undefined;
}

export interface Quota extends PairRule {
  /** Messages of one sender in `perMs`, counted in windows that begin at multiples of it. */
  readonly messages: number;
  readonly perMs: number;
}

export interface OptOut {
  readonly stop: readonly string[];
  readonly start: readonly string[];
  /** Sent to the phone that said so; `{number}` stands for the number it said it to. Empty: nothing is sent. */
  readonly stopped: string;
  readonly started: string;
}

export interface PolicyRules {
  readonly block: readonly Block[];
  readonly quotas: readonly Quota[];
  /** Undefined: the words mean nothing. */
  readonly optOut: OptOut | undefined;
}

/** What is known of a message when it is asked for. */
export interface Admission {
  /** As its own network writes the sender. */
  readonly from: Address;
  readonly recipient: Address;
  /** As the network writes both that it goes to. */
  readonly shown: { readonly from: Address; readonly to: Address };
  readonly network: Scheme;
}

type Pair = [from: Matches, to: Matches];

export class Policy {
  readonly #state: State;
  readonly #now: () => number;
  #blocks: Array<{ pair: Pair; why: string | undefined }> = [];
  #quotas: Array<{ pair: Pair; name: string; quota: Quota }> = [];
  /** Somebody has said STOP; never taken back. */
  #hasStops = false;
  #asking: Promise<string | undefined> | undefined;
  #optOut: { words: ReadonlyMap<string, 'stop' | 'start'>; replies: OptOut } | undefined;

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  /** Throws GatewayError `malformed` for a pattern that is none. */
  configure({ block, quotas, optOut }: PolicyRules): void {
    const pairOf = ({ from, to }: PairRule): Pair => [from, to].map(matcherOrAnybody) as Pair;
    this.#blocks = block.map((one) => ({ pair: pairOf(one), why: one.why }));
    this.#quotas = quotas.map((quota) => ({
      pair: pairOf(quota),
      name: `${quota.from ?? ''}>${quota.to ?? ''}`,
      quota,
    }));
    const words = new Map<string, 'stop' | 'start'>();
    for (const word of optOut?.stop ?? []) words.set(word.toUpperCase(), 'stop');
    for (const word of optOut?.start ?? []) words.set(word.toUpperCase(), 'start');
    this.#optOut = optOut && { words, replies: optOut };
  }

  /**
   * A phone that says STOP to a number gets nothing more from it until it says START. Resolves, once that is durable, with
   * what to answer it.
   */
  async heard({ from, to, text }: DraftOf<'message'>): Promise<string | undefined> {
    if (!this.#optOut || schemeOf(from) !== 'tel') return undefined;
    const { words, replies } = this.#optOut;
    const said = words.get((text[''] ?? '').trim().toUpperCase());
    if (said === undefined) return undefined;
    if (said === 'stop') await this.#stop(to, from);
    else await this.#state.delete(stopKey(to, from));
    const reply = said === 'stop' ? replies.stopped : replies.started;
    return reply === '' ? undefined : reply.replaceAll('{number}', numberOf(to));
  }

  /** Throws GatewayError `not-allowed` in words for the sender. Counts the message against its quotas. */
  async admit({ from, recipient, shown, network }: Admission): Promise<void> {
    const blocked = this.#blocks.find(({ pair }) => pair[0](from) && pair[1](recipient));
    if (blocked) throw new GatewayError('not-allowed', blocked.why ?? 'the operator does not let this through');
    if (network === 'tel' && this.#optOut && (await this.#isStopped(shown.from, shown.to))) {
      throw new GatewayError('not-allowed', `${numberOf(shown.to)} asked for no more messages from here (STOP)`);
    }
    for (const { pair, name, quota } of this.#quotas) {
      if (pair[0](from) && pair[1](recipient)) await this.#count(from, name, quota);
    }
  }

  async #stop(number: Address, phone: Address): Promise<void> {
    if (!this.#hasStops) await this.#state.set(stopsKey, '1');
    this.#hasStops = true;
    await this.#state.set(stopKey(number, phone), new Date(this.#now()).toISOString());
  }

  // Each pair is asked for only once somebody, wherever, has said STOP at all.
  async #isStopped(number: Address, phone: Address): Promise<boolean> {
    this.#hasStops ||= (await this.#anyStops()) !== undefined;
    return this.#hasStops && (await this.#state.get(stopKey(number, phone))) !== undefined;
  }

  /** One question for all messages of a turn. */
  #anyStops(): Promise<string | undefined> {
    if (!this.#asking) {
      this.#asking = this.#state.get(stopsKey);
      setImmediate(() => (this.#asking = undefined));
    }
    return this.#asking;
  }

  async #count(from: Address, name: string, { messages, perMs }: Quota): Promise<void> {
    const now = this.#now();
    const window = Math.floor(now / perMs);
    const ends = (window + 1) * perMs;
    const used = await this.#state.increment(`quota/${window}/${name}/${bareAddress(from)}`, 1, ends - now);
    if (used <= messages) return;
    const again = new Date(ends).toISOString();
    throw new GatewayError('not-allowed', `your quota of ${messages} messages is used up; it begins anew at ${again}`);
  }
}

function matcherOrAnybody(pattern: string | undefined): Matches {
  return pattern === undefined ? () => true : matcher(pattern);
}

const stopsKey = 'stops';

function stopKey(number: Address, phone: Address): string {
  return `stop/${bareAddress(number)}|${bareAddress(phone)}`;
}

function numberOf(address: Address): string {
  return (/^tel:([^;]*)/.exec(address)?.[1] ?? address).replaceAll('%20', ' ');
}
