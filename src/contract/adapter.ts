// The adapter contract: what an adapter is, and what the hub lends it. Together with events.ts, address.ts and errors.ts
// this is all that an adapter may import from the gateway (besides src/formats).
import type { z } from 'zod';
import type { Address, Scheme } from './address.ts';
import type { Draft, EventType, GatewayEvent } from './events.ts';

/**
 * One configured connection to one network. It speaks only its own network's addresses and ids: the hub translates both
 * at the border. It never retries, queues or drops: it throws and the hub decides.
 */
export interface Adapter {
  /** The hub never delivers any other type; a message type not listed fails as `unsupported`. */
  readonly accepts: ReadonlySet<EventType>;
  /**
   * Called once. Resolves when listening or first connected; rejects only when it never can (bad option, port taken).
   * Trouble with the peer, now or later, goes to `hub.status`, and the adapter keeps trying by itself.
   */
  start(hub: Hub): Promise<void>;
  /**
   * Called for one event after the other of a conversation, for many conversations at once. Resolves when the peer has
   * taken it (a response, a ping barrier), never earlier. Throws GatewayError otherwise; after `signal` aborts nothing
   * more may be sent. Where the network lets the sender choose ids, `event.id` goes on the wire and receipts come back
   * with it as `of`; elsewhere `Delivery.nativeId` tells the hub what the network called it.
   */
  deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery>;
  /** Says goodbye on the wire, then resolves; safe to call twice, and before start has resolved. */
  stop(): Promise<void>;
  /** The options that an operator may change while it runs, by their first name (`accounts`); others need a new start. */
  readonly reconfigurable?: ReadonlySet<string>;
  /**
   * Resolves when these options hold: valid ones, and the former but for those that are `reconfigurable`. Rejects when
   * they cannot, and then the former hold.
   */
  reconfigure?(options: unknown): Promise<void>;
  /**
   * Which far end an event depends on (a domain, a carrier): one that fails holds back only its own conversations.
   * Default: the domain of `event.to`, or the whole instance for numbers.
   */
  destination?(event: GatewayEvent): string;
  /**
   * Whether that address of its network lives with this instance (a phone that registers here), even if nobody is there now:
   * a message to it from this instance's own network comes back to `deliver`, which must never publish it again. Default: none.
   */
  serves?(address: Address): Promise<boolean>;
  /**
   * Tables for operators, by topic: `peers` (what was learnt of each), `subscriptions`, `binds`. Asked seldom; rows are
   * flat and hold no secret. `dragoman view <topic>` and the console show them.
   */
  readonly views?: Readonly<Record<string, () => AsyncIterable<ViewRow>>>;
}

export type ViewRow = Readonly<Record<string, string | number | boolean>>;

export interface Delivery {
  /** What the network called it, where it did not take `event.id`. */
  nativeId?: string;
  /** `delivered` only where the network proved it reached the recipient's device. Default `sent`. */
  state?: 'sent' | 'delivered';
  /** For the call detail record: `parts`, `alphabet`, `messageId`, `carrier` ... */
  facts?: Readonly<Record<string, string | number>>;
}

/** What one adapter sees of the gateway. */
export interface Hub {
  /** The instance's name in the configuration. */
  readonly instance: string;
  /**
   * Resolves once the event is durable (or known to be a repeat): only then acknowledge your peer. Throws GatewayError
   * when it is refused (`not-found`, `not-allowed`, ...) or cannot be taken now (`throttled` with retryAfterMs,
   * `unavailable`): answer your peer with that, in its own words. `unsupported` at once where the recipient's network
   * can never say this type of event.
   */
  publish(draft: Draft): Promise<Published>;
  /** Takes back a message of ours that waits for its `notBefore`. False when it is not (any longer) waiting. */
  withdraw(id: string): Promise<boolean>;
  readonly people: People;
  /** Somebody of this network is there again: what waits for another try goes to that address within a second. */
  reachable(address: Address): void;
  /** `up` when events can be delivered; `down` with the reason an operator would want to read. */
  status(state: AdapterStatus, why?: string): void;
  /** Durable, and this instance's own. */
  readonly state: State;
  readonly log: Log;
  readonly trace: Trace;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. Adapters take the time from here, never from Date.now. */
  now(): number;
}

/** The directory as its adapters may change it: what people say of themselves. The configuration comes first. */
export interface People {
  /**
   * These are one person's addresses, from now on, in place of what any of them was before. Durable; other processes know it
   * within half a minute. Throws GatewayError `not-allowed` when the configuration says whose one of them is.
   */
  enter(addresses: readonly Address[]): Promise<void>;
  remove(addresses: readonly Address[]): Promise<void>;
}

export type AdapterStatus = 'connecting' | 'up' | 'down';

export interface Published {
  /** The event's id; for a repeat, that of the first. */
  id: string;
  isRepeat: boolean;
}

/**
 * Durable keys and values of one namespace. Keys are any text up to 512 bytes, values any text. What is not waited for is
 * done in no order, except that `set` and `delete` of one key keep that of the calls.
 */
