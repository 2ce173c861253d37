// The suite that every queue passes: `testQueue('SQLite', make)`. An unclean end is a queue closed under its consumer,
// and, where a real process must die, the child in queue-child.ts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import type { ConsumeOptions, Consumer, DeadLetter, Entry, Queue } from '../../src/queue/queue.ts';
import { until } from '../servers/process.ts';
import { numberOf, sampleEvent, sampleEvents, sampleId } from './sample.ts';

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

const instance = 'office';

export function testQueue(name: string, make: () => Promise<QueueFixture>): void {
  const test = (title: string, body: (queue: Queue, fixture: QueueFixture) => Promise<void>) =>
    it(title, async () => {
      const fixture = await make();
      const queue = await fixture.open();
      try {
        await body(queue, fixture);
      } finally {
        await queue.close();
        await fixture.remove();
      }
    });

  describe(`queue on ${name}`, () => {
    testOrder(test);
    testRedelivery(test);
    testFence(test);
    testHeldLanes(test);
    testPoison(test);
  });
}

type Test = (title: string, body: (queue: Queue, fixture: QueueFixture) => Promise<void>) => void;

function testOrder(test: Test): void {
  test('ten thousand events come out in the order in which they were pushed', async (queue) => {
    const events = sampleEvents(0, 10_000);
    const seen = new Collector();
    const consumer = await seen.consume(queue, 1, { prefetch: 256 });
    const pushes: Promise<void>[] = [];
    for (let at = 0, size = 1; at < events.length; at += size, size = (size * 7) % 101) {
      pushes.push(queue.push(instance, events.slice(at, at + size)));
      if (pushes.length % 40 === 0) await pushes.at(-1);
    }
    await Promise.all(pushes);
    await seen.until(events.length);
    await consumer.stop();
    assert.deepEqual(seen.numbers, Array.from(events.keys()));
    assert.equal(
      seen.entries.some((entry) => entry.isRedelivered),
      false,
    );
    assert.deepEqual(seen.entries[9]?.event, events[9]);
    assert.equal(await queue.depth(instance), 0);
  });

  test('one push of more events than a job holds keeps its order, and two instances never meet', async (queue) => {
    await Promise.all([queue.push(instance, sampleEvents(0, 1000)), queue.push('other', sampleEvents(5000, 5010))]);
    await queue.push(instance, []);
    const seen = new Collector();
    await seen.consume(queue, 1, { prefetch: 16 });
    await seen.until(1000);
    assert.deepEqual(
      seen.numbers,
      Array.from({ length: 1000 }, (_, n) => n),
    );
    assert.equal(await queue.depth('other'), 10);
  });

  test('a push is durable when it resolves: kill -9 straight after loses nothing', async (queue, fixture) => {
    await queue.close();
    const answer = await runChild(fixture, ['push', '500'], /pushed/);
    assert.match(answer, /pushed 500/);
    const again = await fixture.open();
    const seen = new Collector();
    await seen.consume(again, 1, { prefetch: 100 });
    await seen.until(500);
    assert.deepEqual(
      seen.numbers,
      Array.from({ length: 500 }, (_, n) => n),
    );
    assert.equal(seen.entries[0]?.isRedelivered, false);
    await again.close();
  });

  test('pushes that meet travel together', async (queue, fixture) => {
    const before = await fixture.writes();
    await Promise.all(sampleEvents(0, 64).map((event) => queue.push(instance, [event])));
    assert.ok((await fixture.writes()) - before <= 3);
    assert.equal(await queue.depth(instance), 64);
  });

  test('a slow handler stops nobody else until as many are with it as were asked for', async (queue) => {
    const seen = new Collector();
    const slow = seen.holdBack((n) => n < 8);
    await seen.consume(queue, 1, { prefetch: 9 });
    await queue.push(instance, sampleEvents(0, 500));
    await seen.until(500);
    assert.ok(seen.mostAtOnce <= 9, `${seen.mostAtOnce} at once`);
    assert.equal(await depthWhen(queue, 8), 8);
    slow.letGo();
    assert.equal(await depthWhen(queue, 0), 0);
  });

  test('no more are with the handler than were asked for', async (queue) => {
    const seen = new Collector();
    const slow = seen.holdBack(() => true);
    await seen.consume(queue, 1, { prefetch: 10 });
    await queue.push(instance, sampleEvents(0, 100));
    await seen.until(10);
    await queue.push(instance, sampleEvents(100, 101));
    assert.equal(seen.numbers.length, 10);
    assert.equal(await queue.depth(instance), 101);
    slow.letGo();
    await seen.until(101);
    assert.deepEqual(
      seen.numbers,
      Array.from({ length: 101 }, (_, n) => n),
    );
  });

  test('stop waits for the handlers under way, and what they settled stays settled', async (queue) => {
    const seen = new Collector();
    const slow = seen.holdBack((n) => n === 3);
    const consumer = await seen.consume(queue, 1, { prefetch: 5 });
    await queue.push(instance, sampleEvents(0, 4));
    await seen.until(4);
    let isStopped = false;
    const stopping = consumer.stop().then(() => (isStopped = true));
    await queue.push(instance, sampleEvents(4, 6));
    assert.equal(isStopped, false);
    slow.letGo();
    await stopping;
    assert.deepEqual(seen.numbers, [0, 1, 2, 3]);
    const next = new Collector();
    await next.consume(queue, 1, { prefetch: 5 });
    await next.until(2);
    assert.deepEqual(next.numbers, [4, 5]);
    assert.equal(
      next.entries.some((entry) => entry.isRedelivered),
      false,
    );
  });

  test('depth counts what waits, what is taken and what is held', async (queue) => {
    assert.equal(await queue.depth(instance), 0);
    await queue.push(instance, sampleEvents(0, 150));
    assert.equal(await queue.depth(instance), 150);
    const seen = new Collector();
    seen.holdBack((n) => n < 2);
    const consumer = await seen.consume(queue, 1, { prefetch: 50 });
    await seen.until(150);
    assert.equal(await depthWhen(queue, 2), 2);
    await consumer.hold('lane', sampleEvent(900));
    assert.equal(await queue.depth(instance), 3);
    await consumer.release('lane', [sampleId(900)]);
    assert.equal(await queue.depth(instance), 2);
  });
}

