// The suite that every queue passes: `testQueue('SQLite', make)`. An unclean end is a queue closed under its consumer,
// and, where a real process must die, the child in queue-child.ts.
import { describe, it } from 'node:test';
import type { Queue } from '../../src/queue/queue.ts';
import type { QueueFixture } from './queue-fixture.ts';
import { testHeldLanes, testPoison } from './queue-lanes.ts';
import { testOrder } from './queue-order.ts';
import { testFence, testRedelivery } from './queue-recovery.ts';

export type { QueueFixture } from './queue-fixture.ts';

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
