// One configured adapter and all it stands on: its lease, its consumer, its way out, its status. Standby until the lease
// is ours, and standby again when somebody else took it.
import type { InstanceView } from './admin/view.ts';
import type { Adapter, Address, EventType, GatewayDomain, ViewRow } from './contract/index.ts';
import type { Network } from './hub/addressing.ts';
import type { CallRecords } from './hub/call-records.ts';
import { Delivery } from './hub/delivery.ts';
import type { DeliveryLimits } from './hub/destinations.ts';
import { Schedule } from './hub/schedule.ts';
import { adapterHub, courierParts, type InstanceParts } from './instance-parts.ts';
import { pause } from './pause.ts';
import type { Consumer } from './queue/queue.ts';
import { reconfigure } from './reconfigure.ts';
import type { Lease } from './state/state.ts';

export interface InstanceLimits extends DeliveryLimits {
  readonly prefetch: number;
  readonly leaseMs: number;
}

const tickMs = 250;
const retryStartMs = 5000;
const startPatienceMs = 3000;

export class Instance implements Network {
  readonly instance: string;
  readonly scheme;
  gatewayDomains: readonly GatewayDomain[] = [];
  nativeDomains: ReadonlySet<string> = new Set();
  readonly isSwitch: boolean;
  readonly records: CallRecords | undefined;
  readonly #parts: InstanceParts;
  #limits: InstanceLimits;
  /** As the file says, for the next start; and as the adapter that runs has them. */
  #options: unknown;
  #optionsInForce: unknown;
  #state: InstanceView['state'] = 'standby';
  #why: string | undefined = 'waits for its lease';
  #since: number;
  #depth = 0;
  #namesItself = false;
  #holding: Holding | undefined;
  #loop: Promise<void> | undefined;
  readonly #stopping = new AbortController();

  constructor(parts: InstanceParts, limits: InstanceLimits) {
    const { name, module, options } = parts;
    this.instance = name;
    this.scheme = module.network;
    this.isSwitch = module.isSwitch ?? false;
    this.#options = options;
    this.records = parts.records;
    this.#parts = parts;
    this.#adopt(options);
    this.#limits = limits;
    this.#since = parts.now();
  }

