// The part of a lane that lies in the store: what waits for a destination to come back, and must not wait in memory.
import type { GatewayEvent } from '../contract/index.ts';
import type { Consumer } from '../queue/queue.ts';
import { type Courier, expiryOf } from './courier.ts';
import type { Lane } from './lane.ts';

const headsAtOnce = 32;

export class HeldLanes {
  readonly #courier: Courier;
  readonly #onHeld: (event: GatewayEvent) => void;
  #consumer: Consumer | undefined;

  constructor(courier: Courier, onHeld: (event: GatewayEvent) => void) {
    this.#courier = courier;
    this.#onHeld = onHeld;
  }

  /** The lanes an earlier process left, each with its oldest event. */
  async *open(consumer: Consumer): AsyncIterable<{ key: string; count: number; head: GatewayEvent }> {
    this.#consumer = consumer;
    for (const { lane: key, count } of await consumer.held()) {
      const [head] = await consumer.heads(key, 1);
      if (head) yield { key, count, head };
    }
  }

  /** Resolves when the store has it; calls for one lane keep their order. */
  hold(lane: Lane, event: GatewayEvent): Promise<void> {
    lane.held++;
    lane.expiry = Math.min(lane.expiry, expiryOf(event));
    this.#onHeld(event);
    lane.holding = lane.holding.then(() => this.#store((consumer) => consumer.hold(lane.key, event)));
    return lane.holding;
  }

  holdMemory(lane: Lane): void {
    for (const { event, settled, failed } of lane.memory.splice(0)) {
      lane.destination.backlog--;
      this.hold(lane, event).then(settled, failed);
    }
  }

  /** Carries the oldest; stops at the first that must be tried again and says why. */
  async work(
    lane: Lane,
    carry: (event: GatewayEvent) => Promise<Error | undefined>,
    isStopping: () => boolean,
  ): Promise<void> {
    const heads = await this.#heads(lane);
    const done: string[] = [];
    const outdated = outdatedOf(heads);
    for (const event of heads) {
      lane.expiry = expiryOf(event);
      if (outdated.has(event.id)) this.#courier.supersede(event);
      else if ((await carry(event)) || isStopping()) break;
      done.push(event.id);
    }
    await this.#release(lane, done);
    if (heads.length === 0) lane.held = 0;
    if (lane.held === 0) lane.expiry = Number.POSITIVE_INFINITY;
  }

  /** Tells the senders of what expired while its lane waited. */
  async expire(lane: Lane, now: number): Promise<void> {
    const heads = await this.#heads(lane);
    const over = heads.filter((event) => expiryOf(event) <= now);
    for (const event of over) await this.#courier.expire(event);
    await this.#release(
      lane,
      over.map(({ id }) => id),
    );
    lane.expiry = Math.min(Number.POSITIVE_INFINITY, ...heads.map(expiryOf).filter((at) => at > now));
  }

  async #heads(lane: Lane): Promise<GatewayEvent[]> {
    await lane.holding;
    return this.#store((consumer) => consumer.heads(lane.key, headsAtOnce));
  }

  async #release(lane: Lane, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#store((consumer) => consumer.release(lane.key, ids));
    lane.held = Math.max(0, lane.held - ids.length);
  }

  #store<T>(write: (consumer: Consumer) => Promise<T>): Promise<T> {
    return this.#courier.persist(() => write(this.#consumer as Consumer));
  }
}

/** Of one device's presence only the last word matters to a watcher who has waited. */
function outdatedOf(heads: readonly GatewayEvent[]): ReadonlySet<string> {
  const last = new Map<string, string>();
  const outdated = new Set<string>();
  for (const { type, id, from, to } of heads) {
    if (type !== 'presence') continue;
    const before = last.get(`${from} ${to}`);
    if (before !== undefined) outdated.add(before);
    last.set(`${from} ${to}`, id);
  }
  return outdated;
}
