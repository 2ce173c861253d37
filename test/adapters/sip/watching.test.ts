// SIP users watch people of other networks: the second table of RFC 8048, row by row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { decodePidf } from '../../../src/formats/pidf/index.ts';
import { alice, bob, headerOf, Site, watching } from './watcher-fixtures.ts';

const phone = parseAddress(`${alice};gr=phone`);
const desk = parseAddress(`${alice};gr=desk`);
const ask = { type: 'subscription', from: bob, to: alice, hops: 0 } as const;
const basics = (body: string) => decodePidf(body).tuples.map(({ basic }) => basic);

test('RFC 8048 s.5.3.1: a new SUBSCRIBE becomes a request, is answered 200 at once, and NOTIFY says pending at once', async () => {
  const site = new Site();
  const answer = await site.subscribe();
  assert.equal(answer.status, 200);
  assert.equal(headerOf(answer, 'Expires'), '600');
  assert.deepEqual(site.hub.drafts, [{ ...ask, action: 'request', expiresMs: 600_000 }]);
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
  assert.deepEqual(site.hub.drafts.at(-1), { ...ask, action: 'fetch' });
  await site.tell({ notes: { '': 'here' } });
  await site.advance(60);
  assert.match(site.last.body, /<basic>open<\/basic>.*here/s);
  assert.equal(site.notified.length, 3);
});

test('RFC 8048 s.5.3.1: presence before the approval is told to nobody', async () => {
  const site = new Site();
  await site.subscribe();
  await site.tell({ notes: { '': 'private' } });
  await site.advance(6000);
  assert.deepEqual(site.states, ['pending']);
  assert.equal(site.notified.filter(({ body }) => body !== '').length, 0);
});

test('RFC 8048 s.5.3.1: a refusal ends it with terminated;reason=rejected, and the next SUBSCRIBE has to ask again', async () => {
  const { site } = await watching();
  await site.approve('deny');
  assert.equal(site.last.state, 'terminated;reason=rejected');
  assert.equal(site.last.body, '');
  assert.equal(site.hub.draftsOf('presence').length, 0);
  await site.subscribe();
  assert.deepEqual(site.states.slice(-1), ['pending']);
  assert.equal(site.hub.draftsOf('subscription').at(-1)?.action, 'request');
});

test('RFC 8048 s.5.1: whoever was let in once is let in again without a question, also by another process', async () => {
  const { site, first } = await watching();
  await site.again(first, 2, { expires: 0 });
  await site.restart();
  await site.subscribe();
  assert.equal(site.last.state, 'active;expires=600');
  assert.equal(site.hub.draftsOf('subscription').at(-1)?.action, 'fetch');
  assert.equal(site.hub.draftsOf('subscription').filter(({ action }) => action === 'request').length, 1);
});

test('RFC 8048 s.5.3.2: a refresh is answered from what is known, and nobody is asked', async () => {
  const { site, first } = await watching();
  const asked = site.hub.drafts.length;
  const answer = await site.again(first, 2, { expires: 300 });
  assert.equal(headerOf(answer, 'Expires'), '300');
  assert.equal(site.last.state, 'active;expires=300');
  assert.deepEqual(basics(site.last.body), ['open']);
  assert.equal(site.hub.drafts.length, asked);
});

test('RFC 8048 s.5.3.2: a refresh of what nobody has told yet asks for it, and its NOTIFY is empty', async () => {
  const site = new Site();
  const first = await site.subscribe();
  await site.approve();
  await site.advance(10_000);
  const asked = site.hub.drafts.length;
  await site.again(first, 2);
  assert.equal(site.last.body, '');
  assert.deepEqual(site.hub.drafts.slice(asked), [{ ...ask, action: 'fetch' }]);
});

test('RFC 8048 s.5.3.2: what means nothing is an empty NOTIFY', async () => {
  const { site, first } = await watching();
  await site.tell({ from: alice, availability: 'unknown' });
  await site.again(first, 2);
  assert.equal(site.last.body, '');
});

test('RFC 8048 s.5.3.3: Expires 0 in the dialog becomes unavailable and no cancel, and NOTIFY says closed and timeout', async () => {
  const { site, first } = await watching();
  const answer = await site.again(first, 2, { expires: 0 });
  assert.equal(answer.status, 200);
  assert.equal(headerOf(answer, 'Expires'), '0');
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.deepEqual(basics(site.last.body), ['closed']);
  assert.deepEqual(site.hub.drafts.at(-1), { type: 'presence', from: bob, to: alice, availability: 'unavailable' });
  assert.equal((await site.again(first, 3)).status, 481);
});

test('RFC 8048 s.5.3.3: what is not refreshed in time ends as if by Expires 0', async () => {
  const { site } = await watching();
  const before = site.notified.length;
  await site.advance(599_000, 1000);
  assert.equal(site.notified.length, before);
  await site.advance(2000);
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.deepEqual(basics(site.last.body), ['closed']);
  assert.equal(site.hub.draftsOf('presence').at(-1)?.availability, 'unavailable');
});

test('RFC 8048 s.5.3.3: of two phones of one watcher the last that leaves makes the watcher unavailable', async () => {
  const site = new Site();
  const one = await site.subscribe();
  const two = await site.subscribe({ from: `<${bob}>;tag=b2` });
  await site.again(one, 2, { expires: 0 });
  assert.equal(site.hub.draftsOf('presence').length, 0);
  await site.again(two, 2, { expires: 0, from: `<${bob}>;tag=b2` });
  assert.equal(site.hub.draftsOf('presence').length, 1);
});

