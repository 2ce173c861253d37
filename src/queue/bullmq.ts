// The durable queue on Redis: one BullMQ queue an instance, its jobs batches of up to 64 events.
import { Queue as BullQueue } from 'bullmq';
import type { GatewayEvent } from '../contract/index.ts';
import type { RedisLink } from '../state/redis.ts';
import { Batcher } from './batcher.ts';
import { BullmqConsumer } from './bullmq-consumer.ts';
import { RedisDeadLetters } from './bullmq-dead.ts';
import { type InstanceKeys, type QueueScripts, queueScripts } from './bullmq-scripts.ts';
import type { ConsumeOptions, Consumer, DeadLetters, Handler, Queue } from './queue.ts';

interface Producer {
  readonly jobs: BullQueue;
  readonly keys: InstanceKeys;
  readonly batcher: Batcher;
}

export const jobName = 'batch';
// BullMQ's event stream serves its tools; we do not read it.
const streamLength = 100;

/** Shares its connection with RedisState; the connection is closed when both are. */
export class BullmqQueue implements Queue {
  readonly dead: DeadLetters;
  readonly #link: RedisLink;
  readonly #leave: () => Promise<void>;
  readonly #scripts: QueueScripts;
  readonly #producers = new Map<string, Producer>();
  readonly #consumers = new Set<BullmqConsumer>();

  constructor(link: RedisLink) {
    this.#link = link;
    this.#leave = link.join();
    this.#scripts = queueScripts(link);
    this.dead = new RedisDeadLetters(link, this.#scripts);
  }

  push(instance: string, events: readonly GatewayEvent[]): Promise<void> {
    return this.#producer(instance).batcher.push(events);
  }

  async consume(instance: string, fence: number, handler: Handler, options: ConsumeOptions): Promise<Consumer> {
    const { keys } = this.#producer(instance);
    const parts = { link: this.#link, scripts: this.#scripts, dead: this.dead, keys, instance, fence };
    for (const old of this.#consumers) if (old.hasEnded) this.#consumers.delete(old);
    const consumer = await BullmqConsumer.start(parts, handler, options);
    this.#consumers.add(consumer);
    return consumer;
  }

  async depth(instance: string): Promise<number> {
    const { counts } = this.#producer(instance).keys;
    const [queued, held] = await this.#link.run((client) => client.hmget(counts, 'queued', 'held'));
    return Number(queued ?? 0) + Number(held ?? 0);
  }

  async close(): Promise<void> {
    for (const consumer of this.#consumers) consumer.abandon();
    await Promise.all([...this.#producers.values()].map(({ jobs }) => jobs.close().catch(() => undefined)));
    await this.#leave();
  }

  #producer(instance: string): Producer {
    const known = this.#producers.get(instance);
    if (known) return known;
    // A BullMQ queue's name holds no colon.
    const jobs = new BullQueue(encodeURIComponent(instance), {
      connection: this.#link.client,
      prefix: this.#link.tag,
      skipVersionCheck: true,
      skipWaitingForReady: true,
      streams: { events: { maxLen: streamLength } },
      defaultJobOptions: { removeOnComplete: true },
    });
    // What fails is told to whoever asked.
    jobs.on('error', () => undefined);
    const keys = keysOf(jobs);
    const producer = { jobs, keys, batcher: new Batcher((batches) => this.#add(jobs, keys, batches)) };
    this.#producers.set(instance, producer);
    return producer;
  }

  /** The counter goes first, so that a consumer quicker than this never finds it too low for long. */
  async #add(jobs: BullQueue, keys: InstanceKeys, batches: readonly (readonly GatewayEvent[])[]): Promise<void> {
    const count = batches.reduce((sum, events) => sum + events.length, 0);
    const change = (by: number) => this.#link.run((client) => client.hincrby(keys.counts, 'queued', by));
    const counted = change(count);
    const added = this.#link.run(async () => {
      if (batches.length === 1) await jobs.add(jobName, { events: batches[0] });
      else await jobs.addBulk(batches.map((events) => ({ name: jobName, data: { events } })));
    });
    const outcome = await Promise.allSettled([counted, added]);
    const [, addition] = outcome;
    if (addition.status === 'fulfilled') return;
    if (outcome[0].status === 'fulfilled') await change(-count).catch(() => undefined);
    throw addition.reason;
  }
}

function keysOf(jobs: BullQueue): InstanceKeys {
  const key = (name: string) => jobs.toKey(name);
  return {
    jobs: key(''),
    wait: key('wait'),
    active: key('active'),
    marker: key('marker'),
    fence: key('dragoman-fence'),
    counts: key('dragoman-counts'),
    lanes: key('dragoman-lanes'),
    laneBase: key('dragoman-lane:'),
  };
}
