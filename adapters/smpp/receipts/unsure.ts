// Submits whose response was lost, where the policy is `query`: the verdict waits for a late response or a receipt that can
// only be theirs, then the SMSC is asked about those whose id came to light; of the others nobody knows. Durable.
import type { State } from '../../../src/contract/index.ts';
import type { Outcome } from '../errors.ts';
import { isOneOf } from './ids.ts';
import type { Ask, PartRecord } from './records.ts';

interface Doubt {
  readonly at: number;
  readonly records: readonly PartRecord[];
  /** message_id by part, once known. */
  readonly ids: Record<number, string>;
}

export interface UnsureParts {
  readonly state: State;
  /** How long after the loss the verdict is given. */
  readonly waitMs: number;
  readonly ask: Ask;
  readonly isBound: () => boolean;
  /** What the SMSC said of a part. */
  readonly answered: (messageId: string, record: PartRecord, outcome: Outcome) => Promise<void>;
  /** Nobody knows. */
  readonly unknown: (record: PartRecord) => Promise<void>;
  readonly now: () => number;
}

// Without a bind nobody can be asked: after so long that is the verdict.
const longestMs = 10 * 60_000;
const keepMs = 3 * 86_400_000;
const sweepPauseMs = 5000;

export class Unsure {
  readonly #parts: UnsureParts;
  // Oldest first. As many as were in flight when links were lost.
  readonly #doubts = new Map<string, Doubt>();
  #isSweeping = false;
  #sweepAgainAt = 0;

  constructor(parts: UnsureParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#doubts.size;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    const found: Array<[string, Doubt]> = [];
    for await (const [key, value] of this.#parts.state.scan('unsure/')) {
      found.push([key.slice('unsure/'.length), JSON.parse(value) as Doubt]);
    }
    for (const [event, doubt] of found.sort(([, one], [, other]) => one.at - other.at)) this.#doubts.set(event, doubt);
  }

  /** Resolves once durable. */
  async add(event: string, records: readonly PartRecord[]): Promise<void> {
    await this.#write(event, { at: this.#parts.now(), records, ids: {} });
  }

  /** A response came after all, or a receipt that can only be its. */
  async named(messageId: string, record: PartRecord): Promise<void> {
    const { e: event, i } = record;
    const doubt = this.#doubts.get(event);
    if (!doubt || messageId === '') return;
    const records = doubt.records.map((known) => (known.i === i ? record : known));
    await this.#write(event, { ...doubt, records, ids: { ...doubt.ids, [i]: messageId } });
  }

  /** The one part without an id between the two numbers; undefined when there is none, or a choice. */
  between(numbers: readonly string[]): PartRecord | undefined {
    let found: PartRecord | undefined;
    for (const { records, ids } of this.#doubts.values()) {
      for (const record of records) {
        const isNamed = ids[record.i] !== undefined;
        if (isNamed || !isOneOf(record.d, numbers) || !isFrom(record, numbers)) continue;
        if (found) return undefined;
        found = record;
      }
    }
    return found;
  }

  /** Called a few times a second. */
  tick(): void {
    if (!this.#isSweeping && this.#parts.now() >= this.#sweepAgainAt && this.#due()) void this.#sweep();
  }

  #due(): string | undefined {
    const [oldest] = this.#doubts;
    if (!oldest) return undefined;
    const [event, { at }] = oldest;
    const agoMs = this.#parts.now() - at;
    return agoMs >= longestMs || (agoMs >= this.#parts.waitMs && this.#parts.isBound()) ? event : undefined;
  }

  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    try {
      for (let event = this.#due(); event !== undefined; event = this.#due()) await this.#decide(event);
    } catch {
      this.#sweepAgainAt = this.#parts.now() + sweepPauseMs;
    } finally {
      this.#isSweeping = false;
    }
  }

  async #decide(event: string): Promise<void> {
    const { records, ids } = this.#doubts.get(event) as Doubt;
    const isKnown = await Promise.all(records.map((record) => this.#isKnown(record, ids[record.i])));
    const unknown = records.find((_, at) => !isKnown[at]);
    if (unknown) await this.#parts.unknown(unknown);
    this.#doubts.delete(event);
    await this.#parts.state.delete(`unsure/${event}`);
  }

  async #isKnown(record: PartRecord, messageId: string | undefined): Promise<boolean> {
    if (messageId === undefined) return false;
    const outcome = await this.#parts.ask(messageId, record);
    if (outcome !== undefined && outcome !== 'on its way') await this.#parts.answered(messageId, record, outcome);
    // With an id it was taken, whatever the SMSC can say of it now: its receipt will be understood.
    return true;
  }

  async #write(event: string, doubt: Doubt): Promise<void> {
    this.#doubts.set(event, doubt);
    await this.#parts.state.set(`unsure/${event}`, JSON.stringify(doubt), keepMs);
  }
}

// A name has no digits that could be compared.
function isFrom({ o }: PartRecord, numbers: readonly string[]): boolean {
  const address = o?.[2] ?? '';
  return isOneOf(address, numbers) || numbers.some((number) => number.toLowerCase() === address.toLowerCase());
}
