// The notifier as RFC 6665 and RFC 3856 want it, whatever network is behind it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipParseError } from '../../../adapters/sip/codec/message.ts';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { FakeFlow } from './fixtures.ts';
import { alice, bob, headerOf, response, Site, settled, watching } from './watcher-fixtures.ts';

test('RFC 6665 s.4.2.1.1: an event that we do not know, or none, is 489 with Allow-Events', async () => {
  const site = new Site();
  for (const event of ['dialog', 'presence.winfo.winfo', undefined]) {
    const answer = await site.subscribe({ event });
    assert.equal(answer.status, 489);
    assert.match(headerOf(answer, 'Allow-Events') ?? '', /\bpresence\b/);
  }
  assert.equal(site.notified.length, 0);
});

test('RFC 6665 s.4.2.1.1: 423 with Min-Expires is for what is shorter than the least and than an hour, not for 0', async () => {
  const site = new Site({ minExpires: 120 });
  const brief = await site.subscribe({ expires: 119 });
  assert.equal(brief.status, 423);
  assert.equal(headerOf(brief, 'Min-Expires'), '120');
  assert.equal((await site.subscribe({ expires: 120 })).status, 200);
  assert.equal((await site.subscribe({ expires: 0 })).status, 200);
});

test('RFC 6665 s.4.2.1.1: a subscription may be made shorter, never longer', async () => {
  const site = new Site({ maxExpires: 1800 });
  for (const [asked, granted] of [
    [900, '900'],
    [7200, '1800'],
    [4_294_967_295, '1800'],
    [undefined, '1800'],
  ] as const) {
    assert.equal(headerOf(await site.subscribe({ expires: asked }), 'Expires'), granted);
  }
});

test('RFC 6665 s.4.2.1.2: every 2xx is followed by a NOTIFY in its dialog, with Event, Subscription-State and Contact', async () => {
  const site = new Site();
  const first = await site.subscribe({ event: 'presence;id=7' });
  const { headers, uri } = site.last.request;
  assert.equal(uri, 'sip:bob@192.0.2.9:5070');
  assert.equal(headers.get('Event'), 'presence;id=7');
  assert.equal(headers.get('From'), `<${alice}>;tag=${first.toTag}`);
  assert.equal(headers.get('To'), `<${bob}>;tag=b1`);
  assert.equal(headers.get('Call-ID'), first.callId);
  assert.equal(headers.get('CSeq'), '1 NOTIFY');
  assert.equal(headers.get('Contact'), '<sip:alice%40xmpp.example@192.0.2.1:5060>');
  await site.again(first, 2, { event: 'presence;id=7' });
  assert.equal(site.last.request.headers.get('CSeq'), '2 NOTIFY');
});

test('RFC 6665 s.8.2.1: NOTIFY writes the event as its SUBSCRIBE did, after a restart too: names are compared octet by octet', async () => {
  const { site, first } = await watching(new Site(), { event: 'Presence;id=A' });
  assert.equal(site.last.request.headers.get('Event'), 'Presence;id=A');
  await site.restart();
  await site.again(first, 2, { event: 'Presence;id=A' });
  assert.equal(site.last.request.headers.get('Event'), 'Presence;id=A');
});

test('RFC 7118 s.5.2.1: our Contact over WebSocket says transport=ws, with TLS too', async () => {
  const site = new Site();
  for (const [transport, said] of [
    ['WSS', ';transport=ws'],
    ['WS', ';transport=ws'],
    ['TLS', ';transport=tls'],
    ['UDP', ''],
  ] as const) {
    const answer = await site.subscribe({ flow: new FakeFlow(site.clock, transport) });
    assert.equal(headerOf(answer, 'Contact'), `<sip:alice%40xmpp.example@192.0.2.1:5060${said}>`);
  }
});

test('RFC 6665 s.4.4.1: the 2xx repeats Record-Route and names us, and NOTIFY goes by the route set', async () => {
  const site = new Site();
  const answer = await site.subscribe({
    more: [['Record-Route', '<sip:p2.example;lr>, <sip:p1.example;lr>']],
    via: 'SIP/2.0/UDP p2.example;branch=z9hG4bK2, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1',
  });
  const routes = answer.headers?.filter(([name]) => name === 'Record-Route').map(([, value]) => value);
  assert.deepEqual(routes, ['<sip:p2.example;lr>', '<sip:p1.example;lr>']);
  assert.equal(headerOf(answer, 'Contact'), '<sip:alice%40xmpp.example@192.0.2.1:5060>');
  assert.deepEqual(site.last.request.headers.all('Route'), ['<sip:p2.example;lr>', '<sip:p1.example;lr>']);
});

