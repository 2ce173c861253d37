// Texts from the network that come in parts: each part is durable before it is acknowledged, the whole is handed on when
// complete (or with a visible gap when the wait is over), in any order, repeats included, across restarts.
import { createHash } from 'node:crypto';
import { GatewayError, type State } from '../../src/contract/index.ts';
import { Turns } from '../../src/guards/turns.ts';
import type { SmeAddress } from './addresses.ts';
import type { Piece } from './text/index.ts';

export interface IncomingPart {
  readonly source: SmeAddress;
  readonly destination: SmeAddress;
  readonly reference: string;
  readonly total: number;
  /** From 1. */
  readonly index: number;
  readonly payload: Buffer;
  readonly dataCoding: number;
  readonly udh?: Buffer;
  /** Comes back with the whole. */
  readonly note?: string;
}

export interface Whole {
  readonly source: SmeAddress;
  readonly destination: SmeAddress;
  readonly pieces: readonly Piece[];
  /** Of all pieces in their order; of a piece that came several times, several. */
  readonly notes: readonly string[];
  /** The same for every attempt to hand on this whole, and no other's. */
  readonly key: string;
}

interface StoredPart {
  readonly p: string;
  readonly c: number;
  readonly u?: string;
  /** When the first part of this whole came. */
  readonly at: number;
  readonly s: SmeAddress;
  readonly d: SmeAddress;
  readonly n?: readonly string[];
}

interface Group {
  readonly key: string;
  readonly total: number;
  readonly at: number;
  /** Digest of each part by its place. */
  readonly parts: Map<number, string>;
}

const maxGroups = 10_000;
const sweepPauseMs = 5000;
// Of a piece that is sent again and again the latest count.
const mostNotes = 8;

export class Rejoin {
  readonly #state: State;
  readonly #waitMs: () => number;
  readonly #handOn: (whole: Whole) => Promise<void>;
  readonly #now: () => number;
  readonly #knowsRepeats: boolean;
  readonly #turns = new Turns();
  // Oldest first: all wait equally long.
  readonly #groups = new Map<string, Group>();
  #isSweeping = false;
  #sweepAgainAt = 0;

  /** `waitMs`: as it is when it is asked. `knowsRepeats`: a part of a whole that was handed on lately is a repeat, and not the beginning of the next. */
  constructor(
    state: State,
    waitMs: () => number,
    handOn: (whole: Whole) => Promise<void>,
    now: () => number,
    knowsRepeats = true,
  ) {
    this.#state = state;
    this.#waitMs = waitMs;
    this.#handOn = handOn;
    this.#now = now;
    this.#knowsRepeats = knowsRepeats;
  }