export interface State {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, ttlMs?: number): Promise<void>;
  /** Atomic. True when it was absent and now is set. */
  setIfAbsent(key: string, value: string, ttlMs?: number): Promise<boolean>;
  /** Atomic read and delete. */
  take(key: string): Promise<string | undefined>;
  delete(key: string): Promise<void>;
  /** Atomic. The value after adding `by`; an absent key counts as 0. `ttlMs` counts from this call. */
  increment(key: string, by?: number, ttlMs?: number): Promise<number>;
  /** Keys with that prefix, in no order. For start-up and operators, never per message. */
  scan(prefix: string): AsyncIterable<[key: string, value: string]>;
}

/** Structured logging. Fields never hold a message body or a secret. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
export type LogFields = Record<string, unknown>;

/** What happened to a message, hop by hop. */
export interface Trace {
  /** Cheap: copies octets (a view would keep its chunk alive) and formats only when somebody looks. `event` is an event id or `Published.id`. */
  hop(event: string, hop: TraceHop): void;
  /** There only while an operator captures this instance: `trace.wire?.({...})` costs nothing otherwise. */
  readonly wire?: ((unit: WireUnit) => void) | undefined;
}

/** One whole message (a PDU, a datagram, a stanza) as it crossed a connection, TLS and WebSocket taken off. */
export interface WireUnit {
  direction: 'inbound' | 'outbound';
  transport: 'tcp' | 'udp';
  local: WireEnd;
  remote: WireEnd;
  bytes: Uint8Array;
  /** Ranges of `bytes` that hold passwords or proofs of them: shown to nobody. */
  secrets?: Ranges;
  /** Ranges of `bytes` that hold what a person wrote: hidden unless asked for. */
  hidden?: Ranges;
}
export interface WireEnd {
  /** An IP address. */
  address: string;
  port: number;
}
/** [start, end), in their order. */
export type Ranges = readonly (readonly [start: number, end: number])[];
export interface TraceHop {
  direction: 'inbound' | 'outbound';
  /** In the network's words: `MESSAGE`, `submit_sm_resp ESME_ROK`. */
  what: string;
  /** The bytes as they crossed the wire. Never credentials. */
  wire?: string | Uint8Array;
  /** [start, end) ranges of `wire` (bytes, or UTF-16 units of a string) that hold what a person wrote: hidden unless asked for. */
  hidden?: Ranges;
}

/**
 * Counters, gauges and histograms; the instance label is added by the hub. Names end in `_total`, `_ms`, or a noun. A name
 * has the same labels each time.
 */
export interface Metrics {
  count(name: string, labels?: Labels, by?: number): void;
  gauge(name: string, value: number): void;
  /** Milliseconds where the name ends in `_ms`, else a number of things. */
  observe(name: string, value: number, labels?: Labels): void;
}
export type Labels = Readonly<Record<string, string>>;

/** A domain of ours at which people of other networks are shown: `bob\40other.net@sip.example.org`. */
export interface GatewayDomain {
  domain: string;
  /** Whose people it shows. `tel` is told from the others by its form (`+digits`). */
  shows: readonly Scheme[];
  /** A name with no `@` inside it belongs here: `sip:alice@gw.example.net` is `alice@<home>`. */
  home?: string;
}

/** One thing `dragoman doctor` looked at. */
export interface Finding {
  state: 'ok' | 'warning' | 'failed';
  what: string;
  /** What to do: the lines to add, the port to open. */
  advice?: string;
}

/**
 * Plays the far end of a connection again from a capture (`dragoman replay`). We number our requests anew each time, so what
 * the far end said then has to be fitted to what we say now. One for each connection.
 */
export interface Follower {
  /** We say this now, in pieces of any size. What has to be answered at once, whatever was recorded. */
  heard(chunk: Uint8Array): Uint8Array[];
  /** Whether we have now said what the first `count` recorded messages of ours said. */
  hasHeard(count: number): boolean;
  /** What the far end said then, as it would now; undefined when it has nothing to answer any more. */
  fit(bytes: Uint8Array): Uint8Array | undefined;
}

/** What an adapter's index.ts exports as `adapter`, built in or from npm. */
export interface AdapterModule<Options = unknown> {
  readonly protocol: string;
  /** The network whose addresses it speaks. */
  readonly network: Scheme;
  readonly options: z.ZodType<Options>;
  create(name: string, options: Options): Adapter;
  /** Where strangers are shown on this network. */
  gatewayDomains?(options: Options): readonly GatewayDomain[];
  /**
   * Its people write to one another through us (accounts of an SMS centre): what came from this instance may go back to
   * it. Elsewhere such an event is refused, since its network would have delivered it without us; but see `Adapter.serves`.
   */
  readonly isSwitch?: boolean;
  /** Domains that are ours on this network under their own name: `alice@example.org` may appear there as she is. */
  nativeDomains?(options: Options): readonly string[];
  /** `recorded`: what we said on that connection, message by message. Without it a replay keeps to the recorded pauses. */
  replay?(recorded: readonly Uint8Array[]): Follower;
  /** Connects to the peer as configured and says what it finds. */
  diagnose?(options: Options, signal: AbortSignal): AsyncIterable<Finding>;
}