test('RFC 6665 s.4.4.4: the 2xx, which makes a dialog, says Allow-Events', async () => {
  assert.match(headerOf(await new Site().subscribe(), 'Allow-Events') ?? '', /\bpresence\b/);
});

test('RFC 6665 s.4.2.2: Subscription-State has always its expires, and a reason at the end', async () => {
  const { site, first } = await watching();
  await site.again(first, 2, { expires: 0 });
  for (const { state } of site.notified) assert.match(state, /^((pending|active);expires=\d+|terminated;reason=\w+)$/);
});

test('RFC 6665 s.4.2.1: a SUBSCRIBE in a dialog that we do not have is 481', async () => {
  const { site, first } = await watching();
  const cases = [
    { ...first, toTag: 'other' },
    { ...first, callId: 'other' },
  ];
  for (const dialog of cases) assert.equal((await site.again(dialog, 2)).status, 481);
  assert.equal((await site.again(first, 2, { from: `<${bob}>;tag=other` })).status, 481);
});

test('RFC 6665 s.4.1.3: a NOTIFY to no subscription of ours is 481', async () => {
  const site = new Site();
  const { request } = (await watching(site)).site.last;
  assert.equal((await site.send(request)).status, 481);
});

test('RFC 3261 s.12.2.2: a SUBSCRIBE out of order is 500 and changes nothing', async () => {
  const { site, first } = await watching();
  await site.again(first, 9, { expires: 300 });
  const before = site.notified.length;
  assert.equal((await site.again(first, 9, { expires: 0 })).status, 500);
  assert.equal((await site.again(first, 8, { expires: 0 })).status, 500);
  assert.equal(site.notified.length, before);
});

test('RFC 3261 s.12.2.2: a refresh may move the target', async () => {
  const { site, first } = await watching();
  await site.again(first, 2, { contact: '<sip:bob@192.0.2.77>' });
  assert.equal(site.last.request.uri, 'sip:bob@192.0.2.77');
});

test('RFC 6665 s.4.5.2: a second subscription in one dialog is refused', async () => {
  const { site, first } = await watching();
  assert.equal((await site.again(first, 2, { event: 'presence;id=other' })).status, 403);
  assert.equal((await site.again(first, 3)).status, 200);
});

test('RFC 3856 s.6.5: PIDF is the default and the favourite; who takes nothing that we have is told what there is', async () => {
  for (const [accept, type] of [
    [undefined, 'application/pidf+xml'],
    ['application/xpidf+xml, application/pidf+xml;q=0.5', 'application/pidf+xml'],
    ['application/xpidf+xml', 'application/xpidf+xml'],
    ['application/*', 'application/pidf+xml'],
    ['*/*', 'application/pidf+xml'],
  ] as const) {
    const { site } = await watching(new Site(), accept === undefined ? {} : { accept });
    assert.equal(site.last.request.headers.get('Content-Type'), type);
  }
  // RFC 3261 s.20.1: an empty Accept takes nothing.
  for (const accept of ['text/html, application/cpim-pidf+xml', '']) {
    const refused = await new Site().subscribe({ accept });
    assert.equal(refused.status, 406);
    assert.match(headerOf(refused, 'Accept') ?? '', /application\/pidf\+xml/);
  }
});

test('RFC 3856 s.6.10: changes are told at most once in five seconds, the first at once, and the last state wins', async () => {
  const { site } = await watching();
  await site.advance(10_000);
  const before = site.notified.length;
  const start = site.hub.now();
  for (let change = 1; change <= 30; change++) {
    await site.tell({ notes: { '': `state ${change}` } });
    await site.advance(200);
  }
  await site.advance(6000, 100);
  const told = site.notified.slice(before);
  assert.deepEqual(
    told.map(({ body }) => /state \d+/.exec(body)?.[0]),
    ['state 1', 'state 26', 'state 30'],
  );
  assert.ok((told[0]?.at ?? 0) - start < 200);
  for (const [index, { at }] of told.entries()) {
    if (index > 0) assert.ok(at - (told[index - 1]?.at ?? 0) >= 5000);
  }
});