function testRedelivery(test: Test): void {
  test('after an unclean end the unsettled come first, in their old order, marked; the settled never', async (queue, fixture) => {
    for (const event of sampleEvents(0, 30)) await queue.push(instance, [event]);
    const seen = new Collector();
    seen.holdBack((n) => n % 2 === 0);
    await seen.consume(queue, 1, { prefetch: 10 });
    await seen.until(19);
    await depthWhen(queue, 21);
    await queue.close();

    const again = await fixture.open();
    await again.push(instance, sampleEvents(30, 32));
    const next = new Collector();
    await next.consume(again, 2, { prefetch: 100 });
    await next.until(10 + 11 + 2);
    const unsettled = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18];
    assert.deepEqual(next.numbers, [...unsettled, ...Array.from({ length: 13 }, (_, n) => 19 + n)]);
    assert.deepEqual(
      next.entries.filter((entry) => entry.isRedelivered).map((entry) => numberOf(entry.event)),
      unsettled,
    );
    assert.equal(await depthWhen(again, 0), 0);
    await again.close();
  });

  test('events of one push that were settled before an unclean end are not seen again', async (queue, fixture) => {
    await queue.push(instance, sampleEvents(0, 60));
    const seen = new Collector();
    seen.holdBack((n) => n === 5 || n === 50);
    await seen.consume(queue, 1, { prefetch: 64 });
    await seen.until(60);
    await depthWhen(queue, 2);
    await queue.close();
    const again = await fixture.open();
    const next = new Collector();
    await next.consume(again, 2, { prefetch: 64 });
    await next.until(2);
    await again.push(instance, sampleEvents(60, 61));
    await next.until(3);
    assert.deepEqual(next.numbers, [5, 50, 60]);
    await again.close();
  });

  test('kill -9 in the middle of a burst: nothing is lost, the order stays, few are seen again', async (queue, fixture) => {
    await queue.push(instance, sampleEvents(0, 3000));
    await queue.close();
    const printed = await runChild(fixture, ['consume', '1', '1000'], /settled 1000\n/);
    const settled = Number(/settled (\d+)\n$/.exec(printed)?.[1]);
    const again = await fixture.open();
    const next = new Collector();
    await next.consume(again, 2, { prefetch: 128 });
    await until(() => next.numbers.at(-1) === 2999, 'the rest');
    const first = next.numbers[0] ?? -1;
    assert.ok(first <= 3000 && settled - first < 400, `settled ${settled}, seen again from ${first}`);
    assert.deepEqual(
      next.numbers,
      Array.from({ length: 3000 - first }, (_, n) => first + n),
    );
    await again.close();
  });

  test('an event whose handler rejects is given to it again after a pause, and stops nobody', async (queue) => {
    const seen = new Collector();
    seen.rejectOnce(2);
    await seen.consume(queue, 1, { prefetch: 2 });
    await queue.push(instance, sampleEvents(0, 6));
    await seen.until(7);
    assert.deepEqual(seen.numbers, [0, 1, 2, 3, 4, 5, 2]);
    assert.equal(seen.entries.at(-1)?.isRedelivered, true);
    assert.equal(await depthWhen(queue, 0), 0);
  });
}

