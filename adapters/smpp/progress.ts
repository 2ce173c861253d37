// How far the attempts at a text of several parts came, kept under its event, and the references that tell texts apart.
import type { State } from '../../src/contract/index.ts';
import type { SubmitFields } from './mapping.ts';

export interface Progress {
  readonly reference: number;
  /** Parts that the SMSC took, and parts of which nobody knows and which are not to be doubled. */
  readonly taken: number[];
  readonly assumed: number[];
  /** What the SMSC called those that it took, in the order of its answers. */
  readonly ids: string[];
  /** Alphabets that the cut does without (codings.ts). */
  readonly avoided?: readonly string[];
}

const referenceMs = 3 * 86_400_000;

export class Progresses {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** One part needs no record. */
  async of(event: string, numbers: SubmitFields, parts: number, lifeMs: number): Promise<Progress> {
    if (parts === 1) return { reference: 0, taken: [], assumed: [], ids: [] };
    const stored = await this.stored(event);
    if (stored) return stored;
    const progress = { reference: await nextReference(this.#state, numbers), taken: [], assumed: [], ids: [] };
    // Before anything is sent: a crash repeats parts under the same reference, and phones drop what they have.
    await this.keep(event, progress, lifeMs);
    return progress;
  }

  async stored(event: string): Promise<Progress | undefined> {
    const stored = await this.#state.get(progressKey(event));
    return stored === undefined ? undefined : (JSON.parse(stored) as Progress);
  }

  keep(event: string, progress: Progress, lifeMs: number): Promise<void> {
    return this.#state.set(progressKey(event), JSON.stringify(progress), lifeMs);
  }

  /** It would go by itself in the end; to fail now would send again what was taken. */
  async forget(event: string): Promise<void> {
    await this.#state.delete(progressKey(event)).catch(() => {});
  }
}

/** Whether the SMSC has, or may have, something of it. */
export function isBegun({ taken, assumed }: Progress): boolean {
  return taken.length + assumed.length > 0;
}

/** TS 23.040 s.9.2.3.24.1: each text between two numbers has its own. */
export function nextReference(state: State, { source_addr, destination_addr }: SubmitFields): Promise<number> {
  return state.increment(`reference/${source_addr}/${destination_addr}`, 1, referenceMs);
}

function progressKey(event: string): string {
  return `progress/${event}`;
}
