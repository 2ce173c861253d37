// What an instance stands on, and what of it it lends to its adapter and to the courier that delivers.
import type { Adapter, Hub as AdapterHub, AdapterModule, Log, Metrics, People } from './contract/index.ts';
import type { CallRecords } from './hub/call-records.ts';
import type { Captures } from './hub/capture.ts';
import type { Correlation } from './hub/correlation.ts';
import type { CourierParts } from './hub/courier.ts';
import type { Hub } from './hub/hub.ts';
import type { Schedule } from './hub/schedule.ts';
import type { TraceBook } from './hub/trace.ts';
import type { Queue } from './queue/queue.ts';
import type { StateStore } from './state/state.ts';

export interface InstanceParts {
  readonly name: string;
  readonly module: AdapterModule;
  readonly options: unknown;
  readonly hub: Hub;
  readonly people: People;
  readonly queue: Queue;
  readonly store: StateStore;
  readonly correlation: Correlation;
  readonly traces: TraceBook;
  readonly captures: Captures;
  readonly records: CallRecords | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  now(): number;
}

export function adapterHub(
  parts: InstanceParts,
  schedule: Schedule,
  { status, reachable }: Pick<AdapterHub, 'status' | 'reachable'>,
): AdapterHub {
  const { name, hub, people, store, traces, captures, log, metrics, now } = parts;
  return {
    instance: name,
    publish: (draft) =>
      draft.type === 'message' && schedule.isEarly(draft) ? schedule.keep(draft) : hub.publish(name, draft),
    withdraw: (id) => schedule.withdraw(id),
    people,
    status,
    reachable,
    state: store.namespace(`instance/${name}`),
    trace: {
      hop: (event, hop) => traces.hop(name, event, hop),
      get wire() {
        return captures.wireOf(name);
      },
    },
    log,
    metrics,
    now,
  };
}

/** `namedItself`: the network has given a message a name of its own. */
export function courierParts(parts: InstanceParts, adapter: Adapter, namedItself: () => void): CourierParts {
  const { name: instance, hub, queue, correlation, log, metrics, now, records } = parts;
  return {
    instance,
    adapter,
    log,
    metrics,
    now,
    conclude: (...told) => hub.conclude(instance, ...told),
    records,
    unanswered: hub.unanswered,
    toNativeIds: (event) => correlation.toNativeIds(instance, event),
    named: async (event, nativeId) => {
      namedItself();
      await correlation.link(instance, nativeId, event);
      await hub.settleEarly(instance, nativeId);
    },
    reroute: (event) => hub.reroute(event, instance),
    bury: queue.dead.bury.bind(queue.dead),
  };
}
