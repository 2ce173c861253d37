// The way out of one instance: each conversation in order, each destination within its share, and back-off. What becomes of a
// single event is courier.ts's part, which destinations get a rest is circuits.ts's.
import { asGatewayError, bareAddress, GatewayError, type GatewayEvent } from '../contract/index.ts';
import type { Consumer, Entry } from '../queue/queue.ts';
import { Circuits } from './circuits.ts';
import { Courier, type CourierParts, expiryOf } from './courier.ts';
import { backOffMs, type DeliveryLimits, type Destination, Destinations } from './destinations.ts';
import { DueQueue } from './due-queue.ts';
import { HeldLanes } from './held-lanes.ts';
import { giveBack, type Lane, Lanes } from './lane.ts';
import { Returned } from './returned.ts';

export interface DeliveryParts extends CourierParts {
  random(): number;
}

const downGraceMs = 30_000;
const expirySweepMs = 15_000;

export class Delivery {
  readonly returned = new Returned();
  readonly #parts: DeliveryParts;
  #limits: DeliveryLimits;
  readonly #courier: Courier;
  readonly #held: HeldLanes;
  readonly #destinations = new Destinations();
  readonly #lanes: Lanes;
  readonly #circuits: Circuits;
  /** Lanes that wait for their own next try. */
  readonly #due = new DueQueue<Lane>();
  /** Take what came before the held lanes were known: all in one go, so that nothing newer comes between. */
  #early: Array<() => void> = [];
  #consumer: Consumer | undefined;
  #isUp = false;
  #downSince: number;
  #nextExpirySweep = 0;
  #isStopping = false;

