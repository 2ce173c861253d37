// What the admin side may see and do of a running gateway; gateway.ts implements it, server.ts and the CLI speak it.

import type { Readable } from 'node:stream';
import type { Config } from '../config/config.ts';
import type { AdapterStatus, FailureReason, ViewRow } from '../contract/index.ts';
import type { CaptureOptions } from '../hub/capture.ts';
import type { TraceView } from '../hub/trace.ts';
import type { DeadLetter } from '../queue/queue.ts';

export interface InstanceView {
  name: string;
  protocol: string;
  network: string;
  state: AdapterStatus | 'standby';
  why?: string;
  since: string;
  depth: number;
  held: number;
  inFlight: number;
  breakers: string[];
  /** The topics of its tables for operators. */
  views: string[];
}

export interface StatusView {
  version: string;
  uptimeMs: number;
  instances: InstanceView[];
  dead: number;
  /** `ok`, or what the store said. */
  store: string;
}

/** One line a decision; a refusal instead of instances when there is no way. */
export interface RouteExplanation {
  steps: string[];
  instances: string[];
  from?: string;
  to?: string;
  refusal?: { reason: FailureReason; text: string };
}

export interface SendOptions {
  /** Which receipts to ask for. */
  wants?: Array<'sent' | 'delivered' | 'displayed'>;
}

export interface ViewOptions {
  /** The most rows that are given. */
  limit: number;
  /** Only of this instance. */
  instance?: string | undefined;
}

export interface GatewayView {
  status(): Promise<StatusView>;
  ready(): Promise<{ ready: boolean; why: string[] }>;
  /** Throws GatewayError `malformed` for what is no address. */
  route(from: string, to: string): Promise<RouteExplanation>;
  /** As if `from`'s network had heard it; `to` is written as its own network does. */
  send(from: string, to: string, text: string, options?: SendOptions): Promise<{ id: string }>;
  /** A table of the adapters, each row with its `instance`. Throws GatewayError `not-found` when nobody here has it. */
  view(topic: string, options: ViewOptions): Promise<ViewRow[]>;
  trace(id: string, showBodies: boolean): TraceView | undefined;
  traces(limit: number): string[];
  /**
   * What crosses that instance's connections from now on, as a pcapng file. Ends by itself, at its limits or when it is
   * read too slowly. Throws GatewayError: `not-found` when it does not run here, `not-allowed` while another runs.
   */
  capture(instance: string, options: CaptureOptions): Readable;
  readonly dead: {
    list(limit: number, instance?: string): Promise<DeadLetter[]>;
    get(id: string): Promise<DeadLetter | undefined>;
    /** False when there is no such letter. */
    replay(id: string): Promise<boolean>;
    discard(id: string): Promise<boolean>;
  };
  /** Routes, people, numbers and limits; what changed, in words, and what needs a restart. */
  reload(config: Config): Promise<string[]>;
}