  /** Wholes that wait for parts. */
  get size(): number {
    return this.#groups.size;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    const found: Array<[string, StoredPart]> = [];
    for await (const [key, value] of this.#state.scan('mo/')) found.push([key, JSON.parse(value) as StoredPart]);
    for (const [key, stored] of found.sort(([, one], [, other]) => one.at - other.at)) {
      const slash = key.lastIndexOf('/');
      const group = this.#group(key.slice('mo/'.length, slash), stored.at);
      group.parts.set(Number(key.slice(slash + 1)), digest(Buffer.from(stored.p, 'base64'), stored.c));
    }
    // Whole, but not known to be handed on: its repeat is recognised by its key.
    for (const group of [...this.#groups.values()]) {
      if (group.parts.size === group.total) this.#turns.take(group.key, () => this.#finish(group)).catch(() => {});
    }
  }

  /** Resolves once the part is safe, for the last one once the whole has been handed on. */
  add(part: IncomingPart): Promise<void> {
    const key = groupKey(part);
    return this.#turns.take(key, () => this.#add(key, part));
  }

  /** Called a few times a second. */
  tick(): void {
    if (!this.#isSweeping && this.#now() >= this.#sweepAgainAt && this.#due()) void this.#sweep();
  }

  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    for (let group = this.#due(); group; group = this.#due()) {
      const { key } = group;
      const isDone = await this.#turns
        .take(key, () => this.#finish(group))
        .then(
          () => true,
          () => !this.#groups.has(key),
        );
      if (isDone) continue;
      this.#sweepAgainAt = this.#now() + sweepPauseMs;
      break;
    }
    this.#isSweeping = false;
  }

  #due(): Group | undefined {
    const [oldest] = this.#groups.values();
    const isDue = oldest && (this.#now() - oldest.at >= this.#waitMs() || this.#groups.size > maxGroups);
    return isDue ? oldest : undefined;
  }

  async #add(key: string, part: IncomingPart): Promise<void> {
    const seal = digest(part.payload, part.dataCoding);
    let group = this.#groups.get(key);
    if (group?.parts.has(part.index) && group.parts.get(part.index) !== seal) {
      // The reference is in use again: what is left of the older text goes out as it is.
      await this.#finish(group);
      group = undefined;
    }
    if (!group && this.#knowsRepeats) {
      const joined = await this.#state.get(joinedKey(key));
      if (joined?.split(',')[part.index - 1] === seal) return;
    }
    group ??= this.#group(key, this.#now());
    if (!group.parts.has(part.index) || part.note !== undefined) {
      const { payload, dataCoding: c, source: s, destination: d, udh, note } = part;
      const former = (await this.#stored(group, part.index))?.n ?? [];
      const n = note === undefined ? former : [...former, note].slice(-mostNotes);
      const more = { ...(udh ? { u: udh.toString('hex') } : {}), ...(n.length === 0 ? {} : { n }) };
      const stored: StoredPart = { p: payload.toString('base64'), c, at: group.at, s, d, ...more };
      // Twice the wait: what a restart finds too late is handed on, not forgotten.
      await this.#state.set(partKey(key, part.index), JSON.stringify(stored), this.#waitMs() * 2 + 86_400_000);
      group.parts.set(part.index, seal);
    }
    if (group.parts.size === group.total) await this.#finish(group);
  }

  async #finish(group: Group): Promise<void> {
    if (this.#groups.get(group.key) !== group) return;
    const places = Array.from({ length: group.total }, (_, place) => place + 1);
    const stored = await Promise.all(places.map((index) => this.#stored(group, index)));
    const first = stored.find((part) => part !== undefined);
    try {
      if (first) {
        const { s: source, d: destination } = first;
        const notes = stored.flatMap((part) => part?.n ?? []);
        await this.#handOn({
          source,
          destination,
          pieces: stored.map(toPiece),
          notes,
          key: `${group.key}/${group.at}`,
        });
      }
    } catch (error) {
      if (error instanceof GatewayError && error.isFinal) await this.#forget(group);
      throw error;
    }
    await this.#forget(group);
  }

  async #stored(group: Group, index: number): Promise<StoredPart | undefined> {
    if (!group.parts.has(index)) return undefined;
    const value = await this.#state.get(partKey(group.key, index));
    return value === undefined ? undefined : (JSON.parse(value) as StoredPart);
  }

  // The digests stay for a while: an SMSC that missed our last response sends that part again.
  async #forget(group: Group): Promise<void> {
    const seals = Array.from({ length: group.total }, (_, place) => group.parts.get(place + 1) ?? '');
    if (this.#knowsRepeats) await this.#state.set(joinedKey(group.key), seals.join(','), this.#waitMs());
    this.#groups.delete(group.key);
    await Promise.all([...group.parts.keys()].map((index) => this.#state.delete(partKey(group.key, index))));
  }

  #group(key: string, at: number): Group {
    let group = this.#groups.get(key);
    if (!group) {
      group = { key, at, total: Number(key.slice(key.lastIndexOf('/') + 1)), parts: new Map() };
      this.#groups.set(key, group);
    }
    return group;
  }
}

function toPiece(part: StoredPart | undefined): Piece {
  if (!part) return undefined;
  const piece = { payload: Buffer.from(part.p, 'base64'), dataCoding: part.c };
  return part.u === undefined ? piece : { ...piece, udh: Buffer.from(part.u, 'hex') };
}

function groupKey({ source, destination, reference, total }: IncomingPart): string {
  return `${source.addr}/${destination.addr}/${reference}/${total}`;
}

function partKey(key: string, index: number): string {
  return `mo/${key}/${index}`;
}

function joinedKey(key: string): string {
  return `joined/${key}`;
}

function digest(payload: Buffer, dataCoding: number): string {
  return createHash('sha256')
    .update(Buffer.from([dataCoding]))
    .update(payload)
    .digest('base64url')
    .slice(0, 16);
}