  /** Resolves when it runs or is on standby; from then on it looks after itself. */
  start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#loop = this.#run(first.resolve);
    return first.promise;
  }

  async stop(drainMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#release(drainMs);
    await this.#loop;
  }

  configure(limits: InstanceLimits): void {
    this.#limits = limits;
    this.#holding?.delivery.configure(limits);
  }

  /** The file says other options. Resolves with what became of each, for the operator. */
  async reconfigure(options: unknown): Promise<readonly string[]> {
    this.#options = options;
    const { inForce, said } = await reconfigure(this.instance, this.#holding?.adapter, this.#optionsInForce, options);
    this.#adopt(inForce);
    return said;
  }

  #adopt(options: unknown): void {
    const { module } = this.#parts;
    this.#optionsInForce = options;
    this.gatewayDomains = module.gatewayDomains?.(options) ?? [];
    this.nativeDomains = new Set(module.nativeDomains?.(options));
  }

  isUp(): boolean {
    return this.#state === 'up';
  }

  accepts(type: EventType): boolean {
    return this.#holding?.adapter.accepts.has(type) ?? true;
  }

  /** Asked about what its own adapter published, so in the process that runs it. */
  async serves(address: Address): Promise<boolean> {
    return (await this.#holding?.adapter.serves?.(address)) ?? false;
  }

  /** The topics of the adapter's tables; none while another process holds it. */
  get views(): string[] {
    return Object.keys(this.#holding?.adapter.views ?? {});
  }

  async *rows(topic: string): AsyncIterable<ViewRow> {
    const views = this.#holding?.adapter.views ?? {};
    if (Object.hasOwn(views, topic)) yield* views[topic]?.() ?? [];
  }

  get protocol(): string {
    return this.#parts.module.protocol;
  }

  get depth(): number {
    return this.#depth;
  }

  get namesItself(): boolean {
    return this.#namesItself;
  }

  view(): InstanceView {
    const { name, module } = this.#parts;
    const out = this.#holding?.delivery.view() ?? { inFlight: 0, held: 0, breakers: [] };
    const since = new Date(this.#since).toISOString();
    const view = {
      name,
      protocol: module.protocol,
      network: this.scheme,
      state: this.#state,
      since,
      depth: this.#depth,
      ...out,
      views: this.views,
    };
    return this.#why === undefined ? view : { ...view, why: this.#why };
  }

  async #run(onFirst: () => void): Promise<void> {
    const { log, name, store } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      try {
        const lease = await store.lease(name, this.#limits.leaseMs);
        if (lease) {
          await this.#hold(lease);
          onFirst();
          await this.#keep(lease);
        }
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#report('down', why);
        log.error({ instance: name, why }, 'could not start; tries again');
        await this.#release(0);
        onFirst();
        await this.#pause(retryStartMs);
      }
      onFirst();
      await this.#pause(this.#limits.leaseMs / 3);
    }
  }

  async #hold(lease: Lease): Promise<void> {
    const { module, name, queue, store, hub, log, metrics, now } = this.#parts;
    this.#adopt(this.#options);
    const adapter = module.create(name, this.#options);
    const namedItself = () => {
      this.#namesItself = true;
    };
    const delivery = new Delivery(
      { ...courierParts(this.#parts, adapter, namedItself), random: Math.random },
      this.#limits,
    );
    const ended = Promise.withResolvers<true>();
    ended.promise.catch(() => {});
    const schedule = new Schedule(name, { state: store.namespace(`schedule/${name}`), hub, log, now });
    const ticker = setInterval(() => {
      delivery.tick();
      schedule.tick();
      this.records?.tick();
    }, tickMs);
    const holding: Holding = { adapter, delivery, ended: ended.promise, ticker, consumer: undefined, lease };
    this.#holding = holding;
    this.#report('connecting');
    await Promise.all([schedule.open(), this.records?.open()]);
    const started = adapter.start(
      adapterHub(this.#parts, schedule, {
        status: (state, why) => {
          if (this.#holding) this.#report(state, why);
        },
        reachable: (address) => delivery.returned.note(address),
      }),
    );
    started.catch(ended.reject);
    // A peer that is away must not keep us from renewing: an adapter may go on starting while we go on.
    await Promise.race([started, this.#pause(startPatienceMs)]);
    holding.consumer = await queue.consume(name, lease.fence, delivery.accept, {
      prefetch: this.#limits.prefetch,
      onLost: () => ended.resolve(true),
    });
    await delivery.start(holding.consumer);
    metrics.gauge('lease_fence', lease.fence);
    log.info({ instance: name, fence: lease.fence, at: now() }, 'holds its lease');
  }

  /** Renews until the lease is lost or we stop. A store that cannot be asked keeps us going: its fence protects the queue. */
  async #keep(lease: Lease): Promise<void> {
    const { log, name, queue, metrics } = this.#parts;
    const ended = this.#holding?.ended;
    while (!this.#stopping.signal.aborted) {
      const isLost = await Promise.race([
        ended,
        this.#pause(Math.min(1000, this.#limits.leaseMs / 3)).then(() => false),
      ]);
      const isOurs = !isLost && (await lease.renew().catch(() => true));
      if (this.#stopping.signal.aborted) return;
      if (!isOurs) {
        log.warn({ instance: name }, 'lost its lease: somebody else carries on');
        await this.#release(0);
        this.#report('standby', 'another process holds its lease');
        return;
      }
      this.#depth = await queue.depth(name).catch(() => this.#depth);
      metrics.gauge('queue_depth', this.#depth);
      metrics.gauge('held_events', this.#holding?.delivery.view().held ?? 0);
    }
  }

  async #release(drainMs: number): Promise<void> {
    const holding = this.#holding;
    if (!holding) return;
    this.#holding = undefined;
    await holding.delivery.stop(drainMs);
    clearInterval(holding.ticker);
    // A consumer that lost its store cannot say goodbye to it.
    await Promise.race([holding.consumer?.stop(), new Promise((resolve) => setTimeout(resolve, 2000).unref())]).catch(
      () => {},
    );
    await holding.adapter
      .stop()
      .catch((error: Error) => this.#parts.log.warn({ why: error.message }, 'did not stop cleanly'));
    await holding.lease.release().catch(() => {});
  }

  #report(state: InstanceView['state'], why?: string): void {
    if (state === this.#state && why === this.#why) return;
    const { log, metrics, name, now } = this.#parts;
    if (state !== this.#state) this.#since = now();
    this.#state = state;
    this.#why = why;
    this.#holding?.delivery.setUp(state === 'up');
    metrics.gauge('up', state === 'up' ? 1 : 0);
    log[state === 'down' ? 'warn' : 'info']({ instance: name, state, ...(why === undefined ? {} : { why }) }, 'status');
  }

  #pause(ms: number): Promise<void> {
    return pause(ms, this.#stopping.signal);
  }
}

interface Holding {
  adapter: Adapter;
  delivery: Delivery;
  lease: Lease;
  /** Resolves when the lease was lost, rejects when the adapter never can start. */
  ended: Promise<true>;
  ticker: NodeJS.Timeout;
  consumer: Consumer | undefined;
}
