// The suite that every state store passes: `testStateStore('SQLite', fixture)`.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayError, type State } from '../../src/contract/index.ts';
import type { StateStore } from '../../src/state/state.ts';
import { until } from '../servers/process.ts';

export interface StateFixture {
  /** Opens the store, the same one every time: as a restarted process would. */
  open(): Promise<StateStore>;
  /** A second handle on the open store: where only one process may have it, the same handle. */
  another(store: StateStore): Promise<StateStore>;
  remove(): Promise<void>;
}

const oddKeys = [
  'a*b',
  'a?c',
  'a[x]d',
  'a\\e',
  'a:f',
  'a{g}h',
  'a b',
  "a'i",
  'a%',
  'a_',
  'aé',
  'a😀',
  'a\u0000z',
  'a\n',
  'a',
];

export function testStateStore(name: string, make: () => Promise<StateFixture>): void {
  const withStore = (body: (store: StateStore, fixture: StateFixture) => Promise<void>) => async () => {
    const fixture = await make();
    const store = await fixture.open();
    try {
      await body(store, fixture);
    } finally {
      await store.close();
      await fixture.remove();
    }
  };
  const withState = (body: (state: State) => Promise<void>) => withStore((store) => body(store.namespace('tests')));

  describe(`state on ${name}`, () => {
    it(
      'set, get and delete',
      withState(async (state) => {
        assert.equal(await state.get('k'), undefined);
        await state.set('k', 'one');
        await state.set('k', 'two');
        assert.equal(await state.get('k'), 'two');
        await state.delete('k');
        await state.delete('k');
        assert.equal(await state.get('k'), undefined);
      }),
    );

    it(
      'sets and deletes of one key that nobody waits for keep the order of the calls',
      withState(async (state) => {
        await state.set('kept', 'old');
        await Promise.all([
          state.set('gone', 'x'),
          state.delete('gone'),
          state.delete('kept'),
          state.set('kept', 'new'),
        ]);
        assert.deepEqual(await Promise.all([state.get('gone'), state.get('kept')]), [undefined, 'new']);
      }),
    );

    it(
      'a value may be a megabyte, empty, or hold any text',
      withState(async (state) => {
        const long = 'ü€😀x'.repeat(110_000);
        await state.set('long', long);
        await state.set('empty', '');
        await state.set('odd', 'a\u0000b\r\n"\\');
        assert.equal((await state.get('long')) === long, true);
        assert.equal(await state.get('empty'), '');
        assert.equal(await state.get('odd'), 'a\u0000b\r\n"\\');
      }),
    );

    it(
      'a key over 512 bytes is refused',
      withState(async (state) => {
        const refused = (error: unknown) => error instanceof GatewayError && error.reason === 'too-large';
        await state.set('é'.repeat(256), 'fits');
        assert.equal(await state.get('é'.repeat(256)), 'fits');
        await assert.rejects(state.set('é'.repeat(257), 'no'), refused);
        await assert.rejects(state.setIfAbsent('x'.repeat(513), 'no'), refused);
        await assert.rejects(state.increment('x'.repeat(513)), refused);
      }),
    );

    it(
      'a value is gone when its time is over, and a plain set makes it stay',
      withState(async (state) => {
        await state.set('short', 'x', 1000);
        await state.set('long', 'x', 60_000);
        await state.set('kept', 'x', 1000);
        await state.set('kept', 'y');
        assert.equal(await state.get('short'), 'x');
        await until(async () => (await state.get('short')) === undefined, 'expiry');
        assert.equal(await state.take('short'), undefined);
        assert.deepEqual(await keysOf(state, ''), ['kept', 'long']);
        assert.equal(await state.setIfAbsent('short', 'again'), true);
      }),
    );

    it(
      'of a hundred who set one absent key at once, one does',
      withState(async (state) => {
        const outcomes = await Promise.all(
          Array.from({ length: 100 }, (_, index) => state.setIfAbsent('race', String(index), 60_000)),
        );
        assert.equal(outcomes.filter(Boolean).length, 1);
        assert.equal(await state.get('race'), String(outcomes.indexOf(true)));
      }),
    );

    it(
      'of a hundred who take one key at once, one gets it',
      withState(async (state) => {
        await state.set('once', 'v');
        const taken = await Promise.all(Array.from({ length: 100 }, () => state.take('once')));
        assert.deepEqual(
          taken.filter((value) => value !== undefined),
          ['v'],
        );
      }),
    );

    it(
      'increments add up, start at 0, and their time to live counts from the last that named one',
      withState(async (state) => {
        const sums = await Promise.all(Array.from({ length: 100 }, () => state.increment('n')));
        assert.deepEqual(
          sums.toSorted((a, b) => a - b),
          Array.from({ length: 100 }, (_, index) => index + 1),
        );
        assert.equal(await state.increment('n', -40), 60);
        assert.equal(await state.get('n'), '60');
        assert.equal(await state.increment('brief', 5, 150), 5);
        assert.equal(await state.increment('brief', 1), 6);
        await until(async () => (await state.get('brief')) === undefined, 'expiry of a counter');
        assert.equal(await state.increment('brief'), 1);
      }),
    );

    it(
      'scan finds keys by their prefix, whatever characters they hold',
      withState(async (state) => {
        await Promise.all([...oddKeys, 'b', ''].map((key) => state.set(key, `<${key}>`)));
        for (const prefix of ['', 'a', ...oddKeys]) {
          const found = new Map<string, string>();
          for await (const [key, value] of state.scan(prefix)) found.set(key, value);
          const expected = [...oddKeys, 'b', ''].filter((key) => key.startsWith(prefix));
          assert.deepEqual([...found.keys()].sort(), expected.sort(), `prefix ${JSON.stringify(prefix)}`);
          for (const [key, value] of found) assert.equal(value, `<${key}>`);
        }
      }),
    );

    it(
      'scan reads more keys than fit in one answer, each once',
      withState(async (state) => {
        const keys = Array.from({ length: 1500 }, (_, index) => `many/${index}`);
        await Promise.all(keys.map((key) => state.set(key, key)));
        assert.deepEqual(await keysOf(state, 'many/'), keys.sort());
      }),
    );

    it(
      'two namespaces never meet, whatever they are called',
      withStore(async (store) => {
        const names = ['a', 'a:b', 'a/b', 'a*', 'A', 'state'];
        await Promise.all(names.map((each) => store.namespace(each).set('b:k', each)));
        for (const each of names) {
          assert.equal(await store.namespace(each).get('b:k'), each);
          assert.deepEqual(await keysOf(store.namespace(each), ''), ['b:k']);
        }
        assert.equal(await store.namespace('a:b').get('k'), undefined);
      }),
    );

    it(
      'what was set is there after a restart',
      withStore(async (store, fixture) => {
        await store.namespace('n').set('k', 'v');
        await store.namespace('n').increment('count', 7);
        await store.close();
        const again = await fixture.open();
        assert.equal(await again.namespace('n').get('k'), 'v');
        assert.equal(await again.namespace('n').increment('count'), 8);
        await again.close();
      }),
    );

    it(
      'any key and value come back as they were',
      withState(async (state) => {
        const text = fc.string({ unit: 'grapheme', maxLength: 40 });
        await fc.assert(
          fc.asyncProperty(text, text, async (key, value) => {
            await state.set(key, value);
            assert.equal(await state.get(key), value);
            assert.equal(await state.setIfAbsent(key, 'other'), false);
            assert.equal(await state.take(key), value);
          }),
          { numRuns: 100 },
        );
      }),
    );

    it(
      'ping writes and reads back',
      withStore((store) => store.ping()),
    );

    it(
      'a lease has one holder; a second is refused until it is released, and the fence rises',
      withStore(async (store, fixture) => {
        const other = await fixture.another(store);
        const both = await Promise.all([store.lease('office', 60_000), other.lease('office', 60_000)]);
        const first = both.find((lease) => lease !== undefined);
        assert.ok(first);
        assert.equal(both.filter((lease) => lease !== undefined).length, 1);
        assert.equal(await first.renew(), true);
        assert.ok(await other.lease('elsewhere', 60_000));
        await first.release();
        const second = await other.lease('office', 60_000);
        assert.ok(second && second.fence > first.fence);
        assert.equal(await first.renew(), false);
        await first.release();
        assert.equal(
          await store.lease('office', 60_000),
          undefined,
          'a late release takes nothing from the next holder',
        );
        if (other !== store) await other.close();
      }),
    );

    it(
      'a lease that is not renewed ends, renewing keeps it, and its old holder is told no',
      withStore(async (store) => {
        const kept = await store.lease('kept', 400);
        const lost = await store.lease('lost', 150);
        assert.ok(kept && lost);
        let next: Awaited<ReturnType<StateStore['lease']>>;
        await until(async () => {
          assert.equal(await kept.renew(), true);
          next = await store.lease('lost', 60_000);
          return next !== undefined;
        }, 'the lease ends');
        assert.equal(await lost.renew(), false);
        assert.ok(next && next.fence > lost.fence);
        assert.equal(await store.lease('kept', 400), undefined);
      }),
    );

    it(
      'the fence goes on rising after a restart',
      withStore(async (store, fixture) => {
        const first = await store.lease('office', 60_000);
        await first?.release();
        await store.close();
        const again = await fixture.open();
        const second = await again.lease('office', 60_000);
        assert.ok(first && second && second.fence > first.fence);
        await again.close();
      }),
    );
  });
}

async function keysOf(state: State, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of state.scan(prefix)) keys.push(key);
  return keys.sort();
}
