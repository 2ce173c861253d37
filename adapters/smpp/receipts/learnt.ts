// What was learnt of a carrier from its receipts: how they name messages, how they are written, which parts they speak of.
// Durable, shown to operators, and each can be pinned.
import type { State } from '../../../src/contract/index.ts';
import { type IdRule, idRules } from './ids.ts';

export const partDialects = ['every', 'first', 'last'] as const;
export type PartDialect = (typeof partDialects)[number];

export interface Pins {
  readonly receiptIds: IdRule | 'auto';
  readonly partReceipts: PartDialect | 'auto';
}

/** How one SMS centre names messages and writes receipts; the rule that fitted last stands first. */
interface HostFacts {
  /** It takes our messages, and names them. */
  names?: true;
  idRules?: IdRule[];
  /** What had to be overlooked between the two ids: `exact`, `without case`. */
  ids?: string[];
  /** Where receipts are: `deliver_sm text, esm_class 0x04`; and how many digits their dates have. */
  dialects?: string[];
  dates?: string[];
  /** TON and NPI of its messages: `from 1/1 to 5/0`. */
  numbers?: string[];
  /** data_coding of its messages, and what in them speaks against `alphabet0`. */
  codings?: string[];
  /** Keys of ids that it gives to every message. */
  constants?: string[];
  /** TON and NPI that it takes where it refused ours: `to number` is `0/1`. */
  numbering?: Record<string, string>;
  /** When it refused a data_coding: `UCS-2`. */
  refusedCodings?: Record<string, number>;
}

/** Of the account as a whole: a message's receipts may come from several hosts. */
interface Facts {
  parts?: PartDialect;
}

type ListKind = Exclude<keyof HostFacts, 'idRules' | 'names' | 'numbering' | 'refusedCodings'>;

const key = 'learnt/carrier';
const hostPrefix = 'learnt/host/';
const mostOfEach = 8;
// More than the hosts of a configuration: by outbind anybody with the password may come.
const mostHosts = 64;
// So many messages in a row with a receipt for that part alone, and none for the others, before it is a rule.
const proof = 3;

export class Learnt {
  readonly #state: State;
  readonly #pins: Pins;
  #facts: Facts = {};
  readonly #hosts = new Map<string, HostFacts>();
  #lonely: { part: PartDialect; count: number } = { part: 'every', count: 0 };

  constructor(state: State, pins: Pins) {
    this.#state = state;
    this.#pins = pins;
  }

  async open(): Promise<void> {
    const stored = await this.#state.get(key);
    if (stored !== undefined) this.#facts = JSON.parse(stored) as Facts;
    for await (const [name, value] of this.#state.scan(hostPrefix)) {
      const facts = JSON.parse(value) as HostFacts;
      const known = facts.idRules?.filter((rule) => idRules.includes(rule));
      this.#hosts.set(name.slice(hostPrefix.length), { ...facts, ...(known ? { idRules: known } : {}) });
    }
  }

