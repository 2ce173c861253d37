// Which of our messages a receipt speaks of, and when the message has ended. Durable, and the same few look-ups however
// many parts are outstanding: receipts may come early, late, twice, in another radix, on another bind or after a restart.
import type { State } from '../../../src/contract/index.ts';
import { Turns } from '../../../src/guards/turns.ts';
import type { Outcome } from '../errors.ts';
import type { Conclusion } from '../mapping.ts';
import { outcomeOfReceipt, type ParsedReceipt } from './dialects.ts';
import { EarlyReceipts } from './early.ts';
import { type Candidate, candidateKeys, type IdRule, idKey, isOneOf, spellingOf } from './ids.ts';
import { Learnt, type Pins } from './learnt.ts';
import { Nameless } from './nameless.ts';
import { Overdue, type OverdueEntry } from './overdue.ts';
import { type Ask, type Hit, isFinal, type PartRecord, partKey } from './records.ts';
import { Tallies, type TallyLimits } from './tallies.ts';

export interface BookOptions extends TallyLimits, Pins {
  /** Whether receipts without a usable id are matched by their numbers. */
  readonly receiptFallback: 'none' | 'numbers';
  /** The carrier's own err codes in words. */
  readonly errorWords: Readonly<Record<string, string>>;
}

/** Hears of every receipt for a part of ours, whatever it changes. */
export type Matched = (record: PartRecord) => void;

export interface BookHooks {
  /** Tried before a message whose receipts never came is called unknown. */
  readonly ask?: Ask;
  /** The one part between two numbers whose response was lost: a receipt that nobody knows is its. */
  readonly lost?: (numbers: readonly string[]) => PartRecord | undefined;
  /** And that is its id. */
  readonly found?: (messageId: string, record: PartRecord) => Promise<void>;
}

export class ReceiptBook {
  readonly learnt: Learnt;
  readonly #state: State;
  readonly #options: BookOptions;
  readonly #conclude: (conclusion: Conclusion) => Promise<void>;
  readonly #hooks: BookHooks;
  readonly #turns = new Turns();
  readonly #early: EarlyReceipts;
  readonly #nameless: Nameless;
  readonly #tallies: Tallies;
  readonly #overdue: Overdue;
  /** The latest part of each SMS centre. */
  readonly #last = new Map<string, { key: string; record: PartRecord; ttlMs: number }>();

