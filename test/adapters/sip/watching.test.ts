// SIP users watch people of other networks: the second table of RFC 8048, row by row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../../src/contract/index.ts';
import { alice, bob, headerOf, Site } from './watcher-fixtures.ts';

const phone = parseAddress(`${alice};gr=phone`);

test('RFC 8048 s.5.3.1: a new SUBSCRIBE becomes a request, is answered 200 at once, and NOTIFY says pending at once', async () => {
  const site = new Site();
  const answer = await site.subscribe();
  assert.equal(answer.status, 200);
  assert.equal(headerOf(answer, 'Expires'), '600');
  assert.deepEqual(site.hub.draftsOf('subscription'), [
    { type: 'subscription', action: 'request', from: bob, to: alice, hops: 0, expiresMs: 600_000 },
  ]);
  assert.equal(site.last.state, 'pending;expires=600');
  assert.equal(site.last.body, '');
});

test('RFC 8048 s.5.3.1: a SUBSCRIBE without Expires is for 3600 s', async () => {
  const site = new Site();
  const answer = await site.subscribe({ expires: undefined });
  assert.equal(headerOf(answer, 'Expires'), '3600');
  assert.equal(site.hub.draftsOf('subscription')[0]?.expiresMs, 3_600_000);
});

test('RFC 8048 s.5.3.1: an approval makes it active, with an empty NOTIFY first and the state once it is known', async () => {
  const site = new Site();
  await site.subscribe();
  await site.approve();
  assert.match(site.last.state, /^active;expires=600$/);
  assert.equal(site.last.body, '');
  assert.deepEqual(site.hub.draftsOf('subscription').at(-1), {
    ...{ type: 'subscription', action: 'fetch', from: bob, to: alice, hops: 0 },
  });
  await site.tell({ from: phone, notes: { '': 'here' } });
  await site.advance(60);
  assert.match(site.last.body, /<basic>open<\/basic>.*here/s);
  assert.equal(site.notified.length, 3);
});