test('RFC 3856 s.6.10: several devices that tell of themselves in one moment make one NOTIFY', async () => {
  const site = new Site();
  await site.subscribe();
  await site.approve();
  const before = site.notified.length;
  for (const device of ['a', 'b', 'c']) await site.tell({ from: parseAddress(`${alice};gr=${device}`) });
  await site.advance(60);
  assert.equal(site.notified.length, before + 1);
  assert.equal(site.last.body.match(/<tuple /g)?.length, 3);
});

test('RFC 3856 s.6.7: what makes no difference is not told, and documents have rising timestamps', async () => {
  const { site } = await watching();
  const stamp = () => Date.parse(/<timestamp>([^<]*)/.exec(site.last.body)?.[1] ?? '');
  const first = stamp();
  const before = site.notified.length;
  await site.tell();
  await site.advance(6000);
  assert.equal(site.notified.length, before);
  await site.tell({ availability: 'away' });
  await site.advance(100);
  assert.ok(stamp() > first);
});

test('RFC 6665 s.4.2.2: one NOTIFY at a time in a dialog; what happens meanwhile goes with the next', async () => {
  const { site } = await watching();
  await site.advance(10_000);
  const gate = Promise.withResolvers<number>();
  site.onNotify = () => gate.promise;
  const before = site.notified.length;
  await site.tell({ notes: { '': 'one' } });
  await site.advance(60);
  await site.tell({ notes: { '': 'two' } });
  await site.advance(8000);
  assert.equal(site.notified.length, before + 1);
  site.onNotify = () => 200;
  gate.resolve(200);
  await site.advance(5100);
  assert.equal(site.notified.length, before + 2);
  assert.match(site.last.body, /two/);
});

test('RFC 6665 s.4.2.2: 404 405 410 416 480-485 489 501 604 to a NOTIFY end the subscription, unasked for and untold', async () => {
  for (const status of [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]) {
    const { site, first } = await watching();
    site.onNotify = () => status;
    await site.tell({ availability: 'away' });
    await site.advance(5100);
    const before = site.notified.length;
    assert.equal((await site.again(first, 2)).status, 481, String(status));
    assert.equal(site.notified.length, before);
    assert.equal(site.hub.draftsOf('presence').at(-1)?.availability, 'unavailable');
    assert.equal([...site.hub.state.entries.keys()].filter((key) => key.startsWith('subscription/')).length, 0);
  }
});

test('RFC 6665 s.4.2.2: a NOTIFY that nobody answers in Timer F ends the subscription', async () => {
  const { site, first } = await watching();
  site.onNotify = () => {
    throw new GatewayError('unreachable', 'does not answer', { native: '408' });
  };
  await site.tell({ availability: 'away' });
  await site.advance(5100);
  assert.equal((await site.again(first, 2)).status, 481);
  assert.equal(site.hub.counters.get('subscriptions_lost_total{why=unreachable}'), 1);
});

test('RFC 6665 s.4.2.2: any other refusal keeps it; Retry-After is waited for', async () => {
  const { site, first } = await watching();
  await site.advance(10_000);
  site.onNotify = () => response(503, [['Retry-After', '60']]);
  await site.tell({ notes: { '': 'one' } });
  await site.advance(100);
  site.onNotify = () => 200;
  const before = site.notified.length;
  await site.tell({ notes: { '': 'two' } });
  await site.advance(55_000);
  assert.equal(site.notified.length, before);
  await site.advance(6000);
  assert.match(site.last.body, /two/);
  assert.equal((await site.again(first, 2)).status, 200);
});

test('RFC 3261 s.22.2: a challenge raises the CSeq, and the next NOTIFY goes on from there', async () => {
  const { site, first } = await watching();
  const before = Number(/\d+/.exec(site.last.request.headers.get('CSeq') ?? '')?.[0]);
  site.onSent = (request) => request.headers.set('CSeq', `${before + 3} NOTIFY`);
  await site.again(first, 2);
  site.onSent = undefined;
  await site.again(first, 3);
  assert.equal(site.last.request.headers.get('CSeq'), `${before + 4} NOTIFY`);
});

test('RFC 5839 s.6.3: a refresh by somebody who has this state already is 204, and no NOTIFY follows', async () => {
  const { site, first } = await watching();
  const etag = site.last.request.headers.get('SIP-ETag') ?? '';
  assert.notEqual(etag, '');
  const before = site.notified.length;
  const same = await site.again(first, 2, { expires: 300, more: [['Suppress-If-Match', etag]] });
  assert.equal(same.status, 204);
  assert.equal(headerOf(same, 'Expires'), '300');
  assert.equal(site.notified.length, before);
  await site.tell({ availability: 'away' });
  const other = await site.again(first, 3, { more: [['Suppress-If-Match', etag]] });
  assert.equal(other.status, 200);
  assert.equal(site.notified.length, before + 1);
  assert.notEqual(site.last.request.headers.get('SIP-ETag'), etag);
});