  constructor(
    state: State,
    options: BookOptions,
    conclude: (conclusion: Conclusion) => Promise<void>,
    now: () => number,
    hooks: BookHooks = {},
  ) {
    this.#state = state;
    this.#options = options;
    this.#conclude = conclude;
    this.#hooks = hooks;
    this.learnt = new Learnt(state, options);
    this.#early = new EarlyReceipts(state, now);
    this.#nameless = new Nameless(state);
    this.#tallies = new Tallies({ state, limits: options, learnt: this.learnt, conclude, turns: this.#turns, now });
    this.#overdue = new Overdue(state, (event, entries) => this.#look(event, entries), now);
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    await Promise.all([this.learnt, this.#early, this.#tallies, this.#overdue].map((part) => part.open()));
  }

  /** Called a few times a second. */
  tick(): void {
    this.#tallies.tick();
    this.#overdue.tick();
    const look = async (receipt: ParsedReceipt, numbers: readonly string[], host: string) => {
      const hit = await this.#find(receipt, numbers, host, true);
      if (hit) await this.#heard(hit, this.#outcomeOf(receipt), () => {});
      return hit !== undefined;
    };
    void this.#early.sweep(look, this.learnt.naming.length > 1);
  }

  /** That SMSC is going to name messages of ours. */
  expect(host: string): void {
    // What the first of its ids does in any case.
    this.learnt.noteNaming(host).catch(() => {});
  }

  /** An SMSC that comes back may count from the beginning: the same id again says nothing then. */
  linkLost(host: string): void {
    this.#last.delete(host);
  }

  /**
   * The SMSC `record.h` took a part under that id. Resolves once a receipt for it will be understood. With `dueAt` (milliseconds
   * since 1970) the message is `unknown` when nothing was heard of it until then.
   */
  async accepted(messageId: string, record: PartRecord, ttlMs: number, dueAt?: number): Promise<void> {
    const id = idKey(messageId);
    const { e, f, t, n, h: host = '' } = record;
    await this.learnt.noteNaming(host);
    const isNamed = id !== '' && !(await this.#isConstant(id, record, ttlMs));
    const key = isNamed ? partKey(id, host) : '';
    const due = dueAt === undefined ? undefined : this.#overdue.add({ e, f, t, k: key, n }, dueAt);
    await Promise.all([due, isNamed ? this.#keep(key, messageId, record, ttlMs) : this.#keepNameless(record, ttlMs)]);
    const early = isNamed ? await this.#early.take(messageId, record.d, host) : undefined;
    const outcome = early && this.#outcomeOf(early.receipt);
    if (early && outcome) await this.#settle({ rule: early.rule, key, record }, outcome);
  }

  /**
   * A receipt came that names those numbers, from the SMS centre `host`. Resolves once what it says is durable; rejects
   * when it could not be published. `unknown`: there is no such message of ours.
   */
  async heard(
    receipt: ParsedReceipt,
    numbers: readonly string[],
    host = '',
    matched: Matched = () => {},
  ): Promise<'settled' | 'kept' | 'unknown'> {
    const outcome = this.#outcomeOf(receipt);
    const hit = await this.#find(receipt, numbers, host);
    if (hit) return this.#heard(hit, outcome, matched);
    if (!receipt.isCertain) return 'unknown';
    if (await this.#matchNumbers(numbers, outcome, matched)) return 'settled';
    const candidates = receipt.ids
      .filter((id) => !this.learnt.isConstant(host, idKey(id)))
      .flatMap((id) => this.#keysOf(id));
    if (candidates.length === 0) return 'unknown';
    const lost = this.#hooks.lost?.(numbers);
    if (lost) return this.#found(receipt.ids[0] as string, { ...lost, h: host }, outcome, matched);
    if (!outcome) return 'unknown';
    const place = this.learnt.isNaming(host) ? host : '';
    if (!(await this.#early.keep(receipt, candidates, numbers, place))) return 'unknown';
    // The response may have come in between: whoever of the two is second finds the other.
    const now = await this.#find(receipt, numbers, host);
    return now ? this.#heard(now, outcome, matched) : 'kept';
  }

  /** What the SMSC said of a part that it was asked about. */
  async answered(messageId: string, record: PartRecord, outcome: Outcome): Promise<void> {
    await this.#settle({ rule: 'same', key: partKey(idKey(messageId), record.h), record }, outcome);
  }

  async #found(
    messageId: string,
    record: PartRecord,
    outcome: Outcome | undefined,
    matched: Matched,
  ): Promise<'settled'> {
    await this.accepted(messageId, record, this.#options.recordMs);
    await this.#hooks.found?.(messageId, record);
    return this.#heard({ rule: 'same', key: partKey(idKey(messageId), record.h), record }, outcome, matched);
  }

  async #heard(hit: Hit, outcome: Outcome | undefined, matched: Matched): Promise<'settled'> {
    matched(hit.record);
    if (outcome) await this.#settle(hit, outcome);
    return 'settled';
  }

  #outcomeOf(receipt: ParsedReceipt): Outcome | undefined {
    return outcomeOfReceipt(receipt, this.#options.errorWords);
  }

  #keysOf(id: string): Candidate[] {
    return candidateKeys(id, this.learnt.pinnedIdRule);
  }

  /** Whether that SMSC calls every message that: then the id names none. */
  async #isConstant(id: string, record: PartRecord, ttlMs: number): Promise<boolean> {
    const { h: host = '' } = record;
    if (this.learnt.isConstant(host, id)) return true;
    const key = partKey(id, host);
    const last = this.#last.get(host);
    this.#last.set(host, { key, record, ttlMs });
    if (last?.key !== key || (last.record.e === record.e && last.record.i === record.i)) return false;
    await this.learnt.noteConstant(host, id);
    await this.#state.delete(key);
    await this.#keepNameless(last.record, last.ttlMs);
    return true;
  }

  async #keep(key: string, messageId: string, record: PartRecord, ttlMs: number): Promise<void> {
    const named = key === partKey(messageId, record.h) ? record : { ...record, m: messageId };
    await this.#state.set(key, JSON.stringify(named), ttlMs);
  }

  async #keepNameless(record: PartRecord, ttlMs: number): Promise<void> {
    if (this.#options.receiptFallback === 'numbers') await this.#nameless.add(record, ttlMs);
  }

  async #matchNumbers(numbers: readonly string[], outcome: Outcome | undefined, matched: Matched) {
    if (this.#options.receiptFallback !== 'numbers') return false;
    return this.#nameless.match(numbers, this.#options.recordMs, async (record) => {
      await this.#heard({ rule: 'same', key: undefined, record }, outcome, matched);
      return outcome !== undefined && isFinal(outcome.state);
    });
  }

  /**
   * At the SMS centre whose link it came by. At the others only where that has given such an id to another number, gives
   * none, or had time to give it (`isLate`): it may yet answer.
   */
  async #find(receipt: ParsedReceipt, numbers: readonly string[], host: string, isLate = false) {
    for (const id of receipt.ids) {
      const candidates = this.#keysOf(id);
      const learnt = candidates.find(([rule]) => rule === this.learnt.idRule(host));
      const first = learnt && (await this.#read(learnt, host));
      if (first && isOneOf(first.record.d, numbers)) return first;
      // An id that was converted, or that another SMS centre gave, may be another message's by chance: the number decides.
      const isAgreeing = ({ record }: Hit) => isOneOf(record.d, numbers);
      const near = await this.#readAll(candidates, [host]);
      const same = near.find(({ rule }) => rule === 'same');
      const isElsewhere = same !== undefined || isLate || !this.learnt.isNaming(host);
      const others = isElsewhere && !near.some(isAgreeing) ? await this.#readAll(candidates, this.#others(host)) : [];
      const agreeing = [...near, ...others].filter(isAgreeing);
      const hit = agreeing[0] ?? same;
      if (!hit) continue;
      // `9` is the same in every radix: it teaches nothing.
      const isTelling = candidates.length > 1 || !/^[0-9a-f]+$/.test(idKey(id));
      if (agreeing.length < 2 && isTelling) await this.#learn(host, hit.rule, id, hit.record);
      return hit;
    }
    return undefined;
  }

  /** The other SMS centres; last of all what was kept before they were told apart. */
  #others(host: string): string[] {
    return [...this.learnt.naming, ''].filter((other) => other !== host);
  }

  async #readAll(candidates: readonly Candidate[], hosts: readonly string[]): Promise<Hit[]> {
    const reads = hosts.flatMap((host) => candidates.map((candidate) => this.#read(candidate, host)));
    return (await Promise.all(reads)).filter((hit) => hit !== undefined);
  }

  async #read([rule, id]: Candidate, host: string): Promise<Hit | undefined> {
    const key = partKey(id, host);
    const found = await this.#state.get(key);
    return found === undefined ? undefined : { rule, key, record: JSON.parse(found) as PartRecord };
  }

  async #learn(host: string, rule: IdRule, written: string, record: PartRecord): Promise<void> {
    if (rule === this.learnt.idRule(host)) return;
    await this.learnt.noteRule(host, rule, spellingOf(written, record.m ?? idKey(written), rule));
  }

  #settle(hit: Hit, outcome: Outcome): Promise<void> {
    const { record } = hit;
    const isAlone = record.n === 1 && hit.key !== undefined;
    return this.#turns.take(record.e, () => (isAlone ? this.#end(hit, outcome) : this.#tallies.count(record, outcome)));
  }

