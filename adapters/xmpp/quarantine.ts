// Stanzas under way when the server ended the stream over something it had read. They are written again one at a time, so
// that one which ends the stream every time is found out and refused, and the others get through.
import { RecentMap } from '../../src/guards/recent-map.ts';

// The first end accuses all that were under way, the second comes while hardly anything else is, the third is no accident.
const maxStrikes = 3;
const maxSuspects = 10_000;

/** Stream errors that speak of what we wrote (RFC 6120 s.4.9.3), not of the server or the link. */
const accusations: ReadonlySet<string> = new Set([
  'bad-format',
  'bad-namespace-prefix',
  'improper-addressing',
  'invalid-from',
  'invalid-xml',
  'not-well-formed',
  'policy-violation',
  'restricted-xml',
  'unsupported-encoding',
  'unsupported-stanza-type',
]);

export class Quarantine {
  readonly #strikes = new RecentMap<string, number>(maxSuspects);
  #last: Promise<unknown> = Promise.resolve();

  /** The stream ended with that condition while these were under way. */
  onEnd(condition: string, ids: readonly string[]): void {
    if (!accusations.has(condition)) return;
    for (const id of ids) this.#strikes.set(id, (this.#strikes.get(id) ?? 0) + 1);
  }

  isSuspect(id: string): boolean {
    return this.#strikes.has(id);
  }

  isGuilty(id: string): boolean {
    return (this.#strikes.get(id) ?? 0) >= maxStrikes;
  }

  acquit(id: string): void {
    this.#strikes.delete(id);
  }

  /** Runs after every other suspect has had its turn. */
  alone(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
