// Other options for an adapter that runs: what it takes over in place, and what waits for a new start of it.
import { isDeepStrictEqual } from 'node:util';
import type { Adapter } from './contract/index.ts';

type Options = Readonly<Record<string, unknown>>;

export interface Reconfigured {
  /** The options that hold now. */
  readonly inForce: unknown;
  /** For the operator: `esme.accounts: taken over`. */
  readonly said: readonly string[];
}

/** Without an adapter (on standby) all of them hold from its start on. Rejects when the adapter does. */
export async function reconfigure(
  name: string,
  adapter: Adapter | undefined,
  inForce: unknown,
  wanted: unknown,
): Promise<Reconfigured> {
  const old = inForce as Options;
  const next = wanted as Options;
  const keys = [...new Set([...Object.keys(old), ...Object.keys(next)])];
  const changed = keys.filter((key) => !isDeepStrictEqual(old[key], next[key]));
  if (changed.length === 0) return { inForce, said: [] };
  const isTaken = (key: string) => !adapter || (adapter.reconfigurable?.has(key) ?? false);
  const kept = changed.filter((key) => !isTaken(key)).map((key) => [key, old[key]] as const);
  const result = { ...next, ...Object.fromEntries(kept) };
  if (kept.length < changed.length) await adapter?.reconfigure?.(result);
  const said = changed.map((key) => `${name}.${key}: ${isTaken(key) ? 'taken over' : 'needs a restart'}`);
  return { inForce: result, said };
}