  async #end({ key = '', record }: Hit, outcome: Outcome): Promise<void> {
    const stored = await this.#state.get(key);
    const known = stored === undefined ? undefined : (JSON.parse(stored) as PartRecord).s;
    if (isFinal(known) || known === outcome.state) return;
    await this.#conclude({ event: record.e, from: record.f, to: record.t, ...outcome });
    await this.#state.set(key, JSON.stringify({ ...record, s: outcome.state }), this.#options.recordMs);
  }

  /** The patience with a message is over: the SMSC is asked, and without an answer nobody knows. */
  async #look(event: string, entries: readonly OverdueEntry[]): Promise<void> {
    if (await this.#isTold(event, entries)) return;
    for (const { k } of entries) await this.#askAbout(k, event);
    if (await this.#isTold(event, entries)) return;
    const words = 'the SMS centre took it and sent no receipt: nobody knows whether it arrived';
    const [entry] = entries;
    if (!entry) return;
    const record = await this.#record(entry);
    await this.#turns.take(event, async () => {
      if (entry.n > 1 || !record) return this.#tallies.close(entry, words);
      return this.#end({ rule: 'same', key: entry.k, record }, { state: 'unknown', words });
    });
  }

  async #isTold(event: string, entries: readonly OverdueEntry[]): Promise<boolean> {
    if ((await this.#tallies.told(event)) !== undefined) return true;
    const records = await Promise.all(entries.map((entry) => this.#record(entry)));
    return records.some((record) => record?.n === 1 && record.s !== undefined);
  }

  async #askAbout(key: string, event: string): Promise<void> {
    const record = await this.#record({ k: key, e: event });
    if (!record) return;
    const messageId = record.m ?? key.slice(partKey('', record.h).length);
    const outcome = await this.#hooks.ask?.(messageId, record);
    if (outcome !== undefined && outcome !== 'on its way') await this.#settle({ rule: 'same', key, record }, outcome);
  }

  // The id may have been given to another message since.
  async #record({ k, e }: Pick<OverdueEntry, 'k' | 'e'>): Promise<PartRecord | undefined> {
    const stored = k === '' ? undefined : await this.#state.get(k);
    const record = stored === undefined ? undefined : (JSON.parse(stored) as PartRecord);
    return record?.e === e ? record : undefined;
  }
}
