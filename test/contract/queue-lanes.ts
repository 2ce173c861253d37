// The queue's suite: held lanes, bodies that cannot be read, dead letters.
import assert from 'node:assert/strict';
import type { Consumer, DeadLetter } from '../../src/queue/queue.ts';
import { until } from '../servers/process.ts';
import { Collector, depthWhen, instance, type Test } from './queue-fixture.ts';
import { numberOf, sampleEvent, sampleEvents, sampleId } from './sample.ts';

export function testHeldLanes(test: Test): void {
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

export function testPoison(test: Test): void {
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
