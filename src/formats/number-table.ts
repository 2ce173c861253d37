// Numbers, prefixes, short codes and names as an operator writes them -> whose they are. Exact before prefix, long before short.
import { type Address, splitAddress } from '../contract/index.ts';

export class NumberTable<T> {
  readonly #exact = new Map<string, T>();
  readonly #prefixes = new Map<string, T>();

  /** `+447700900100`, `+4477009001*`, `12345`, `My Bank`, `*`. The first that claims a spelling keeps it. */
  add(pattern: string, value: T): void {
    const table = pattern.endsWith('*') ? this.#prefixes : this.#exact;
    const key = pattern.replace(/\*$/, '');
    if (!table.has(key)) table.set(key, value);
  }

  find(address: Address): T | undefined {
    const { local, domain } = splitAddress(address);
    const exact = this.#exact.get(local);
    if (exact !== undefined) return exact;
    // A short code or a name begins like nothing else.
    const longest = domain === '' ? local.length : 0;
    for (let length = longest; length >= 0; length--) {
      const found = this.#prefixes.get(local.slice(0, length));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

export function tableOf(patterns: readonly string[]): NumberTable<true> {
  const table = new NumberTable<true>();
  for (const pattern of patterns) table.add(pattern, true);
  return table;
}
