// For an SMSC that gives no message_id, or the same to every message: its receipts are matched by the two numbers, oldest
// message first. A guess, and therefore only where the operator asks for it (`receiptFallback: numbers`).
import type { State } from '../../../src/contract/index.ts';
import { Turns } from '../../../src/guards/turns.ts';
import type { PartRecord } from './records.ts';

const mostPerPair = 100;

export class Nameless {
  readonly #state: State;
  readonly #turns = new Turns();

  constructor(state: State) {
    this.#state = state;
  }

  add(record: PartRecord, ttlMs: number): Promise<void> {
    const key = pairKey(record.d, record.o?.[2] ?? '');
    return this.#turns.take(key, async () => {
      const waiting = await this.#read(key);
      await this.#state.set(key, JSON.stringify([...waiting, record].slice(-mostPerPair)), ttlMs);
    });
  }

  /**
   * Hands the oldest part between the two numbers to `settle`, and forgets it when that resolves with true. False: there
   * is none.
   */
  async match(numbers: readonly string[], ttlMs: number, settle: (record: PartRecord) => Promise<boolean>) {
    const [one = '', other = ''] = numbers;
    // Most SMSCs turn the numbers of a receipt round, some do not.
    for (const key of [pairKey(one, other), pairKey(other, one)]) {
      const isMatched = await this.#turns.take(key, async () => {
        const [oldest, ...rest] = await this.#read(key);
        if (!oldest) return false;
        if (!(await settle(oldest))) return true;
        if (rest.length > 0) await this.#state.set(key, JSON.stringify(rest), ttlMs);
        else await this.#state.delete(key);
        return true;
      });
      if (isMatched) return true;
    }
    return false;
  }

  async #read(key: string): Promise<PartRecord[]> {
    const stored = await this.#state.get(key);
    return stored === undefined ? [] : (JSON.parse(stored) as PartRecord[]);
  }
}

// National and international forms end alike.
function pairKey(destination: string, source: string): string {
  return `nameless/${tail(destination)}/${tail(source)}`;
}

function tail(number: string): string {
  const digits = number.replace(/\D/g, '');
  return digits.length >= 3 ? digits.slice(-8) : number.toLowerCase().slice(0, 20);
}
