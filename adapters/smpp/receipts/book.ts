// Which of our messages a receipt speaks of, and when the message as a whole has ended. Durable, and the same few look-ups
// however many parts are outstanding: receipts may come early, late, twice, in another radix or after a restart.
import type { State } from '../../../src/contract/index.ts';
import type { Outcome } from '../errors.ts';
import type { Conclusion } from '../mapping.ts';
import { Turns } from '../turns.ts';
import { outcomeOfReceipt, type ParsedReceipt } from './dialects.ts';
import { candidateKeys, type IdRule, idKey, idRules, isOneOf } from './ids.ts';

/** What is remembered of an accepted part, under the id that the SMSC gave it. Short names: there are many. */
export interface PartRecord {
  /** The event, its sender and recipient. */
  readonly e: string;
  readonly f: string;
  readonly t: string;
  /** destination_addr as submitted. */
  readonly d: string;
  /** Which part, and of how many a receipt was asked. */
  readonly i: number;
  readonly n: number;
  /** How it ended. */
  readonly s?: string;
}

/** A message of several parts, from its first receipt on. */
interface Tally {
  readonly f: string;
  readonly t: string;
  readonly n: number;
  /** When the first receipt came. */
  readonly at: number;
  readonly got: Record<number, string>;
  readonly told?: string;
}

interface Early {
  readonly receipt: Omit<ParsedReceipt, 'networkError'> & { readonly networkErrorHex?: string };
  readonly numbers: readonly string[];
  readonly rule: IdRule;
  readonly keys: readonly string[];
}

export interface BookLimits {
  readonly partsWaitMs: number;
  readonly recordMs: number;
}

interface Hit {
  readonly rule: IdRule;
  readonly key: string;
  readonly record: PartRecord;
}

const earlyMs = 10 * 60_000;
const maxEarly = 10_000;
const maxWaiting = 100_000;
const sweepPauseMs = 5000;
const ruleKey = 'learnt/id-rule';

export class ReceiptBook {
  readonly #state: State;
  readonly #limits: BookLimits;
  readonly #conclude: (conclusion: Conclusion) => Promise<void>;
  readonly #now: () => number;
  readonly #turns = new Turns();
  /** Messages of which some receipts are in, oldest first. */
  readonly #waiting = new Map<string, number>();
  /** When each kept early receipt may be forgotten, oldest first. */
  readonly #early: number[] = [];
  #rule: IdRule | undefined;
  #isSweeping = false;
  #sweepAgainAt = 0;

