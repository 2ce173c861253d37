// A message that the SMSC sends again because our last response was lost with the link. Only what was answered shortly
// before a link was lost can be one: two equal messages on a link that lives are two messages.
import { createHash } from 'node:crypto';
import { headerBytes, type PduOf } from './codec/index.ts';

type Mobile = PduOf<'deliver_sm'> | PduOf<'data_sm'>;

// Of each link the last answers, as many as an SMSC may have under way.
const mostRecent = 500;
const recentMs = 60_000;
const mostSuspects = 10_000;

export class Repeats {
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #recent = new WeakMap<object, Array<{ seal: string; at: number }>>();
  /** Until when each may come again, oldest first. */
  readonly #suspects = new Map<string, number>();

  /** `windowMs` 0: nothing is ever taken for a repeat. */
  constructor(windowMs: number, now: () => number) {
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /** Whether this is one that we had; each counts once. */
  take(seal: string): boolean {
    const until = this.#suspects.get(seal);
    this.#suspects.delete(seal);
    return until !== undefined && this.#now() <= until;
  }

  /** It was taken on that link, and its answer is on the way. */
  answered(link: object, seal: string): void {
    if (this.#windowMs === 0) return;
    const recent = this.#recent.get(link) ?? [];
    recent.push({ seal, at: this.#now() });
    if (recent.length > mostRecent * 2) recent.splice(0, mostRecent);
    this.#recent.set(link, recent);
  }

  /** That link is gone: its last answers may not have arrived. */
  lost(link: object): void {
    const now = this.#now();
    for (const { seal, at } of this.#recent.get(link)?.slice(-mostRecent) ?? []) {
      if (now - at <= recentMs) this.#suspects.set(seal, now + this.#windowMs);
    }
    this.#recent.delete(link);
    for (const seal of this.#suspects.keys()) {
      if (this.#suspects.size <= mostSuspects) break;
      this.#suspects.delete(seal);
    }
  }
}

/** The same for a message and its repeat: all of it but the sequence number. */
export function sealOf({ command }: Mobile, frame: Buffer): string {
  return createHash('sha1').update(command).update(frame.subarray(headerBytes)).digest('base64url');
}
