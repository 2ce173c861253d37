// How a message of several parts ends: delivered when all asked parts are (or the one that this carrier speaks of), failed
// at the first that failed, unknown when the others do not come in time. Durable from the first receipt on.
import type { State } from '../../../src/contract/index.ts';
import type { Turns } from '../../../src/guards/turns.ts';
import type { Outcome } from '../errors.ts';
import type { Conclusion } from '../mapping.ts';
import type { Learnt } from './learnt.ts';
import { isFinal, type PartRecord } from './records.ts';

interface Tally {
  readonly f: string;
  readonly t: string;
  readonly n: number;
  /** When the first receipt came. */
  readonly at: number;
  readonly got: Readonly<Record<number, string>>;
  readonly told?: string;
}

export interface TallyLimits {
  readonly partsWaitMs: number;
  readonly recordMs: number;
}

const maxWaiting = 100_000;
const sweepPauseMs = 5000;

export class Tallies {
  readonly #state: State;
  readonly #limits: TallyLimits;
  readonly #learnt: Learnt;
  readonly #conclude: (conclusion: Conclusion) => Promise<void>;
  readonly #turns: Turns;
  readonly #now: () => number;
  /** Messages of which some receipts are in, oldest first. */
  readonly #waiting = new Map<string, number>();
  #isSweeping = false;
  #sweepAgainAt = 0;

  constructor(parts: {
    state: State;
    limits: TallyLimits;
    learnt: Learnt;
    conclude: (conclusion: Conclusion) => Promise<void>;
    turns: Turns;
    now: () => number;
  }) {
    this.#state = parts.state;
    this.#limits = parts.limits;
    this.#learnt = parts.learnt;
    this.#conclude = parts.conclude;
    this.#turns = parts.turns;
    this.#now = parts.now;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    const started: Array<[number, string]> = [];
    for await (const [key, value] of this.#state.scan('tally/')) {
      const { at, told } = JSON.parse(value) as Tally;
      if (told === undefined) started.push([at, key.slice('tally/'.length)]);
    }
    for (const [at, event] of started.sort(([one], [other]) => one - other)) this.#waiting.set(event, at);
  }

  /** Called a few times a second: messages whose other receipts do not come. */
  tick(): void {
    if (!this.#isSweeping && this.#now() >= this.#sweepAgainAt && this.#due() !== undefined) void this.#sweep();
  }

  /** What was told of that message, if anything. */
  async told(event: string): Promise<string | undefined> {
    return (await this.#read(event))?.told;
  }

  /** One part has ended. In the turn of its message. */
  async count({ e: event, f, t, n, i }: PartRecord, outcome: Outcome): Promise<void> {
    const tally: Tally = (await this.#read(event)) ?? { f, t, n, at: this.#now(), got: {} };
    await this.#learnt.notePart(i, n);
    if (isFinal(tally.told) || isFinal(tally.got[i])) return;
    const got = { ...tally.got, [i]: outcome.state };
    const told = await this.#tell(event, { ...tally, got }, outcome, i);
    await this.#write(event, { ...tally, got, ...(told && { told }) });
    if (told) this.#waiting.delete(event);
    else if (!this.#waiting.has(event)) this.#waiting.set(event, tally.at);
  }

  /** Nothing more is waited for. In the turn of its message. */
  async close({ e: event, f, t, n }: Pick<PartRecord, 'e' | 'f' | 't' | 'n'>, words: string): Promise<void> {
    const tally: Tally = (await this.#read(event)) ?? { f, t, n, at: this.#now(), got: {} };
    this.#waiting.delete(event);
    if (tally.told !== undefined) return;
    await this.#conclude({ event, from: f, to: t, state: 'unknown', words });
    await this.#write(event, { ...tally, told: 'unknown' });
  }

  /** What is told of the message now that this part has ended, if anything. */
  async #tell(event: string, { f, t, n, got, told }: Tally, outcome: Outcome, i: number): Promise<string | undefined> {
    const states = Object.values(got);
    const conclusion = { event, from: f, to: t };
    if (outcome.state === 'failed' || outcome.state === 'expired') {
      const words = n > 1 ? `part ${i + 1} of ${n}: ${outcome.words}` : outcome.words;
      await this.#conclude({ ...conclusion, ...outcome, words });
      return outcome.state;
    }
    const { parts } = this.#learnt;
    const speaksForAll = (parts === 'first' && i === 0) || (parts === 'last' && i === n - 1);
    if (states.length < n && !speaksForAll) return told;
    const isDelivered = speaksForAll ? outcome.state === 'delivered' : states.every((each) => each === 'delivered');
    const state = isDelivered ? 'delivered' : 'unknown';
    if (state !== told) await this.#conclude({ ...conclusion, ...outcome, state });
    return state;
  }

  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    try {
      for (let event = this.#due(); event !== undefined; event = this.#due()) await this.#giveUp(event);
    } catch {
      this.#sweepAgainAt = this.#now() + sweepPauseMs;
    } finally {
      this.#isSweeping = false;
    }
  }

  #due(): string | undefined {
    const [oldest] = this.#waiting;
    if (!oldest) return undefined;
    const isDue = this.#now() - oldest[1] >= this.#limits.partsWaitMs || this.#waiting.size > maxWaiting;
    return isDue ? oldest[0] : undefined;
  }

  #giveUp(event: string): Promise<void> {
    return this.#turns.take(event, async () => {
      const tally = await this.#read(event);
      this.#waiting.delete(event);
      if (!tally || tally.told !== undefined) return;
      const parts = Object.keys(tally.got).map(Number);
      try {
        await this.close({ e: event, ...tally }, `the SMS centre confirmed ${parts.length} of ${tally.n} parts`);
      } catch (error) {
        this.#waiting.set(event, tally.at);
        throw error;
      }
      await this.#learnt.notePartsOnly(parts, tally.n);
    });
  }

  async #read(event: string): Promise<Tally | undefined> {
    const stored = await this.#state.get(tallyKey(event));
    return stored === undefined ? undefined : (JSON.parse(stored) as Tally);
  }

  #write(event: string, tally: Tally): Promise<void> {
    return this.#state.set(tallyKey(event), JSON.stringify(tally), this.#limits.recordMs);
  }
}

function tallyKey(event: string): string {
  return `tally/${event}`;
}