  constructor(
    state: State,
    limits: BookLimits,
    conclude: (conclusion: Conclusion) => Promise<void>,
    now: () => number,
  ) {
    this.#state = state;
    this.#limits = limits;
    this.#conclude = conclude;
    this.#now = now;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    const rule = await this.#state.get(ruleKey);
    this.#rule = idRules.find((known) => known === rule);
    const started: Array<[number, string]> = [];
    for await (const [key, value] of this.#state.scan('tally/')) {
      const { at, told } = JSON.parse(value) as Tally;
      if (told === undefined) started.push([at, key.slice('tally/'.length)]);
    }
    for (const [at, event] of started.sort(([one], [other]) => one - other)) this.#waiting.set(event, at);
    for await (const _ of this.#state.scan('early/')) this.#early.push(this.#now() + earlyMs);
  }

  /** The rule by which this SMSC's receipts name messages, once seen. */
  get rule(): IdRule | undefined {
    return this.#rule;
  }

  /** The SMSC took a part under that id. Resolves once a receipt for it will be understood. */
  async accepted(messageId: string, record: PartRecord, ttlMs: number): Promise<void> {
    const key = partKey(idKey(messageId));
    await this.#state.set(key, JSON.stringify(record), ttlMs);
    if (this.#earlyCount() === 0) return;
    const kept = await this.#state.take(earlyKey(idKey(messageId)));
    if (kept === undefined) return;
    const early = JSON.parse(kept) as Early;
    if (early.rule !== 'same' && !isOneOf(record.d, early.numbers)) {
      await this.#state.set(earlyKey(idKey(messageId)), kept, earlyMs);
      return;
    }
    await Promise.all(early.keys.map((other) => this.#state.delete(earlyKey(other))));
    const { networkErrorHex, ...receipt } = early.receipt;
    const networkError = networkErrorHex === undefined ? {} : { networkError: Buffer.from(networkErrorHex, 'hex') };
    const outcome = outcomeOfReceipt({ ...receipt, ...networkError });
    if (outcome) await this.#settle({ rule: early.rule, key, record }, outcome);
  }

  /**
   * A receipt came that names those numbers. Resolves once what it says is durable; rejects when it could not be
   * published. `unknown`: no message of ours has that id.
   */
  async heard(
    receipt: ParsedReceipt,
    numbers: readonly string[],
    matched?: (event: string) => void,
  ): Promise<'settled' | 'kept' | 'unknown'> {
    const outcome = outcomeOfReceipt(receipt);
    let hit = await this.#find(receipt, numbers);
    if (!hit && receipt.isCertain && outcome && (await this.#keepEarly(receipt, numbers))) {
      // The response may have come in between: whoever of the two is second finds the other.
      hit = await this.#find(receipt, numbers);
      if (!hit) return 'kept';
    }
    if (!hit) return 'unknown';
    matched?.(hit.record.e);
    if (outcome) await this.#settle(hit, outcome);
    return 'settled';
  }

  /** Called a few times a second: messages whose other receipts do not come. */
  tick(): void {
    if (!this.#isSweeping && this.#now() >= this.#sweepAgainAt && this.#due() !== undefined) void this.#sweep();
  }

  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    try {
      for (let event = this.#due(); event !== undefined; event = this.#due()) await this.#giveUp(event);
    } catch {
      this.#sweepAgainAt = this.#now() + sweepPauseMs;
    } finally {
      this.#isSweeping = false;
    }
  }

  #due(): string | undefined {
    const [oldest] = this.#waiting;
    if (!oldest) return undefined;
    const isDue = this.#now() - oldest[1] >= this.#limits.partsWaitMs || this.#waiting.size > maxWaiting;
    return isDue ? oldest[0] : undefined;
  }

  async #find(receipt: ParsedReceipt, numbers: readonly string[]): Promise<Hit | undefined> {
    for (const id of receipt.ids) {
      const candidates = candidateKeys(id);
      const learnt = candidates.find(([rule]) => rule === this.#rule);
      const first = learnt && (await this.#look(learnt, numbers));
      if (first) return first;
      const others = candidates.filter((candidate) => candidate !== learnt);
      const found = await Promise.all(others.map((candidate) => this.#look(candidate, numbers)));
      const hits = found.filter((hit) => hit !== undefined);
      const hit = hits.find(({ record }) => isOneOf(record.d, numbers)) ?? hits[0];
      if (!hit) continue;
      if (hits.length === 1 && candidates.length > 1) await this.#learn(hit.rule);
      return hit;
    }
    return undefined;
  }

  // An id that was converted may be another message's by chance: then the number has to agree.
  async #look([rule, id]: readonly [IdRule, string], numbers: readonly string[]): Promise<Hit | undefined> {
    const key = partKey(id);
    const found = await this.#state.get(key);
    if (found === undefined) return undefined;
    const record = JSON.parse(found) as PartRecord;
    return rule === 'same' || isOneOf(record.d, numbers) ? { rule, key, record } : undefined;
  }

  async #learn(rule: IdRule): Promise<void> {
    if (rule === this.#rule) return;
    this.#rule = rule;
    await this.#state.set(ruleKey, rule);
  }

  async #keepEarly(receipt: ParsedReceipt, numbers: readonly string[]): Promise<boolean> {
    if (this.#earlyCount() >= maxEarly) return false;
    const { networkError, ...rest } = receipt;
    const kept = networkError ? { ...rest, networkErrorHex: networkError.toString('hex') } : rest;
    const candidates = receipt.ids.flatMap((id) => candidateKeys(id));
    const keys = candidates.map(([, key]) => key);
    this.#early.push(this.#now() + earlyMs);
    const keep = ([rule, key]: readonly [IdRule, string]) => {
      const early: Early = { receipt: kept, numbers, rule, keys };
      return this.#state.set(earlyKey(key), JSON.stringify(early), earlyMs);
    };
    await Promise.all(candidates.map(keep));
    return true;
  }

  #earlyCount(): number {
    const now = this.#now();
    while ((this.#early[0] ?? now + 1) <= now) this.#early.shift();
    return this.#early.length;
  }

  #settle(hit: Hit, outcome: Outcome): Promise<void> {
    const { record } = hit;
    return this.#turns.take(record.e, () => (record.n > 1 ? this.#tally(hit, outcome) : this.#end(hit, outcome)));
  }

  /** The first final outcome counts; only `unknown` may be bettered. */
  async #end({ key, record }: Hit, outcome: Outcome): Promise<void> {
    const stored = await this.#state.get(key);
    const known = stored === undefined ? undefined : (JSON.parse(stored) as PartRecord).s;
    if (isFinal(known) || known === outcome.state) return;
    await this.#conclude({ event: record.e, from: record.f, to: record.t, ...outcome });
    await this.#state.set(key, JSON.stringify({ ...record, s: outcome.state }), this.#limits.recordMs);
  }

  async #tally({ record }: Hit, outcome: Outcome): Promise<void> {
    const { e: event, f, t, n, i } = record;
    const key = tallyKey(event);
    const stored = await this.#state.get(key);
    const tally: Tally = stored === undefined ? { f, t, n, at: this.#now(), got: {} } : JSON.parse(stored);
    if (isFinal(tally.told) || isFinal(tally.got[i])) return;
    const got = { ...tally.got, [i]: outcome.state };
    const told = await this.#tell(event, { ...tally, got }, outcome, i);
    await this.#state.set(key, JSON.stringify({ ...tally, got, ...(told && { told }) }), this.#limits.recordMs);
    if (told) this.#waiting.delete(event);
    else if (!this.#waiting.has(event)) this.#waiting.set(event, tally.at);
  }

  /** What is told of the message now that this part has ended, if anything. */
  async #tell(event: string, { f, t, n, got, told }: Tally, outcome: Outcome, i: number): Promise<string | undefined> {
    const states = Object.values(got);
    const conclusion = { event, from: f, to: t };
    if (outcome.state === 'failed' || outcome.state === 'expired') {
      await this.#conclude({ ...conclusion, ...outcome, words: `part ${i + 1} of ${n}: ${outcome.words}` });
      return outcome.state;
    }
    if (states.length < n) return told;
    const state = states.every((each) => each === 'delivered') ? 'delivered' : 'unknown';
    if (state !== told) await this.#conclude({ ...conclusion, ...outcome, state });
    return state;
  }

  #giveUp(event: string): Promise<void> {
    return this.#turns.take(event, async () => {
      const stored = await this.#state.get(tallyKey(event));
      const tally = stored === undefined ? undefined : (JSON.parse(stored) as Tally);
      if (tally && tally.told === undefined) {
        const { f, t, n, got } = tally;
        const words = `the SMS centre confirmed ${Object.keys(got).length} of ${n} parts`;
        await this.#conclude({ event, from: f, to: t, state: 'unknown', words });
        await this.#state.set(tallyKey(event), JSON.stringify({ ...tally, told: 'unknown' }), this.#limits.recordMs);
      }
      this.#waiting.delete(event);
    });
  }
}

function isFinal(state: string | undefined): boolean {
  return state !== undefined && state !== 'unknown';
}

function partKey(id: string): string {
  return `part/${id}`;
}

function earlyKey(id: string): string {
  return `early/${id}`;
}

function tallyKey(event: string): string {
  return `tally/${event}`;
}
