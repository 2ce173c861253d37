// What happened to the last messages, hop by hop, with the bytes on the wire. In memory, bounded in number and bytes; text
// is made only when somebody looks.
import type { TraceHop } from '../contract/index.ts';

export interface StoredHop extends Omit<TraceHop, 'wire'> {
  wire?: string | Uint8Array;
  readonly at: number;
  readonly instance: string;
}

interface Story {
  readonly trace: string;
  readonly isMessage: boolean;
  /** The instance that heard the message, and when. */
  readonly origin: string;
  readonly startedAt: number;
  readonly events: string[];
  readonly hops: StoredHop[];
  bytes: number;
}

export interface TraceView {
  readonly id: string;
  readonly hops: readonly HopView[];
}
export interface HopView {
  readonly at: string;
  readonly instance: string;
  readonly direction: TraceHop['direction'];
  readonly what: string;
  /** UTF-8 text, or hex where the bytes are none; what a person wrote is blotted out unless asked for. */
  readonly wire?: string;
}

const maxHops = 64;

export class TraceBook {
  readonly #stories = new Map<string, Story>();
  readonly #messages: Shelf;
  /** Presence and the like: there is much more of it, and it must not push out what people look for. */
  readonly #others: Shelf;
  readonly #traceOf = new Map<string, string>();
  readonly #maxBytes: number;
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number, limits: { maxStories?: number; maxBytes?: number } = {}) {
    this.#now = now;
    const most = limits.maxStories ?? 5000;
    this.#messages = new Shelf(most);
    this.#others = new Shelf(Math.ceil(most / 5));
    this.#maxBytes = limits.maxBytes ?? 16 * 1024 * 1024;
  }

  /** Opens the story of a trace, or adds an event (a receipt) to it. */
  begin(trace: string, event: string, origin: string, isMessage = true): void {
    let story = this.#stories.get(trace);
    if (!story) {
      story = { trace, isMessage, origin, startedAt: this.#now(), events: [], hops: [], bytes: 0 };
      this.#forget((isMessage ? this.#messages : this.#others).put(story));
      this.#stories.set(trace, story);
    }
    if (story.events.length >= maxHops || this.#traceOf.has(event)) return;
    story.events.push(event);
    this.#traceOf.set(event, trace);
  }

  hop(instance: string, event: string, hop: TraceHop): void {
    const story = this.#stories.get(this.#traceOf.get(event) ?? event);
    if (!story || story.hops.length >= maxHops) return;
    // What the origin heard is told only once it is durable, when the far side may have it already.
    const isHearing = hop.direction === 'inbound' && instance === story.origin && event === story.trace;
    const at = isHearing ? story.startedAt : this.#now();
    const place = isHearing ? story.hops.findIndex((other) => other.at > at || other.instance !== instance) : -1;
    const stored: StoredHop = { ...hop, at, instance };
    // A view of a socket's chunk would keep all of the chunk alive: 64 KiB for a message of 300 bytes.
    if (hop.wire instanceof Uint8Array) stored.wire = Buffer.from(hop.wire);
    story.hops.splice(place < 0 ? story.hops.length : place, 0, stored);
    const bytes = hop.wire?.length ?? 0;
    story.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes && this.#stories.size > 1)
      this.#forget(this.#others.take() ?? this.#messages.take());
  }

  /** By trace id or the id of any of its events. */
  view(id: string, showBodies: boolean): TraceView | undefined {
    const story = this.#stories.get(this.#traceOf.get(id) ?? id);
    if (!story) return undefined;
    return { id: story.trace, hops: story.hops.map((hop) => viewHop(hop, showBodies)) };
  }

  /** The newest messages first: their ids. */
  latest(limit: number): string[] {
    const messages = [...this.#stories.values()].filter(({ isMessage }) => isMessage);
    return messages
      .slice(-limit)
      .map(({ trace }) => trace)
      .reverse();
  }

  #forget(story: Story | undefined): void {
    if (!story) return;
    this.#stories.delete(story.trace);
    this.#bytes -= story.bytes;
    for (const event of story.events) this.#traceOf.delete(event);
  }
}

// The stories of a kind in their order, in a ring: to find the oldest in the map itself would mean to step over all that
// went before.
class Shelf {
  readonly #ring: (Story | undefined)[];
  #newest = 0;
  #oldest = 0;

  constructor(size: number) {
    this.#ring = new Array<Story | undefined>(size);
  }

  /** The story that has to go for it. */
  put(story: Story): Story | undefined {
    const gone = this.#newest - this.#oldest >= this.#ring.length ? this.take() : undefined;
    this.#ring[this.#newest++ % this.#ring.length] = story;
    return gone;
  }

  /** The oldest, which is here no longer. */
  take(): Story | undefined {
    if (this.#oldest === this.#newest) return undefined;
    const place = this.#oldest++ % this.#ring.length;
    const story = this.#ring[place];
    this.#ring[place] = undefined;
    return story;
  }
}

function viewHop(hop: StoredHop, showBodies: boolean): HopView {
  const { instance, direction, what } = hop;
  const view = { at: new Date(hop.at).toISOString(), instance, direction, what };
  return hop.wire === undefined ? view : { ...view, wire: showBodies ? readable(hop.wire) : redacted(hop) };
}

function redacted(hop: StoredHop): string {
  const wire = hop.wire ?? '';
  let out = '';
  let from = 0;
  for (const [start, end] of hop.hidden ?? []) {
    out += `${readable(wire.slice(from, start))}[${end - start} hidden]`;
    from = end;
  }
  return out + readable(wire.slice(from));
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function readable(wire: string | Uint8Array): string {
  if (typeof wire === 'string') return wire;
  try {
    const text = utf8.decode(wire);
    if (!/[\0-\x08\x0e-\x1f\x7f]/.test(text)) return text;
  } catch {
    // No text: shown as hex below.
  }
  return Buffer.from(wire).toString('hex');
}
