// The gateway is killed with SIGKILL at random points of bursts of 5,000 messages: nothing acknowledged is lost, order
// holds, and repeats are few and counted. DRAGOMAN_KILLS sets how often (12).
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Book, openSite, type StoreKind } from './site.ts';

const kills = Number(process.env.DRAGOMAN_KILLS ?? 12);
const phones = 50;
const each = 100;

for (const store of ['redis', 'embedded'] as const) {
  test(`kill -9, ${kills} times, each in a burst of ${phones * each} messages: ${store} store`, (t) =>
    killMidBurst(t, store));
}

async function killMidBurst(t: TestContext, store: StoreKind): Promise<void> {
  const site = await openSite(t, store);
  if (!site) return;
  const { gateway, carrier, alice } = site;
  await gateway.start();
  const book = new Book(alice);
  let random = 7;
  const next = () => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return random / 2 ** 32;
  };
  for (let round = 0; round < kills; round++) {
    const burst = book.burst(carrier, phones, each, round * each);
    const killAt = Math.floor(next() * phones * each * 0.9);
    const base = round * phones * each;
    while (book.acknowledged.size - base < killAt) await new Promise((resolve) => setTimeout(resolve, 1));
    await gateway.kill();
    await gateway.start();
    await burst;
    await book.untilComplete();
    assert.deepEqual(book.disordered(), [], `order after kill ${round + 1}`);
  }
  const total = kills * phones * each;
  assert.equal(book.acknowledged.size, total);
  const perKill = book.repeats / kills;
  t.diagnostic(`${total} messages, ${kills} kills, ${book.repeats} repeats (${perKill.toFixed(1)} a kill)`);
  // DESIGN 6: what was with an adapter, or acknowledged to nobody, when the process died may come again, and no more.
  assert.ok(perKill <= 2 * phones, `${perKill} repeats a kill`);
}
