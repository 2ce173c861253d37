// What is learnt of peers: from refusals and OPTIONS, for a while, over a restart, and what the operator pins.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type SipResponse } from '../../../adapters/sip/codec/message.ts';
import type { SipAdapter } from '../../../adapters/sip/index.ts';
import { type Ability, abilities, Peers } from '../../../adapters/sip/peers.ts';
import { saidInOptions, saidInRefusal } from '../../../adapters/sip/said.ts';
import type { ViewRow } from '../../../src/contract/index.ts';
import { MemoryState } from '../../peers/hub.ts';
import { type PeerMessage, responseTo, type SipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { create, message, open, type Settings, signal, typing } from './adapter-fixtures.ts';

const isMessage = ({ first }: PeerMessage) => first.startsWith('MESSAGE');
const typeOf = ({ header }: PeerMessage) => header('Content-Type').replace(/;.*/, '');
/** Types of the attempts, copies left out. */
const typesAt = (peer: SipPeer) =>
  [...new Map(peer.heard.filter(isMessage).map((heard) => [heard.header('Via'), heard])).values()].map(typeOf);
/** A phone that takes these types. */
const takes =
  (...types: string[]) =>
  (request: PeerMessage) =>
    responseTo(request, types.includes(typeOf(request)) ? '200 OK' : '415 Unsupported Media Type');
const rowsOf = ({ views }: SipAdapter): Promise<ViewRow[]> => Array.fromAsync(views.peers?.() ?? []);
const rich = { html: '<p>hello <b>you</b></p>' };
const pinned = (pin: NonNullable<NonNullable<Settings['peers']>['pinned']>[number]): Settings => ({
  peers: { ask: false, pinned: [pin] },
});

test('reference sip 2: message/cpim refused with 415, 488 or 406 goes as text/plain, at once and from then on', async (t) => {
  for (const status of ['415 Unsupported', '488 Not Acceptable Here', '406 Not Acceptable']) {
    const { sip, peer } = await open(t);
    peer.onRequest = (request) => responseTo(request, typeOf(request) === 'message/cpim' ? status : '200 OK');
    for (let count = 0; count < 2; count++) await sip.deliver(message(peer.uri, { wants: ['delivered'] }), signal);
    assert.deepEqual(typesAt(peer), ['message/cpim', 'text/plain', 'text/plain']);
  }
});

test('reference sip 2: a refusal that plain text gets too says nothing of CPIM', async (t) => {
  const { sip, peer } = await open(t);
  peer.onRequest = (request) => responseTo(request, '488 No');
  await assert.rejects(sip.deliver(message(peer.uri, { wants: ['delivered'] }), signal));
  peer.onRequest = (request) => responseTo(request, '200 OK');
  await sip.deliver(message(peer.uri, { wants: ['delivered'] }), signal);
  assert.deepEqual(typesAt(peer), ['message/cpim', 'text/plain', 'message/cpim']);
});

test('reference sip 2: what was learnt is durable, shown, and forgotten after rememberMs', async (t) => {
  const { sip, hub, peer } = await open(t);
  hub.clock = Date.parse('2026-07-01T12:00:00Z');
  peer.onRequest = takes('text/plain');
  await sip.deliver(message(peer.uri, { wants: ['delivered'] }), signal);
  await sip.stop();
  const next = create();
  t.after(() => next.stop());
  await next.start(hub);
  await next.deliver(message(peer.uri, { wants: ['delivered'] }), signal);
  assert.deepEqual(typesAt(peer), ['message/cpim', 'text/plain', 'text/plain']);
  assert.deepEqual(await rowsOf(next), [
    { peer: peer.uri, ability: 'cpim', verdict: 'refuses it', from: '415', until: '2026-07-02T12:00:00.000Z' },
  ]);
  hub.clock += 86_400_001;
  await next.deliver(message(peer.uri, { wants: ['delivered'] }), signal);
  assert.deepEqual(typesAt(peer).slice(3), ['message/cpim', 'text/plain']);
});

test('RFC 3261 s.11: a peer is asked once what it takes, behind the first message that it took', async (t) => {
  const { sip, hub, peer } = await open(t, { peers: { ask: true } });
  hub.clock = Date.parse('2026-07-01T12:00:00Z');
  peer.onRequest = (request) =>
    responseTo(request, '200 OK', [
      'Accept: text/plain, text/html;level=1, multipart/alternative',
      'Allow: MESSAGE, OPTIONS, SUBSCRIBE',
    ]);
  await sip.deliver(message(peer.uri, rich), signal);
  const question = await peer.until(({ first }) => first.startsWith('OPTIONS'));
  assert.equal(question.first, `OPTIONS ${peer.uri} SIP/2.0`);
  await until(async () => (await rowsOf(sip)).length > 0, 'learnt');
  await sip.deliver(message(peer.uri, rich), signal);
  assert.deepEqual(typesAt(peer), ['text/plain', 'multipart/alternative']);
  assert.match(peer.heard.at(-1)?.body ?? '', /text\/plain[\s\S]*\r\nhello\r\n[\s\S]*text\/html[\s\S]*<b>you<\/b>/);
  const rows = await rowsOf(sip);
  assert.deepEqual(rows.map(({ ability, verdict, from }: ViewRow) => [ability, verdict, from].join(' ')).sort(), [
    'html takes it OPTIONS',
    'message takes it OPTIONS',
    'multipart takes it OPTIONS',
    'presence takes it OPTIONS',
    'publish refuses it OPTIONS',
  ]);
  const questions = new Set(peer.heard.filter(({ first }) => first.startsWith('OPTIONS')).map(({ text }) => text));
  assert.equal(questions.size, 1);
});

test('reference sip 5.5: who does not answer OPTIONS, or is many, costs no more than a few questions', async (t) => {
  const { sip, peer } = await open(t, { peers: { ask: true } });
  const asked = new Set<string>();
  peer.onRequest = (request) => {
    if (isMessage(request)) return responseTo(request, '200 OK');
    asked.add(request.header('Call-ID'));
    return undefined;
  };
  for (let person = 0; person < 20; person++) {
    await sip.deliver(message(peer.uri.replace('bob', `bob${person}`)), signal);
  }
  await until(() => asked.size > 0, 'asked');
  assert.ok(asked.size <= 8, `${asked.size} at the same time`);
});

test('RFC 7572 s.7: markup goes to nobody who has not said that they take it, and back to plain text when it is refused', async (t) => {
  const stranger = await open(t);
  await stranger.sip.deliver(message(stranger.peer.uri, rich), signal);
  assert.deepEqual(typesAt(stranger.peer), ['text/plain']);
  const known = await open(t, pinned({ domain: '127.0.0.1', html: true }));
  await known.sip.deliver(message(known.peer.uri, { ...rich, wants: ['delivered'] }), signal);
  assert.match(known.peer.heard[0]?.body ?? '', /Content-Type: text\/html;charset=UTF-8\r\n\r\n<p>hello/);
  known.peer.onRequest = takes('text/plain');
  await known.sip.deliver(message(known.peer.uri, rich), signal);
  assert.deepEqual(typesAt(known.peer), ['message/cpim', 'text/html', 'text/plain']);
});

test('RFC 3428 s.8: what is too long with its markup goes without it where TCP is refused', async (t) => {
  const settings = pinned({ domain: '*', html: true });
  const { sip, peer } = await open(t, settings, { takesTcp: false });
  await sip.deliver(message(peer.uri, { html: `<p>${'x'.repeat(1300)}</p>` }), signal);
  assert.deepEqual(typesAt(peer), ['text/plain']);
});

test('reference sip 5.5: a pin beats what was learnt, by domain and pattern, and the first that says anything counts', async () => {
  const state = new MemoryState();
  const pins = [
    { domain: 'pbx.example', cpim: false },
    { domain: '*.example', cpim: true, typing: false },
    { domain: '*', html: true },
  ];
  const peers = new Peers({ state, now: () => 0, pins, rememberMs: 1000 });
  const verdicts = (peer: string) =>
    Promise.all((['cpim', 'typing', 'html'] as const).map((it) => peers.takes(peer, it)));
  assert.deepEqual(await verdicts('sip:bob@pbx.example:5070;gr=x'), [false, false, true]);
  assert.deepEqual(await verdicts('sip:bob@Far.example'), [true, false, true]);
  assert.deepEqual(await verdicts('sip:bob@example'), [undefined, undefined, true]);
  await peers.learn('sip:bob@pbx.example', { cpim: true, imdn: false }, '415');
  assert.deepEqual(await verdicts('sip:bob@pbx.example'), [false, false, true]);
  const rows = await Array.fromAsync(peers.rows());
  assert.deepEqual(
    rows.map(({ peer, ability, until: to }) => [peer, ability, to].join(' ')),
    [
      'pbx.example cpim pinned',
      '*.example cpim pinned',
      '*.example typing pinned',
      '* html pinned',
      'sip:bob@pbx.example imdn 1970-01-01T00:00:01.000Z',
    ],
  );
});

function response(status: number, ...headers: string[]): SipResponse {
  const copied = ['Via: SIP/2.0/UDP x;branch=z9hG4bK1', 'From: <sip:a@b>', 'To: <sip:a@b>', 'Call-ID: x', 'CSeq: 1 X'];
  const decoded = decodeMessage(Buffer.from([`SIP/2.0 ${status} x`, ...copied, ...headers, '', ''].join('\r\n')));
  return decoded.kind === 'response' ? decoded : assert.fail('a request');
}

test('reference sip 2: a provider that answers 405, 489 or 501 is not asked again, and 415 counts for the type that was sent', () => {
  const said = (status: number, method: string, sent: Ability[] = [], ...headers: string[]) =>
    saidInRefusal(response(status, ...headers), method, sent);
  assert.deepEqual(said(501, 'PUBLISH'), { publish: false });
  assert.deepEqual(said(489, 'SUBSCRIBE'), { presence: false });
  assert.deepEqual(said(405, 'MESSAGE', [], 'Allow: INVITE, SUBSCRIBE'), {
    message: false,
    presence: true,
    publish: false,
  });
  assert.deepEqual(said(415, 'MESSAGE', ['cpim'], 'Accept: text/plain'), { cpim: false });
  assert.deepEqual(said(415, 'MESSAGE', ['html'], 'Accept: text/plain', 'Accept: message/cpim'), {
    html: false,
    cpim: true,
  });
  assert.deepEqual(
    said(415, 'MESSAGE', ['cpim'], 'Accept: Message/CPIM'),
    { cpim: true },
    'it is about what was inside',
  );
  assert.deepEqual(said(480, 'MESSAGE', ['cpim'], 'Accept: text/plain'), {});
});

test('RFC 3261 s.11.2: Accept in an answer to OPTIONS counts for what it names, Allow for what it leaves out too', () => {
  assert.deepEqual(saidInOptions(response(200, 'Accept: application/sdp')), {});
  assert.deepEqual(
    saidInOptions(response(200, 'Accept: application/im-iscomposing+xml, message/imdn+xml', 'Allow: PUBLISH')),
    {
      typing: true,
      imdn: true,
      message: false,
      presence: false,
      publish: true,
    },
  );
  assert.deepEqual(saidInOptions(response(404, 'Allow: MESSAGE')), {});
});

test('reference sip 5.5: strangers cost a bounded memory and no place in the store', async () => {
  const state = new MemoryState();
  const peers = new Peers({ state, now: () => 0, pins: [], rememberMs: 1000 });
  for (let index = 0; index < 20_000; index++) {
    for (const ability of abilities.slice(0, 2)) await peers.takes(`sip:${index}@x`, ability);
  }
  assert.equal(state.entries.size, 0);
});

test('RFC 3994 s.4: after 415 isComposing is not sent again until rememberMs is over', async (t) => {
  const { sip, peer, hub } = await open(t);
  hub.clock = 1_000_000;
  const say = (state: 'composing' | 'paused' | 'gone') => sip.deliver(typing(peer.uri, state), signal);
  peer.onRequest = takes('text/plain');
  await say('composing');
  await say('paused');
  hub.clock += 61_000;
  await say('composing');
  assert.equal(typesAt(peer).length, 1);
  hub.clock += 86_400_000;
  await say('composing');
  assert.equal(typesAt(peer).length, 2);
});