  /** The SMS centres that something was learnt of, `host:port`. */
  get hosts(): string[] {
    return [...this.#hosts.keys()].sort();
  }

  /** Those that gave us ids. */
  get naming(): string[] {
    return this.hosts.filter((host) => this.isNaming(host));
  }

  isNaming(host: string): boolean {
    return this.#hosts.get(host)?.names === true;
  }

  async noteNaming(host: string): Promise<void> {
    if (!this.isNaming(host)) await this.#noteHost(host, { names: true });
  }

  /** What to try first with a receipt that came from there. */
  idRule(host: string): IdRule | undefined {
    return this.pinnedIdRule ?? this.#hosts.get(host)?.idRules?.[0];
  }

  get pinnedIdRule(): IdRule | undefined {
    return this.#pins.receiptIds === 'auto' ? undefined : this.#pins.receiptIds;
  }

  get parts(): PartDialect {
    return this.#pins.partReceipts === 'auto' ? (this.#facts.parts ?? 'every') : this.#pins.partReceipts;
  }

  isConstant(host: string, id: string): boolean {
    return this.#hosts.get(host)?.constants?.includes(id) ?? false;
  }

  /** That rule fitted a receipt from there; `ids` says how the two ids differed. */
  async noteRule(host: string, rule: IdRule, ids: string): Promise<void> {
    const known = this.#hosts.get(host)?.idRules ?? [];
    const sorted = [rule, ...known.filter((other) => other !== rule)];
    // Which came last is worth no write: hosts that see each other's receipts would write with each.
    if (known.includes(rule)) this.#hosts.set(host, { ...this.#hosts.get(host), idRules: sorted });
    else await this.#noteHost(host, { idRules: sorted });
    await this.noteOne(host, 'ids', ids);
  }

  /** One more of a kind; what is known already costs nothing. */
  async noteOne(host: string, kind: ListKind, value: string): Promise<void> {
    const known = this.#hosts.get(host)?.[kind] ?? [];
    if (known.includes(value) || known.length >= mostOfEach) return;
    await this.#noteHost(host, { [kind]: [...known, value] });
  }

  hasNumbering(host: string): boolean {
    return this.#hosts.get(host)?.numbering !== undefined;
  }

  numbering(host: string, kind: string): string | undefined {
    return this.#hosts.get(host)?.numbering?.[kind];
  }

  async noteNumbering(host: string, kind: string, types: string): Promise<void> {
    await this.#noteHost(host, { numbering: { ...this.#hosts.get(host)?.numbering, [kind]: types } });
  }

  /** Of any SMS centre of the account, since then: a message may go to each. */
  refusedCodings(since: number): string[] {
    const all = [...this.#hosts.values()].flatMap(({ refusedCodings = {} }) => Object.entries(refusedCodings));
    return [...new Set(all.filter(([, at]) => at > since).map(([coding]) => coding))];
  }

  async noteRefusedCoding(host: string, coding: string, at: number): Promise<void> {
    await this.#noteHost(host, { refusedCodings: { ...this.#hosts.get(host)?.refusedCodings, [coding]: at } });
  }

  async noteConstant(host: string, id: string): Promise<void> {
    const known = this.#hosts.get(host)?.constants ?? [];
    if (!known.includes(id)) await this.#noteHost(host, { constants: [...known, id].slice(-mostOfEach) });
  }

  async #noteHost(host: string, news: HostFacts): Promise<void> {
    const facts = { ...this.#hosts.get(host), ...news };
    const [oldest] = this.#hosts.keys();
    if (!this.#hosts.has(host) && this.#hosts.size >= mostHosts && oldest !== undefined) {
      this.#hosts.delete(oldest);
      await this.#state.delete(hostPrefix + oldest);
    }
    this.#hosts.set(host, facts);
    await this.#state.set(hostPrefix + host, JSON.stringify(facts));
  }

  async #note(news: Facts): Promise<void> {
    const facts = { ...this.#facts, ...news };
    if (JSON.stringify(facts) === JSON.stringify(this.#facts)) return;
    this.#facts = facts;
    await this.#state.set(key, JSON.stringify(facts));
  }

  /** A message of `total` parts waited in vain for more receipts than those of `parts`. */
  async notePartsOnly(parts: readonly number[], total: number): Promise<void> {
    const part = parts.length !== 1 ? 'every' : parts[0] === 0 ? 'first' : parts[0] === total - 1 ? 'last' : 'every';
    this.#lonely = part === this.#lonely.part ? { part, count: this.#lonely.count + 1 } : { part, count: 1 };
    if (part !== 'every' && this.#lonely.count >= proof) await this.#note({ parts: part });
  }

  /** A receipt for that part came: one rule less may hold. */
  async notePart(index: number, total: number): Promise<void> {
    const only = this.#facts.parts === 'first' ? 0 : this.#facts.parts === 'last' ? total - 1 : index;
    if (index === only) return;
    this.#lonely = { part: 'every', count: 0 };
    await this.#note({ parts: 'every' });
  }

  /** For operators: of one SMS centre, and what holds for all. */
  row(host: string): Readonly<Record<string, string>> {
    const { receiptIds, partReceipts } = this.#pins;
    const { idRules: rules, ids, dialects, dates, numbers, codings, constants } = this.#hosts.get(host) ?? {};
    const { numbering = {}, refusedCodings = {} } = this.#hosts.get(host) ?? {};
    const numbersTaken = Object.entries(numbering).map(([kind, types]) => `${kind} ${types}`);
    const adopted = [...numbersTaken, ...Object.keys(refusedCodings).map((coding) => `no ${coding}`)];
    const pinned = (value: string, isPinned: boolean) => (isPinned ? `${value} (pinned)` : value);
    const seen = (values: readonly string[] | undefined) => values?.join('; ') ?? 'not seen yet';
    return {
      idRule: pinned(this.pinnedIdRule ?? seen(rules), receiptIds !== 'auto'),
      ids: seen(ids),
      receipts: seen(dialects),
      dates: seen(dates),
      partReceipts: pinned(this.parts, partReceipts !== 'auto'),
      constantIds: constants?.join(' ') ?? '',
      numbers: seen(numbers),
      codings: seen(codings),
      adopted: adopted.join('; '),
    };
  }
}