test('RFC 5839 s.6.2: a poll for a state that is known already has a NOTIFY without it, never 204', async () => {
  const { site } = await watching();
  const etag = site.last.request.headers.get('SIP-ETag') ?? '';
  for (const known of [etag, '*', 'another']) {
    const before = site.notified.length;
    const answer = await site.subscribe({ expires: 0, more: [['Suppress-If-Match', known]] });
    assert.equal(answer.status, 200);
    assert.equal(site.notified.length, before + 1);
    assert.equal(site.last.request.headers.get('SIP-ETag'), etag);
    assert.equal(site.last.body === '', known !== 'another', known);
    assert.equal(site.last.request.headers.has('Content-Type'), known === 'another');
  }
});

test('RFC 3261 s.12.1.1: a SUBSCRIBE without a Contact that a NOTIFY could go to is 400 and leaves nothing', async () => {
  const site = new Site();
  for (const contact of [
    '*',
    '<tel:+447700900123>',
    '<urn:service:sos>',
    '<sip:>',
    'nonsense',
    '<xmpp:bob@other.example>',
  ]) {
    await assert.rejects(site.subscribe({ contact }), SipParseError, contact);
  }
  assert.equal(site.hub.drafts.length, 0);
  assert.equal(site.hub.state.entries.size, 0);
});

test('RFC 3856 s.6.6.1: whoever proved to be somebody watches as nobody else, neither anew nor in a dialog of another', async () => {
  const native = '<sip:carol@native.example>;tag=c1';
  const site = new Site();
  assert.equal((await site.subscribe({ from: native, user: 'mallory' })).status, 403);
  const first = await site.subscribe({ from: native, user: 'carol' });
  assert.equal(first.status, 200);
  assert.equal((await site.again(first, 2, { from: native, user: 'mallory' })).status, 403);
  assert.equal((await site.again(first, 2, { from: native, user: 'carol@native.example' })).status, 200);
});

test('reference sip 3.13: a trusted proxy says who the watcher is, and the dialog keeps its From', async () => {
  const site = new Site();
  const from = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1';
  const asserted: ReadonlyArray<readonly [string, string]> = [['P-Asserted-Identity', `<${bob}>`]];
  await site.subscribe({ from, isTrusted: true, more: asserted });
  assert.equal(site.hub.draftsOf('subscription')[0]?.from, bob);
  assert.match(site.last.request.headers.get('To') ?? '', /anonymous\.invalid/);
  await site.subscribe({ from, more: asserted });
  assert.equal(site.hub.draftsOf('subscription')[1]?.from, 'sip:anonymous@anonymous.invalid');
});

test('RFC 5626 s.5.3: who came over a connection is told over it while it is open; over WebSocket there is no other way', async () => {
  const site = new Site();
  const flow = new FakeFlow(site.clock, 'WS', { address: '192.0.2.9', port: 40_000 });
  site.open.set(flow.id, flow);
  const via = 'SIP/2.0/WS x.invalid;branch=z9hG4bK1';
  const first = await site.subscribe({ flow, via, contact: '<sip:bob@x.invalid;transport=ws>' });
  assert.equal(site.last.flow, flow);
  await site.approve();
  await site.tell();
  await site.advance(60);
  const before = site.notified.length;
  site.open.clear();
  await site.tell({ availability: 'away' });
  await site.advance(6000);
  assert.equal(site.notified.length, before);
  const back = new FakeFlow(site.clock, 'WS');
  site.open.set(back.id, back);
  await site.again(first, 2, { flow: back, via, contact: '<sip:bob@x.invalid;transport=ws>' });
  assert.equal(site.last.flow, back);
  assert.match(site.last.body, /away/);
});

test('RFC 3581 s.4: a watcher behind a NAT is told where it was heard, one that is not at its Contact', async () => {
  const site = new Site();
  await site.subscribe({ contact: '<sip:bob@10.0.0.7:5070>' });
  assert.equal(site.last.flow?.remote.address, '192.0.2.9');
  await site.subscribe({ contact: '<sip:bob@192.0.2.9:5070>' });
  assert.equal(site.last.flow, undefined);
});

