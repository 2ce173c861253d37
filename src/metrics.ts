// Prometheus metrics: every name begins with dragoman_, every series says its instance, no label grows without bound.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Labels, Metrics } from './contract/index.ts';

const bucketsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000];
const bucketsOfThings = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const maxSeries = 100;

interface Family<Kind extends Counter | Histogram> {
  readonly metric: Kind;
  /** Fixed by the first use of the name. */
  readonly labels: readonly string[];
  /** Per instance, the values that have a series of their own. */
  readonly seen: Map<string, Set<string>>;
}

export class MetricsRegistry {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Family<Counter>>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Family<Histogram>>();
  readonly #instances = new Map<string, Metrics>();

  constructor() {
    collectDefaultMetrics({ register: this.#registry, prefix: 'dragoman_' });
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** The exposition text. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The contract's Metrics, with the instance filled in. */
  of(instance: string): Metrics {
    const known = this.#instances.get(instance);
    if (known) return known;
    const own = { instance };
    const metrics: Metrics = {
      count: (name, labels, by) => this.#count(instance, name, labels ?? {}, by ?? 1),
      gauge: (name, value) => this.#gauge(name).set(own, value),
      observe: (name, value, labels) => this.#observe(instance, name, labels ?? {}, value),
    };
    this.#instances.set(instance, metrics);
    return metrics;
  }

  #count(instance: string, name: string, labels: Labels, by: number): void {
    const family = familyIn(this.#counters, name, labels, (options) => new Counter(options), this.#registry);
    family.metric.inc(seriesOf(family, instance, labels), by);
  }

  #observe(instance: string, name: string, labels: Labels, value: number): void {
    const buckets = name.endsWith('_ms') ? bucketsMs : bucketsOfThings;
    const create = (options: FamilyOptions) => new Histogram({ ...options, buckets });
    const family = familyIn(this.#histograms, name, labels, create, this.#registry);
    family.metric.observe(seriesOf(family, instance, labels), value);
  }

  #gauge(name: string): Gauge {
    let gauge = this.#gauges.get(name);
    if (!gauge) {
      gauge = new Gauge({
        name: `dragoman_${name}`,
        help: helpOf(name),
        labelNames: ['instance'],
        registers: [this.#registry],
      });
      this.#gauges.set(name, gauge);
    }
    return gauge;
  }
}

type FamilyOptions = { name: string; help: string; labelNames: string[]; registers: Registry[] };

function familyIn<Kind extends Counter | Histogram>(
  families: Map<string, Family<Kind>>,
  name: string,
  values: Labels,
  create: (options: FamilyOptions) => Kind,
  registry: Registry,
): Family<Kind> {
  const known = families.get(name);
  if (known) return known;
  const labels = Object.keys(values);
  const labelNames = ['instance', ...labels];
  const metric = create({ name: `dragoman_${name}`, help: helpOf(name), labelNames, registers: [registry] });
  const family = { metric, labels, seen: new Map() };
  families.set(name, family);
  return family;
}

function seriesOf(family: Family<Counter | Histogram>, instance: string, labels: Labels): Record<string, string> {
  const isKnown = hasSeries(family, instance, labels);
  const series: Record<string, string> = { instance };
  for (const label of family.labels) series[label] = isKnown ? (labels[label] ?? '') : 'other';
  return series;
}

/** False once the instance has `maxSeries` others: what a peer can make up must not grow without end. */
function hasSeries({ labels, seen }: Family<Counter | Histogram>, instance: string, values: Labels): boolean {
  const key = labels.map((label) => values[label] ?? '').join('\0');
  const known = seen.get(instance) ?? new Set();
  if (known.size >= maxSeries && !known.has(key)) return false;
  seen.set(instance, known.add(key));
  return true;
}

const help: Readonly<Record<string, string>> = {
  inbound_total: 'Events taken from this network',
  outbound_total: 'Events this network took',
  refused_total: 'Events refused to this network, by reason',
  repeats_total: 'Repeats of this network that were dropped',
  redelivered_total: 'Events seen again after an unclean end',
  delivery_failures_total: 'Tries that failed, by reason',
  publish_ms: 'Milliseconds from hearing an event until it was durable',
  delivery_ms: 'Milliseconds from the first byte to the peer until it took the event',
  held_total: 'Events put aside because their destination was away',
  breaker_opened_total: 'Times a destination was given a rest',
  outcomes_total: 'How messages that came from this network ended',
  rerouted_total: 'Events handed to another instance because this one could not take them',
  superseded_total: 'Presence that waited until a later word made it worthless',
  dropped_total: 'Events other than messages that could not be delivered, by reason',
  receipts_unknown_total: 'Receipts for messages that nobody remembers',
  receipts_foreign_total: 'Receipts from a network that did not carry the message',
  response_ms: 'Milliseconds from a submit (towards an ESME: a deliver) to its response, bind by bind',
  receipt_ms: 'Milliseconds from a submit to each of its receipts, by the bind that the receipt came over',
  window_use: 'Requests without a response on a bind once one more was sent',
  submits_total: 'Responses to what was submitted, by bind and command_status',
  receipt_states_total: 'Receipts of messages of ours, by bind, state and err code',
  store_waits_total: 'Times an outcome had to wait for the store',
  lease_fence: 'Rises with every new holder of this instance',
  queue_depth: 'Events waiting for this network',
  held_events: 'Events waiting for a destination to come back',
  up: '1 while this network can be reached',
};

function helpOf(name: string): string {
  return help[name] ?? name.replaceAll('_', ' ');
}
