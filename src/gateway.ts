// Owns the queue, the state and the instances: starts them in order, stops them in reverse, and answers what the admin
// side asks.
import { Readable } from 'node:stream';
import type { GatewayView, RouteExplanation, SendOptions, StatusView, ViewOptions } from './admin/view.ts';
import type { Config } from './config/config.ts';
import {
  type Address,
  asGatewayError,
  GatewayError,
  type People,
  parseAddress,
  parseEvent,
  schemeOf,
  type ViewRow,
} from './contract/index.ts';
import { Addressing } from './hub/addressing.ts';
import { CallRecords } from './hub/call-records.ts';
import { type CaptureOptions, type CaptureSink, Captures } from './hub/capture.ts';
import { Correlation } from './hub/correlation.ts';
import { Directory } from './hub/directory.ts';
import { Hub } from './hub/hub.ts';
import { Policy } from './hub/policy.ts';
import { RouteTable } from './hub/router.ts';
import { TraceBook } from './hub/trace.ts';
import { Instance } from './instance.ts';
import { deliveryLimits, hubLimits, policyRules, recordFileOptions } from './limits.ts';
import type { RootLog } from './log.ts';
import type { MetricsRegistry } from './metrics.ts';
import { RecordFiles } from './record-files.ts';
import { openStores, type Stores } from './stores.ts';
import { version } from './version.ts';

export class Gateway implements GatewayView {
  readonly #stores: Stores;
  readonly #log: RootLog;
  readonly #metrics: MetricsRegistry;
  readonly #instances = new Map<string, Instance>();
  readonly #directory: Directory;
  readonly #addressing: Addressing;
  readonly #policy: Policy;
  readonly #hub: Hub;
  readonly #traces = new TraceBook(Date.now);
  readonly #captures = new Captures(Date.now);
  readonly #recordFiles: RecordFiles | undefined;
  readonly #startedAt = Date.now();
  #config: Config;
  readonly dead: GatewayView['dead'];

  /** Connects queue and state. Throws GatewayError `unavailable` when they cannot be had. */
  static async open(config: Config, log: RootLog, metrics: MetricsRegistry): Promise<Gateway> {
    return new Gateway(config, log, metrics, await openStores(config, log));
  }

  private constructor(config: Config, log: RootLog, metrics: MetricsRegistry, stores: Stores) {
    this.#config = config;
    this.#log = log;
    this.#metrics = metrics;
    this.#stores = stores;
    const correlation = new Correlation(stores.state.namespace('hub'), config.remember);
    this.#directory = new Directory(stores.state.namespace('directory'), Date.now);
    this.#addressing = new Addressing(this.#directory, this.#instances, new RouteTable(config.routes));
    const { cdr } = config;
    this.#recordFiles = cdr && new RecordFiles(recordFileOptions(cdr), log, Date.now);
    this.#policy = new Policy(stores.state.namespace('policy'), Date.now);
    this.#policy.configure(policyRules(config));
    this.#hub = new Hub(
      {
        queue: stores.queue,
        addressing: this.#addressing,
        policy: this.#policy,
        correlation,
        traces: this.#traces,
        log,
        metricsOf: (instance) => this.#metrics.of(instance),
        recordsOf: (instance) => this.#instances.get(instance)?.records,
        depthOf: (instance) => this.#instances.get(instance)?.depth ?? 0,
        namesItself: (instance) => this.#instances.get(instance)?.namesItself ?? false,
        now: Date.now,
      },
      hubLimits(config),
    );
    for (const { name, module, options } of config.instances) {
      const parts = { name, module, options, hub: this.#hub, queue: stores.queue, store: stores.state, correlation };
      const own = {
        people: this.#people,
        traces: this.#traces,
        captures: this.#captures,
        records: this.#recordsOf(name, config),
        log: log.child({ instance: name }),
        metrics: metrics.of(name),
        now: Date.now,
      };
      this.#instances.set(name, new Instance({ ...parts, ...own }, deliveryLimits(config)));
    }
    this.#configurePeople(config);
    this.dead = {
      list: (limit, instance) => stores.queue.dead.list(limit, instance),
      get: (id) => stores.queue.dead.get(id),
      replay: (id) => this.#replay(id),
      discard: (id) => stores.queue.dead.remove(id),
    };
  }

