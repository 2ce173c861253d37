// The timing wheel: every timer in time, whatever is set and cancelled meanwhile, at a flat cost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timer, TimerWheel } from '../../../adapters/sip/timer-wheel.ts';
import { fakeClock } from './fixtures.ts';

test('a timer fires once, never early and at most two ticks late', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 50 }), (delays) => {
      const clock = fakeClock();
      const fired = new Map<number, number>();
      delays.forEach((delay, index) => {
        clock.wheel.set(
          new Timer(() => {
            assert.ok(!fired.has(index));
            fired.set(index, clock.now);
          }),
          delay,
        );
      });
      const start = clock.now;
      clock.advance(100_100);
      delays.forEach((delay, index) => {
        const late = (fired.get(index) ?? Number.NaN) - start - delay;
        assert.ok(late >= 0 && late <= 20, `${delay} ms fired ${late} ms late`);
      });
      assert.equal(clock.wheel.size, 0);
    }),
    { numRuns: 30 },
  );
});

test('a timer that is cancelled or set anew by another one of the same tick does not fire', () => {
  const clock = fakeClock();
  const fired: string[] = [];
  const second = new Timer(() => fired.push('second'));
  const third = new Timer(() => fired.push('third'));
  const first = new Timer(() => {
    fired.push('first');
    clock.wheel.cancel(second);
    clock.wheel.set(third, 1000);
  });
  // The later of equal ticks was set first: order within a tick is not promised, so give the first an earlier tick.
  clock.wheel.set(second, 50);
  clock.wheel.set(third, 50);
  clock.wheel.set(first, 20);
  clock.now += 100;
  clock.wheel.advance();
  assert.deepEqual(fired, ['first']);
  clock.advance(1000);
  assert.deepEqual(fired, ['first', 'third']);
});

test('timers further away than a turn of the wheel wait for theirs', () => {
  const clock = fakeClock();
  let firedAt = 0;
  clock.wheel.set(
    new Timer(() => {
      firedAt = clock.now;
    }),
    3_600_000,
  );
  const start = clock.now;
  for (let minute = 0; minute < 61; minute++) {
    clock.now += 60_000;
    clock.wheel.advance();
  }
  assert.equal(firedAt - start, 3_600_000);
});

test('one alarm is set, for the timer that is due first, and none when nothing waits', () => {
  const alarms: number[] = [];
  let pending = 0;
  let now = 0;
  const wheel = new TimerWheel(
    () => now,
    (delay) => {
      alarms.push(delay);
      pending++;
      return () => {
        pending--;
      };
    },
  );
  const far = new Timer(() => {});
  const near = new Timer(() => {});
  wheel.set(far, 5000);
  wheel.set(near, 500);
  wheel.set(new Timer(() => {}), 5000);
  assert.deepEqual([alarms, pending], [[5000, 500], 1]);
  now = 500;
  wheel.advance();
  assert.equal(pending, 1);
  assert.equal(alarms.at(-1), 4500);
  wheel.stop();
  assert.equal(pending, 0);
  wheel.set(near, 1);
  assert.equal(wheel.size, 0);
});

test('reference sip-stack acceptance 4: 64,000 timers cost one look each: setting, cancelling and firing do not depend on how many wait', () => {
  const clock = fakeClock();
  const timers = Array.from({ length: 64_000 }, () => new Timer(() => {}));
  for (const timer of timers) clock.wheel.set(timer, 32_000);
  for (let index = 0; index < timers.length; index += 2) clock.wheel.cancel(timers[index]!);
  assert.equal(clock.wheel.visits, 0);
  clock.advance(31_000);
  assert.equal(clock.wheel.visits, 0);
  clock.advance(1100);
  assert.equal(clock.wheel.visits, 32_000);
  assert.equal(clock.wheel.size, 0);
});
