// Receipts of messages that came in: IMDN where it was asked for, words where it could not be, and nobody told twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { type Cpim, headersIn, parseCpim } from '../../../src/formats/cpim.ts';
import { headerOf } from '../../../src/formats/mime.ts';
import { type PeerMessage, requestText, responseTo, startSipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { message, type Opened, open, receipt, signal } from './adapter-fixtures.ts';

const imdn = 'urn:ietf:params:imdn';
const isMessage = ({ first }: PeerMessage) => first.startsWith('MESSAGE');
const notificationsAt = ({ heard }: { heard: PeerMessage[] }) => [
  ...new Map(heard.filter(isMessage).map((one) => [one.header('Via'), one])).values(),
];
const statusOf = ({ body }: PeerMessage) => /<(\w+)-notification><status><(\w+)\/>/.exec(body)?.slice(1).join(' ');

function askingCpim(bob: string, wants: string, more: readonly string[] = []): string {
  return [
    `From: <${bob}>`,
    'To: <sip:alice%40xmpp.example@gw.example>',
    'DateTime: 2026-07-01T10:00:00Z',
    'NS: n <urn:ietf:params:imdn>',
    'n.Message-ID: m1',
    `n.Disposition-Notification: ${wants}`,
    ...more,
    '',
    'Content-Type: text/plain',
    '',
    'hi',
  ].join('\r\n');
}

async function asked(opened: Opened, wants: string, more: readonly string[] = [], from?: string) {
  const bob = `sip:bob@127.0.0.1:${opened.peer.port}`;
  const body = askingCpim(bob, wants, more);
  const { first } = await opened.ask({ from: `<${from ?? bob}>;tag=1`, type: 'message/cpim', body });
  assert.match(first, /202/);
  return bob;
}

test('RFC 5438 s.7.2.1: a receipt is an IMDN in CPIM to who asked, and says what was asked about', async (t) => {
  const opened = await open(t);
  const bob = await asked(opened, 'positive-delivery, negative-delivery');
  const event = receipt(bob, { of: 'm1', state: 'delivered' });
  await opened.sip.deliver(event, signal);
  const [sent] = notificationsAt(opened.peer) as [PeerMessage];
  assert.equal(sent.header('Content-Type'), 'message/cpim');
  const read: Cpim = parseCpim(Buffer.from(sent.body));
  assert.equal(headerOf(read.content, 'Content-Type'), 'message/imdn+xml');
  assert.equal(headerOf(read.content, 'Content-Disposition'), 'notification');
  assert.match(sent.body, /<message-id>m1<\/message-id><datetime>2026-07-01T10:00:00Z<\/datetime>/);
  assert.match(sent.body, /<recipient-uri>sip:alice%40xmpp\.example@gw\.example<\/recipient-uri>/);
  assert.equal(statusOf(sent), 'delivery delivered');
  assert.equal(headersIn(read, imdn, 'Message-ID')[0]?.value, event.id, 'its own Message-ID');
  assert.equal(headersIn(read, imdn, 'Disposition-Notification').length, 0, 'no IMDN for an IMDN');
  assert.deepEqual(opened.hub.draftsOf('message')[0]?.wants, ['delivered']);
});

test('RFC 5438 s.7.2.1: one notification of a kind, over a restart and whatever comes later; each status only if asked', async (t) => {
  const opened = await open(t);
  const bob = await asked(opened, 'positive-delivery, negative-delivery, display');
  const say = (more: Parameters<typeof receipt>[1]) => opened.sip.deliver(receipt(bob, more), signal);
  await say({ of: 'm1', state: 'delivered' });
  await say({ of: 'm1', state: 'delivered' });
  await say({ of: 'm1', state: 'failed', reason: 'unavailable' });
  await say({ of: 'm1', state: 'displayed' });
  await say({ of: 'm1', state: 'displayed' });
  assert.deepEqual(notificationsAt(opened.peer).map(statusOf), ['delivery delivered', 'display displayed']);
  const other = await open(t);
  const carol = await asked(other, 'negative-delivery');
  for (const state of ['sent', 'delivered', 'displayed', 'unknown'] as const) {
    await other.sip.deliver(receipt(carol, { of: 'm1', state }), signal);
  }
  assert.equal(notificationsAt(other.peer).length, 0);
});

for (const [reason, status] of [
  ['not-allowed', 'forbidden'],
  ['internal', 'error'],
  ['not-found', 'failed'],
  ['expired', 'failed'],
] as const) {
  test(`RFC 5438 s.12.1.3.1: after 2xx a failure learnt later is negative-delivery: ${reason} is ${status}`, async (t) => {
    const opened = await open(t);
    const bob = await asked(opened, 'negative-delivery');
    const state = reason === 'expired' ? 'expired' : 'failed';
    await opened.sip.deliver(receipt(bob, { of: 'm1', state, reason }), signal);
    assert.deepEqual(notificationsAt(opened.peer).map(statusOf), [`delivery ${status}`]);
  });
}

test('RFC 5438 s.12.1.3.1: after a non-2xx there is no negative-delivery', async (t) => {
  const opened = await open(t, { holdMs: 3000 });
  const bob = `sip:bob@127.0.0.1:${opened.peer.port}`;
  const body = askingCpim(bob, 'negative-delivery');
  const answer = opened.ask({ from: `<${bob}>;tag=1`, type: 'message/cpim', body });
  await opened.hub.untilDraft();
  await opened.sip.deliver(receipt(bob, { of: 'm1', state: 'failed', reason: 'not-found' }), signal);
  assert.match((await answer).first, /404/);
  assert.equal(notificationsAt(opened.peer).length, 0);
});

test('RFC 5438 s.12.2: a gateway is an intermediary: what it has passed on is processed, and a 2xx never is delivered', async (t) => {
  const opened = await open(t);
  const bob = await asked(opened, 'processing, positive-delivery');
  assert.deepEqual(opened.hub.draftsOf('message')[0]?.wants, ['delivered', 'sent']);
  await opened.sip.deliver(receipt(bob, { of: 'm1', state: 'sent' }), signal);
  await opened.sip.deliver(receipt(bob, { of: 'm1', state: 'sent' }), signal);
  assert.deepEqual(notificationsAt(opened.peer).map(statusOf), ['processing processed']);
  const taken = await opened.sip.deliver(message(opened.peer.uri, { wants: ['delivered'] }), signal);
  assert.deepEqual(taken, { state: 'sent' });
});

test('RFC 5438 s.7.2.1: IMDN-Record-Route becomes IMDN-Route in its order, and the first is where it goes', async (t) => {
  const opened = await open(t);
  const relay = await startSipPeer();
  t.after(() => relay.stop());
  const routes = [`<sip:relay@127.0.0.1:${relay.port}>`, '<sip:second@relay.example>'];
  const bob = await asked(
    opened,
    'display',
    routes.map((route) => `n.IMDN-Record-Route: ${route}`),
  );
  await opened.sip.deliver(receipt(bob, { of: 'm1', state: 'displayed' }), signal);
  const [sent] = notificationsAt(relay) as [PeerMessage];
  assert.equal(sent.first, `MESSAGE sip:relay@127.0.0.1:${relay.port} SIP/2.0`);
  const read = parseCpim(Buffer.from(sent.body));
  assert.deepEqual(
    headersIn(read, imdn, 'IMDN-Route').map(({ value }) => value),
    routes,
  );
  assert.equal(headersIn(read, imdn, 'IMDN-Record-Route').length, 0);
  assert.equal(notificationsAt(opened.peer).length, 0);
});

test('RFC 5438 s.12.1.1: who is anonymous gets no notification and no notice', async (t) => {
  const opened = await open(t);
  await asked(opened, 'positive-delivery, negative-delivery', [], 'sip:anonymous@anonymous.invalid');
  for (const state of ['delivered', 'failed'] as const) {
    await opened.sip.deliver(receipt('sip:anonymous@anonymous.invalid', { of: 'm1', state }), signal);
  }
  assert.equal(opened.hub.state.entries.size, 0);
  assert.equal(notificationsAt(opened.peer).length, 0);
});

test('RFC 5438 s.7.2.1: an IMDN that asks for an IMDN is a receipt and nothing else', async (t) => {
  const { ask, hub, sip, peer } = await open(t);
  const bob = `sip:bob@127.0.0.1:${peer.port}`;
  const document =
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>e1</message-id><delivery-notification><status><delivered/></status></delivery-notification></imdn>';
  const body = askingCpim(bob, 'positive-delivery').replace(
    'text/plain\r\n\r\nhi',
    `message/imdn+xml\r\n\r\n${document}`,
  );
  await ask({ from: `<${bob}>;tag=1`, type: 'message/cpim', body });
  assert.deepEqual(
    hub.drafts.map(({ type }) => type),
    ['receipt'],
  );
  await sip.deliver(receipt(bob, { of: 'm1', state: 'delivered' }), signal);
  assert.equal(notificationsAt(peer).length, 0);
});

test('reference sip 3.12: IMDN failed, forbidden and error are a failed receipt with words, each kind once', async (t) => {
  const { ask, hub } = await open(t);
  const document = (status: string, more = '') =>
    `<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>e1</message-id><delivery-notification><status><${status}/></status></delivery-notification>${more}</imdn>`;
  const reason = '<reason xmlns="http://www.linphone.org/xsds/imdn.xsd" code="488">Not acceptable here</reason>';
  const bodies = [document('failed'), document('forbidden'), document('error'), document('failed', reason)];
  for (const body of bodies) await ask({ type: 'message/imdn+xml', body });
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ of, reason: why, text, dedupeKey }) => [of, why, text, dedupeKey]),
    [
      ['e1', 'unavailable', 'it did not reach the recipient', 'imdn|sip:bob@other.example|e1|failed'],
      ['e1', 'not-allowed', 'the recipient does not want it', 'imdn|sip:bob@other.example|e1|failed'],
      ['e1', 'internal', 'nobody there knows what became of it', 'imdn|sip:bob@other.example|e1|failed'],
      ['e1', 'unavailable', 'Not acceptable here', 'imdn|sip:bob@other.example|e1|failed'],
    ],
  );
});

