// The held lanes of one instance in Redis: a sorted set of ids and a hash of bodies each, and one hash that counts them.
import { type GatewayEvent, parseEvent } from '../contract/index.ts';
import type { RedisLink } from '../state/redis.ts';
import type { InstanceKeys, QueueScripts } from './bullmq-scripts.ts';
import type { HeldLane } from './queue.ts';

export class RedisLanes {
  readonly #link: RedisLink;
  readonly #scripts: QueueScripts;
  readonly #keys: InstanceKeys;
  readonly #fence: number;

  constructor(link: RedisLink, scripts: QueueScripts, keys: InstanceKeys, fence: number) {
    this.#link = link;
    this.#scripts = scripts;
    this.#keys = keys;
    this.#fence = fence;
  }

  hold(lane: string, event: GatewayEvent): Promise<unknown> {
    return this.#scripts.hold(...this.#keysOf(lane), this.#fence, lane, event.id, JSON.stringify(event));
  }

  release(lane: string, eventIds: readonly string[]): Promise<unknown> {
    return this.#scripts.release(...this.#keysOf(lane), this.#fence, lane, ...eventIds);
  }

  async held(): Promise<HeldLane[]> {
    const lanes = await this.#link.run((client) => client.hgetall(this.#keys.lanes));
    return Object.entries(lanes).map(([lane, count]) => ({ lane, count: Number(count) }));
  }

  async heads(lane: string, limit: number): Promise<GatewayEvent[]> {
    const [, order, bodies] = this.#keysOf(lane);
    const found = (await this.#scripts.heads(order, bodies, limit)) as (string | null)[];
    return found.filter((body) => body !== null).map((body) => parseEvent(JSON.parse(body)));
  }

  #keysOf(lane: string): [fence: string, order: string, bodies: string, lanes: string, counts: string] {
    const { fence, lanes, counts, laneBase } = this.#keys;
    return [fence, `${laneBase}order:${lane}`, `${laneBase}bodies:${lane}`, lanes, counts];
  }
}
