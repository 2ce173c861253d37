// The subscriber of RFC 5839: a refresh that need not bring again what the watcher knows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../../src/contract/index.ts';
import { answered, bench, notice, pidf, refresh, told, watched } from './subscriber-fixtures.ts';

const condition = (made: Awaited<ReturnType<typeof bench>>) => made.last().headers.get('Suppress-If-Match');

async function marked(...[t, more]: Parameters<typeof watched>) {
  const made = await watched(t, more);
  await made.notify('active;expires=3600', { body: pidf({ a: 'away' }), more: ['SIP-ETag: m1'] });
  return made;
}

test('RFC 5839 s.5.6: a refresh names the state it has, and 204 to it prolongs without a NOTIFY', async (t) => {
  const made = await marked(t);
  assert.equal(condition(made), undefined, 'nothing was known at first');
  made.reply = () => ({ status: 204, headers: { Expires: '3600' } });
  const { length } = made.sent;
  const toldSoFar = told(made.hub).length;
  await refresh(made);
  assert.equal(made.sent.length, length + 1);
  assert.equal(condition(made), 'm1');
  // Timer N has nothing to wait for.
  await made.pass(40_000);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'live');
  assert.ok(Number([...made.subscriber.rows()][0]?.expiresInSeconds) > 3500);
  assert.equal(made.sent.length, length + 1, 'and no new dialog');
  assert.deepEqual(told(made.hub, toldSoFar), ['fetch'], 'but for the probe nobody is told anything');
  await refresh(made);
  assert.equal(condition(made), 'm1');
});

test('RFC 5839 s.5.3: the mark is that of the last state that was told, and a NOTIFY without one has none', async (t) => {
  const made = await marked(t);
  made.hub.onPublish = () => {
    throw new GatewayError('throttled', 'full');
  };
  assert.equal(await made.notify('active', { body: pidf({ a: 'open' }), more: ['SIP-ETag: m2'] }), 503);
  made.hub.onPublish = undefined;
  made.reply = () => ({ status: 204, headers: { Expires: '3600' } });
  await refresh(made);
  assert.equal(condition(made), 'm1', 'what the watcher was not told is not known');
  await made.notify('active', { more: ['SIP-ETag: m1'] });
  await refresh(made);
  assert.equal(condition(made), 'm1', 'without a body the state is as it was');
  for (const odd of ['SIP-ETag: a b', `SIP-ETag: ${'x'.repeat(200)}`, 'X-Nothing: 1']) {
    await made.notify('active', { body: pidf({ a: 'open' }), more: [odd] });
    await refresh(made);
    assert.equal(condition(made), undefined, odd);
  }
});

test('RFC 5839 s.5.8: after a refresh that failed, and in a new dialog, nothing is taken for known', async (t) => {
  const made = await marked(t);
  made.reply = () => ({ status: 500 });
  await refresh(made);
  assert.equal(condition(made), 'm1');
  made.reply = () => ({ status: 481 });
  made.heard('available');
  await refresh(made);
  assert.equal(
    made.sent.every((request, at) => at === 1 || !request.headers.has('Suppress-If-Match')),
    true,
  );
});

test('RFC 5839 s.5.6: the mark outlives a restart, as the state does that it is of', async (t) => {
  const first = await marked(t);
  first.subscriber.stop();
  const second = await bench(t, { hub: first.hub, clock: first.clock });
  second.reply = () => ({ status: 204, headers: { Expires: '3600' } });
  await refresh(second);
  assert.equal(condition(second), 'm1');
  const other = notice(second.last(), 'active', { cseq: 9, body: pidf({ a: 'open' }), more: ['SIP-ETag: m3'] });
  assert.equal(await answered(second.subscriber, other), 200);
  assert.equal(told(second.hub).at(-1), 'bob/a available');
});
