// A receipt book on a store in memory, with a clock that the test moves.
import type { Conclusion } from '../../../adapters/smpp/mapping.ts';
import { type BookHooks, type BookOptions, ReceiptBook } from '../../../adapters/smpp/receipts/book.ts';
import type { ParsedReceipt } from '../../../adapters/smpp/receipts/dialects.ts';
import type { PartRecord } from '../../../adapters/smpp/receipts/records.ts';
import { MemoryState } from '../../peers/hub.ts';

export class CountingState extends MemoryState {
  operations = 0;
  override get(key: string) {
    this.operations++;
    return super.get(key);
  }
  override set(key: string, value: string, ttlMs?: number) {
    this.operations++;
    return super.set(key, value, ttlMs);
  }
  override take(key: string) {
    this.operations++;
    return super.take(key);
  }
  override delete(key: string) {
    this.operations++;
    return super.delete(key);
  }
}

export function openBook(
  state: MemoryState = new MemoryState(),
  clock = { now: 1_000_000 },
  more: Partial<BookOptions> = {},
  hooks: BookHooks = {},
) {
  const told: Conclusion[] = [];
  const limits: BookOptions = {
    partsWaitMs: 60_000,
    recordMs: 3_600_000,
    receiptIds: 'auto',
    partReceipts: 'auto',
    receiptFallback: 'none',
    errorWords: {},
    ...more,
  };
  let refusal: Error | undefined;
  const conclude = async (conclusion: Conclusion) => {
    if (refusal) throw refusal;
    told.push(conclusion);
  };
  const book = new ReceiptBook(state, limits, conclude, () => clock.now, hooks);
  const refuse = (error: Error | undefined) => {
    refusal = error;
  };
  return { book, told, clock, state, refuse, states: () => told.map(({ event, state: how }) => `${event} ${how}`) };
}

export const phone = '447700900123';
export const part = (e: string, i = 0, n = 1, d = phone): PartRecord => ({ e, f: 'tel:+1', t: 'tel:+2', d, i, n });
export const receipt = (id: string, stat = 'DELIVRD'): ParsedReceipt => ({ ids: [id], stat, isCertain: true });
export const hour = 3_600_000;
