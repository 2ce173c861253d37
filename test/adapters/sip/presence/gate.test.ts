// Who may be under way, towards everybody and towards one destination.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Gate, inTurn } from '../../../../adapters/sip/presence/gate.ts';

test('DESIGN 6: so many in all, so many towards one destination, and each destination in order of arrival', () => {
  const gate = new Gate<string>({ most: 3, mostPerDestination: 2 });
  assert.deepEqual(
    ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map((entry) => gate.enter(entry[0] ?? '', entry)),
    [true, true, false, true, false, false],
  );
  assert.equal(gate.leave('a'), 'b2');
  assert.equal(gate.leave('b'), 'c1');
  assert.equal(gate.leave('a'), 'a3');
  assert.equal(gate.leave('b'), undefined);
  assert.equal(gate.leave('c'), undefined);
  assert.equal(gate.leave('a'), undefined);
  assert.equal(gate.size, 0);
});

test('DESIGN 6: who is slow makes way for other destinations at once, and for its own as long as others there are done in time', () => {
  const gate = new Gate<string>({ most: 2, mostPerDestination: 1 });
  assert.ok(gate.enter('a', 'a1'));
  assert.ok(!gate.enter('a', 'a2'));
  assert.ok(gate.enter('b', 'b1'));
  assert.ok(!gate.enter('c', 'c1'));
  assert.equal(gate.makeWay(), 'c1');
  assert.ok(gate.isExcused('a'));
  assert.equal(gate.leave('b'), undefined);
  assert.equal(gate.leaveLate('a'), 'a2');
  assert.equal(gate.makeWay(), undefined);
  assert.ok(!gate.isExcused('a'));
  assert.ok(!gate.enter('a', 'a3'));
  assert.equal(gate.leaveLate('a'), 'a3');
  assert.equal(gate.leave('a'), undefined);
  assert.equal(gate.leave('c'), undefined);
  assert.equal(gate.size, 0);
});

test('DESIGN 6: whatever comes and goes, no limit is passed, nobody is forgotten and nobody waits beside free room', () => {
  const step = fc.record({ arrives: fc.boolean(), destination: fc.integer({ min: 0, max: 4 }), isSlow: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const gate = new Gate<number>({ most: 6, mostPerDestination: 3 });
      const inside: number[] = [];
      const waiting: number[] = [];
      const admit = (entry: number | undefined) => {
        if (entry === undefined) return;
        waiting.splice(waiting.indexOf(entry), 1);
        inside.push(entry);
      };
      const at = (entries: number[], destination: number) => entries.filter((entry) => entry === destination).length;
      const check = () => {
        assert.ok(inside.length <= 6);
        for (const each of inside) assert.ok(at(inside, each) <= 3);
        for (const each of waiting) assert.ok(inside.length === 6 || at(inside, each) === 3);
      };
      const end = (position: number, isSlow: boolean) => {
        const [destination = 0] = inside.splice(position, 1);
        const name = String(destination);
        if (isSlow) {
          admit(gate.makeWay());
          admit(gate.leaveLate(name));
        } else admit(gate.leave(name));
        check();
      };
      for (const { arrives, destination, isSlow } of steps) {
        if (arrives) (gate.enter(String(destination), destination) ? inside : waiting).push(destination);
        else if (inside.length > 0) end(destination % inside.length, isSlow);
        check();
      }
      while (inside.length > 0) end(0, false);
      assert.equal(waiting.length, 0);
      assert.equal(gate.size, 0);
    }),
    { numRuns: 200 },
  );
});

test('DESIGN 6: work that fails leaves its room to who comes next', async () => {
  const gate = new Gate<() => void>({ most: 1, mostPerDestination: 1 });
  const order: string[] = [];
  const failing = inTurn(gate, 'a', async () => {
    order.push('first');
    throw new Error('no');
  });
  const next = inTurn(gate, 'a', async () => order.push('second'));
  await assert.rejects(failing, /no/);
  await next;
  assert.deepEqual(order, ['first', 'second']);
  assert.equal(gate.size, 0);
});

test('DESIGN 6: 100,000 that wait cost no more each than 1,000', () => {
  const cost = (count: number) => {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 5; run++) {
      const before = process.cpuUsage().user;
      const gate = new Gate<number>({ most: 20, mostPerDestination: 20 });
      for (let each = 0; each < count; each++) gate.enter('a', each);
      for (let each = 0; each < count; each++) gate.leave('a');
      best = Math.min(best, (process.cpuUsage().user - before) / count);
      assert.equal(gate.size, 0);
    }
    return best;
  };
  cost(100_000);
  assert.ok(cost(100_000) < 20 * Math.max(cost(1000), 0.1));
});