function testFence(test: Test): void {
  test('a consumer whose fence was overtaken is told, and neither settles, holds nor releases', async (queue, fixture) => {
    const first = new Collector();
    const slow = first.holdBack(() => true);
    let lost = 0;
    const overtaken = await first.consume(queue, 7, { prefetch: 10, onLost: () => lost++ });
    await queue.push(instance, sampleEvents(0, 3));
    await first.until(3);
    await overtaken.hold('lane', sampleEvent(100));

    const other = await fixture.another(queue);
    const second = new Collector();
    const slowToo = second.holdBack(() => true);
    const holder = await second.consume(other, 8, { prefetch: 10 });
    await second.until(3);
    slow.letGo();
    await assert.rejects(overtaken.hold('lane', sampleEvent(101)), isUnavailable);
    await assert.rejects(overtaken.release('lane', [sampleId(100)]), isUnavailable);
    await until(() => lost > 0, 'onLost');
    await overtaken.stop();
    assert.equal(lost, 1);
    assert.equal(await other.depth(instance), 4);
    assert.deepEqual(await holder.held(), [{ lane: 'lane', count: 1 }]);
    assert.equal(
      second.entries.every((entry) => entry.isRedelivered),
      true,
    );
    await other.push(instance, sampleEvents(3, 4));
    await second.until(4);
    slowToo.letGo();
    assert.equal(await depthWhen(other, 1), 1);
    assert.deepEqual(first.numbers, [0, 1, 2]);
    if (other !== queue) await other.close();
  });

  test('whoever comes with an older fence is refused, also after a restart', async (queue, fixture) => {
    const seen = new Collector();
    const consumer = await seen.consume(queue, 5, { prefetch: 1 });
    await consumer.stop();
    await queue.close();
    const again = await fixture.open();
    await assert.rejects(new Collector().consume(again, 4, { prefetch: 1 }), isUnavailable);
    await again.push(instance, sampleEvents(0, 1));
    const same = new Collector();
    await same.consume(again, 5, { prefetch: 1 });
    await same.until(1);
    await again.close();
  });
}

function testHeldLanes(test: Test): void {
  test('a held lane keeps its order, takes each event once, and survives a restart', async (queue, fixture) => {
    const consumer = await new Collector().consume(queue, 1, { prefetch: 1 });
    await Promise.all([3, 1, 2].map((n) => consumer.hold('dest/a', sampleEvent(n))));
    await consumer.hold('dest/a', sampleEvent(3));
    await consumer.hold('dest/b', sampleEvent(9));
    const numbers = async (from: Consumer, lane: string, limit: number) =>
      (await from.heads(lane, limit)).map((event) => numberOf(event));
    assert.deepEqual(await numbers(consumer, 'dest/a', 10), [3, 1, 2]);
    assert.deepEqual(await numbers(consumer, 'dest/a', 2), [3, 1]);
    assert.deepEqual(await numbers(consumer, 'nobody', 2), []);
    assert.equal(await queue.depth(instance), 4);
    await queue.close();

    const again = await fixture.open();
    const next = await new Collector().consume(again, 2, { prefetch: 1 });
    assert.deepEqual(
      (await next.held()).toSorted((a, b) => (a.lane < b.lane ? -1 : 1)),
      [
        { lane: 'dest/a', count: 3 },
        { lane: 'dest/b', count: 1 },
      ],
    );
    assert.deepEqual((await next.heads('dest/b', 1))[0], sampleEvent(9));
    await next.release('dest/a', [sampleId(1), sampleId(77)]);
    await next.release('dest/a', [sampleId(1)]);
    assert.deepEqual(await numbers(next, 'dest/a', 10), [3, 2]);
    await next.hold('dest/a', sampleEvent(1));
    assert.deepEqual(await numbers(next, 'dest/a', 10), [3, 2, 1]);
    await next.release('dest/a', [sampleId(1), sampleId(2), sampleId(3)]);
    assert.deepEqual(await next.held(), [{ lane: 'dest/b', count: 1 }]);
    assert.equal(await again.depth(instance), 1);
    await again.close();
  });

  test('a handler that holds its event and then settles it leaves it in the lane only', async (queue) => {
    const seen = new Collector();
    const consumer = await seen.consume(queue, 1, { prefetch: 20 });
    seen.onEntry = (entry) => consumer.hold('lane', entry.event);
    await queue.push(instance, sampleEvents(0, 200));
    await seen.until(200);
    await until(async () => (await consumer.held())[0]?.count === 200, 'all held');
    assert.equal(await depthWhen(queue, 200), 200);
    assert.deepEqual((await consumer.heads('lane', 200)).map(numberOf), seen.numbers);
  });
}

