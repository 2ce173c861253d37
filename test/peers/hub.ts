// A hub for one adapter, in memory: keeps what the adapter publishes, lets a test script refusals, and has a clock that
// the test moves.
import type {
  AdapterStatus,
  Address,
  Draft,
  DraftOf,
  EventType,
  Hub,
  Log,
  LogFields,
  Metrics,
  Published,
  State,
  TraceHop,
} from '../../src/contract/index.ts';

export interface FakeHub extends Hub {
  /** What was published and taken, oldest first. */
  readonly drafts: Draft[];
  draftsOf<T extends EventType>(type: T): Array<DraftOf<T>>;
  /** Answers publish in place of taking the draft; undefined takes it. Throw a GatewayError to refuse. */
  onPublish: ((draft: Draft) => Promise<Published | undefined> | Published | undefined) | undefined;
  /** Resolves with the first draft (past or future) that matches. */
  untilDraft(matches?: (draft: Draft) => boolean, timeoutMs?: number): Promise<Draft>;
  readonly statuses: Array<{ state: AdapterStatus; why?: string }>;
  untilStatus(state: AdapterStatus, timeoutMs?: number): Promise<void>;
  readonly logs: Array<{ level: keyof Log; fields: LogFields; message: string }>;
  readonly hops: Array<{ event: string; hop: TraceHop }>;
  /** Sums of counters by name and labels: `submits_total{bind=bind_transceiver 1,status=ESME_ROK}`. */
  readonly counters: Map<string, number>;
  readonly gauges: Map<string, number>;
  /** Of histograms, by name and labels: `response_ms{bind=bind_transceiver 1}`. */
  readonly observed: Map<string, number[]>;
  readonly state: MemoryState;
  /** Who was entered in the directory and not removed: their addresses. */
  readonly entered: Set<string>;
  /** Who was said to be there again. */
  readonly returned: Address[];
  /** Undefined: the real time. */
  clock: number | undefined;
}

export function fakeHub(instance = 'under-test'): FakeHub {
  const drafts: Draft[] = [];
  const statuses: FakeHub['statuses'] = [];
  const logs: FakeHub['logs'] = [];
  const hops: FakeHub['hops'] = [];
  const counters = new Map<string, number>();
  const gauges = new Map<string, number>();
  const observed = new Map<string, number[]>();
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const watcher of watchers) watcher();
  };
  const until = <T>(find: () => T | undefined, what: string, timeoutMs = 5000) =>
    new Promise<T>((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        watchers.delete(look);
        reject(new Error(`no ${what} in ${timeoutMs} ms`));
      }, timeoutMs);
      watchers.add(look);
      look();
    });
  const logAt = (level: keyof Log) => (fields: LogFields, message: string) =>
    void logs.push({ level, fields, message });
  const metrics: Metrics = {
    count(name, labels, by = 1) {
      const key = name + labelText(labels);
      counters.set(key, (counters.get(key) ?? 0) + by);
    },
    gauge: (name, value) => void gauges.set(name, value),
    observe(name, value, labels) {
      const key = name + labelText(labels);
      observed.set(key, [...(observed.get(key) ?? []), value]);
    },
  };
  const withdrawable = new Set<string>();
  let published = 0;
  const hub: FakeHub = {
    instance,
    drafts,
    statuses,
    logs,
    hops,
    counters,
    gauges,
    observed,
    clock: undefined,
    onPublish: undefined,
    state: new MemoryState(() => hub.now()),
    log: { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') },
    returned: [],
    entered: new Set(),
    people: {
      enter: async (addresses) => {
        const isTheirs = (person: string) =>
          person.split(' ').some((address) => addresses.some((one) => one === address));
        for (const person of [...hub.entered].filter(isTheirs)) hub.entered.delete(person);
        hub.entered.add(addresses.join(' '));
      },
      remove: async (addresses) => void hub.entered.delete(addresses.join(' ')),
    },
    trace: { hop: (event, hop) => void hops.push({ event, hop }) },
    metrics,
    now: () => hub.clock ?? Date.now(),
    async publish(draft) {
      const scripted = await hub.onPublish?.(draft);
      if (!scripted?.isRepeat) drafts.push(structuredClone(draft));
      changed();
      published++;
      const result = scripted ?? { id: `p${String(published).padStart(9, '0')}`, isRepeat: false };
      if (draft.type === 'message' && draft.notBefore !== undefined && Date.parse(draft.notBefore) > hub.now())
        withdrawable.add(result.id);
      return result;
    },
    withdraw: async (id) => withdrawable.delete(id),
    reachable: (address) => void hub.returned.push(address),
    status(state, why) {
      statuses.push(why === undefined ? { state } : { state, why });
      changed();
    },
    draftsOf: <T extends EventType>(type: T) =>
      drafts.filter((draft) => draft.type === type) as unknown as Array<DraftOf<T>>,
    untilDraft: (matches = () => true, timeoutMs) => until(() => drafts.find(matches), 'such draft', timeoutMs),
    untilStatus: async (state, timeoutMs) => {
      await until(() => (statuses.at(-1)?.state === state ? true : undefined), `status ${state}`, timeoutMs);
    },
  };
  return hub;
}

/** The contract's State in a Map. */
export class MemoryState implements State {
  readonly entries = new Map<string, { value: string; expires: number }>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async get(key: string): Promise<string | undefined> {
    const entry = this.entries.get(key);
    return entry && entry.expires > this.#now() ? entry.value : undefined;
  }

  async set(key: string, value: string, ttlMs = Number.POSITIVE_INFINITY): Promise<void> {
    this.entries.set(key, { value, expires: this.#now() + ttlMs });
  }

  async setIfAbsent(key: string, value: string, ttlMs?: number): Promise<boolean> {
    const entry = this.entries.get(key);
    if (entry && entry.expires > this.#now()) return false;
    void this.set(key, value, ttlMs);
    return true;
  }

  async take(key: string): Promise<string | undefined> {
    const value = this.get(key);
    this.entries.delete(key);
    return value;
  }

  async delete(key: string): Promise<void> {
    this.entries.delete(key);
  }

  async increment(key: string, by = 1, ttlMs?: number): Promise<number> {
    const entry = this.entries.get(key);
    const before = entry && entry.expires > this.#now() ? Number(entry.value) : 0;
    void this.set(key, String(before + by), ttlMs);
    return before + by;
  }

  async *scan(prefix: string): AsyncIterable<[key: string, value: string]> {
    for (const [key, { value, expires }] of [...this.entries]) {
      if (key.startsWith(prefix) && expires > this.#now()) yield [key, value];
    }
  }
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (!labels) return '';
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')}}`;
}
