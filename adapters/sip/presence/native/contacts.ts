// Whom people of our own domains watch: by that they say who may watch them (RFC 3856 s.6.6.2 leaves the policy to us).
import type { Address, State } from '../../../../src/contract/index.ts';
import { hashedKey } from '../hashed-key.ts';

/** As long as anybody watches somebody without ever starting again. */
const keepMs = 400 * 86_400_000;

export class Contacts {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** True when that is new. */
  remember(user: Address, contact: Address): Promise<boolean> {
    return this.#state.setIfAbsent(keyOf(user, contact), '1', keepMs);
  }

  async knows(user: Address, contact: Address): Promise<boolean> {
    return (await this.#state.get(keyOf(user, contact))) !== undefined;
  }
}

function keyOf(user: Address, contact: Address): string {
  return hashedKey('contact/', `${user}|${contact}`.toLowerCase());
}
