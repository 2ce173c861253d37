// What one made-up or malicious request brings others, counted on the wire.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { answerChallenge } from '../../../adapters/sip/digest/index.ts';
import { requestText, startSipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { open, type Settings } from './adapter-fixtures.ts';

const realm = 'native.example';
const native: Settings = { nativeDomains: [realm] };
const withPassword: Settings = { ...native, auth: { realm, users: { bob: { password: 'secret' } } } };
const bob = `sip:bob@${realm}`;

const asking = {
  SUBSCRIBE: {
    uri: 'sip:alice@gw.example',
    more: ['Event: presence', 'Expires: 600', 'Contact: <sip:bob@127.0.0.1>'],
  },
  PUBLISH: { uri: bob, to: `<${bob}>`, more: ['Event: presence', 'Expires: 600'], type: 'application/pidf+xml' },
  REGISTER: { uri: `sip:${realm}`, to: `<${bob}>`, more: ['Contact: <sip:bob@127.0.0.1>'] },
} as const;
const document =
  '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@native.example"><tuple id="a"><status><basic>open</basic></status></tuple></presence>';

for (const [method, parts] of Object.entries(asking)) {
  test(`RFC 3261 s.22.1: nobody does ${method} without proof of who they are, nor as somebody else`, async (t) => {
    const { ask, hub } = await open(t, withPassword);
    const body = method === 'PUBLISH' ? document : '';
    const from = `<${bob}>;tag=1`;
    const challenge = await ask({ ...parts, method, body, from });
    assert.match(challenge.first, / 401 /);
    assert.deepEqual([hub.drafts.length, hub.state.entries.size], [0, 0]);
    const challenges = challenge.text.match(/(?<=^WWW-Authenticate: ).*$/gim) ?? [];
    let counted = 0;
    const proven = (more: object) => {
      counted++;
      const counts = { next: () => counted };
      const signed = { method, uri: parts.uri, body: Buffer.from(body) };
      const [proof] = answerChallenge(challenges, [{ user: 'bob', password: 'secret' }], signed, counts as never);
      const lines = [...parts.more, `Authorization: ${proof}`];
      return ask({ ...parts, method, body, from, cseq: 1 + counted, ...more, more: lines });
    };
    const other = `<sip:carol@${realm}>`;
    const asCarol = await proven(method === 'REGISTER' ? { to: other } : { from: `${other};tag=1` });
    assert.match(asCarol.first, / 403 /);
    assert.deepEqual([hub.drafts.length, hub.state.entries.size], [0, 0]);
    assert.match((await proven({})).first, / 200 /);
  });
}

test('RFC 8048 s.8.1: a SUBSCRIBE over UDP whose Contact is a victim brings it one NOTIFY and its copies, and of many such few are taken', async (t) => {
  const victim = await startSipPeer();
  t.after(() => victim.stop());
  victim.onRequest = () => undefined;
  const { peer, port, hub } = await open(t, { watchers: { notifyPauseMs: 0, maxUnprovenPerHost: 5 } });
  for (let number = 0; number < 20; number++) {
    const parts = { uri: `sip:p${number}@gw.example`, from: `<sip:w${number}@other.example>;tag=1`, body: '' };
    // A second Via: else the NOTIFY goes to where the SUBSCRIBE came from.
    const more = [
      'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-first',
      ...['Event: presence', 'Expires: 600', `Contact: <sip:w@127.0.0.1:${victim.port}>`],
    ];
    peer.sendUdp(requestText({ port: peer.port, method: 'SUBSCRIBE', ...parts, more }), port);
  }
  const finals = () => peer.heard.filter(({ first }) => /^SIP\/2\.0 [2-6]/.test(first));
  await until(() => finals().length === 20, 'each is answered');
  assert.equal(finals().filter(({ first }) => first.includes(' 503 ')).length, 15);
  // Timer F is 1.3 s here: then the subscriptions are gone.
  await until(async () => (hub.state.entries.size ?? 0) === 0, 'nobody who does not answer is kept');
  const branches = new Set(victim.heard.map(({ header }) => header('Via')));
  assert.equal(branches.size, 5);
  const copies = Math.max(
    ...[...branches].map((via) => victim.heard.filter(({ header }) => header('Via') === via).length),
  );
  assert.ok(copies <= 11, `${copies} copies of one NOTIFY`);
});

/** Registers over a connection that closes, by a Path that leads to the gateway itself: nobody is behind it. */
async function registerInCircles(name: string, next: string, ports: { tcp: number; udp: number }): Promise<void> {
  const contact = (number: number) => `<sip:${next}@${realm};n=${number}>`;
  const contacts = Array.from({ length: 10 }, (_, number) => contact(number)).join(', ');
  const aor = `<sip:${name}@${realm}>`;
  const more = [`Contact: ${contacts}`, `Path: <sip:127.0.0.1:${ports.udp};lr>`, 'Expires: 600'];
  const people = { uri: `sip:${realm}`, from: `${aor};tag=r`, to: aor, callId: name };
  const socket = connect(ports.tcp, '127.0.0.1');
  socket.write(requestText({ port: 1, method: 'REGISTER', transport: 'TCP', ...people, body: '', more }));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^SIP\/2\.0 200 /);
  socket.destroy();
  await once(socket, 'close');
}

test('RFC 5393 s.3: phones that are registered at each other make no avalanche: one MESSAGE ends, with few requests', async (t) => {
  const { sip, ask, port, hub } = await open(t, { ...native, rates: { source: { perSecond: 0 } }, t1Ms: 500 });
  const ports = { tcp: sip.portOf('TCP'), udp: port };
  for (const [name, next] of [
    ['bob', 'carol'],
    ['carol', 'dave'],
    ['dave', 'bob'],
  ] as const) {
    await registerInCircles(name, next, ports);
  }
  const answer = await ask({ uri: `sip:carol@${realm}`, from: `<${bob}>;tag=b`, callId: 'avalanche' });
  let handled = 0;
  for (const [name, count] of hub.counters) if (name.startsWith('requests_total{method=MESSAGE')) handled += count;
  assert.match(answer.first, / 482 /);
  // All ten copies came back here, and were the same request by other ways (RFC 3261 s.8.2.2.2): 482.
  assert.equal(handled, 1);
  assert.equal(hub.drafts.length, 0);
});

test('RFC 3261 s.8.2.1: INVITE is 405 with Allow, and a sips: one too, whoever asks', async (t) => {
  const { ask } = await open(t, withPassword);
  for (const uri of ['sip:alice@gw.example', 'sips:alice@gw.example', `sip:bob@${realm}`]) {
    const answer = await ask({ method: 'INVITE', uri, body: 'v=0', type: 'application/sdp' });
    assert.match(answer.first, /^SIP\/2\.0 405 /);
    assert.match(answer.header('Allow'), /^MESSAGE, /);
    assert.ok(!/INVITE/.test(answer.header('Allow')));
  }
});

test('reference sip 3.4: a refusal at the door has fewer octets than what was refused', async (t) => {
  const { peer, port } = await open(t);
  const text = requestText({ port: peer.port, uri: 'sip:x@far.example', body: 'x'.repeat(100) });
  peer.sendUdp(text, port);
  const { text: refusal } = await peer.until(({ first }) => first.includes(' 403 '));
  assert.ok(refusal.length < text.length, `${refusal.length} for ${text.length}`);
});
