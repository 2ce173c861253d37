// Messages with a time before which they must not leave: kept in the store by the instance that heard them, published when
// due, taken back while they wait. One heap of ids in memory; the messages themselves lie in the store only.
import { asGatewayError, type DraftOf, GatewayError, type Log, type Published, type State } from '../contract/index.ts';
import { DueQueue } from './due-queue.ts';

/** What a schedule asks of the hub. */
export interface ScheduleHub {
  /** Refuses what publish would refuse now; the id that the message has from here on, or has had. */
  check(instance: string, draft: DraftOf<'message'>): Promise<Published>;
  /** Publishes under that id; a second time is a repeat. */
  release(instance: string, draft: DraftOf<'message'>, id: string): Promise<Published>;
  /** Tells the sender that nothing came of it. */
  fail(instance: string, draft: DraftOf<'message'>, id: string, error: GatewayError): Promise<void>;
}

export interface ScheduleParts {
  /** Its own: every key is a message that waits. */
  readonly state: State;
  readonly hub: ScheduleHub;
  readonly log: Log;
  now(): number;
}

const maxWaiting = 100_000;
const maxAheadMs = 366 * 86_400_000;
const retryMs = 5000;

export class Schedule {
  readonly #instance: string;
  readonly #parts: ScheduleParts;
  readonly #due = new DueQueue<string>();
  #isReleasing = false;

  constructor(instance: string, parts: ScheduleParts) {
    this.#instance = instance;
    this.#parts = parts;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    for await (const [id, kept] of this.#parts.state.scan('')) this.#due.add(dueAt(JSON.parse(kept)), id);
  }

  /** Whether the message has to wait. */
  isEarly(draft: DraftOf<'message'>): boolean {
    return draft.notBefore !== undefined && dueAt(draft) > this.#parts.now();
  }

  /** Resolves once it is durable. Throws GatewayError as publish does. */
  async keep(draft: DraftOf<'message'>): Promise<Published> {
    const at = dueAt(draft);
    if (at - this.#parts.now() > maxAheadMs) throw new GatewayError('malformed', 'notBefore is over a year ahead');
    if (this.#due.size >= maxWaiting) {
      throw new GatewayError('throttled', `${maxWaiting} messages wait for their time`, { retryAfterMs: 60_000 });
    }
    const { id, isRepeat } = await this.#parts.hub.check(this.#instance, draft);
    if (isRepeat) return { id, isRepeat };
    const isNew = await this.#parts.state.setIfAbsent(id, JSON.stringify(draft));
    if (isNew) this.#due.add(at, id);
    return { id, isRepeat: !isNew };
  }

  /** False when no such message waits: it is out, or never was. */
  async withdraw(id: string): Promise<boolean> {
    return (await this.#parts.state.take(id)) !== undefined;
  }

  /** Called a few times a second. */
  tick(): void {
    if (!this.#isReleasing && (this.#due.next ?? Number.POSITIVE_INFINITY) <= this.#parts.now())
      void this.#releaseDue();
  }

  async #releaseDue(): Promise<void> {
    this.#isReleasing = true;
    for (let id = this.#due.take(this.#parts.now()); id !== undefined; id = this.#due.take(this.#parts.now())) {
      try {
        await this.#release(id);
      } catch (error) {
        this.#parts.log.warn({ event: id, why: (error as Error).message }, 'a message whose time has come waits on');
        this.#due.add(this.#parts.now() + retryMs, id);
      }
    }
    this.#isReleasing = false;
  }

  // Published before it is forgotten: a crash between the two meets its own id again.
  async #release(id: string): Promise<void> {
    const kept = await this.#parts.state.get(id);
    if (kept === undefined) return;
    const draft = JSON.parse(kept) as DraftOf<'message'>;
    try {
      await this.#parts.hub.release(this.#instance, draft, id);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (!error.isFinal) throw error;
      await this.#parts.hub.fail(this.#instance, draft, id, error);
    }
    await this.#parts.state.delete(id);
  }
}

function dueAt({ notBefore = '' }: Pick<DraftOf<'message'>, 'notBefore'>): number {
  return Date.parse(notBefore);
}