test('reference sip 3.12: the failure that Linphone reports of a CPIM attempt it refused is not that of the message', async (t) => {
  const { sip, ask, hub, peer } = await open(t);
  peer.onRequest = (request) =>
    responseTo(request, request.header('Content-Type') === 'message/cpim' ? '488 Not acceptable here' : '200 OK');
  await sip.deliver(message(peer.uri, { wants: ['delivered'] }), signal);
  const [refused, plain] = notificationsAt(peer) as [PeerMessage, PeerMessage];
  const document = (id: string, status: string) =>
    `<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>${id}</message-id><delivery-notification><status><${status}/></status></delivery-notification></imdn>`;
  const say = (id: string, status: string) => ask({ type: 'message/imdn+xml', body: document(id, status) });
  assert.match((await say(refused.header('Call-ID'), 'failed')).first, /200/);
  await say(plain.header('Call-ID'), 'delivered');
  await say(refused.header('Call-ID'), 'delivered');
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
    [
      [plain.header('Call-ID'), 'delivered'],
      [plain.header('Call-ID'), 'delivered'],
    ],
  );
});

test('reference sip 3.12: who refuses CPIM gets the document bare, who refuses that too is left alone', async (t) => {
  const opened = await open(t);
  const bob = await asked(opened, 'positive-delivery, display');
  const types: string[] = [];
  opened.peer.onRequest = (request) => {
    types.push(request.header('Content-Type'));
    return responseTo(request, request.header('Content-Type') === 'message/cpim' ? '488 No' : '200 OK');
  };
  await opened.sip.deliver(receipt(bob, { of: 'm1', state: 'delivered' }), signal);
  await opened.sip.deliver(receipt(bob, { of: 'm1', state: 'displayed' }), signal);
  assert.deepEqual([...new Set(types)], ['message/cpim', 'message/imdn+xml']);
  const other = await open(t);
  const carol = await asked(other, 'positive-delivery, display');
  other.peer.onRequest = (request) => responseTo(request, '415 No');
  for (const state of ['delivered', 'displayed'] as const) {
    await other.sip.deliver(receipt(carol, { of: 'm1', state }), signal);
  }
  assert.deepEqual(
    notificationsAt(other.peer).map(({ header }) => header('Content-Type')),
    ['message/cpim', 'message/imdn+xml'],
  );
});

