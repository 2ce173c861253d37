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

interface Facts {
  idRule?: IdRule;
  /** What had to be overlooked between the two ids: `exact`, `without case`. */
  ids?: string;
  /** Where receipts are: `deliver_sm text, esm_class 0x04`; and how many digits their dates have. */
  dialects?: string[];
  dates?: string[];
  parts?: PartDialect;
  /** Keys of ids that are given to every message. */
  constants?: string[];
}

const key = 'learnt/carrier';
const mostOfEach = 8;
// So many messages in a row with a receipt for that part alone, and none for the others, before it is a rule.
const proof = 3;

export class Learnt {
  readonly #state: State;
  readonly #pins: Pins;
  #facts: Facts = {};
  #lonely: { part: PartDialect; count: number } = { part: 'every', count: 0 };

  constructor(state: State, pins: Pins) {
    this.#state = state;
    this.#pins = pins;
  }

  async open(): Promise<void> {
    const stored = await this.#state.get(key);
    if (stored !== undefined) this.#facts = JSON.parse(stored) as Facts;
    if (!idRules.some((rule) => rule === this.#facts.idRule)) delete this.#facts.idRule;
  }

  get idRule(): IdRule | undefined {
    return this.pinnedIdRule ?? this.#facts.idRule;
  }

  get pinnedIdRule(): IdRule | undefined {
    return this.#pins.receiptIds === 'auto' ? undefined : this.#pins.receiptIds;
  }

  get parts(): PartDialect {
    return this.#pins.partReceipts === 'auto' ? (this.#facts.parts ?? 'every') : this.#pins.partReceipts;
  }

  isConstant(id: string): boolean {
    return this.#facts.constants?.includes(id) ?? false;
  }

  /** Writes only what is new. */
  async note(news: Partial<Facts>): Promise<void> {
    const facts = { ...this.#facts, ...news };
    const text = JSON.stringify(facts);
    if (text === JSON.stringify(this.#facts)) return;
    this.#facts = facts;
    await this.#state.set(key, text);
  }

  /** One more of a kind; what is known already costs nothing. */
  async noteOne(kind: 'dialects' | 'dates' | 'constants', value: string): Promise<void> {
    const known = this.#facts[kind] ?? [];
    if (!known.includes(value)) await this.note({ [kind]: [...known, value].slice(-mostOfEach) });
  }

  /** A message of `total` parts waited in vain for more receipts than those of `parts`. */
  async notePartsOnly(parts: readonly number[], total: number): Promise<void> {
    const part = parts.length !== 1 ? 'every' : parts[0] === 0 ? 'first' : parts[0] === total - 1 ? 'last' : 'every';
    this.#lonely = part === this.#lonely.part ? { part, count: this.#lonely.count + 1 } : { part, count: 1 };
    if (part !== 'every' && this.#lonely.count >= proof) await this.note({ parts: part });
  }

  /** A receipt for that part came: one rule less may hold. */
  async notePart(index: number, total: number): Promise<void> {
    const only = this.#facts.parts === 'first' ? 0 : this.#facts.parts === 'last' ? total - 1 : index;
    if (index === only) return;
    this.#lonely = { part: 'every', count: 0 };
    await this.note({ parts: 'every' });
  }

  /** For operators. */
  row(): Readonly<Record<string, string>> {
    const { receiptIds, partReceipts } = this.#pins;
    const pinned = (value: string, isPinned: boolean) => (isPinned ? `${value} (pinned)` : value);
    return {
      idRule: pinned(this.idRule ?? 'not seen yet', receiptIds !== 'auto'),
      ids: this.#facts.ids ?? 'not seen yet',
      receipts: this.#facts.dialects?.join('; ') ?? 'not seen yet',
      dates: this.#facts.dates?.join('; ') ?? 'not seen yet',
      partReceipts: pinned(this.parts, partReceipts !== 'auto'),
      constantIds: this.#facts.constants?.join(' ') ?? '',
    };
  }
}
