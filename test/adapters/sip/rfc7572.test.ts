// RFC 7572 and RFC 3428 as the reference lists them (sip 3.2, 3.3): what no other test of messages has shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorElement } from '../../../adapters/xmpp/errors.ts';
import { fromEvent } from '../../../adapters/xmpp/mapping/from-event.ts';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { derivedEventId } from '../../../src/hub/ids.ts';
import { sampleEvent } from '../../peers/events.ts';
import { type PeerMessage, responseTo } from '../../peers/sip-peer.ts';
import { message, open, signal } from './adapter-fixtures.ts';

const idTokens = /^z9hG4bK[A-Za-z0-9.!%*_+`'~-]{16,}$/;
const branchOf = ({ header }: PeerMessage) => /;branch=([^;]+)/.exec(header('Via'))?.[1] ?? '';
const tagOf = ({ header }: PeerMessage) => /;tag=([^;]+)/.exec(header('From'))?.[1] ?? '';

test('RFC 7572 s.4, table 1: from is From with the resource as gr, to is To and Request-URI, there is no type and no CSeq to map', async (t) => {
  const { sip, peer } = await open(t);
  const from = parseAddress('sip:juliet%40xmpp.example@gw.example;gr=yn0cl4bnw0yr3vym');
  await sip.deliver(message(peer.uri, { from, text: { cs: 'Nic z obého' }, subject: { '': 'Dům' } }), signal);
  const [sent] = peer.heard as [PeerMessage];
  assert.match(sent.header('From'), /^<sip:juliet%40xmpp\.example@gw\.example;gr=yn0cl4bnw0yr3vym>;tag=/);
  assert.equal(sent.header('To'), `<${peer.uri}>`);
  assert.equal(sent.first, `MESSAGE ${peer.uri} SIP/2.0`);
  assert.deepEqual([sent.body, sent.header('Subject')], ['Nic z obého', 'Dům']);
  assert.equal(sent.header('CSeq'), '1 MESSAGE');
});

test('RFC 7572 s.5, table 2: Call-ID is the thread, From the sender with gr, Subject and Content-Language go along', async (t) => {
  const { ask, hub } = await open(t);
  const more = ['Subject: Dům', 'Content-Language: cs'];
  await ask({
    callId: '5A37A65D@s2x',
    from: '<sip:romeo@example.net;gr=dr4hcr0st3lup4c>;tag=v',
    more,
    body: 'Nic z obého',
  });
  const [draft] = hub.draftsOf('message');
  assert.deepEqual(draft && [draft.thread, draft.from, draft.to, draft.text, draft.subject], [
    '5A37A65D@s2x',
    'sip:romeo@example.net;gr=dr4hcr0st3lup4c',
    'sip:alice%40xmpp.example@gw.example',
    { cs: 'Nic z obého' },
    { cs: 'Dům' },
  ]);
});

test('RFC 7572 s.5: the type is normal where the operator keeps to the letter', () => {
  const event = sampleEvent('message', 'xmpp:a@b', 'xmpp:c@d', { text: { '': 'hi' }, wants: [] });
  const typeAs = (receivedAs: 'chat' | 'normal') =>
    fromEvent(event, { receivedAs, hasChatStates: true, now: 0 })?.attributes.type;
  assert.deepEqual([typeAs('normal'), typeAs('chat')], ['normal', 'chat']);
});

test('RFC 7572 s.6: a message that SIP cannot carry for its length is policy-violation to its sender', async (t) => {
  const { sip, peer } = await open(t, {}, { takesTcp: false });
  const error = await sip
    .deliver(message(peer.uri, { text: { '': 'x'.repeat(1301) } }), signal)
    .catch((e: unknown) => e);
  assert.ok(error instanceof GatewayError && error.isFinal);
  const { children } = errorElement(error.reason, error.message, error.fault);
  assert.equal(typeof children[0] === 'object' && children[0].name, 'policy-violation');
});

test('RFC 7572 s.8: the language goes both ways, and what is no language tag goes nowhere', async (t) => {
  const { sip, peer, ask, hub } = await open(t);
  await sip.deliver(message(peer.uri, { text: { 'de-CH': 'Grüezi' } }), signal);
  assert.equal(peer.heard[0]?.header('Content-Language'), 'de-CH');
  await ask({ more: ['Content-Language: fr, en'] });
  await ask({ more: ['Content-Language: "x y"'] });
  assert.deepEqual(
    hub.draftsOf('message').map(({ text }) => Object.keys(text)),
    [['fr'], ['']],
  );
});

test('reference sip 3.2: a thread never becomes a Call-ID, and stands in In-Reply-To where it was one', async (t) => {
  const { sip, peer } = await open(t);
  const threads = ['call-7@peer', 'ünïcode thread', 'two words', 'a@b@c', ''];
  for (const thread of threads) await sip.deliver(message(peer.uri, { thread }), signal);
  assert.deepEqual(
    peer.heard.map(({ header }) => header('In-Reply-To')),
    ['call-7@peer', '', '', '', ''],
  );
  assert.equal(new Set(peer.heard.map(({ header }) => header('Call-ID'))).size, threads.length);
  for (const heard of peer.heard) assert.ok(!threads.includes(heard.header('Call-ID')));
});

test('reference sip 3.2: another attempt of one message has a tag and a branch of its own, so that it is no merged request', async (t) => {
  const { sip, peer } = await open(t);
  const event = message(peer.uri);
  peer.onRequest = (request) => responseTo(request, '480 Later');
  await sip.deliver(event, signal).catch(() => {});
  peer.onRequest = (request) => responseTo(request, '200 OK');
  await sip.deliver(event, signal);
  const [first, second] = peer.heard as [PeerMessage, PeerMessage];
  assert.equal(first.header('Call-ID'), second.header('Call-ID'), 'receipts of either name the message');
  assert.notEqual(tagOf(first), tagOf(second));
  assert.notEqual(branchOf(first), branchOf(second));
});

test('reference sip 3.2: ids of the far network never reach the wire: branch and tag are fresh and long enough', async (t) => {
  const { sip, peer } = await open(t);
  for (let copy = 0; copy < 20; copy++)
    await sip.deliver(message(peer.uri, { nativeId: 'id;with"odd\r\nsigns' }), signal);
  const branches = peer.heard.map(branchOf);
  assert.equal(new Set(branches).size, 20);
  for (const branch of branches) assert.match(branch, idTokens);
  // RFC 3261 s.19.3: at least 32 bits.
  for (const heard of peer.heard) assert.match(tagOf(heard), /^[A-Za-z0-9.!%*_+`'~-]{8,}$/);
});