test('reference sip 3.12: who sends notifications unasked and bare (Linphone) is sent them so, by the Call-ID', async (t) => {
  const { ask, sip, hub, peer } = await open(t, { peers: { ask: true } });
  const bob = peer.uri;
  await sip.deliver(message(bob), signal);
  await peer.until(({ first }) => first.startsWith('OPTIONS'));
  const document =
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>e1</message-id><delivery-notification><status><delivered/></status></delivery-notification></imdn>';
  await ask({ from: `<${bob}>;tag=1`, type: 'message/imdn+xml', body: document });
  await ask({ from: `<${bob}>;tag=1`, callId: 'of-linphone', body: 'hi' });
  await sip.deliver(receipt(bob, { of: 'of-linphone', state: 'displayed' }), signal);
  const sent = notificationsAt(peer).at(-1) as PeerMessage;
  assert.equal(sent.header('Content-Type'), 'message/imdn+xml');
  assert.match(sent.body, /<message-id>of-linphone<\/message-id>/);
  const stranger = 'sip:mallory@other.example';
  await ask({ from: `<${stranger}>;tag=1`, type: 'message/imdn+xml', body: document });
  assert.ok(![...hub.state.entries.keys()].some((key) => key.includes('mallory')), 'a stranger is not kept');
});

test('reference sip 2: a flood of good news to one peer is cut short, bad news is not', async (t) => {
  const opened = await open(t);
  opened.hub.clock = Date.parse('2026-07-01T10:00:00Z');
  const { hub, sip, peer, ask } = opened;
  const bob = `sip:bob@127.0.0.1:${peer.port}`;
  for (let index = 0; index < 60; index++) {
    const body = askingCpim(bob, 'positive-delivery, negative-delivery').replace('m1', `m${index}`);
    await ask({ from: `<${bob}>;tag=1`, type: 'message/cpim', body });
  }
  for (let index = 0; index < 55; index++)
    await sip.deliver(receipt(bob, { of: `m${index}`, state: 'delivered' }), signal);
  await sip.deliver(receipt(bob, { of: 'm59', state: 'failed' }), signal);
  assert.equal(notificationsAt(peer).length, 51);
  assert.equal(hub.counters.get('notifications_left_out_total{status=delivered}'), 5);
});

