// Who of the other networks may watch whom here, and who has asked to, as the XMPP server last said. What changed while we
// were away is asked for again when we are back, and a probe that a server leaves unanswered gets an answer.
import { createHash } from 'node:crypto';
import {
  type Address,
  bareAddress,
  type DraftOf,
  type State,
  type Subscription,
  type ViewRow,
} from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';
import type { Clock } from './clock.ts';

export interface WatchesParts {
  readonly state: State;
  readonly clock: Clock;
  /** Writes a question of ours; resolves when the server has it. */
  say(action: 'request' | 'fetch', watcher: Address, presentity: Address): Promise<void>;
  /** Asks for what is no presence and belongs to it. */
  askMore(pair: Pair): void;
  /** What is to be believed where the server says nothing. */
  conclude(said: DraftOf<'presence'>): void;
}

export interface Pair {
  readonly watcher: Address;
  readonly presentity: Address;
}
type Watch = Pair & { readonly standing: 'pending' | 'approved' };

const answerMs = 5000;
const maxAsked = 10_000;
const pendingMs = 30 * 86_400_000;

export class Watches {
  readonly #domain: string;
  readonly #parts: WatchesParts;
  /** Oldest first; all wait equally long, so that one timer serves. */
  readonly #asked = new RecentMap<string, Pair & { at: number }>(maxAsked);
  #cancelTimer: (() => void) | undefined;
  #round = 0;

  constructor(domain: string, parts: WatchesParts) {
    this.#domain = domain;
    this.#parts = parts;
  }

  /** The server says that a watcher may watch, or may not (any longer). */
  async answered(action: Subscription['action'], { watcher, presentity }: Pair): Promise<void> {
    const { state } = this.#parts;
    const key = keyOf(this.#domain, watcher, presentity);
    if (action === 'approve') await state.set(key, textOf({ watcher, presentity, standing: 'approved' }));
    if (action === 'deny') await state.delete(key);
  }

  async isApproved({ watcher, presentity }: Pair): Promise<boolean> {
    return watchOf(await this.#parts.state.get(keyOf(this.#domain, watcher, presentity)))?.standing === 'approved';
  }

  /** Resolves as `write` does, which writes what a watcher says. */
  async carry({ action, from, to }: Pick<Subscription, 'action' | 'from' | 'to'>, write: () => Promise<void>) {
    const pair = { watcher: bareAddress(from), presentity: bareAddress(to) };
    const key = keyOf(this.#domain, pair.watcher, pair.presentity);
    const { state } = this.#parts;
    if (action === 'cancel') await state.delete(key);
    if (action !== 'request' && action !== 'fetch') return write();
    const watch = watchOf(await state.get(key));
    if (action === 'fetch') return this.#fetch(pair, watch, write);
    if (!watch) await state.set(key, textOf({ ...pair, standing: 'pending' }), pendingMs);
    await write();
  }

  /** Anything of one to the other answers. */
  heard(presentity: Address, watcher: Address): void {
    if (this.#asked.size > 0) this.#asked.delete(pairOf(bareAddress(watcher), bareAddress(presentity)));
  }

  /** After a new connection: asks again of everybody, one after the other. */
  async refresh(): Promise<void> {
    const round = ++this.#round;
    for await (const { standing, watcher, presentity } of this.#all()) {
      if (round !== this.#round) return;
      const action = standing === 'pending' ? 'request' : 'fetch';
      const question = { action, from: watcher, to: presentity } as const;
      await this.carry(question, () => this.#parts.say(action, watcher, presentity));
    }
  }

  async *rows(): AsyncIterable<ViewRow> {
    for await (const { watcher, presentity, standing } of this.#all()) yield { watcher, presentity, standing };
  }

  stop(): void {
    this.#round++;
    this.#cancelTimer?.();
    this.#asked.clear();
  }

  async #fetch(pair: Pair, watch: Watch | undefined, write: () => Promise<void>): Promise<void> {
    // Prosody forgets a request that nobody has answered when its contact is probed.
    if (watch?.standing === 'pending') {
      this.#conclude(pair, 'unknown');
      return;
    }
    this.#ask(pair);
    try {
      this.#parts.askMore(pair);
      await write();
    } catch (error) {
      this.heard(pair.presentity, pair.watcher);
      throw error;
    }
  }

  #ask(pair: Pair): void {
    const { clock } = this.#parts;
    const key = pairOf(pair.watcher, pair.presentity);
    this.#asked.set(key, { ...pair, at: clock.now() });
    this.#cancelTimer ??= clock.after(answerMs, () => this.#sweep());
  }

  #sweep(): void {
    const { clock, state } = this.#parts;
    this.#cancelTimer = undefined;
    for (const [key, { at, ...pair }] of this.#asked) {
      const leftMs = at + answerMs - clock.now();
      if (leftMs > 0) {
        this.#cancelTimer = clock.after(leftMs, () => this.#sweep());
        return;
      }
      this.#asked.delete(key);
      // Prosody says `unavailable` for a user who is away, ejabberd nothing; to a stranger a server may say nothing either.
      void state.get(keyOf(this.#domain, pair.watcher, pair.presentity)).then(
        (text) => this.#conclude(pair, text === undefined ? 'unknown' : 'unavailable'),
        () => this.#conclude(pair, 'unknown'),
      );
    }
  }

  #conclude({ watcher, presentity }: Pair, availability: 'unknown' | 'unavailable'): void {
    this.#parts.conclude({ type: 'presence', from: presentity, to: watcher, availability });
  }

  async *#all(): AsyncIterable<Watch> {
    for await (const [, text] of this.#parts.state.scan(`${prefix}${this.#domain}/`)) {
      const watch = watchOf(text);
      if (watch) yield watch;
    }
  }
}

const prefix = 'watch/';
const pairOf = (watcher: Address, presentity: Address) => `${watcher} ${presentity}`;

// Two JIDs can be longer than a key may be.
function keyOf(domain: string, watcher: Address, presentity: Address): string {
  return `${prefix}${domain}/${createHash('sha256').update(pairOf(watcher, presentity)).digest('base64url')}`;
}

const textOf = ({ standing, watcher, presentity }: Watch) => `${standing} ${pairOf(watcher, presentity)}`;

function watchOf(text: string | undefined): Watch | undefined {
  if (text === undefined) return undefined;
  const [standing, watcher, presentity] = text.split(' ') as [Watch['standing'], Address, Address];
  return { standing, watcher, presentity };
}
