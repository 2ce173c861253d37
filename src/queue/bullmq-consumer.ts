// The one consumer of an instance's BullMQ queue: takes jobs strictly in order under its fence, hands out their events,
// and settles jobs whose events are all settled.
import { setTimeout as pause } from 'node:timers/promises';
import { GatewayError, type GatewayEvent } from '../contract/index.ts';
import type { RedisClient, RedisLink } from '../state/redis.ts';
import { eventsPerJob } from './batcher.ts';
import { progressOf, readJob, type TakenJob } from './bullmq-jobs.ts';
import { RedisLanes } from './bullmq-lanes.ts';
import type { InstanceKeys, QueueScripts } from './bullmq-scripts.ts';
import { Hand } from './hand.ts';
import type { ConsumeOptions, Consumer, DeadLetter, DeadLetters, Handler, HeldLane } from './queue.ts';

interface Parts {
  readonly link: RedisLink;
  readonly scripts: QueueScripts;
  readonly dead: DeadLetters;
  readonly keys: InstanceKeys;
  readonly instance: string;
  readonly fence: number;
}

/** How long a Redis that failed is left alone. */
const patienceMs = 250;
/** An idle consumer looks for jobs, and whether it was overtaken, at least this often. */
const idleSeconds = 2;
/** Settled events of a job that is not done yet are told to Redis this late, many at once. */
const progressEveryMs = 5;
const jobsAtMost = 64;

export class BullmqConsumer implements Consumer {
  readonly #parts: Parts;
  readonly #options: ConsumeOptions;
  readonly #hand: Hand;
  readonly #lanes: RedisLanes;
  readonly #blocking: RedisClient;
  #running: Promise<void> = Promise.resolve();
  /** Taken, with events that no handler has had yet; oldest first. */
  #queued: TakenJob[] = [];
  /** Where the first of them stands. */
  #place = 0;
  readonly #inHand = new Map<string, TakenJob>();
  /** Jobs to be told of: all settled, or some. */
  readonly #finished = new Set<TakenJob>();
  readonly #progressed = new Set<TakenJob>();
  #telling: Promise<void> | undefined;
  #isTimed = false;
  /** A take failed in a way that may have moved jobs we do not know of. */
  #isUnsure = false;
  #eventsPerJob = eventsPerJob;
  #roomMade: (() => void) | undefined;
  #end: 'stopped' | 'lost' | undefined;

  private constructor(parts: Parts, handler: Handler, options: ConsumeOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#hand = new Hand(handler);
    this.#lanes = new RedisLanes(parts.link, parts.scripts, parts.keys, parts.fence);
    this.#blocking = parts.link.blocking();
  }

