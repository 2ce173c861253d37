// What other gateways get wrong (reference sip 1.3), one test a defect, as far as it can be had here.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { options } from '../../../adapters/sip/config.ts';
import { toPresenceEvent } from '../../../adapters/xmpp/mapping/presence.ts';
import { toEvents } from '../../../adapters/xmpp/mapping/to-events.ts';
import { errorReply } from '../../../adapters/xmpp/replies.ts';
import { type EventOf, GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { parseXml } from '../../../src/formats/xml.ts';
import { type PeerMessage, requestText, responseTo } from '../../peers/sip-peer.ts';
import { message, open, receipt, signal, typing } from './adapter-fixtures.ts';
import { Site, watching } from './watcher-fixtures.ts';

const stanza = (text: string) => parseXml(text.replace(/^<(\w+) /, "<$1 xmlns='jabber:component:accept' "));
const messagesAt = ({ heard }: { heard: PeerMessage[] }) => heard.filter(({ first }) => first.startsWith('MESSAGE'));

/** A request over a connection of its own; the first line of the final response. */
async function askOverTcp(text: string, port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  try {
    for await (const chunk of socket) {
      const status = /^SIP\/2\.0 [2-6].*/m.exec(String(chunk));
      if (status) return status[0];
    }
    return 'closed';
  } finally {
    socket.destroy();
  }
}

test('reference sip 1.3: messages of one From tag are told apart', async (t) => {
  const { ask, hub } = await open(t);
  for (const callId of ['one', 'two', 'three']) await ask({ callId, from: '<sip:bob@other.example>;tag=same' });
  const drafts = hub.draftsOf('message');
  assert.equal(new Set(drafts.map(({ dedupeKey }) => dedupeKey)).size, 3);
  assert.equal(new Set(drafts.map(({ nativeId }) => nativeId)).size, 3);
});

test('reference sip 1.3: an error of the far network is the answer, or told later, and never dropped', async (t) => {
  const { ask, hub, sip, peer } = await open(t, { holdMs: 3000 });
  const bob = `sip:bob@127.0.0.1:${peer.port}`;
  const fault = { condition: 'item-not-found' } as const;
  const answer = ask({ callId: 'c1', from: `<${bob}>;tag=1` });
  await hub.untilDraft();
  await sip.deliver(
    receipt(bob, { of: 'c1', state: 'failed', reason: 'not-found', text: 'no such user', fault }),
    signal,
  );
  assert.equal((await answer).first, 'SIP/2.0 604 no such user');
  await sip.deliver(
    receipt(bob, { of: 'c2', state: 'failed', reason: 'not-found', text: 'no such user', fault }),
    signal,
  );
  assert.match(messagesAt(peer)[0]?.body ?? '', /was not delivered: no such user$/);
});

test('reference sip 1.3: devices keep their names, both ways', async (t) => {
  const { ask, hub, sip, peer } = await open(t);
  await ask({ from: '<sip:bob@other.example;gr=desk>;tag=1', uri: 'sip:alice@gw.example;gr=phone%20one' });
  assert.deepEqual(
    hub.drafts.map(({ from, to }) => [from, to]),
    [['sip:bob@other.example;gr=desk', 'sip:alice@gw.example;gr=phone%20one']],
  );
  const from = parseAddress('sip:alice%40xmpp.example@gw.example;gr=phone%20one');
  await sip.deliver(message(`${peer.uri};gr=desk`, { from }), signal);
  const [sent] = messagesAt(peer);
  assert.match(sent?.header('From') ?? '', /^<sip:alice%40xmpp\.example@gw\.example;gr=phone%20one>;tag=/);
  assert.equal(sent?.header('To'), `<${peer.uri};gr=desk>`);
});

test('reference sip 1.3: nothing is cut at 512 bytes of header, at 1000 characters or at 4 KiB of body, nor sent twice', async (t) => {
  const { sip, hub, peer } = await open(t);
  const words = 'Grüße, 你好! '.repeat(1500);
  const subject = 'a long story '.repeat(150).trim();
  const name = 'b'.repeat(900);
  const from = `"${'B'.repeat(600)}" <sip:${name}@other.example>;tag=1`;
  const text = requestText({ port: peer.port, transport: 'TCP', from, body: words, more: [`Subject: ${subject}`] });
  assert.match(await askOverTcp(text, sip.portOf('TCP')), / 202 /);
  const [draft] = hub.draftsOf('message');
  assert.deepEqual([draft?.text, draft?.subject], [{ '': words }, { '': subject }]);
  assert.equal(draft?.from, `sip:${name}@other.example`);
  await sip.deliver(message(peer.uri, { text: { '': words }, subject: { '': subject } }), signal);
  const sent = messagesAt(peer);
  assert.equal(sent.length, 1);
  assert.deepEqual([sent[0]?.body, sent[0]?.header('Subject')], [words, subject]);
  assert.equal(sent[0]?.header('Contact'), '', 'RFC 3428 s.4');
});

test('reference sip 1.3: a SIP refusal, and silence, is a failure of the very message', async (t) => {
  const { sip, peer } = await open(t);
  for (const status of [404, 486, 500, 603, undefined]) {
    peer.onRequest = (request) => (status === undefined ? undefined : responseTo(request, `${status} No`));
    await assert.rejects(
      sip.deliver(message(peer.uri), signal),
      (error: unknown) => error instanceof GatewayError && error.native === String(status ?? 408),
    );
  }
});

test('reference sip 1.3: IPv6 serves as IPv4 does, both ways', async (t) => {
  const far = createSocket('udp6');
  far.bind(0, '::1');
  await once(far, 'listening');
  t.after(() => far.close());
  const { sip, hub } = await open(t, { listen: [{ transport: 'udp', host: '::1', port: 0 }] });
  const { port } = far.address();
  const heard = async () => String((await once(far, 'message'))[0]);
  far.send(requestText({ port, sentBy: `[::1]:${port}`, callId: 'six' }), sip.portOf('UDP'), '::1');
  assert.match(await heard(), /^SIP\/2\.0 202 /);
  assert.equal(hub.drafts.length, 1);
  const delivery = sip.deliver(message(`sip:bob@[::1]:${port}`), signal);
  const text = await heard();
  assert.match(text, /^MESSAGE sip:bob@\[::1\]:\d+ SIP\/2\.0\r\nVia: SIP\/2\.0\/UDP \[::1\]:\d+;/);
  const copied = text.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
  far.send(['SIP/2.0 200 OK', ...copied, 'Content-Length: 0', '', ''].join('\r\n'), sip.portOf('UDP'), '::1');
  assert.deepEqual(await delivery, { state: 'sent' });
});

test('reference sip 1.3: what the XMPP user says to a watcher is obeyed: subscribed and unsubscribed', async () => {
  const site = new Site();
  const first = await site.subscribe();
  assert.deepEqual(site.states, ['pending']);
  await site.approve();
  assert.deepEqual(site.states, ['pending', 'active']);
  await site.approve('deny');
  assert.equal(site.last.state, 'terminated;reason=rejected');
  assert.equal(
    (await site.answered({ callId: first.callId, cseq: 2, more: [['To', `<sip:x@y>;tag=${first.toTag}`]] })).status,
    481,
  );
});

test('reference sip 1.3: a tuple has an id, what people write is its note, and show stays show', async () => {
  const { site } = await watching();
  await site.tell({ availability: 'away', notes: { en: 'out for lunch' } });
  await site.advance(6000);
  assert.match(site.last.body, /<tuple id="[A-Za-z_][\w.-]*">/);
  assert.match(site.last.body, /<note xml:lang="en">out for lunch<\/note>/);
  assert.match(site.last.body, /<show xmlns="jabber:client">away<\/show>/);
  assert.doesNotMatch(site.last.body, /<note[^>]*>away</);
});

test('reference sip 1.3: an error stanza says its type, of presence too', () => {
  const subscribe = stanza("<presence from='a@b' to='c@d' type='subscribe' id='1'/>");
  const error = errorReply(subscribe, 'not-found', 'nobody')?.children[0];
  assert.ok(typeof error === 'object' && error.name === 'error');
  assert.equal(error.attributes.type, 'cancel');
});

test('reference sip 1.3: 200 is said of what has arrived, 202 of what has been taken', async (t) => {
  const { ask, hub, sip } = await open(t, { holdMs: 100 });
  assert.match((await ask({ callId: 'c1' })).first, / 202 /);
  const proven = ask({ callId: 'c2' });
  await hub.untilDraft((draft) => draft.nativeId === 'c2');
  await sip.deliver(receipt('sip:bob@other.example', { of: 'c2', state: 'delivered' }), signal);
  assert.match((await proven).first, / 200 /);
});

test('reference sip 1.3: a receipt names its message by the id inside received, not by its own', () => {
  const [draft] = toEvents(
    stanza("<message from='a@b/c' to='d@e' id='own'><received xmlns='urn:xmpp:receipts' id='original'/></message>"),
    0,
  );
  assert.deepEqual(draft?.type === 'receipt' && [draft.of, draft.state], ['original', 'delivered']);
});

test('reference sip 1.3: directed presence, and a request from or to a full JID, are not skipped', () => {
  const directed = toPresenceEvent(stanza("<presence from='a@b/phone' to='c@d/desk'/>"), 0);
  assert.deepEqual(directed?.type === 'presence' && [directed.from, directed.availability], [
    'xmpp:a@b/phone',
    'available',
  ]);
  const asked = toPresenceEvent(stanza("<presence from='a@b/phone' to='c@d/desk' type='subscribe'/>"), 0);
  assert.equal(asked?.type === 'subscription' && asked.action, 'request');
});

test('reference sip 1.3: nobody is sent an empty message to wake them up', async (t) => {
  const { sip, peer } = await open(t);
  const states: EventOf<'typing'>['state'][] = ['composing', 'paused', 'gone'];
  for (const state of states) await sip.deliver(typing(peer.uri, state), signal);
  await sip.deliver(receipt(peer.uri, { of: 'x', state: 'delivered' }), signal);
  assert.ok(messagesAt(peer).length > 0);
  for (const sent of messagesAt(peer)) assert.equal(sent.header('Content-Type'), 'application/im-iscomposing+xml');
  assert.deepEqual(toEvents(stanza("<message from='a@b/c' to='d@e'><body/></message>"), 0), []);
});

test('reference sip 1.3: whoever writes is heard, whatever the domain of From', async (t) => {
  const { ask, hub } = await open(t);
  for (const domain of ['one.example', 'two.example', '192.0.2.7:5070', '[2001:db8::1]']) {
    assert.match((await ask({ from: `<sip:bob@${domain}>;tag=1` })).first, / 202 /);
  }
  assert.equal(hub.drafts.length, 4);
});

test('reference sip 1.3: there is an answer also where we ourselves fail, and one line for the operator', async (t) => {
  const { ask, hub } = await open(t);
  hub.onPublish = () => {
    throw new TypeError('a fault of ours');
  };
  assert.equal((await ask()).first, 'SIP/2.0 500 Server Internal Error');
  assert.equal(hub.logs.filter(({ level }) => level === 'error').length, 1);
});

test('reference sip 1.3: no registration, subscription or publication asks for a year', () => {
  const asks = options.parse({
    trunks: [{ aor: 'sip:1@itsp.example', registrar: 'sip:itsp.example', password: 'x' }],
    presenceServers: [{ domain: 'other.example' }],
  });
  for (const { expires } of [asks.watching, ...asks.trunks, ...asks.presenceServers]) assert.equal(expires, 3600);
  assert.throws(() => options.parse({ watching: { expires: 31_536_000 } }));
});