  /** Resolves when every instance runs or is on standby. */
  async start(): Promise<void> {
    await Promise.all([...this.#instances.values()].map((instance) => instance.start()));
  }

  /** Lets what is under way end, says goodbye on every wire, closes the stores. */
  async stop(): Promise<void> {
    this.#captures.stop();
    const instances = [...this.#instances.values()].reverse();
    await Promise.all(instances.map((instance) => instance.stop(this.#config.drain)));
    await this.#recordFiles?.close();
    await this.#stores.close();
  }

  async status(): Promise<StatusView> {
    const store = await this.#stores.state.ping().then(
      () => 'ok',
      (error: Error) => error.message,
    );
    const dead = store === 'ok' ? await this.#stores.queue.dead.count() : 0;
    const instances = [...this.#instances.values()].map((instance) => instance.view());
    return { version, uptimeMs: Date.now() - this.#startedAt, instances, dead, store };
  }

  async ready(): Promise<{ ready: boolean; why: string[] }> {
    const { store, instances } = await this.status();
    const why = instances
      .filter(({ state }) => state !== 'up' && state !== 'standby')
      .map(({ name, state, why: because }) => `${name} is ${state}${because === undefined ? '' : `: ${because}`}`);
    if (store !== 'ok') why.push(`store: ${store}`);
    return { ready: why.length === 0, why };
  }

  async route(from: string, to: string): Promise<RouteExplanation> {
    const sender = parseAddress(from);
    const steps: string[] = [];
    try {
      const explain = (step: string) => void steps.push(step);
      const plan = await this.#addressing.plan(this.#originOf(sender), sender, parseAddress(to), { explain });
      return { steps, instances: [plan.instance, ...plan.alternatives], from: plan.from, to: plan.to };
    } catch (error) {
      const { reason, message: text } = asGatewayError(error);
      return { steps, instances: [], refusal: { reason, text } };
    }
  }

  async send(from: string, to: string, text: string, options: SendOptions = {}): Promise<{ id: string }> {
    const sender = parseAddress(from);
    const { id } = await this.#hub.publish(this.#originOf(sender), {
      type: 'message',
      from: sender,
      to: parseAddress(to),
      text: { '': text },
      wants: options.wants ?? [],
    });
    return { id };
  }

  async view(topic: string, { limit, instance }: ViewOptions): Promise<ViewRow[]> {
    if (instance !== undefined && !this.#instances.has(instance))
      throw new GatewayError('not-found', `no instance is called ${instance}`);
    const asked = [...this.#instances.values()].filter((one) => instance === undefined || one.instance === instance);
    if (!asked.some(({ views }) => views.includes(topic))) throw noSuchTopic(topic, asked);
    const rows: ViewRow[] = [];
    for (const one of asked) {
      for await (const row of one.rows(topic)) {
        if (rows.length === limit) return rows;
        rows.push({ instance: one.instance, ...row });
      }
    }
    return rows;
  }

  trace(id: string, showBodies: boolean) {
    return this.#traces.view(id, showBodies);
  }

  traces(limit: number): string[] {
    return this.#traces.latest(limit);
  }

  capture(name: string, options: CaptureOptions): Readable {
    const instance = this.#instances.get(name);
    if (!instance) throw new GatewayError('not-found', `no instance is called ${name}`);
    if (instance.view().state === 'standby')
      throw new GatewayError('not-found', `${name} is on standby here: ask the process that holds it`);
    this.#log.info({ instance: name, ...options }, 'a capture was asked for');
    return readableOf((sink) => this.#captures.start(name, instance.protocol, options, sink));
  }

  async reload(config: Config): Promise<string[]> {
    const said: string[] = [];
    const changed = (key: keyof Config) => JSON.stringify(this.#config[key]) !== JSON.stringify(config[key]);
    for (const key of [
      'routes',
      'people',
      'numbers',
      'policy',
      'delivery',
      'queue',
      'maxHops',
      'log',
      'drain',
    ] as const) {
      if (changed(key)) said.push(`${key}: taken over`);
    }
    for (const key of ['data', 'redis', 'admin', 'lease', 'remember', 'cdr'] as const) {
      if (changed(key)) said.push(`${key}: needs a restart`);
    }
    this.#addressing.configure(new RouteTable(config.routes));
    this.#policy.configure(policyRules(config));
    this.#hub.configure(hubLimits(config));
    for (const instance of this.#instances.values()) instance.configure(deliveryLimits(config));
    this.#configurePeople(config);
    this.#log.setLevel(config.log.level);
    said.push(...(await this.#reconfigure(config)));
    this.#config = config;
    return said;
  }

  async #reconfigure({ instances }: Config): Promise<string[]> {
    const said: string[] = [];
    for (const { name, protocol, options } of instances) {
      const instance = this.#instances.get(name);
      if (instance?.protocol !== protocol) said.push(`${name}: needs a restart`);
      else said.push(...(await instance.reconfigure(options).catch((error: Error) => [`${name}: ${error.message}`])));
    }
    const named = new Set(instances.map(({ name }) => name));
    for (const name of this.#instances.keys()) if (!named.has(name)) said.push(`${name}: goes with a restart`);
    return said;
  }

  get #people(): People {
    return {
      enter: (addresses) => this.#directory.enter({ addresses }),
      remove: (addresses) => this.#directory.remove({ addresses }),
    };
  }

  #recordsOf(name: string, { cdr }: Config): CallRecords | undefined {
    const files = this.#recordFiles;
    if (!cdr || !files) return undefined;
    return new CallRecords(name, {
      state: this.#stores.state.namespace(`cdr/${name}`),
      write: (record) => files.write(record),
      costOf: (event) => this.#addressing.costOf(name, event),
      currency: cdr.currency,
      closeAfterMs: cdr.closeAfter,
      now: Date.now,
    });
  }

  #configurePeople({ people, numbers }: Config): void {
    this.#directory.configure(people, { pool: numbers.pool, holdForMs: numbers.holdFor });
  }

  async #replay(id: string): Promise<boolean> {
    const letter = await this.#stores.queue.dead.get(id);
    if (!letter) return false;
    const event = parseEvent(letter.event);
    const fresh = { ...event, expiresAt: new Date(Date.now() + this.#config.delivery.expireAfter).toISOString() };
    await this.#stores.queue.push(letter.instance, [fresh]);
    return this.#stores.queue.dead.remove(id);
  }

  // An operator's own message is said on the network that the sender belongs to.
  #originOf(sender: Address): string {
    for (const instance of this.#instances.values()) if (instance.scheme === schemeOf(sender)) return instance.instance;
    throw new GatewayError('not-found', `no instance speaks ${schemeOf(sender)}:`);
  }
}

// Whoever reads more slowly than the wire is fast must not fill our memory.
const maxUnreadBytes = 8 * 1024 * 1024;

function readableOf(start: (sink: CaptureSink) => () => void): Readable {
  const file = new Readable({ read: () => {} }).once('close', () => stop());
  const stop = start({
    write(bytes) {
      file.push(bytes);
      if (file.readableLength > maxUnreadBytes) stop();
    },
    end: () => void file.push(null),
  });
  return file;
}

function noSuchTopic(topic: string, asked: readonly Instance[]): GatewayError {
  const known = [...new Set(asked.flatMap(({ views }) => views))].sort();
  const away = asked.filter((one) => one.view().state === 'standby').map(({ instance }) => instance);
  const text =
    known.length > 0 ? `there is no table "${topic}"; there are: ${known.join(', ')}` : 'there are no tables';
  const elsewhere = away.length > 0 ? `; ask the process that holds ${away.join(', ')} about that` : '';
  return new GatewayError('not-found', text + elsewhere);
}