function testPoison(test: Test): void {
  test('a body that is no event is buried, and the rest goes on', async (queue, fixture) => {
    const half = { ...sampleEvent(41), to: 'nonsense' };
    await queue.push(instance, [sampleEvent(1)]);
    await fixture.corrupt(instance, '{"v":1, "type"');
    await fixture.corrupt(instance, JSON.stringify(half));
    await queue.push(instance, [sampleEvent(2)]);
    const seen = new Collector();
    await seen.consume(queue, 1, { prefetch: 10 });
    await seen.until(2);
    assert.deepEqual(seen.numbers, [1, 2]);
    await until(async () => (await queue.dead.count()) === 2, 'two dead letters');
    const letter = await queue.dead.get(sampleId(41));
    assert.equal(letter?.reason, 'malformed');
    assert.equal(letter?.instance, instance);
    assert.match(letter?.text ?? '', /to: not an address/);
    assert.deepEqual(letter?.event, half);
    assert.equal(await depthWhen(queue, 0), 0);
  });

  test('dead letters are listed newest first, found by id and instance, and outlive a restart', async (queue, fixture) => {
    const letter = (n: number, at: string, of = instance): DeadLetter => ({
      id: sampleId(n),
      instance: of,
      at,
      reason: 'internal',
      text: `letter ${n}`,
      event: sampleEvent(n),
    });
    await queue.dead.bury(letter(1, '2026-01-01T00:00:01.000Z'));
    await queue.dead.bury(letter(3, '2026-01-01T00:00:03.000Z', 'other'));
    await queue.dead.bury(letter(2, '2026-01-01T00:00:02.000Z'));
    await queue.dead.bury({ ...letter(2, '2026-01-01T00:00:02.000Z'), text: 'again' });
    await queue.close();

    const again = await fixture.open();
    const ids = async (limit: number, of?: string) => (await again.dead.list(limit, of)).map(numberOf);
    assert.deepEqual(await ids(10), [3, 2, 1]);
    assert.deepEqual(await ids(2), [3, 2]);
    assert.deepEqual(await ids(10, instance), [2, 1]);
    assert.deepEqual(await ids(1, instance), [2]);
    assert.equal(await again.dead.count(), 3);
    assert.deepEqual(await again.dead.get(sampleId(1)), letter(1, '2026-01-01T00:00:01.000Z'));
    assert.equal((await again.dead.get(sampleId(2)))?.text, 'again');
    assert.equal(await again.dead.get(sampleId(8)), undefined);
    assert.equal(await again.dead.remove(sampleId(2)), true);
    assert.equal(await again.dead.remove(sampleId(2)), false);
    assert.deepEqual(await ids(10), [3, 1]);
    assert.equal(await again.dead.count(), 2);
    await again.close();
  });
}

/** A handler that remembers what it was given, and can be slow or reject. */
class Collector {
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

async function depthWhen(queue: Queue, expected: number): Promise<number> {
  await until(async () => (await queue.depth(instance)) === expected, `depth ${expected}`);
  return queue.depth(instance);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayError && error.reason === 'unavailable';
}

/** Runs the child until it prints that line, kills it with SIGKILL at once, and returns what it printed. */
async function runChild(fixture: QueueFixture, command: readonly string[], line: RegExp): Promise<string> {
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
