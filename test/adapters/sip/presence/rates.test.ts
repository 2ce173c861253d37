// How often, and whether at all: rate control (RFC 6446) and conditional notification (RFC 5839) as the notifier has them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addRates,
  agreedRates,
  readRates,
  repeatMs,
  withSent,
} from '../../../../adapters/sip/presence/notifier/rates.ts';
import { headerOf, response, Site, watching } from '../watcher-fixtures.ts';

const rateIn = (state: string, name: string) => new RegExp(`;${name}=([\\d.]+)`).exec(state)?.[1];

test('RFC 6446 s.5.2: max-rate makes the pause longer, never shorter, and Subscription-State says what is in force', async () => {
  const { site } = await watching(new Site(), { event: 'presence;max-rate=0.04' });
  assert.equal(rateIn(site.last.state, 'max-rate'), '0.04');
  await site.advance(60_000);
  await site.tell({ notes: { '': 'one' } });
  await site.advance(100);
  const before = site.notified.length;
  await site.tell({ notes: { '': 'two' } });
  await site.advance(24_000);
  assert.equal(site.notified.length, before, 'not before 25 s');
  await site.tell({ notes: { '': 'three' } });
  await site.advance(2000);
  assert.equal(site.notified.length, before + 1);
  assert.match(site.last.body, /three/, 'the last state wins');
  const hasty = await watching(new Site(), { event: 'presence;max-rate=50' });
  assert.equal(rateIn(hasty.site.last.state, 'max-rate'), '0.2', 'ours is once in 5 s');
});

test('RFC 6446 s.5.2: an approval and the answer to a refresh do not wait', async () => {
  const site = new Site();
  const first = await site.subscribe({ event: 'presence;max-rate=0.01' });
  await site.approve();
  assert.deepEqual(site.notified.at(-1)?.state.split(';')[0], 'active');
  await site.tell();
  await site.advance(60);
  const before = site.notified.length;
  await site.again(first, 2, { event: 'presence;max-rate=0.01' });
  assert.equal(site.notified.length, before + 1);
});

test('RFC 6446 s.5.1: a refresh or a 2xx to NOTIFY may change the rate, and a refresh without it takes it back', async () => {
  const { site, first } = await watching(new Site(), { event: 'presence;max-rate=0.04' });
  await site.again(first, 2, { event: 'presence;max-rate=0.1' });
  assert.equal(rateIn(site.last.state, 'max-rate'), '0.1');
  site.onNotify = () => response(200, [['Event', 'presence;max-rate=0.05']]);
  await site.again(first, 3, { event: 'presence;max-rate=0.1' });
  site.onNotify = () => response(200, [['Event', 'dialog;max-rate=0.01']]);
  await site.tell({ notes: { '': 'one' } });
  await site.advance(21_000);
  assert.equal(rateIn(site.last.state, 'max-rate'), '0.05');
  site.onNotify = () => response(200, [['Event', 'presence;;;="']]);
  await site.again(first, 4);
  assert.equal(rateIn(site.last.state, 'max-rate'), undefined);
  assert.equal((await site.again(first, 5)).status, 200, 'what makes no sense in an answer ends nothing');
});

test('RFC 6446 s.5.3: no pause is longer than the subscription', () => {
  assert.deepEqual(agreedRates({ most: 0.0001 }, 5000, 600_000), { most: 1 / 600 });
});

test('RFC 6446 s.6.2: with min-rate the state is told again though nothing is new, but not to whom nobody has seen', async () => {
  const { site } = await watching(new Site(), { event: 'presence;min-rate=0.05' });
  assert.equal(rateIn(site.last.state, 'min-rate'), '0.05');
  const { body, request } = site.last;
  const before = site.notified.length;
  await site.advance(19_000);
  assert.equal(site.notified.length, before);
  await site.advance(2000);
  assert.equal(site.notified.length, before + 1);
  assert.equal(site.last.body, body);
  assert.equal(site.last.request.headers.get('SIP-ETag'), request.headers.get('SIP-ETag'));
  await site.restart();
  await site.advance(30_000);
  assert.ok(site.notified.length > before + 1, 'and so after a restart');
  const stranger = new Site();
  stranger.onNotify = () => 503;
  await stranger.subscribe({ event: 'presence;min-rate=0.1' });
  await stranger.advance(60_000);
  assert.equal(stranger.notified.length, 1, 'a forged Contact gets no stream');
});

