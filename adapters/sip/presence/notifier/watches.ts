// The subscriptions of an event package, by whom they are about.
import type { Address } from '../../../../src/contract/index.ts';
import type { Watch } from './package.ts';

const none: ReadonlySet<Watch> = new Set();

export class Watches {
  readonly #byPresentity = new Map<string, Set<Watch>>();

  add(watch: Watch): void {
    const key = keyOf(watch.presentity);
    this.#byPresentity.set(key, (this.#byPresentity.get(key) ?? new Set()).add(watch));
  }

  delete(watch: Watch): void {
    const key = keyOf(watch.presentity);
    const watches = this.#byPresentity.get(key);
    watches?.delete(watch);
    if (watches?.size === 0) this.#byPresentity.delete(key);
  }

  has(presentity: Address): boolean {
    return this.#byPresentity.has(keyOf(presentity));
  }

  of(presentity: Address): ReadonlySet<Watch> {
    return this.#byPresentity.get(keyOf(presentity)) ?? none;
  }
}

const keyOf = (presentity: Address) => presentity.toLowerCase();
