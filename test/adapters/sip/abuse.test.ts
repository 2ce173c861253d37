// What strangers must not get out of us: other people's networks, other people's patience, other people's passwords.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type SipRequest } from '../../../adapters/sip/codec/message.ts';
import { answerChallenge } from '../../../adapters/sip/digest/index.ts';
import { isLooped, loopMark } from '../../../adapters/sip/transaction/keys.ts';
import { message, open, signal } from './adapter-fixtures.ts';
import { request } from './fixtures.ts';

const auth = { realm: 'native.example', users: { bob: { password: 'secret' } } };
const native = { nativeDomains: ['native.example'] };

test('RFC 7247 s.8, RFC 8048 s.8.1: no open relay: a stranger reaches people of ours and nobody else, a trusted proxy everybody', async (t) => {
  const stranger = await open(t);
  for (const uri of ['sip:x@far.example', 'tel:+447700900123', 'im:x@far.example']) {
    assert.equal((await stranger.ask({ uri, callId: uri })).first, 'SIP/2.0 403 Relaying Denied');
  }
  assert.match((await stranger.ask({ callId: 'ours' })).first, /202/);
  const proxy = await open(t, { trusted: ['127.0.0.1'] });
  assert.match((await proxy.ask({ uri: 'tel:+447700900123' })).first, /202/);
  assert.equal(stranger.hub.drafts.length, 1);
});

test('RFC 7247 s.8: who has proved to be ours may write to numbers through us', async (t) => {
  const { ask, hub } = await open(t, { ...native, auth });
  const parts = { uri: 'tel:+447700900123', from: '<sip:bob@native.example>;tag=1' };
  const challenge = await ask(parts);
  assert.match(challenge.first, /401/);
  const challenges = challenge.text.match(/(?<=^WWW-Authenticate: ).*$/gim) ?? [];
  const signed = { method: 'MESSAGE', uri: parts.uri, body: Buffer.from('hello') };
  const [proof] = answerChallenge(challenges, [{ user: 'bob', password: 'secret' }], signed);
  assert.match((await ask({ ...parts, more: [`Authorization: ${proof}`] })).first, /202/);
  assert.equal(hub.drafts[0]?.from, 'sip:bob@native.example');
});

test('RFC 7247 s.8: sips is not translated, in Request-URI or To, unless the operator says so', async (t) => {
  const { ask, hub } = await open(t);
  for (const parts of [
    { uri: 'sips:alice@gw.example' },
    { uri: 'sip:alice@gw.example', to: '<sips:alice@gw.example>' },
  ]) {
    const { first, header } = await ask({ ...parts, callId: JSON.stringify(parts).length.toString() });
    assert.match(first, /^SIP\/2\.0 480 /);
    assert.equal(header('Warning'), '380 dragoman "SIPS Not Allowed"');
  }
  const more = ['Event: presence', 'Contact: <sip:bob@192.0.2.7>'];
  assert.match((await ask({ method: 'SUBSCRIBE', uri: 'sips:alice@gw.example', more, body: '' })).first, /480/);
  assert.equal(hub.drafts.length, 0);
  const willing = await open(t, { acceptSips: true });
  const asked = await willing.ask({ uri: 'sips:alice@gw.example', from: '<sips:bob@other.example>;tag=s' });
  assert.match(asked.first, /202/);
  const [{ from, to } = {}] = willing.hub.drafts;
  assert.deepEqual([from, to], ['sip:bob@other.example', 'sip:alice@gw.example']);
});

test('reference sip 2: one address has a rate, beyond it 503 with Retry-After; a trusted one has none', async (t) => {
  const rates = { source: { perSecond: 1, burst: 3 } };
  const { ask, hub } = await open(t, { rates });
  hub.clock = 1_000_000;
  const answers = async (count: number, prefix: string) => {
    const found: string[] = [];
    for (let index = 0; index < count; index++) found.push((await ask({ callId: prefix + index })).first.slice(8, 11));
    return found;
  };
  assert.deepEqual(await answers(5, 'a'), ['202', '202', '202', '503', '503']);
  hub.clock += 2000;
  assert.deepEqual(await answers(3, 'b'), ['202', '202', '503']);
  const trusted = await open(t, { rates, trusted: ['127.0.0.1'] });
  for (let index = 0; index < 10; index++) assert.match((await trusted.ask({ callId: `t${index}` })).first, /202/);
});

