// What the book keeps of each part and message, and how a message ends. Short names: there are many.
import type { Outcome } from '../errors.ts';
import type { IdRule } from './ids.ts';

/** An accepted part, under the id that the SMSC gave it. */
export interface PartRecord {
  /** The SMS centre that gave the id. */
  readonly h?: string;
  /** The event, its sender and recipient. */
  readonly e: string;
  readonly f: string;
  readonly t: string;
  /** destination_addr as submitted. */
  readonly d: string;
  /** Source TON, NPI and address as submitted, for query_sm and the numbers of a receipt. */
  readonly o?: readonly [ton: number, npi: number, addr: string];
  /** Which part, and of how many a receipt was asked. */
  readonly i: number;
  readonly n: number;
  /** message_id as the SMSC wrote it, where its key is another. */
  readonly m?: string;
  /** When it was submitted, in milliseconds since 1970. */
  readonly a?: number;
  /** How it ended. */
  readonly s?: string;
}

/** A record that a receipt means. Without a key it was found by its numbers. */
export interface Hit {
  readonly rule: IdRule;
  readonly key: string | undefined;
  readonly record: PartRecord;
}

/** Says how a message (or a part of one) stands, when the SMSC is asked; undefined when it cannot say. */
export type Ask = (messageId: string, record: PartRecord) => Promise<Outcome | 'on its way' | undefined>;

// What is left of a key for it beside the longest id.
const longestHost = 100;

/** Two SMS centres may give the same id. Without a centre: as kept before centres were told apart. */
export function partKey(id: string, host = ''): string {
  return `part/${hostKey(host)}${id}`;
}

export function hostKey(host: string): string {
  return host === '' ? '' : `${host.slice(-longestHost)}/`;
}

/** The first final outcome counts; only `unknown` may be bettered. */
export function isFinal(state: string | undefined): boolean {
  return state !== undefined && state !== 'unknown';
}
