// What stands around the gateway breaks in the middle of a burst: nothing acknowledged is lost, order holds, and the
// gateway comes back by itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../servers/process.ts';
import { GatewayProcess } from './gateway-process.ts';
import { atEnd, Book, openSite, type Site } from './site.ts';

const phones = 40;

interface Burst {
  readonly book: Book;
  /** Resolves when all that was acknowledged has arrived; rejects when it has not within so long, or out of order. */
  arrived(withinMs?: number): Promise<void>;
}

/** A burst to all phones that is under way. */
async function midBurst(
  t: TestContext,
  { gateway, alice, carrier }: Site,
  each: number,
  acknowledged: number,
): Promise<Burst> {
  await gateway.start();
  const book = new Book(alice);
  const burst = book.burst(carrier, phones, each, 0);
  await until(() => book.acknowledged.size > acknowledged, 'the burst is under way');
  return {
    book,
    arrived: async (withinMs) => {
      await burst;
      await book.untilComplete(withinMs);
      assert.deepEqual(book.disordered(), []);
      t.diagnostic(`${book.acknowledged.size} messages, ${book.repeats} repeats`);
    },
  };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

test('Redis is restarted in the middle of a burst', async (t) => {
  const site = await openSite(t, 'redis');
  if (!site?.redis) return;
  const { arrived } = await midBurst(t, site, 50, 300);
  await site.redis.process.stop();
  await site.redis.restart();
  await arrived();
});

test('Redis is killed in the middle of a burst and stays away for 30 seconds', async (t) => {
  const site = await openSite(t, 'redis');
  if (!site?.redis) return;
  const { book, arrived } = await midBurst(t, site, 50, 300);
  await site.redis.kill();
  await pause(5000);
  assert.equal(await site.gateway.isReady(), false, 'readiness says that the store is away');
  const before = book.acknowledged.size;
  await pause(25_000);
  assert.ok(book.acknowledged.size - before === 0, 'nothing is acknowledged that cannot be stored');
  await site.redis.restart();
  await arrived();
  await until(() => site.gateway.isReady(), 'the gateway is ready again', 20_000);
});

test('Redis is full for a while: senders are told to wait, nothing acknowledged is lost', async (t) => {
  const site = await openSite(t, 'redis');
  if (!site?.redis) return;
  const { book, arrived } = await midBurst(t, site, 50, 200);
  await site.redis.command('CONFIG', 'SET', 'maxmemory', '1');
  await pause(2000);
  const before = book.acknowledged.size;
  await pause(2000);
  assert.equal(book.acknowledged.size, before, 'nothing is acknowledged while nothing can be stored');
  await site.redis.command('CONFIG', 'SET', 'maxmemory', '0');
  await arrived();
});

test('the disk under the embedded store is full for a while', async (t) => {
  const site = await openSite(t, 'embedded');
  if (!site) return;
  const data = site.settings.data as string;
  mkdirSync(data, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', data]);
  if (mounted.status !== 0) {
    if (process.env.CI === 'true' && process.getuid?.() === 0) t.diagnostic(`no tmpfs here: ${mounted.stderr}`);
    t.skip('a small disk is made with mount, which this machine refuses');
    return;
  }
  atEnd(t, () => spawnSync('umount', ['-l', data]));
  const { book, arrived } = await midBurst(t, site, 50, 200);
  const filler = join(data, 'filler');
  spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k', 'count=2000']);
  await pause(2000);
  const before = book.acknowledged.size;
  await pause(2000);
  t.diagnostic(`${book.acknowledged.size - before} acknowledged in two seconds on a full disk`);
  spawnSync('rm', [filler]);
  await arrived();
});

test('the XMPP server is restarted in the middle of a burst', async (t) => {
  const site = await openSite(t, 'embedded');
  if (!site) return;
  const { arrived } = await midBurst(t, site, 25, 200);
  await site.prosody.restart();
  await arrived(90_000);
});

test('two processes with one configuration: the standby takes over from a killed holder, and only what was under way is sent twice', async (t) => {
  const site = await openSite(t, 'redis');
  if (!site) return;
  const standby = await GatewayProcess.prepare(site.folder, site.settings, 'standby');
  atEnd(t, () => standby.stop());
  await site.gateway.start();
  await standby.start();
  const states = async (gateway: GatewayProcess) => (await gateway.status()).instances.map(({ state }) => state);
  assert.deepEqual(await states(standby), ['standby', 'standby']);
  const book = new Book(site.alice);
  await book.burst(site.carrier, phones, 10, 0);
  await book.untilComplete();
  assert.equal(book.repeats, 0);
  const burst = book.burst(site.carrier, phones, 10, 10);
  await until(() => book.acknowledged.size > phones * 12, 'the second burst is under way');
  await site.gateway.kill();
  await until(
    async () => (await states(standby)).every((state) => state === 'up'),
    'the standby has taken over',
    20_000,
  );
  await burst;
  await book.untilComplete();
  assert.deepEqual(book.disordered(), []);
  assert.ok(book.repeats <= 4 * phones, `${book.repeats} repeats of what was under way`);
  await site.gateway.start();
  assert.deepEqual(await states(site.gateway), ['standby', 'standby'], 'the old holder waits its turn');
  t.diagnostic(`${book.acknowledged.size} messages, ${book.repeats} repeats`);
});