  constructor(parts: DeliveryParts, limits: DeliveryLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#courier = new Courier(parts, limits.attemptTimeoutMs);
    this.#held = new HeldLanes(this.#courier, ({ type }) => parts.metrics.count('held_total', { type }));
    this.#lanes = new Lanes(parts.adapter, this.#destinations);
    this.#circuits = new Circuits({
      ...parts,
      destinations: this.#destinations,
      mayTry: () => this.#mayTry(),
      run: (lane) => void this.#run(lane),
      putAside: (lane) => this.#held.holdMemory(lane),
      pump: (destination) => this.#pump(destination),
    });
    this.#downSince = parts.now();
  }

  configure(limits: DeliveryLimits): void {
    this.#limits = limits;
    this.#courier.attempts.deadlineMs = limits.attemptTimeoutMs;
  }

  /** Takes up the lanes that an earlier process left held; until then events wait. */
  async start(consumer: Consumer): Promise<void> {
    for await (const { key, count, head } of this.#held.open(consumer)) {
      const lane = this.#lanes.get(key, head);
      lane.held = count;
      lane.expiry = expiryOf(head);
      this.#enqueue(lane);
    }
    this.#consumer = consumer;
    for (const take of this.#early.splice(0)) take();
    this.#pumpAll();
  }

  /** The queue's handler: resolves when the event is settled one way or another. */
  readonly accept = async (entry: Entry): Promise<void> => {
    if (!this.#consumer) return new Promise((resolve) => this.#early.push(() => resolve(this.accept(entry))));
    const { event, isRedelivered } = entry;
    if (isRedelivered) this.#parts.metrics.count('redelivered_total', { type: event.type });
    if (this.#courier.isSettled(event)) return;
    const lane = this.#lanes.get(event.conversation, event);
    const { destination } = lane;
    if (lane.state === 'idle' && destination.openUntil > 0) this.#circuits.stop(lane);
    if (lane.state === 'delayed' || lane.state === 'stopped') return this.#held.hold(lane, event);
    // Only behind what is held already: an event in memory is older than one that is held after it.
    if (destination.isStalled && lane.state !== 'running' && lane.memory.length === 0) {
      this.#enqueue(lane);
      return this.#held.hold(lane, event);
    }
    return new Promise<void>((settled, failed) => {
      lane.memory.push({ event, settled, failed });
      destination.backlog++;
      this.#enqueue(lane);
    });
  };

  /** The adapter's link came up or went down. */
  setUp(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    if (!isUp) {
      this.#downSince = this.#parts.now();
      return;
    }
    this.#circuits.tryNow();
    this.#pumpAll();
  }

  /** Called about four times a second: deadlines, retries, expiry. */
  tick(): void {
    this.#courier.attempts.sweep();
    const now = this.#parts.now();
    for (let lane = this.#due.take(now); lane; lane = this.#due.take(now)) if (lane.tryAt <= now) this.#retry(lane);
    this.#circuits.tick(now);
    for (const destination of this.#destinations.all()) this.#relieve(destination, now);
    this.#welcome(this.returned.take());
    if (!this.#isUp && this.#mayTry()) this.#pumpAll();
    if (now < this.#nextExpirySweep) return;
    this.#nextExpirySweep = now + expirySweepMs;
    for (const lane of this.#lanes.all()) if (lane.expiry <= now) void this.#expire(lane);
  }

  /** Starts nothing more; what is under way may end, for at most `drainMs`, and is aborted then. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    const until = performance.now() + drainMs;
    while (this.view().inFlight > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.#courier.attempts.sweep();
    }
    this.#courier.stop();
    for (const lane of this.#lanes.all()) giveBack(lane, new GatewayError('unavailable', 'stopping'));
  }

  /** For status: what is under way, and which destinations are given a rest. */
  view(): { inFlight: number; held: number; breakers: string[] } {
    return { ...this.#lanes.counts(), breakers: this.#destinations.open() };
  }

  #mayTry(): boolean {
    if (this.#isStopping || !this.#consumer) return false;
    return this.#isUp || this.#parts.now() - this.#downSince > downGraceMs;
  }

  #enqueue(lane: Lane): void {
    if (lane.state !== 'idle') return;
    lane.state = 'waiting';
    lane.destination.waiting.add(lane);
    this.#pump(lane.destination);
  }

  #pump(destination: Destination): void {
    if (!this.#mayTry()) return;
    for (const lane of destination.waiting) {
      if (destination.inFlight >= this.#limits.perDestination) return;
      destination.waiting.delete(lane);
      void this.#run(lane);
    }
  }

  #pumpAll(): void {
    for (const destination of this.#destinations.all()) if (destination.waiting.size > 0) this.#pump(destination);
  }

  // A slow destination must not fill the memory that all share: what waits for it goes to the store.
  #relieve(destination: Destination, now: number): void {
    if (!destination.isSlow(this.#limits, now)) return;
    destination.isStalled = true;
    for (const lane of destination.waiting) this.#held.holdMemory(lane);
  }

  async #run(lane: Lane): Promise<void> {
    const { destination } = lane;
    lane.state = 'running';
    destination.enter(this.#parts.now());
    const failure = await this.#work(lane).catch(asGatewayError);
    destination.inFlight--;
    lane.state = 'idle';
    const wasProbe = destination.probe === lane;
    if (wasProbe) destination.probe = undefined;
    if (failure) this.#postpone(lane, failure);
    this.#rest(lane);
    if (wasProbe) this.#circuits.probed(destination);
    this.#pump(destination);
  }

  /** What an idle lane does next. */
  #rest(lane: Lane): void {
    if (lane.state !== 'idle') return;
    if (lane.memory.length + lane.held === 0) this.#lanes.delete(lane);
    else if (lane.destination.openUntil > 0) this.#circuits.stop(lane);
    else this.#enqueue(lane);
  }

  /** Undefined when the lane is done; else why its head could not be delivered now. */
  async #work(lane: Lane): Promise<GatewayError | undefined> {
    while (!this.#isStopping) {
      const [waiting] = lane.memory;
      let failure: GatewayError | undefined;
      if (lane.held > 0) {
        const carry = async (event: GatewayEvent) => {
          failure = await this.#carry(lane, event);
          return failure;
        };
        await this.#held.work(lane, carry, () => this.#isStopping);
        if (failure) return failure;
        continue;
      }
      if (!waiting) return undefined;
      failure = await this.#carry(lane, waiting.event);
      if (failure) return failure;
      lane.memory.shift();
      lane.destination.backlog--;
      waiting.settled();
    }
    return undefined;
  }

  async #carry(lane: Lane, event: GatewayEvent): Promise<GatewayError | undefined> {
    const failure = await this.#courier.carry(event, lane.tries, this.#limits.internalTries);
    if (failure) return failure;
    lane.tries = 0;
    this.#circuits.succeeded(lane.destination);
    return undefined;
  }

  #postpone(lane: Lane, failure: GatewayError): void {
    if (this.#isStopping) {
      giveBack(lane, failure);
      return;
    }
    const { now, random } = this.#parts;
    const delayMs = failure.retryAfterMs || backOffMs(lane.tries, this.#limits, random);
    lane.tries++;
    if (this.#circuits.failed(lane.destination, failure, this.#limits)) {
      this.#circuits.stop(lane);
      return;
    }
    this.#held.holdMemory(lane);
    lane.state = 'delayed';
    lane.tryAt = now() + delayMs;
    this.#due.add(lane.tryAt, lane);
  }

  // Each conversation with its back-off begun anew; a circuit is tried where it was theirs alone.
  #welcome(back: ReadonlySet<string>): void {
    if (back.size === 0) return;
    for (const lane of this.#lanes.all()) {
      if (!back.has(bareAddress(lane.to))) continue;
      // Also of one that is under way: it may be on its way to where they were before.
      lane.tries = 0;
      this.#retry(lane);
    }
    this.#circuits.tryNow((name) => back.has(name));
  }

  #retry(lane: Lane): void {
    if (lane.state !== 'delayed') return;
    lane.state = 'idle';
    this.#rest(lane);
  }

  async #expire(lane: Lane): Promise<void> {
    if (lane.state !== 'delayed' && lane.state !== 'stopped') return;
    lane.destination.stopped.delete(lane);
    lane.state = 'running';
    try {
      await this.#held.expire(lane, this.#parts.now());
    } catch (error) {
      // It lies in the store still: the next sweep tells of it, or the next start.
      const { instance, log } = this.#parts;
      log.warn({ instance, why: asGatewayError(error).message }, 'not told yet that its time is over');
    }
    lane.state = 'idle';
    this.#rest(lane);
  }
}
