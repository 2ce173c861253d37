// What the gateway needs of a store: namespaced keys for the hub and each instance, and leases. Implemented by redis.ts
// (real deployments) and sqlite.ts (embedded); test/contract/state.ts is the suite both pass.
import { GatewayError, type State } from '../contract/index.ts';

export interface StateStore {
  /** Keys of one namespace never meet those of another. The same name gives the same keys after a restart. */
  namespace(name: string): State;
  /**
   * The lease on `name`, or undefined while somebody else holds it. It ends `ttlMs` after the last renew, or at once
   * when its process dies where that can be told (SQLite's file lock; on Redis by another process of the same machine).
   */
  lease(name: string, ttlMs: number): Promise<Lease | undefined>;
  /** Writes and reads back: for readiness. Rejects with the store's own words. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface Lease {
  /** Rises with every new holder of this name, for ever: whatever carries an older one is stale. */
  readonly fence: number;
  /** False when it was lost: stop at once. Rejects while the store cannot be asked. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

export const maxKeyBytes = 512;

/** Refuses a key that is too long on one store before it is found out on the other. */
export function checkKey(key: string): void {
  if (key.length * 3 <= maxKeyBytes || Buffer.byteLength(key) <= maxKeyBytes) return;
  throw new GatewayError('too-large', `a state key is over ${maxKeyBytes} bytes`);
}