test('reference sip 2: who could not ask is told a later failure in words, unless notices are off', async (t) => {
  const told = await open(t);
  const silent = await open(t, { notices: false });
  for (const { ask, sip, peer } of [told, silent]) {
    const bob = `sip:bob@127.0.0.1:${peer.port}`;
    await ask({ from: `<${bob}>;tag=1`, callId: 'c1' });
    await sip.deliver(receipt(bob, { of: 'c1', state: 'delivered' }), signal);
    await sip.deliver(receipt(bob, { of: 'c1', state: 'expired', text: 'nobody took it for three days' }), signal);
  }
  assert.deepEqual(
    told.peer.heard.filter(isMessage).map(({ body }) => body),
    ['Your message to alice%40xmpp.example@gw.example was not delivered: nobody took it for three days'],
  );
  assert.equal(silent.peer.heard.filter(isMessage).length, 0);
});

test('RFC 3862 s.3.5: CPIM that requires what we do not know is 488, what we know is taken', async (t) => {
  const { ask, hub } = await open(t);
  const bob = 'sip:bob@other.example';
  const refused = await ask({ type: 'message/cpim', body: askingCpim(bob, '', ['Require: n.Message-ID, n.Vital']) });
  assert.equal(refused.first, 'SIP/2.0 488 CPIM requires n.Vital');
  const taken = await ask({ type: 'message/cpim', body: askingCpim(bob, '', ['Require: n.Message-ID,Subject']) });
  assert.match(taken.first, /202/);
  assert.equal(hub.drafts.length, 1);
});

test('reference sip 3.12: a deflated document that would be ten megabytes is 413', async (t) => {
  const { peer, port, hub } = await open(t);
  const body = deflateSync(Buffer.alloc(10 * 1024 * 1024, 32));
  const text = requestText({
    port: peer.port,
    callId: 'bomb',
    type: 'message/imdn+xml',
    body: 'x',
    more: ['Content-Encoding: deflate'],
  });
  const head = text.slice(0, -1).replace('Content-Length: 1', `Content-Length: ${body.length}`);
  peer.sendUdp(Buffer.concat([Buffer.from(head), body]), port);
  await until(() => peer.heard.some(({ first }) => /^SIP\/2\.0 413/.test(first)), 'refused');
  assert.equal(hub.drafts.length, 0);
});