test('RFC 3261 s.26.3.2.4: one person is not flooded by strangers: 480 with Retry-After, and others are reached', async (t) => {
  const { ask, hub } = await open(t, { rates: { target: { perSecond: 1, burst: 2 } } });
  hub.clock = 1_000_000;
  const to = async (user: string, callId: string) => ask({ uri: `sip:${user}@gw.example`, callId });
  for (const callId of ['1', '2']) assert.match((await to('alice', callId)).first, /202/);
  const refused = await to('alice', '3');
  assert.deepEqual([refused.first, refused.header('Retry-After')], ['SIP/2.0 480 Too Many Messages', '1']);
  assert.match((await to('carol', '4')).first, /202/);
});

test('RFC 7616 s.5.7: who guesses passwords is not told any more whether one was right', async (t) => {
  const settings = { ...native, auth, rates: { wrongPasswords: { perSecond: 0.1, burst: 3 } } };
  const { ask, hub } = await open(t, settings);
  hub.clock = 1_000_000;
  const attempt = async (password: string, callId: string) => {
    const parts = { from: '<sip:bob@native.example>;tag=1' };
    const challenge = await ask({ ...parts, callId: `${callId}-challenge` });
    const challenges = challenge.text.match(/(?<=^WWW-Authenticate: ).*$/gim) ?? [];
    const signed = { method: 'MESSAGE', uri: 'sip:alice%40xmpp.example@gw.example', body: Buffer.from('hello') };
    const [proof] = answerChallenge(challenges, [{ user: 'bob', password }], signed);
    return (await ask({ ...parts, callId, more: [`Authorization: ${proof}`] })).first.slice(8, 11);
  };
  const outcomes: string[] = [];
  for (let guess = 0; guess < 4; guess++) outcomes.push(await attempt(`guess${guess}`, `g${guess}`));
  assert.deepEqual(outcomes, ['401', '401', '401', '403']);
  assert.equal(await attempt('secret', 'right'), '403');
  hub.clock += 10_000;
  assert.equal(await attempt('secret', 'later'), '202');
});

test('RFC 5393 s.4.2: a request that comes back as it left is 482, one that comes back for somebody else is a spiral', async (t) => {
  for (const [target, verdict] of [
    [undefined, 'SIP/2.0 482 Loop Detected'],
    ['sip:carol%40xmpp.example@gw.example', 'SIP/2.0 202 Accepted'],
  ] as const) {
    const { sip, peer, port } = await open(t);
    await sip.deliver(message(peer.uri), signal);
    const [sent] = peer.heard;
    const back = sent!.text
      .replace(/^MESSAGE \S+/, `MESSAGE ${target ?? peer.uri}`)
      .replace(/^Via:/m, `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKback;rport\r\nVia:`);
    peer.sendUdp(back, port);
    await peer.until(({ first }) => first === verdict);
  }
});

test('RFC 5393 s.4.2.2: the mark is that of Request-URI, From, To, Call-ID and CSeq, and stands in our branch alone', () => {
  const one = request();
  assert.equal(loopMark(one), loopMark(request({ branch: 'z9hG4bKother' })));
  for (const other of [{ uri: 'sip:x@y' }, { callId: 'x' }, { cseq: 2 }, { fromTag: 'x' }, { to: '<sip:x@y>' }]) {
    assert.notEqual(loopMark(one), loopMark(request(other)));
  }
  const withVias = (branch: string) => {
    const { bytes } = {
      bytes: Buffer.from(
        [
          'MESSAGE sip:a@b SIP/2.0',
          'Via: SIP/2.0/UDP x;branch=z9hG4bK1',
          `Via: SIP/2.0/UDP y;branch=${branch}`,
          'From: <sip:a@b>;tag=1',
          'To: <sip:a@b>',
          'Call-ID: c',
          'CSeq: 1 MESSAGE',
          'Max-Forwards: 9',
          'Content-Length: 0',
          '',
          '',
        ].join('\r\n'),
      ),
    };
    return decodeMessage(bytes) as SipRequest;
  };
  const mark = loopMark(withVias('z9hG4bK2'));
  assert.equal(isLooped(withVias(`z9hG4bK1.2.${mark}`)), true);
  assert.equal(isLooped(withVias(`z9hG4bK1.2.${mark}x`)), false);
});
