// What the bench's peers have in common: they are child processes that pour or count messages, and each message says when
// it was sent.
import type { AddressInfo } from 'node:net';

export interface Load {
  /** `#` stands for five digits: 500 conversations. */
  to: string;
  from: string;
  count: number;
  /** 0: as fast as the gateway takes them. */
  perSecond: number;
  /** Of the SMS centre: the receipts of all that it took, instead of messages. */
  isReceipts?: boolean;
}

export interface Report {
  count: number;
  /** ms since 1970 of the first and last arrival. */
  first: number;
  last: number;
  p50: number;
  p99: number;
}

const clock = () => performance.timeOrigin + performance.now();

export const delay = (ms: number) =>
  new Promise<void>((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));

/** Counts arrivals and how long each was under way. */
export class Meter {
  #latencies: number[] = [];
  #first = 0;
  #last = 0;

  /** 46 characters or so of GSM text that carry the time of sending. */
  text(n: number): string {
    return `Hello from the bench, message ${n} sent at @${clock().toFixed(2)}@`;
  }

  arrived(text: string): void {
    const at = text.indexOf('@', text.indexOf('sent at '));
    const now = clock();
    if (this.#latencies.length === 0) this.#first = now;
    this.#last = now;
    this.#latencies.push(now - Number.parseFloat(text.slice(at + 1)));
  }

  get count(): number {
    return this.#latencies.length;
  }

  report(): Report {
    const sorted = this.#latencies.filter((ms) => !Number.isNaN(ms)).sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
    return { count: this.count, first: this.#first, last: this.#last, p50: at(0.5), p99: at(0.99) };
  }

  reset(): void {
    this.#latencies = [];
  }
}

/** Calls `send` with stretches of numbers, all at once or paced in steps of 5 ms. */
export async function runLoad(
  count: number,
  perSecond: number,
  send: (first: number, howMany: number) => Promise<void>,
): Promise<void> {
  const step = perSecond === 0 ? 64 : Math.max(1, Math.round(perSecond / 200));
  const startedAt = performance.now();
  for (let first = 0; first < count; first += step) {
    await send(first, Math.min(step, count - first));
    if (perSecond === 0) continue;
    const due = startedAt + ((first + step) / perSecond) * 1000;
    if (due > performance.now()) await delay(due - performance.now());
  }
}

interface Listening {
  address(): AddressInfo | string | null;
}

/** Tells the parent the port, then does as it says: pour, count, reset. */
export function ready(server: Listening, meter: Meter, pour: (load: Load) => Promise<void>): void {
  process.on('message', async (message: { ask: 'pour' | 'report' | 'reset'; load?: Load }) => {
    if (message.ask === 'reset') meter.reset();
    if (message.ask === 'pour' && message.load)
      await pour(message.load).catch((error: Error) => process.stderr.write(`${error.message}\n`));
    process.send?.({ answer: message.ask, report: meter.report() });
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ answer: 'ready', port: (server.address() as AddressInfo).port });
}
