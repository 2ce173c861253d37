// What senders asked to be told (RFC 5438), kept in the store until the receipts come.
import { createHash } from 'node:crypto';
import { type Address, bareAddress, type State } from '../../src/contract/index.ts';
import type { Asked } from './mapping/inbound.ts';
import type { Told } from './mapping/notification.ts';

/** As long as the hub remembers messages by default. */
const keepMs = 7 * 86_400_000;

export class AskedStore {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  keep(sender: Address, nativeId: string, asked: Asked): Promise<void> {
    return this.#state.set(keyOf(sender, nativeId), JSON.stringify(asked), keepMs);
  }

  /** Remembers that a notification of that kind has gone. */
  told(sender: Address, nativeId: string, { asked, notification }: Told): Promise<void> {
    return this.keep(sender, nativeId, { ...asked, told: [...(asked.told ?? []), notification] });
  }

  async find(sender: Address, nativeId: string): Promise<Asked | undefined> {
    const found = await this.#state.get(keyOf(sender, nativeId));
    return found === undefined ? undefined : (JSON.parse(found) as Asked);
  }
}

// A message-id may be longer than a key.
function keyOf(sender: Address, nativeId: string): string {
  return `asked/${createHash('sha256')
    .update(`${bareAddress(sender)}|${nativeId}`)
    .digest('base64url')}`;
}