  static async start(parts: Parts, handler: Handler, options: ConsumeOptions): Promise<BullmqConsumer> {
    const consumer = new BullmqConsumer(parts, handler, options);
    try {
      const { keys, fence, scripts } = parts;
      await consumer.#adopt((await scripts.takeOver(keys.fence, keys.active, fence)) as string[], true);
    } catch (error) {
      consumer.#blocking.disconnect();
      throw error;
    }
    consumer.#running = consumer.#run();
    return consumer;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  async stop(): Promise<void> {
    this.#end ??= 'stopped';
    this.#blocking.disconnect();
    this.#roomMade?.();
    await this.#running;
    await this.#hand.stop();
    while (this.#end === 'stopped' && this.#finished.size + this.#progressed.size > 0) await this.#tell();
    await this.#putBack();
  }

  /** Settles nothing more, and tells nobody. */
  abandon(): void {
    this.#end = 'lost';
    this.#blocking.disconnect();
    this.#roomMade?.();
    void this.#hand.stop();
  }

  async hold(lane: string, event: GatewayEvent): Promise<void> {
    await this.#guarded(() => this.#lanes.hold(lane, event));
  }

  held(): Promise<HeldLane[]> {
    return this.#lanes.held();
  }

  heads(lane: string, limit: number): Promise<GatewayEvent[]> {
    return this.#lanes.heads(lane, limit);
  }

  async release(lane: string, eventIds: readonly string[]): Promise<void> {
    if (eventIds.length > 0) await this.#guarded(() => this.#lanes.release(lane, eventIds));
  }

  /** A script that only the holder may run. */
  async #guarded(run: () => Promise<unknown>): Promise<unknown> {
    if (this.#end === 'lost') {
      throw new GatewayError('unavailable', `${this.#parts.instance}: somebody else consumes this queue now`);
    }
    try {
      return await run();
    } catch (error) {
      if (error instanceof GatewayError && error.native === 'FENCED') this.#lose();
      throw error;
    }
  }

  #lose(): void {
    if (this.#end === 'lost') return;
    const isTold = this.#end === undefined;
    this.abandon();
    if (isTold) this.#options.onLost();
  }

  async #run(): Promise<void> {
    while (this.#end === undefined) {
      this.#give();
      try {
        if (this.#room() <= 0) await new Promise<void>((resolve) => (this.#roomMade = resolve));
        else if (!(await this.#take())) await this.#marker();
      } catch (error) {
        if (this.#end !== undefined) return;
        this.#parts.link.complain(error);
        await pause(patienceMs);
      }
    }
  }

  #room(): number {
    return this.#options.prefetch - this.#hand.size;
  }

  /** Hands out what is queued while there is room. */
  #give(): void {
    while (this.#end === undefined && this.#room() > 0) {
      const job = this.#queued[0];
      if (!job) return;
      const place = this.#place++;
      const read = job.reads[place];
      if (!read) {
        this.#queued.shift();
        this.#place = 0;
      } else if (!job.done.has(place)) {
        job.isStarted = true;
        if ('letter' in read) this.#bury(job, place, read.letter);
        else this.#hand.give({ event: read.event, isRedelivered: job.isRedelivered }, () => this.#settle(job, place));
      }
    }
  }

  /** Takes the next jobs. False when none waits. */
  async #take(): Promise<boolean> {
    const { scripts, keys, fence, instance } = this.#parts;
    if (this.#isUnsure) {
      const ids = (await this.#guarded(() => scripts.active(keys.fence, keys.active, fence))) as string[];
      await this.#adopt(
        ids.filter((id) => !this.#inHand.has(id)),
        false,
      );
      this.#isUnsure = false;
      if (this.#queued.length > 0) return true;
    }
    const count = Math.min(Math.max(1, Math.floor(this.#room() / this.#eventsPerJob)), jobsAtMost);
    this.#isUnsure = true;
    const taken = (await this.#guarded(() =>
      scripts.take(keys.fence, keys.wait, keys.active, fence, keys.jobs, count, Date.now()),
    )) as string[];
    this.#isUnsure = false;
    let events = 0;
    for (let at = 0; at < taken.length; at += 2) {
      const job = readJob(taken[at] ?? '', taken[at + 1] ?? '', undefined, instance);
      events += job.reads.length;
      this.#queue(job);
    }
    if (taken.length > 0) this.#eventsPerJob = Math.max(1, events / (taken.length / 2));
    return taken.length > 0;
  }

  /** Takes charge of jobs that are active already, in the order of their ids. */
  async #adopt(ids: readonly string[], isRedelivered: boolean): Promise<void> {
    const { link, keys, instance } = this.#parts;
    const sorted = ids.toSorted((a, b) => Number(a) - Number(b));
    const jobs = await Promise.all(
      sorted.map(async (id) => {
        const [data, progress] = await link.run((client) => client.hmget(keys.jobs + id, 'data', 'progress'));
        return { id, data, progress };
      }),
    );
    for (const { id, data, progress } of jobs) {
      const job = readJob(id, data ?? '{"events":[]}', progress ?? undefined, instance);
      job.isRedelivered = isRedelivered;
      this.#queue(job);
    }
  }

  #queue(job: TakenJob): void {
    this.#inHand.set(job.id, job);
    if (job.done.size < job.reads.length) this.#queued.push(job);
    else if (this.#note(job)) this.#tellSoon();
  }

  /** Waits until BullMQ signs that a job was added. */
  async #marker(): Promise<void> {
    if (this.#end === undefined) await this.#blocking.bzpopmin(this.#parts.keys.marker, idleSeconds);
  }

  #settle(job: TakenJob, place: number): void {
    job.done.add(place);
    job.untold++;
    if (this.#note(job)) setImmediate(() => this.#tellSoon());
    else if (!this.#isTimed) {
      this.#isTimed = true;
      setTimeout(() => this.#tellSoon(), progressEveryMs);
    }
    this.#give();
    if (this.#room() > 0) this.#roomMade?.();
  }

  /** Redis must be told of that job. True when all of it is settled. */
  #note(job: TakenJob): boolean {
    const isDone = job.done.size === job.reads.length;
    if (isDone) this.#progressed.delete(job);
    (isDone ? this.#finished : this.#progressed).add(job);
    return isDone;
  }

  #tellSoon(): void {
    this.#isTimed = false;
    if (!this.#telling) void this.#tell();
  }

  /** Tells Redis what is settled, one call at a time; what comes up meanwhile goes with the next. */
  async #tell(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => (this.#telling = undefined));
    await this.#telling;
  }

  async #tellAll(): Promise<void> {
    const { scripts, keys, fence } = this.#parts;
    while (this.#end !== 'lost' && this.#finished.size + this.#progressed.size > 0) {
      const jobs = [...this.#finished, ...this.#progressed];
      const said = jobs.map((job) => ({ job, untold: job.untold, isDone: this.#finished.has(job) }));
      this.#finished.clear();
      this.#progressed.clear();
      const words = said.flatMap(({ job, untold, isDone }) => [job.id, untold, isDone ? '' : progressOf(job)]);
      try {
        await this.#guarded(() =>
          scripts.settle(keys.fence, keys.wait, keys.active, keys.counts, fence, keys.jobs, ...words),
        );
        for (const { job, untold, isDone } of said) {
          job.untold -= untold;
          if (isDone) this.#inHand.delete(job.id);
        }
      } catch (error) {
        this.#parts.link.complain(error);
        for (const { job } of said) this.#note(job);
        await pause(patienceMs);
      }
    }
  }

  #bury(job: TakenJob, place: number, letter: DeadLetter): void {
    this.#parts.dead
      .bury(letter)
      .then(() => this.#settle(job, place))
      .catch(() => setTimeout(() => this.#bury(job, place, letter), patienceMs).unref());
  }

  /** What no handler has seen waits again; where Redis does not hear it, the next holder finds it all the same. */
  async #putBack(): Promise<void> {
    const { scripts, keys, fence } = this.#parts;
    const untouched = this.#queued.filter((job) => !job.isStarted && !job.isRedelivered).map((job) => job.id);
    this.#queued = [];
    if (untouched.length === 0) return;
    await this.#guarded(() => scripts.putBack(keys.fence, keys.wait, keys.active, fence, ...untouched.reverse())).catch(
      () => undefined,
    );
  }
}