test('RFC 8048 s.7.2: a poll asks when nothing is known, and its one NOTIFY does not wait for the answer', async () => {
  const site = new Site();
  const answer = await site.subscribe({ expires: 0 });
  assert.equal(answer.status, 200);
  assert.deepEqual(site.hub.drafts, [{ ...ask, action: 'fetch' }]);
  assert.deepEqual(site.states, ['terminated;reason=timeout']);
  assert.equal(site.last.body, '');
  assert.equal((await site.again(answer, 2)).status, 481);
});

test('RFC 8048 s.7.2: an answer that came after its poll serves the next one', async () => {
  const site = new Site();
  await site.subscribe({ expires: 0 });
  await site.tell({ notes: { '': 'late' } });
  await site.subscribe({ expires: 0 });
  assert.match(site.last.body, /late/);
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.equal(site.hub.drafts.length, 1);
  await site.advance(61_000);
  await site.subscribe({ expires: 0 });
  assert.equal(site.hub.drafts.length, 2);
});

test('RFC 8048 s.7.2: a poll beside a subscription asks nobody', async () => {
  const { site } = await watching();
  const asked = site.hub.drafts.length;
  await site.subscribe({ expires: 0, from: `<${bob}>;tag=poll` });
  assert.deepEqual(basics(site.last.body), ['open']);
  assert.equal(site.hub.drafts.length, asked);
});

test('RFC 8048 s.6.2: one NOTIFY holds every device, and a device that leaves is no longer in it', async () => {
  const { site } = await watching();
  await site.tell({ from: desk, availability: 'busy', priority: 5 });
  await site.advance(5100);
  assert.equal(decodePidf(site.last.body).tuples.length, 2);
  await site.tell({ from: phone, availability: 'unavailable' });
  await site.advance(5100);
  const { tuples } = decodePidf(site.last.body);
  assert.deepEqual(
    tuples.map(({ show, basic }) => [show, basic]),
    [['dnd', 'open']],
  );
});

test('RFC 8048 s.6.2: the last device that leaves is told as closed, with its last words', async () => {
  const { site } = await watching();
  await site.tell({ from: phone, availability: 'unavailable', notes: { en: 'gone home' } });
  await site.advance(5100);
  assert.deepEqual(basics(site.last.body), ['closed']);
  assert.match(site.last.body, /xml:lang="en"[^>]*>gone home/);
  assert.match(site.last.state, /^active/);
});

test('RFC 8048 s.6.2: unavailable without a device is all of them', async () => {
  const { site } = await watching();
  await site.tell({ from: desk });
  await site.tell({ from: alice, availability: 'unavailable' });
  await site.advance(5100);
  assert.deepEqual(basics(site.last.body), ['closed']);
});

test('RFC 8048 s.8.2: what one watcher is told of somebody, another watcher never sees', async () => {
  const site = new Site();
  const carol = parseAddress('sip:carol@other.example');
  await site.subscribe();
  await site.subscribe({ from: `<${carol}>;tag=c1` });
  await site.approve('approve', alice, bob);
  await site.approve('approve', alice, carol);
  await site.tell({ to: bob, notes: { '': 'for bob alone' } });
  await site.advance(60);
  await site.subscribe({ from: `<${carol}>;tag=c2`, expires: 0 });
  const told = site.notified.filter(({ body }) => body.includes('for bob alone'));
  assert.equal(told.length, 1);
  assert.match(told[0]?.request.headers.get('To') ?? '', /bob@other\.example/);
  assert.equal(site.last.body, '');
});

test('RFC 8048 s.8.1: refreshes in a hurry do not make us probe in a hurry', async () => {
  const site = new Site();
  const first = await site.subscribe();
  await site.approve();
  for (let cseq = 2; cseq < 20; cseq++) await site.again(first, cseq);
  assert.equal(site.hub.draftsOf('subscription').filter(({ action }) => action === 'fetch').length, 1);
});

test('reference sip 3.1: a name written without its home domain, or in capitals, is the same person on the way back', async () => {
  const site = new Site();
  await site.subscribe({ uri: 'sip:Alice@gw.example', from: '<sip:Bob@other.example>;tag=1' });
  await site.approve();
  await site.tell({ notes: { '': 'found' } });
  await site.advance(60);
  assert.match(site.last.body, /found/);
  assert.match(site.last.body, /entity="pres:Alice@gw\.example"/);
});

const refusals = [
  ['not-found', 404],
  ['not-allowed', 403],
  ['throttled', 503],
  ['unavailable', 480],
  // A network that has no presence: the watcher should not ask again.
  ['unsupported', 489],
] as const;
for (const [reason, status] of refusals) {
  test(`RFC 6665 s.4.2.1.1: a subscription that the hub refuses as ${reason} is answered ${status}, and nothing of it stays`, async () => {
    const site = new Site();
    site.hub.onPublish = () => {
      throw new GatewayError(reason, 'no', { retryAfterMs: 7000 });
    };
    const outcome = await site.answered();
    assert.equal(outcome.status, status);
    assert.equal(site.notified.length, 0);
    assert.equal(site.hub.state.entries.size, 0);
    assert.deepEqual(await site.rows(), []);
  });
}

test('RFC 6665 s.4.1.3: an end that the hub does not take is an end all the same', async () => {
  const { site, first } = await watching();
  site.hub.onPublish = () => {
    throw new GatewayError('throttled', 'full');
  };
  assert.equal((await site.again(first, 2, { expires: 0 })).status, 200);
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.equal((await site.again(first, 3)).status, 481);
});
