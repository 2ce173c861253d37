// The queue's suite: order, batches, durability, prefetch, depth.
import assert from 'node:assert/strict';
import { Collector, depthWhen, instance, runChild, type Test } from './queue-fixture.ts';
import { sampleEvent, sampleEvents, sampleId } from './sample.ts';

export function testOrder(test: Test): void {
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

  test('closing a queue whose consumer is still stopping ends the wait', async (queue) => {
    const seen = new Collector();
    const slow = seen.holdBack(() => true);
    const consumer = await seen.consume(queue, 1, { prefetch: 5 });
    await queue.push(instance, sampleEvents(0, 2));
    await seen.until(2);
    const stopping = [consumer.stop(), consumer.stop()];
    await queue.close();
    slow.letGo();
    await Promise.all(stopping);
  });
}
