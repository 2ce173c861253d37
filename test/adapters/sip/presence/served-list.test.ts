// Lists of presentities that we serve (RFC 4662, RFC 5367): one SUBSCRIBE for many people, and each of them asked on their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import type { Answer } from '../../../../adapters/sip/endpoint.ts';
import { GatewayError, parseAddress } from '../../../../src/contract/index.ts';
import { mediaTypeOf } from '../../../../src/formats/mime.ts';
import { decodePidf } from '../../../../src/formats/pidf/index.ts';
import { readListNotice } from '../../../../src/formats/rlmi.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { type Asking, alice, bob, headerOf, Site, settled } from '../watcher-fixtures.ts';

const dave = parseAddress('sip:dave%40xmpp.example@gw.example');
const rls = 'sip:rls@gw.example';

const listXml = (...uris: string[]) =>
  `<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${uris
    .map((uri) => `<entry uri="${uri}"/>`)
    .join('')}</list></resource-lists>`;

const asksFor = (uris: string[], more: Asking = {}): Asking => ({
  uri: rls,
  isTrusted: true,
  body: listXml(...uris),
  ...more,
  more: [
    ['Supported', 'eventlist'],
    ['Require', 'recipient-list-subscribe'],
    ['Content-Type', 'application/resource-lists+xml'],
    ['Content-Disposition', 'recipient-list'],
    ...(more.more ?? []),
  ],
});

const supports: Asking = { more: [['Supported', 'eventlist']] };

/** The last NOTIFY: `3 full alice active available, dave pending`. */
function told(site: Site): string {
  const { request } = site.last;
  const { rlmi, parts } = readListNotice({
    headers: [['Content-Type', request.headers.get('Content-Type') ?? '']],
    body: request.body,
  });
  const members = rlmi.resources.map(({ uri, instances }) => {
    const name = uri.replace(/^sip:|%40.*$/g, '');
    const [instance] = instances;
    if (!instance) return `${name} nothing`;
    const { state, reason, cid } = instance;
    const part = cid === undefined ? undefined : parts.get(cid);
    const basics = part ? decodePidf(part.body).tuples.map(({ basic }) => basic) : [];
    return [name, state, ...(reason === undefined ? [] : [reason]), ...basics].join(' ');
  });
  return `${rlmi.version} ${rlmi.fullState ? 'full' : 'partial'} ${members.join(', ')}`;
}

const tellOf = (site: Site, from: string, availability: 'available' | 'away' | 'unavailable', more = {}) =>
  site.tell({ from: parseAddress(`${from};gr=phone`), availability, ...more });

/** Both have said yes and are there; the last NOTIFY said so. */
async function watched(
  site = new Site(),
  asking: Asking = {},
): Promise<{ site: Site; first: Answer & { callId: string } }> {
  const first = await site.subscribe(asksFor([alice, dave], asking));
  for (const from of [alice, dave]) {
    await site.approve('approve', from);
    await tellOf(site, from, 'available');
  }
  await site.advance(6000);
  return { site, first };
}

test('RFC 4662 s.4.1: a list without Supported: eventlist is 421, which requires it', async () => {
  const lists = [{ uri: rls, members: [alice] }];
  const site = new Site({}, fakeHub(), {}, { lists });
  const answer = await site.subscribe({ uri: rls });
  assert.equal(answer.status, 421);
  assert.equal(headerOf(answer, 'Require'), 'eventlist');
  assert.equal(site.hub.drafts.length, 0);
});

test('RFC 4662 s.4.4: a list is answered 200 and told, both with Require: eventlist, and names every member at once', async () => {
  const site = new Site();
  const answer = await site.subscribe(asksFor([alice, dave]));
  assert.equal(answer.status, 200);
  assert.equal(headerOf(answer, 'Require'), 'eventlist');
  assert.equal(site.last.request.headers.get('Require'), 'eventlist');
  assert.match(site.last.state, /^active;expires=600$/);
  assert.equal(told(site), '0 full alice pending, dave pending');
  assert.deepEqual(
    site.hub.draftsOf('subscription').map(({ action, from, to }) => `${action} ${from} ${to}`),
    [`request ${bob} ${alice}`, `request ${bob} ${dave}`],
  );
});

