// What crosses the connections of an instance, as a capture file, while an operator wants it: bounded in time and size,
// passwords blotted out, and what people wrote unless it is asked for.
import { GatewayError, type Ranges, type WireEnd, type WireUnit } from '../contract/index.ts';
import { encodeIpPacket, maxPayloadBytes } from '../formats/ip-packets.ts';
import { encodeCaptureHeader, encodePacket, encodeQuiet } from '../formats/pcapng.ts';
import { RecentMap } from '../guards/recent-map.ts';

export interface CaptureOptions {
  readonly forMs: number;
  readonly maxBytes: number;
  /** Whether what people wrote is in it. */
  readonly showBodies: boolean;
}

/** Where the file goes. */
export interface CaptureSink {
  write(bytes: Uint8Array): void;
  end(): void;
}

const maxFlows = 1000;
/** Whoever reads over HTTP gives up a stream on which nothing comes for minutes. */
const quietMs = 30_000;
const blot = 0x2a;

export class Captures {
  readonly #running = new Map<string, Capture>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Of Trace: undefined while nobody captures that instance. */
  wireOf(instance: string): ((unit: WireUnit) => void) | undefined {
    return this.#running.size === 0 ? undefined : this.#running.get(instance)?.take;
  }

  /** Returns what ends it early. Throws GatewayError `not-allowed` while another capture of that instance runs. */
  start(instance: string, description: string, options: CaptureOptions, sink: CaptureSink): () => void {
    if (this.#running.has(instance)) throw new GatewayError('not-allowed', `${instance} is being captured already`);
    const isRunning = () => this.#running.get(instance) === capture;
    const stop = () => {
      if (!isRunning()) return;
      this.#running.delete(instance);
      clearTimeout(timer);
      clearInterval(quiet);
      sink.end();
    };
    // A sink may have had enough between two packets of one message.
    const write = (bytes: Uint8Array) => {
      if (isRunning()) sink.write(bytes);
    };
    const capture = new Capture(options, { write, end: stop }, this.#now);
    const timer = setTimeout(stop, options.forMs);
    const quiet = setInterval(() => sink.write(encodeQuiet(this.#now())), quietMs);
    this.#running.set(instance, capture);
    sink.write(encodeCaptureHeader({ application: 'dragoman', name: instance, description }));
    return stop;
  }

  stop(): void {
    for (const capture of [...this.#running.values()]) capture.end();
  }
}

/** How many octets went each way, modulo 2^32: TCP's sequence numbers. */
interface Sent {
  inbound: number;
  outbound: number;
}

class Capture {
  readonly end: () => void;
  readonly #options: CaptureOptions;
  readonly #sink: CaptureSink;
  readonly #now: () => number;
  readonly #flows = new RecentMap<string, Sent>(maxFlows);
  #left: number;

  constructor(options: CaptureOptions, sink: CaptureSink, now: () => number) {
    this.#options = options;
    this.#sink = sink;
    this.#now = now;
    this.#left = options.maxBytes;
    this.end = () => sink.end();
  }

  readonly take = (unit: WireUnit): void => {
    try {
      this.#take(unit);
    } catch {
      // No address to write down (a socket that is gone): what is watched must not be hurt by it.
    }
  };

  #take(unit: WireUnit): void {
    const bytes = this.#shown(unit);
    for (let at = 0; at < bytes.length && this.#left > 0; at += maxPayloadBytes) {
      this.#write(unit, bytes.subarray(at, at + maxPayloadBytes));
    }
    if (this.#left <= 0) this.end();
  }

  #write({ transport, direction, local, remote }: WireUnit, payload: Buffer): void {
    const sent = this.#sentOn(`${transport} ${keyOf(local)} ${keyOf(remote)}`);
    const [from, to] = direction === 'inbound' ? [remote, local] : [local, remote];
    const other = direction === 'inbound' ? 'outbound' : 'inbound';
    const segment = { transport, from, to, sequence: sent[direction], acknowledged: sent[other], payload };
    const packet = encodePacket({ at: this.#now(), direction, bytes: encodeIpPacket(segment) });
    sent[direction] = (sent[direction] + payload.length) >>> 0;
    this.#left -= packet.length;
    this.#sink.write(packet);
  }

  #sentOn(key: string): Sent {
    const sent = this.#flows.get(key) ?? { inbound: 1, outbound: 1 };
    this.#flows.set(key, sent);
    return sent;
  }

  /** A copy: the adapter goes on with its own. */
  #shown({ bytes, secrets = [], hidden = [] }: WireUnit): Buffer {
    const copy = Buffer.from(bytes);
    blotOut(copy, secrets);
    if (!this.#options.showBodies) blotOut(copy, hidden);
    return copy;
  }
}

// Lengths stay, so that what is left can be read.
function blotOut(bytes: Buffer, ranges: Ranges): void {
  for (const [start, end] of ranges) bytes.fill(blot, start, end);
}

const keyOf = ({ address, port }: WireEnd) => `${address} ${port}`;
