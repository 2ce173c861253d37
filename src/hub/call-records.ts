// One call detail record a message and leg: what one instance carried, for whom, in how many parts, at what price, and how it
// ended. A leg stays open in the store until its end is known, or for as long as the operator waits for that.
import type { Delivery, FailureReason, Message, ReceiptState, State } from '../contract/index.ts';
import { RecentMap } from '../guards/recent-map.ts';
import type { Remembered } from './correlation.ts';

export interface CallRecord {
  readonly id: string;
  /** The instances that heard it and that carried it. */
  readonly origin: string;
  readonly leg: string;
  /** As the origin wrote them. */
  readonly from: string;
  readonly to: string;
  /** As the leg wrote them. */
  readonly legFrom: string;
  readonly legTo: string;
  /** ISO 8601, UTC. Empty where it never came to that. */
  readonly acceptedAt: string;
  readonly sentAt: string;
  readonly endedAt: string;
  readonly state: ReceiptState | 'rerouted';
  readonly reason: string;
  readonly text: string;
  readonly parts: number;
  readonly alphabet: string;
  /** What the network called it. */
  readonly messageId: string;
  /** Of all parts together; undefined where no route names a cost. */
  readonly price: number | undefined;
  readonly currency: string;
  /** Whatever else the adapter said of it. */
  readonly facts: Readonly<Record<string, string | number>>;
}

export interface CallRecordsParts {
  /** Its own: every key is an open leg. */
  readonly state: State;
  /** Resolves when the record is on disk. */
  write(record: CallRecord): Promise<void>;
  /** What a part costs. */
  costOf(event: Message): number | undefined;
  readonly currency: string;
  /** How long a leg waits for its end. */
  readonly closeAfterMs: number;
  now(): number;
}

export interface Ending {
  readonly state: ReceiptState;
  readonly reason?: FailureReason | undefined;
  readonly text?: string | undefined;
  /** The network that has the message said so; else we did. */
  readonly isFromNetwork?: boolean | undefined;
}

const maxEarly = 10_000;
const maxClosing = 64;

export class CallRecords {
  readonly #instance: string;
  readonly #parts: CallRecordsParts;
  /** Open legs, oldest first: with one wait for all, the first is the first due. */
  readonly #open = new Map<string, number>();
  /** Endings that were told before the leg was written. */
  readonly #early = new RecentMap<string, Ending>(maxEarly);
  #isClosing = false;

  constructor(instance: string, parts: CallRecordsParts) {
    this.#instance = instance;
    this.#parts = parts;
  }

  /** What an earlier process left open. */
  async open(): Promise<void> {
    const found: Array<[id: string, sentAt: number]> = [];
    for await (const [id, kept] of this.#parts.state.scan('')) {
      found.push([id, Date.parse((JSON.parse(kept) as CallRecord).sentAt)]);
    }
    for (const [id, sentAt] of found.sort(([, one], [, other]) => one - other)) this.#open.set(id, sentAt);
  }

  /** The network took it: the leg is open. */
  async sent(event: Message, { nativeId, facts = {} }: Delivery): Promise<void> {
    const { parts = 1, alphabet = '', messageId = '', ...others } = facts;
    const cost = this.#parts.costOf(event);
    const leg: CallRecord = {
      ...this.#base(event.id, event),
      legFrom: event.from,
      acceptedAt: event.at,
      sentAt: this.#isoNow(),
      state: 'sent',
      parts: Number(parts),
      alphabet: String(alphabet),
      messageId: nativeId ?? String(messageId),
      price: cost === undefined ? undefined : Math.round(cost * Number(parts) * 1e6) / 1e6,
      facts: others,
    };
    const early = this.#early.get(event.id);
    this.#early.delete(event.id);
    if (early && early.state !== 'unknown') return this.#finish(leg, early);
    await this.#parts.state.set(
      event.id,
      JSON.stringify(early ? { ...leg, state: early.state, text: early.text ?? '' } : leg),
    );
    this.#open.set(event.id, this.#parts.now());
  }

  /** It ended. `unknown` keeps the leg open: somebody who knows better may still speak. */
  async ended(id: string, message: Remembered, ending: Ending): Promise<void> {
    const { state } = this.#parts;
    const kept = await state.get(id);
    if (kept === undefined) {
      // Of the network's own word our answer about the same message is still under way; of ours there is none.
      if (ending.isFromNetwork) this.#early.set(id, ending);
      else await this.#finish(this.#base(id, message), ending);
      return;
    }
    const leg = JSON.parse(kept) as CallRecord;
    if (ending.state === 'unknown') {
      await state.set(id, JSON.stringify({ ...leg, state: 'unknown', text: ending.text ?? '' }));
      return;
    }
    await this.#finish(leg, ending);
  }

  /** It was not taken after all: an ending that the network told meanwhile (of a part of it) is the message's. */
  async notSent(event: Message): Promise<void> {
    const early = this.#early.get(event.id);
    this.#early.delete(event.id);
    if (early) await this.#finish(this.#base(event.id, event), early);
  }

  /** It goes on by another instance. */
  async moved(event: Message, why: string): Promise<void> {
    const base = { ...this.#base(event.id, event), legFrom: event.from, acceptedAt: event.at };
    // The files say themselves in the log when they refuse; the message goes on.
    await this.#parts.write({ ...base, state: 'rerouted', text: why, endedAt: this.#isoNow() }).catch(() => {});
  }

  /** Called a few times a second: legs whose end nobody tells. */
  tick(): void {
    if (!this.#isClosing && this.#due() !== undefined) void this.#close();
  }

  #due(): string | undefined {
    const [oldest] = this.#open;
    return oldest && this.#parts.now() - oldest[1] >= this.#parts.closeAfterMs ? oldest[0] : undefined;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    try {
      for (let i = 0, id = this.#due(); id !== undefined && i < maxClosing; i++, id = this.#due()) {
        const kept = await this.#parts.state.get(id);
        if (kept !== undefined) await this.#parts.write(JSON.parse(kept) as CallRecord);
        await this.#parts.state.delete(id);
        this.#open.delete(id);
      }
    } catch {
      // The store or the disk is away: the next tick asks again.
    } finally {
      this.#isClosing = false;
    }
  }

  // A disk that refuses holds no message up: the leg stays open, ended as it is, and is written when its wait is over.
  async #finish(leg: CallRecord, { state, reason = undefined, text = '' }: Ending): Promise<void> {
    const ended = { ...leg, state, reason: reason ?? '', text, endedAt: this.#isoNow() };
    try {
      await this.#parts.write(ended);
    } catch {
      await this.#parts.state.set(leg.id, JSON.stringify(ended));
      this.#open.delete(leg.id);
      this.#open.set(leg.id, this.#parts.now());
      return;
    }
    if (!this.#open.delete(leg.id)) return;
    await this.#parts.state.delete(leg.id);
  }

  #base(id: string, { origin, source, to }: Pick<Remembered, 'origin' | 'source' | 'to'>): CallRecord {
    return {
      id,
      origin,
      leg: this.#instance,
      from: source.from,
      to: source.to,
      legFrom: '',
      legTo: to,
      acceptedAt: '',
      sentAt: '',
      endedAt: '',
      state: 'sent',
      reason: '',
      text: '',
      parts: 0,
      alphabet: '',
      messageId: '',
      price: undefined,
      currency: this.#parts.currency,
      facts: {},
    };
  }

  #isoNow(): string {
    return new Date(this.#parts.now()).toISOString();
  }
}
