// How strangers are asked who they are, and that it costs nothing to ask.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type PeerMessage, requestText } from '../../peers/sip-peer.ts';
import { open, type Settings } from './adapter-fixtures.ts';

const uri = 'sip:alice%40xmpp.example@gw.example';
const realm = 'native.example';
const from = `<sip:bob@${realm}>;tag=1`;

const withPassword = (auth: Partial<NonNullable<Settings['auth']>> = {}): Settings => ({
  nativeDomains: [realm],
  auth: { realm, users: { bob: { password: 'secret' } }, ...auth },
});

/** What libpurple answers: no qop, and whatever nonce came last. */
function signed({ text }: PeerMessage, method: string, name: string): string {
  const nonce = /nonce="([^"]+)"/.exec(text)?.[1] ?? '';
  const h = (data: string) => createHash('md5').update(data).digest('hex');
  const response = h(`${h(`bob:${realm}:secret`)}:${nonce}:${h(`${method}:${uri}`)}`);
  return `${name}: Digest username="bob", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}"`;
}

test('RFC 3261 s.8.2.7: nothing is kept of a challenge: its answer may come with the same branch and CSeq', async (t) => {
  const { peer, port, hub } = await open(t, withPassword());
  const parts = { port: peer.port, uri, from, callId: 'once', branch: 'z9hG4bK-once' };
  const challenges = () => peer.heard.filter(({ first }) => first.includes(' 401 '));
  peer.sendUdp(requestText(parts), port);
  const challenge = await peer.until(({ first }) => first.includes(' 401 '));
  assert.equal(hub.gauges.get('transactions'), 0);
  peer.sendUdp(requestText({ ...parts, more: [signed(challenge, 'MESSAGE', 'Authorization')] }), port);
  await peer.until(({ first }) => first.includes(' 202 '));
  assert.equal(challenges().length, 1);
  assert.equal(hub.drafts.length, 1);
});

test('RFC 3261 s.8.2.7: the same request is refused with the same To tag, another with another', async (t) => {
  const { ask, peer, port } = await open(t, withPassword());
  const parts = { port: peer.port, uri, from, callId: 'twice', branch: 'z9hG4bK-twice' };
  for (const count of [1, 2]) {
    peer.sendUdp(requestText(parts), port);
    const isThere = ({ first }: PeerMessage) =>
      first.includes(' 401 ') && peer.heard.filter((one) => one.first.includes(' 401 ')).length === count;
    await peer.until(isThere);
  }
  const other = await ask({ uri, from });
  const tags = peer.heard.map(({ header }) => /tag=(.*)/.exec(header('To'))?.[1]);
  assert.equal(tags[0], tags[1]);
  assert.notEqual(/tag=(.*)/.exec(other.header('To'))?.[1], tags[0]);
});

test('RFC 3261 s.22.3: who takes us for a proxy is asked as by one, 407 but for REGISTER', async (t) => {
  const { ask, hub } = await open(t, withPassword({ asProxy: true }));
  const challenge = await ask({ uri, from });
  assert.match(challenge.first, /^SIP\/2\.0 407 /);
  assert.equal(challenge.header('WWW-Authenticate'), '');
  const answer = signed(
    { ...challenge, text: challenge.header('Proxy-Authenticate') },
    'MESSAGE',
    'Proxy-Authorization',
  );
  assert.match((await ask({ uri, from, cseq: 2, more: [answer] })).first, / 202 /);
  assert.equal(hub.drafts.length, 1);
  const register = { method: 'REGISTER', uri: `sip:${realm}`, from, to: `<sip:bob@${realm}>`, body: '' };
  assert.match((await ask({ ...register, more: ['Contact: <sip:bob@127.0.0.1>'] })).first, / 401 /);
});

test('RFC 8760 s.2.4: algorithms are offered as configured, and no other is taken', async (t) => {
  const { ask } = await open(t, withPassword({ algorithms: ['SHA-256', 'SHA-512-256'] }));
  const challenge = await ask({ uri, from });
  assert.deepEqual(challenge.text.match(/algorithm=[A-Z\d-]+/g), ['algorithm=SHA-256', 'algorithm=SHA-512-256']);
  const answer = signed(challenge, 'MESSAGE', 'Authorization');
  assert.match((await ask({ uri, from, cseq: 2, more: [answer] })).first, / 401 /, 'MD5');
});

test('reference sip 3.4: an INVITE whose sender is made up brings its victim one refusal and no copies of it', async (t) => {
  const { peer, port, hub } = await open(t, { listen: [{ transport: 'udp', port: 0 }] });
  const request = requestText({ port: peer.port, method: 'INVITE', body: 'v=0', type: 'application/sdp' });
  peer.sendUdp(request, port);
  const refusal = await peer.until(({ first }) => first.includes(' 405 '));
  assert.match(refusal.header('Allow'), /MESSAGE/);
  // Nothing that Timer G could repeat.
  assert.equal(hub.gauges.get('transactions'), 0);
  assert.deepEqual(
    peer.heard.map(({ first }) => first),
    ['SIP/2.0 100 Trying', 'SIP/2.0 405 Method Not Allowed'],
  );
});
