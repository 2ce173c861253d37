// Watchers who want too much, forge addresses, or write nonsense.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, SipParseError } from '../../../adapters/sip/codec/message.ts';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { FakeFlow } from './fixtures.ts';
import { Mutator } from './mutants.ts';
import { alice, headerOf, Site, subscribeRequest, watching } from './watcher-fixtures.ts';

const watcher = (number: number) => `<sip:w${number}@other.example>;tag=t`;
const presentity = (number: number) => parseAddress(`sip:p${number}%40xmpp.example@gw.example`);
const flowFrom = (site: Site, address: string) => new FakeFlow(site.clock, 'UDP', { address, port: 5060 });

test('reference sip 3.4: one watcher, one presentity, one address and all together may have so many subscriptions', async () => {
  const cases = [
    [{ maxPerWatcher: 2 }, (n: number) => ({ uri: presentity(n) }), 403],
    [{ maxPerPresentity: 2 }, (n: number) => ({ from: watcher(n) }), 503],
    [{ maxPerSource: 2 }, (n: number) => ({ from: watcher(n), uri: presentity(n) }), 403],
    [{ max: 2 }, (n: number) => ({ from: watcher(n), uri: presentity(n) }), 503],
  ] as const;
  for (const [settings, asking, status] of cases) {
    const site = new Site(settings);
    const first = await site.subscribe(asking(1));
    assert.equal((await site.subscribe(asking(2))).status, 200);
    const refused = await site.subscribe(asking(3));
    assert.equal(refused.status, status, JSON.stringify(settings));
    assert.equal(headerOf(refused, 'Retry-After') !== undefined, status === 503);
    assert.equal(site.hub.drafts.length, 2);
    // A refresh is never refused for it, and an end makes room.
    assert.equal((await site.again(first, 2, asking(1))).status, 200);
    await site.again(first, 3, { ...asking(1), expires: 0 });
    assert.equal((await site.subscribe(asking(4))).status, 200);
  }
});

test('RFC 8048 s.8.1: a trusted proxy may bring as many as it likes from its one address', async () => {
  const site = new Site({ maxPerSource: 1, maxUnprovenPerHost: 1 });
  for (let number = 0; number < 5; number++) {
    assert.equal((await site.subscribe({ from: watcher(number), isTrusted: true })).status, 200);
  }
});

test('RFC 6665 s.6.3: who has answered no NOTIFY is sent no second one, and no more than so many point at one host', async () => {
  const site = new Site({ maxUnprovenPerHost: 3 });
  const gate = Promise.withResolvers<number>();
  site.onNotify = () => gate.promise;
  const victim = { contact: '<sip:x@198.51.100.7>' };
  const statuses: number[] = [];
  for (let number = 0; number < 6; number++) {
    const flow = flowFrom(site, `192.0.2.${number + 20}`);
    const via = 'SIP/2.0/UDP proxy.example;branch=z9hG4bK2, SIP/2.0/UDP h;branch=z9hG4bK1';
    const answer = await site.subscribe({ ...victim, from: watcher(number), flow, via });
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 503, 503, 503]);
  for (let number = 0; number < 3; number++) {
    await site.approve('approve', alice, parseAddress(`sip:w${number}@other.example`));
    await site.tell({ to: parseAddress(`sip:w${number}@other.example`) });
  }
  await site.advance(30_000);
  assert.equal(site.notified.length, 3);
  // The same host may ask again once it has shown that it is there.
  gate.resolve(200);
  await site.advance(100);
  assert.equal((await site.subscribe({ ...victim, from: watcher(9) })).status, 200);
});

test('RFC 6665 s.6.3: polls that nobody stands behind are counted too', async () => {
  const site = new Site({ maxUnprovenPerHost: 2 });
  const gate = Promise.withResolvers<number>();
  site.onNotify = () => gate.promise;
  const statuses: number[] = [];
  for (let number = 0; number < 3; number++) statuses.push((await site.subscribe({ expires: 0 })).status);
  assert.deepEqual(statuses, [200, 200, 503]);
  gate.reject(new GatewayError('unreachable', 'does not answer'));
  await site.advance(10);
  assert.equal((await site.subscribe({ expires: 0 })).status, 200);
});

test('RFC 8048 s.8.1: after a refusal that keeps the subscription, an unproven watcher hears nothing until it refreshes', async () => {
  const site = new Site();
  site.onNotify = () => 500;
  const first = await site.subscribe();
  await site.advance(10);
  const before = site.notified.length;
  site.onNotify = () => 200;
  await site.approve();
  const afterApproval = site.notified.length;
  assert.ok(afterApproval <= before + 1);
  await site.again(first, 2);
  assert.match(site.last.state, /^active/);
});

test('RFC 8048 s.8.1: strangers who poll for ever cost no memory that grows', async () => {
  const site = new Site();
  for (let number = 0; number < 10_500; number++) {
    const request = subscribeRequest({ callId: `c${number}`, from: watcher(number), expires: 0 });
    const answer = await site.presence
      .methods()
      .get('SUBSCRIBE')
      ?.handle({
        ...{ request, flow: new FakeFlow(site.clock), isTrusted: true },
      });
    answer?.afterwards?.();
  }
  await site.advance(10);
  assert.equal(site.hub.state.entries.size, 0);
  assert.deepEqual(await site.rows(), []);
  // The first of them is forgotten: its answer, when it comes, serves no later poll.
  await site.tell({ to: parseAddress('sip:w0@other.example') });
  await site.subscribe({ from: watcher(0), expires: 0 });
  assert.equal(site.last.body, '');
});

test('DESIGN 8: 20,000 mutated SUBSCRIBEs are answered or refused as malformed, and leave no more than they may', async () => {
  const { site, first } = await watching(new Site({ max: 500, maxPerSource: 500, maxUnprovenPerHost: 500 }));
  const samples = [
    subscribeRequest({ callId: 'a', accept: 'application/pidf+xml', event: 'presence;id=1;min-interval=5' }),
    subscribeRequest({
      callId: 'b',
      expires: 0,
      more: [
        ['Suppress-If-Match', '*'],
        ['Record-Route', '<sip:p;lr>'],
      ],
    }),
    subscribeRequest({ callId: first.callId, cseq: 2, more: [['To', `<${alice}>;tag=${first.toTag}`]] }),
  ].map((request) => encodeMessage(request));
  const mutator = new Mutator(samples, 8048);
  let answered = 0;
  for (let number = 0; number < 20_000; number++) {
    let request: ReturnType<typeof decodeMessage>;
    try {
      request = decodeMessage(mutator.next());
    } catch {
      continue;
    }
    if (request.kind !== 'request' || request.method !== 'SUBSCRIBE') continue;
    try {
      const answer = await site.presence
        .methods()
        .get('SUBSCRIBE')
        ?.handle({
          ...{ request, flow: new FakeFlow(site.clock), isTrusted: false },
        });
      answer?.afterwards?.();
      answered++;
    } catch (error) {
      assert.ok(error instanceof SipParseError || error instanceof GatewayError, String(error));
    }
  }
  await site.advance(100);
  assert.ok(answered > 800, `${answered}`);
  assert.ok((await site.rows()).length <= 500);
  assert.equal(site.hub.logs.filter(({ level }) => level === 'error').length, 0);
});
