// Messages that wait for their time: durable, withdrawn, released once, and told of when nothing comes of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DraftOf, GatewayError, parseAddress } from '../../src/contract/index.ts';
import { Schedule } from '../../src/hub/schedule.ts';
import { MemoryState } from '../peers/hub.ts';

const start = Date.UTC(2026, 0, 1);

function setUp() {
  const clock = { now: start };
  const state = new MemoryState(() => clock.now);
  const released: string[] = [];
  const failed: Array<{ id: string; reason: string }> = [];
  const refusals: Error[] = [];
  let ids = 0;
  const hub = {
    check: async () => ({ id: `e00000000${ids++}`, isRepeat: false }),
    release: async (_instance: string, _draft: DraftOf<'message'>, id: string) => {
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      released.push(id);
      return { id, isRepeat: false };
    },
    fail: async (_instance: string, _draft: DraftOf<'message'>, id: string, { reason }: GatewayError) =>
      void failed.push({ id, reason }),
  };
  const silent = () => {};
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const open = () => new Schedule('esme', { state, hub, log, now: () => clock.now });
  return { clock, state, released, failed, refusals, open };
}

const at = (ms: number): DraftOf<'message'> => ({
  type: 'message',
  from: parseAddress('tel:+447700900001'),
  to: parseAddress('xmpp:alice@example.org'),
  text: { '': 'later' },
  wants: [],
  notBefore: new Date(start + ms).toISOString(),
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a message is released when its time has come, and not before', async () => {
  const { clock, released, open } = setUp();
  const schedule = open();
  assert.equal(schedule.isEarly(at(0)), false);
  assert.equal(schedule.isEarly(at(60_000)), true);
  const { id } = await schedule.keep(at(60_000));
  clock.now += 59_999;
  schedule.tick();
  await settled();
  assert.deepEqual(released, []);
  clock.now += 1;
  schedule.tick();
  await settled();
  assert.deepEqual(released, [id]);
});

test('a message outlives the process and is released once', async () => {
  const { clock, released, state, open } = setUp();
  const { id } = await open().keep(at(60_000));
  const next = open();
  await next.open();
  clock.now += 60_000;
  next.tick();
  await settled();
  assert.deepEqual(released, [id]);
  assert.equal(state.entries.size, 0);
});

test('a message that was withdrawn is never released, and cannot be withdrawn twice', async () => {
  const { clock, released, open } = setUp();
  const schedule = open();
  const { id } = await schedule.keep(at(1000));
  assert.equal(await schedule.withdraw(id), true);
  assert.equal(await schedule.withdraw(id), false);
  clock.now += 1000;
  schedule.tick();
  await settled();
  assert.deepEqual(released, []);
});

test('what is refused for good at its time is told to its sender; what is refused for now waits on', async () => {
  const { clock, released, failed, refusals, open } = setUp();
  const schedule = open();
  const lost = await schedule.keep(at(1000));
  const late = await schedule.keep(at(2000));
  refusals.push(new GatewayError('not-found', 'no route'), new GatewayError('unavailable', 'the store is away'));
  clock.now += 2000;
  schedule.tick();
  await settled();
  assert.deepEqual(failed, [{ id: lost.id, reason: 'not-found' }]);
  assert.deepEqual(released, []);
  clock.now += 5000;
  schedule.tick();
  await settled();
  assert.deepEqual(released, [late.id]);
});

test('a time over a year ahead is refused', async () => {
  const { open } = setUp();
  await assert.rejects(open().keep(at(367 * 86_400_000)), { reason: 'malformed' });
});