test('RFC 6446 s.7.4: adaptive-min-rate waits longer the more there was to tell', () => {
  const agreed = agreedRates({ average: 0.1 }, 5000, 600_000);
  const at = 1_000_000;
  let sent = withSent({ rates: { average: 0.1 }, sent: undefined }, at);
  assert.equal(repeatMs(agreed, sent), 10_000);
  for (let more = 1; more <= 5; more++) sent = withSent({ rates: { average: 0.1 }, sent }, at + more);
  assert.equal(repeatMs(agreed, sent), 15_000);
  sent = withSent({ rates: { average: 0.1 }, sent }, at + 200_000);
  assert.equal(repeatMs(agreed, sent), 1000, 'and is made up for afterwards');
  assert.equal(withSent({ rates: {}, sent }, at), undefined);
});

test('RFC 6446 s.8: what is to come at least is no more than what may come at most, and min-rate counts below the average', () => {
  assert.deepEqual(agreedRates({ most: 0.1, least: 0.2, average: 0.3 }, 5000, 600_000), {
    most: 0.1,
    average: 0.1,
    least: 0.1,
  });
  assert.deepEqual(agreedRates({ least: 0.2, average: 0.1 }, 5000, 600_000), { average: 0.1 });
  assert.deepEqual(agreedRates({ least: 99 }, 0, 600_000), { least: 1 });
});

test('RFC 6446 s.9.2: what is no rate is none, and one is written as a decimal', () => {
  for (const text of ['0', '0.0', '-1', '100', '1e3', '.5', '1.', '', '0.12345678901']) {
    assert.equal(readRates(new Map([['max-rate', text]])), undefined, text);
  }
  assert.deepEqual(
    readRates(
      new Map([
        ['min-rate', '0.0000000001'],
        ['id', '7'],
      ]),
    ),
    { least: 1e-10 },
  );
  const parameters = new Map<string, string | undefined>();
  addRates(parameters, { most: 20, least: 1e-10, average: 1 / 3 });
  assert.deepEqual(
    [...parameters],
    [
      ['max-rate', '20'],
      ['min-rate', '0.0000000001'],
      ['adaptive-min-rate', '0.3333333333'],
    ],
  );
});

test('RFC 5839 s.6.3: with * nothing is told until a refresh without it, but for what becomes of the subscription', async () => {
  const { site, first } = await watching();
  const before = site.notified.length;
  const quiet = await site.again(first, 2, { more: [['Suppress-If-Match', '*']] });
  assert.equal(quiet.status, 204);
  await site.tell({ availability: 'away' });
  await site.advance(20_000);
  await site.restart();
  await site.tell({ availability: 'busy' });
  await site.advance(20_000);
  assert.equal(site.notified.length, before, 'after a restart too');
  await site.again(first, 3);
  assert.match(site.last.body, /busy/);
  await site.again(first, 4, { more: [['Suppress-If-Match', '*']] });
  await site.approve('deny');
  assert.match(site.last.state, /^terminated;reason=rejected/);
  assert.equal(site.last.body, '');
});

test('RFC 5839 s.5.2: a mark counts until the state is another one, and not when it comes back', async () => {
  const { site, first } = await watching();
  const etag = site.last.request.headers.get('SIP-ETag') ?? '';
  const { body } = site.last;
  await site.again(first, 2, { more: [['Suppress-If-Match', etag]] });
  await site.restart();
  await site.tell();
  await site.advance(10_000);
  const { length } = site.notified;
  await site.tell({ availability: 'away' });
  await site.advance(6000);
  assert.equal(site.notified.length, length + 1);
  assert.match(site.last.body, /away/);
  await site.tell();
  await site.advance(6000);
  assert.match(site.last.body, /<basic>open/);
  assert.equal(site.last.body.replace(/<timestamp>.*?</, ''), body.replace(/<timestamp>.*?</, ''));
});

test('RFC 5839 s.5.7: who leaves with the state in hand is answered 204, and no last NOTIFY follows', async () => {
  const { site, first } = await watching();
  const etag = site.last.request.headers.get('SIP-ETag') ?? '';
  const before = site.notified.length;
  const left = await site.again(first, 2, { expires: 0, more: [['Suppress-If-Match', etag]] });
  assert.equal(left.status, 204);
  assert.equal(headerOf(left, 'Expires'), '0');
  await site.advance(10_000);
  assert.equal(site.notified.length, before);
  assert.equal(site.hub.draftsOf('presence').at(-1)?.availability, 'unavailable');
  assert.equal((await site.again(first, 3)).status, 481);
});
