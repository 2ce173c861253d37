// What the queue's suite works with: a store to open again and again, a handler that remembers, a child to kill.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { GatewayError } from '../../src/contract/index.ts';
import type { ConsumeOptions, Consumer, Entry, Queue } from '../../src/queue/queue.ts';
import { until } from '../servers/process.ts';
import { numberOf } from './sample.ts';

export interface QueueFixture {
  /** Opens the store, the same one every time: as a restarted process would. */
  open(): Promise<Queue>;
  /** A second handle on the open store: where only one process may have it, the same handle. */
  another(queue: Queue): Promise<Queue>;
  /** How many writes (jobs, transactions) the pushes so far made. */
  writes(): Promise<number>;
  /** Puts a body into the queue that is no event. */
  corrupt(instance: string, body: string): Promise<void>;
  /** Arguments with which queue-child.ts opens the same store. */
  child: readonly string[];
  remove(): Promise<void>;
}

export type Test = (title: string, body: (queue: Queue, fixture: QueueFixture) => Promise<void>) => void;

export const instance = 'office';

/** A handler that remembers what it was given, and can be slow or reject. */
export class Collector {
  readonly entries: Entry[] = [];
  readonly numbers: number[] = [];
  mostAtOnce = 0;
  onEntry: (entry: Entry) => Promise<void> = async () => undefined;
  #atOnce = 0;

  consume(queue: Queue, fence: number, options: Partial<ConsumeOptions>): Promise<Consumer> {
    const all = { prefetch: 1, onLost: () => undefined, ...options };
    return queue.consume(instance, fence, (entry) => this.#handle(entry), all);
  }

  /** Handlers of those events resolve only after letGo. */
  holdBack(isSlow: (n: number) => boolean): { letGo(): void } {
    const letGo = Promise.withResolvers<void>();
    this.onEntry = (entry) => (isSlow(numberOf(entry.event)) ? letGo.promise : Promise.resolve());
    return { letGo: () => letGo.resolve() };
  }

  rejectOnce(n: number): void {
    let isDone = false;
    this.onEntry = async (entry) => {
      if (numberOf(entry.event) !== n || isDone) return;
      isDone = true;
      throw new Error('as a faulty handler would');
    };
  }

  async until(count: number): Promise<void> {
    await until(() => this.numbers.length >= count, `${count} events, not ${this.numbers.length}`);
  }

  async #handle(entry: Entry): Promise<void> {
    this.entries.push(entry);
    this.numbers.push(numberOf(entry.event));
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      await this.onEntry(entry);
    } finally {
      this.#atOnce--;
    }
  }
}

export async function depthWhen(queue: Queue, expected: number): Promise<number> {
  await until(async () => (await queue.depth(instance)) === expected, `depth ${expected}`);
  return queue.depth(instance);
}

export function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayError && error.reason === 'unavailable';
}

/** Runs the child until it prints that line, kills it with SIGKILL at once, and returns what it printed. */
export async function runChild(fixture: QueueFixture, command: readonly string[], line: RegExp): Promise<string> {
  const script = new URL('queue-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, ...fixture.child, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (line.test(printed)) child.kill('SIGKILL');
  });
  const [code, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', `the child ended by itself with ${code}: ${printed}`);
  return printed;
}
