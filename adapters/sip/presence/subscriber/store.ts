// Every watch there is: by the pair of people, by Call-ID, and in the store, so that its dialog goes on after a restart.
import type { Address, State } from '../../../../src/contract/index.ts';
import { Turns } from '../../../../src/guards/turns.ts';
import { hashedKey } from '../hashed-key.ts';
import { pairOfWatch, type Watch, type Watching } from './watch.ts';

const prefix = 'watch/';
/** An authorisation is for good (RFC 8048 s.5.1); one that nobody used for so long is taken for abandoned. */
const keepMs = 400 * 86_400_000;
/** What one SUBSCRIBE can use up: itself, two answers to challenges, one redirection. */
export const cseqsPerRequest = 4;

export class WatchStore {
  readonly #state: State;
  readonly #byPair = new Map<string, Watching>();
  readonly #byCallId = new Map<string, Watching>();
  readonly #byWatcher = new Map<Address, number>();
  readonly #turns = new Turns();

  constructor(state: State) {
    this.#state = state;
  }

  get size(): number {
    return this.#byPair.size;
  }

  /** How many contacts somebody watches. */
  countOf(watcher: Address): number {
    return this.#byWatcher.get(watcher) ?? 0;
  }

  values(): Iterable<Watching> {
    return this.#byPair.values();
  }

  find(pair: string): Watching | undefined {
    return this.#byPair.get(pair);
  }

  findByCallId(callId: string): Watching | undefined {
    return this.#byCallId.get(callId);
  }

  add(watching: Watching): void {
    const { watcher } = watching.watch;
    this.#byPair.set(pairOfWatch(watching.watch), watching);
    this.#byWatcher.set(watcher, this.countOf(watcher) + 1);
    if (watching.callId !== undefined) this.#byCallId.set(watching.callId, watching);
  }

  /** Changes the Call-ID under which notifications find it; undefined for none. */
  rename(watching: Watching, change: () => void): void {
    const before = watching.callId;
    change();
    const after = watching.callId;
    if (before === after) return;
    if (before !== undefined) this.#byCallId.delete(before);
    if (after !== undefined) this.#byCallId.set(after, watching);
  }

  /** Neither a dialog any more nor one under way; the store has it with the next `save`. */
  drop(watching: Watching): void {
    this.rename(watching, () => {
      watching.attempt = undefined;
      delete watching.watch.dialog;
      delete watching.watch.etag;
    });
  }

  /** Resolves once it is durable. What is written is how it stands when its turn comes. */
  async save(watching: Watching): Promise<void> {
    const pair = pairOfWatch(watching.watch);
    if (watching.watch.standing === 'polled') return;
    await this.#turns.take(pair, async () => {
      if (this.#byPair.get(pair) !== watching) return;
      const { dialog, ...watch } = watching.watch;
      // The numbers that the next request may use count as used (RFC 3261 s.12.2.1.1), should we not live to write them down.
      const localCSeq = (dialog?.localCSeq ?? 0) + cseqsPerRequest;
      const stored: Watch = dialog ? { ...watch, dialog: { ...dialog, localCSeq } } : watch;
      await this.#state.set(keyOf(pair), JSON.stringify(stored), keepMs);
      watching.reservedCSeq = localCSeq;
    });
  }

  /** Forgets it, but for notifications that are still to come. */
  async retire(watching: Watching): Promise<void> {
    const pair = pairOfWatch(watching.watch);
    if (this.#byPair.get(pair) !== watching) return;
    this.#byPair.delete(pair);
    const { watcher } = watching.watch;
    const left = this.countOf(watcher) - 1;
    if (left > 0) this.#byWatcher.set(watcher, left);
    else this.#byWatcher.delete(watcher);
    if (watching.watch.standing !== 'polled') await this.#turns.take(pair, () => this.#state.delete(keyOf(pair)));
  }

  async remove(watching: Watching): Promise<void> {
    if (watching.callId !== undefined) this.#byCallId.delete(watching.callId);
    await this.retire(watching);
  }

  /** What an earlier process left; what cannot be read is left out. */
  async *load(): AsyncIterable<Watch> {
    for await (const [, value] of this.#state.scan(prefix)) {
      const watch = parse(value);
      if (watch) yield watch;
    }
  }
}

function parse(json: string): Watch | undefined {
  try {
    const watch = JSON.parse(json) as Partial<Watch>;
    const isWhole =
      typeof watch.watcher === 'string' && typeof watch.contact === 'string' && Array.isArray(watch.devices);
    return isWhole ? (watch as Watch) : undefined;
  } catch {
    return undefined;
  }
}

function keyOf(pair: string): string {
  return hashedKey(prefix, pair);
}