test('RFC 6665 s.4.1.4: a forked copy of a SUBSCRIBE makes a dialog of its own: both are told', async () => {
  const site = new Site();
  const one = await site.subscribe({ callId: 'forked' });
  const two = await site.subscribe({ callId: 'forked' });
  assert.notEqual(one.toTag, two.toTag);
  assert.equal((await site.again(one, 2)).status, 200);
  assert.equal((await site.again(two, 2)).status, 200);
});

test('RFC 8048 s.5.3: an approval while the answer is still being made is not lost', async () => {
  const site = new Site();
  site.hub.onPublish = async () => {
    site.hub.onPublish = undefined;
    await site.approve();
    return undefined;
  };
  await site.subscribe();
  assert.deepEqual(site.states, ['active']);
  const refused = new Site();
  refused.hub.onPublish = async () => {
    refused.hub.onPublish = undefined;
    await refused.approve('deny');
    return undefined;
  };
  await refused.subscribe();
  await settled();
  assert.equal(refused.last.state, 'terminated;reason=rejected');
  assert.deepEqual(await refused.rows(), []);
});

test('reference sip 2: the table for operators has a row a subscription, and no secret', async () => {
  const { site } = await watching();
  const [row, ...others] = await site.rows();
  assert.equal(others.length, 0);
  assert.deepEqual(row, {
    ...{ direction: 'inbound', event: 'presence', watcher: bob, presentity: alice, state: 'active' },
    ...{ expiresInSeconds: 600, notified: row?.notified, answer: 200 },
  });
  assert.match(String(row?.notified), /^2026-07-01T12:00:00/);
});

/** Who watches alice, `count` of them at each host, all of them let in. Says who was told since the last look. */
async function crowd(
  hosts: readonly string[],
  count: number,
): Promise<{ site: Site; change(): Promise<void>; told(): string[] }> {
  const site = new Site({ maxPerSource: 5000, maxUnprovenPerHost: 1000 });
  const watchers = hosts.flatMap((host) =>
    Array.from({ length: count }, (_, number) => ({ address: parseAddress(`sip:w${number}@${host}.example`), host })),
  );
  for (const { address, host } of watchers) {
    await site.subscribe({
      from: `<${address}>;tag=t`,
      contact: `<sip:w@${host}>`,
      flow: new FakeFlow(site.clock, 'UDP', { address: host, port: 5060 }),
      isTrusted: true,
    });
    await site.approve('approve', alice, address);
  }
  await site.advance(1000);
  let seen = site.notified.length;
  return {
    site,
    async change() {
      for (const { address } of watchers) await site.tell({ to: address });
    },
    told() {
      const news = site.notified.slice(seen).map(({ request }) => request.uri.replace(/.*@/, ''));
      seen = site.notified.length;
      return news;
    },
  };
}

const silence = new Promise<number>(() => {});

test('DESIGN 6: a storm has 200 NOTIFY under way at most and 100 to one destination, and everybody is told in turn', async () => {
  const { site, change, told } = await crowd(['192.0.2.1', '192.0.2.2', '192.0.2.3'], 150);
  const gate = Promise.withResolvers<number>();
  site.onNotify = () => gate.promise;
  await change();
  await site.advance(100, 10);
  const first = told();
  assert.equal(first.length, 200);
  for (const host of new Set(first)) assert.ok(first.filter((each) => each === host).length <= 100);
  gate.resolve(200);
  await site.advance(200, 10);
  assert.equal(told().length, 250);
});

test('DESIGN 6: a destination that answers nobody gets 200 NOTIFY and no more, and holds nobody else up', async () => {
  const [down, up] = ['192.0.2.1', '192.0.2.2'];
  const { site, change, told } = await crowd([down, up], 400);
  site.onNotify = (request) => (request.uri.endsWith(down) ? silence : 200);
  await change();
  await site.advance(5000, 50);
  const news = told();
  assert.equal(news.filter((host) => host === up).length, 400);
  assert.equal(news.filter((host) => host === down).length, 200);
});

test('DESIGN 6: phones that are gone hold nobody up behind a proxy that answers for the others', async () => {
  const { site, change, told } = await crowd(['192.0.2.1'], 600);
  let sent = 0;
  site.onNotify = () => (++sent % 3 === 0 ? silence : 200);
  await change();
  await site.advance(4000, 50);
  assert.equal(told().length, 600);
});
