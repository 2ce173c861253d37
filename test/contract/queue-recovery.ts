// The queue's suite: what comes again after an unclean end, and who may settle it.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { until } from '../servers/process.ts';
import { Collector, depthWhen, instance, isUnavailable, runChild, type Test } from './queue-fixture.ts';
import { numberOf, sampleEvent, sampleEvents, sampleId } from './sample.ts';

export function testRedelivery(test: Test): void {
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

  test('whatever is settled and however often it ends uncleanly, the rest comes again in its order', async (queue, fixture) => {
    await queue.close();
    let fence = 0;
    let pushed = 0;
    let left: number[] = [];
    const round = fc.record({ count: fc.nat(150), share: fc.integer({ min: 1, max: 4 }), prefetch: fc.nat(200) });
    const play = async ({ count, share, prefetch }: { count: number; share: number; prefetch: number }) => {
      const again = await fixture.open();
      const fresh = sampleEvents(pushed, pushed + count);
      pushed += count;
      left.push(...fresh.map(numberOf));
      await Promise.all(fresh.map((event) => again.push(instance, [event])));
      const seen = new Collector();
      seen.holdBack((n) => n % share !== 0);
      await seen.consume(again, ++fence, { prefetch: left.length + prefetch + 1 });
      await seen.until(left.length);
      assert.deepEqual(seen.numbers, left);
      left = left.filter((n) => n % share !== 0);
      await depthWhen(again, left.length);
      await again.close();
    };
    await fc.assert(fc.asyncProperty(round, play), { numRuns: 15, endOnFailure: true });
  });
}

export function testFence(test: Test): void {
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