test('reference sip 3.2: the name of a message is a hash of Call-ID, CSeq, tag and Message-ID: the same for a copy, after a restart too', async (t) => {
  const keys: string[] = [];
  for (let restart = 0; restart < 2; restart++) {
    const { ask, hub } = await open(t);
    await ask({ callId: 'c1', cseq: 4, from: '<sip:bob@other.example>;tag=x', branch: `z9hG4bK${restart}` });
    keys.push(...hub.draftsOf('message').map(({ dedupeKey }) => dedupeKey ?? ''));
  }
  assert.equal(keys[0], keys[1]);
  const name = (key: string) => derivedEventId('sip', key);
  assert.equal(name(keys[0] ?? ''), name(keys[1] ?? ''));
  const others = ['c2|x|4||0', 'c1|y|4||0', 'c1|x|5||0', 'c1|x|4|m|0'].map(name);
  assert.equal(new Set([name(keys[0] ?? ''), ...others]).size, 5);
});

test('reference sip 2: a phone that reuses its names after it was switched off loses no text: the body counts too', async (t) => {
  const keys: string[] = [];
  for (const body of ['first', 'second']) {
    const { ask, hub } = await open(t);
    await ask({ callId: 'c1', cseq: 1, from: '<sip:bob@other.example>;tag=x', body });
    keys.push(...hub.draftsOf('message').map(({ dedupeKey }) => dedupeKey ?? ''));
  }
  assert.notEqual(keys[0], keys[1]);
});

test('RFC 3428 s.7: 6xx is a message that arrived and is not wanted: final, and no other way is tried', async (t) => {
  const { sip, peer } = await open(t);
  for (const status of [600, 603, 606]) {
    peer.onRequest = (request) => responseTo(request, `${status} No`);
    peer.heard.length = 0;
    const error = await sip.deliver(message(peer.uri), signal).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof GatewayError && error.isFinal === (status !== 600), `${status}`);
    assert.equal(peer.heard.length, 1);
  }
});

test('RFC 3428 s.4: 200 and 202 are both only taken: neither is told as delivered', async (t) => {
  const { sip, peer } = await open(t);
  for (const status of ['200 OK', '202 Accepted']) {
    peer.onRequest = (request) => responseTo(request, status);
    assert.deepEqual(await sip.deliver(message(peer.uri, { wants: ['delivered'] }), signal), { state: 'sent' });
  }
});

test('RFC 3428 s.7: Expires without Date counts from when the message came, and what has expired already says so', async (t) => {
  const { ask, hub } = await open(t);
  hub.clock = Date.parse('2026-07-01T10:00:00Z');
  await ask({ more: ['Expires: 60'] });
  await ask({ more: ['Date: Wed, 01 Jul 2026 09:00:00 GMT', 'Expires: 60'] });
  assert.deepEqual(
    hub.draftsOf('message').map(({ expiresAt }) => expiresAt),
    ['2026-07-01T10:01:00.000Z', '2026-07-01T09:01:00.000Z'],
  );
});