test('RFC 4662 s.4.5: the RLMI is first in multipart/related, and each cid is a part of its own', async () => {
  const { site } = await watched();
  const type = mediaTypeOf({
    headers: [['Content-Type', site.last.request.headers.get('Content-Type') ?? '']],
    body: Buffer.of(),
  });
  assert.equal(type.type, 'multipart/related');
  assert.equal(type.parameters.get('type'), 'application/rlmi+xml');
  const [, rlmi = '', ...rest] = site.last.body.split(`--${type.parameters.get('boundary')}\r\n`);
  assert.match(rlmi, /Content-Type: application\/rlmi\+xml/);
  assert.ok(rlmi.includes(`Content-ID: ${type.parameters.get('start')}`));
  assert.ok(rest.every((part) => part.includes('Content-Type: application/pidf+xml')));
  const ids = [...site.last.body.matchAll(/Content-ID: <([^>]*)>/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
});

test('RFC 4662 s.5.2: the first version is 0 and whole, the next count up by one and name those with news alone', async () => {
  const site = new Site();
  await site.subscribe(asksFor([alice, dave]));
  assert.equal(told(site), '0 full alice pending, dave pending');
  await site.approve('approve', alice);
  await site.advance(6000);
  assert.equal(told(site), '1 partial alice active');
  await tellOf(site, alice, 'away');
  await site.advance(6000);
  assert.equal(told(site), '2 partial alice active open');
  await site.approve('approve', dave);
  await tellOf(site, dave, 'unavailable');
  await site.advance(6000);
  assert.equal(told(site), '3 partial dave active closed');
});

test('RFC 4662 s.4.5: the answer to a refresh is whole', async () => {
  const { site, first } = await watched();
  assert.equal((await site.again(first, 2, { ...supports, uri: rls })).status, 200);
  assert.match(told(site), /^\d+ full alice active open, dave active open$/);
});

test('RFC 4662 s.4.8: a list is told at most once in five seconds, of everybody at once, and the last state wins', async () => {
  const { site } = await watched();
  await site.advance(10_000);
  const before = site.notified.length;
  for (let change = 0; change < 20; change++) {
    await tellOf(site, change % 2 === 0 ? alice : dave, change % 4 < 2 ? 'away' : 'available', {
      notes: { '': `${change}` },
    });
    await site.advance(100);
  }
  await site.advance(6000);
  assert.equal(site.notified.length - before, 2);
  assert.match(told(site), /partial/);
  assert.match(site.last.body, />19</);
  assert.match(site.last.body, />18</);
});

test('RFC 4662 s.5.5: a member who says no is terminated and rejected, and the list goes on', async () => {
  const { site, first } = await watched();
  await site.approve('deny', dave);
  await site.advance(6000);
  assert.match(told(site), /partial dave terminated rejected$/);
  await tellOf(site, alice, 'away');
  await site.advance(6000);
  assert.match(told(site), /partial alice active open$/);
  await site.again(first, 2, { ...supports, uri: rls });
  assert.match(told(site), /full alice active open, dave terminated rejected$/);
});

test('RFC 8048 s.8.2: each member says yes on their own, and what one watcher is told is told to nobody else', async () => {
  const { site } = await watched();
  const carol = parseAddress('sip:carol@other.example');
  await site.subscribe(asksFor([alice], { from: `<${carol}>;tag=c1` }));
  assert.equal(told(site), '0 full alice pending');
  const before = site.notified.length;
  await tellOf(site, alice, 'away', { to: bob });
  await site.advance(6000);
  assert.deepEqual(
    site.notified.slice(before).map(({ request }) => request.headers.get('To')?.includes('carol')),
    [false],
  );
});

test('RFC 8048 s.5.1: who was let in by a member before needs no second yes in a list', async () => {
  const site = new Site();
  await site.subscribe();
  await site.approve();
  await tellOf(site, alice, 'available');
  await site.subscribe(asksFor([alice]));
  assert.equal(told(site), '0 full alice active open');
  assert.equal(site.hub.draftsOf('subscription').filter(({ action }) => action === 'request').length, 1);
});

test('RFC 8048 s.5.3.3: the end of a list is told to every member as unavailable', async () => {
  const { site, first } = await watched();
  await site.again(first, 2, { ...supports, uri: rls, expires: 0 });
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.deepEqual(
    site.hub.draftsOf('presence').map(({ from, to, availability }) => `${from} ${to} ${availability}`),
    [`${bob} ${alice} unavailable`, `${bob} ${dave} unavailable`],
  );
  assert.deepEqual(await site.rows(), []);
});

test('RFC 4662 s.4.4: a member whom the hub refuses for good is terminated, one that waits has no instance and is asked again', async () => {
  const site = new Site();
  site.hub.onPublish = ({ to }) => {
    if (to === alice) throw new GatewayError('not-found', 'nobody');
    if (to === dave) throw new GatewayError('unavailable', 'not now');
    return undefined;
  };
  const first = await site.subscribe(asksFor([alice, dave]));
  assert.equal(told(site), '0 full alice terminated noresource, dave nothing');
  site.hub.onPublish = undefined;
  await site.again(first, 2, { ...supports, uri: rls });
  assert.match(told(site), /full alice terminated noresource, dave pending$/);
});

test('reference sip 3.5: after a restart the same dialog goes on: a list is told whole, whoever waited is asked again, and nobody who said no', async () => {
  const site = new Site();
  const ed = parseAddress('sip:ed%40xmpp.example@gw.example');
  const first = await site.subscribe(asksFor([alice, dave, ed]));
  await site.approve('approve', alice);
  await site.approve('deny', ed);
  await tellOf(site, alice, 'available');
  await site.advance(6000);
  await site.restart();
  const asked = site.hub.drafts.length;
  await site.advance(1100);
  assert.deepEqual(
    site.hub.drafts.slice(asked).map((draft) => (draft.type === 'subscription' ? `${draft.action} ${draft.to}` : '')),
    [`fetch ${alice}`, `request ${dave}`],
  );
  await tellOf(site, alice, 'away');
  await site.advance(2000);
  assert.equal(site.last.request.headers.get('Call-ID'), first.callId);
  assert.match(told(site), /full alice active open, dave pending, ed terminated rejected$/);
  assert.equal((await site.again(first, 2, { ...supports, uri: rls })).status, 200);
});

test('RFC 4662 s.5.6.2: after a NOTIFY that was refused the next one is whole', async () => {
  const { site } = await watched();
  site.onNotify = () => 500;
  await tellOf(site, alice, 'away');
  await site.advance(6000);
  site.onNotify = () => 200;
  await tellOf(site, dave, 'away');
  await site.advance(6000);
  assert.match(told(site), /full alice active open, dave active open$/);
});

test('RFC 6665 s.4.4.3: a poll of a list brings one NOTIFY with everybody, and leaves nothing behind', async () => {
  const { site } = await watched();
  const { length } = await site.rows();
  await site.subscribe(asksFor([alice, dave], { expires: 0 }));
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.equal(told(site), '0 full alice active open, dave active open');
  assert.equal((await site.rows()).length, length);
});

test('RFC 5367 s.4: the list may be deflated, each entry counts once, and what points elsewhere is passed over', async () => {
  const site = new Site();
  const body = listXml(alice, dave, alice).replace(
    '</list>',
    `<list><entry uri="${alice}"/><external anchor="x"/></list><entry-ref ref="y"/></list>`,
  );
  const asking = asksFor([], { more: [['Content-Encoding', 'deflate']] });
  await site.subscribe({ ...asking, body: deflateSync(body) });
  assert.equal(told(site), '0 full alice pending, dave pending');
});

test('RFC 5367 s.5.1: a refresh with another list is 415; with the same one, as Linphone sends it, it is taken', async () => {
  const { site, first } = await watched();
  const to: Asking = { more: [['To', `<${rls}>;tag=${first.toTag}`]] };
  const same = asksFor([alice, dave], { callId: first.callId, cseq: 2, ...to });
  assert.equal((await site.answered(same)).status, 200);
  const other = asksFor([alice], { callId: first.callId, cseq: 3, ...to });
  assert.equal((await site.answered(other)).status, 415);
});

test('RFC 5363 s.5.2: a list is taken from whoever is trusted or proved to be somebody, and from nobody else', async () => {
  const site = new Site();
  assert.equal((await site.answered(asksFor([alice], { isTrusted: false }))).status, 403);
  assert.equal((await site.answered(asksFor([alice], { isTrusted: true }))).status, 200);
  const native: Asking = { from: '<sip:bob@native.example>;tag=n', isTrusted: false, user: 'bob' };
  assert.equal((await site.answered(asksFor([alice], native))).status, 200);
});

test('reference sip 3.4: what is no list, empty, too long or too much for one watcher is refused, and nobody is asked', async () => {
  const site = new Site({ maxListMembers: 2, maxPerWatcher: 3 });
  const three = [alice, dave, parseAddress('sip:ed%40xmpp.example@gw.example')];
  for (const [asking, status] of [
    [asksFor([]), 400],
    [{ ...asksFor([]), body: '<presence/>' }, 400],
    [{ ...asksFor([]), body: '<resource-lists><list>' }, 400],
    [asksFor(['no address']), 400],
    [asksFor(three), 413],
  ] as const) {
    assert.equal((await site.answered(asking)).status, status);
  }
  assert.equal(site.hub.drafts.length, 0);
  assert.equal((await site.answered(asksFor([alice, dave]))).status, 200);
  assert.equal((await site.answered(asksFor([alice, dave]))).status, 403);
  assert.equal((await site.answered(asksFor([alice]))).status, 200);
});

test('RFC 4662 s.3: a list of the configuration is watched like a person, by those who may, and its members as each allows', async () => {
  const uri = 'sip:sales@gw.example';
  const site = new Site({}, fakeHub(), {}, { lists: [{ uri, members: [alice, dave], watchers: [bob] }] });
  const carol = await site.answered({ uri, from: '<sip:carol@other.example>;tag=c', ...supports });
  assert.equal(carol.status, 403);
  assert.equal((await site.subscribe({ uri, ...supports })).status, 200);
  assert.equal(told(site), '0 full alice pending, dave pending');
  await site.approve('approve', alice);
  await site.restart();
  await site.advance(2200);
  assert.match(told(site), /full alice active, dave pending$/);
  await settled();
});

test('reference sip 2: operators see the members of a list, each with its own state', async () => {
  const { site } = await watched();
  await site.approve('deny', dave);
  const rows = (await site.rows()).filter(({ list }) => list === rls);
  assert.deepEqual(
    rows.map(({ presentity, state }) => `${presentity} ${state}`),
    [`${alice} active`, `${dave} terminated`],
  );
});

test('reference sip 2: Linphone is told of a list in its own dialect, after a restart too, and nobody else is', async () => {
  const userAgent = ['User-Agent', 'LinphoneAndroid/5.2 (Pixel) LinphoneSDK/5.3'] as const;
  const { site } = await watched(new Site(), { more: [userAgent] });
  const said = () => [
    site.last.request.headers.get('Event'),
    [...site.last.body.matchAll(/Content-Id: (\S+)/g)].every(([, id]) => !id?.includes('<')),
    site.last.body.includes('Content-ID'),
  ];
  assert.deepEqual(said(), ['Presence', true, false]);
  assert.match(told(site), /alice active open/, 'it reads as the standard has it');
  await site.restart();
  await tellOf(site, alice, 'away');
  await site.advance(10_000);
  assert.deepEqual(said(), ['Presence', true, false]);
  const { site: other } = await watched(new Site(), { more: [['User-Agent', 'baresip v1.0.0']] });
  assert.equal(other.last.request.headers.get('Event'), 'presence');
  assert.match(other.last.body, /Content-ID: </);
});
