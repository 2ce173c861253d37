// Broken messages through the whole adapter: whatever comes, nothing is thrown past the session and the next message is taken.
// DRAGOMAN_FUZZ sets how many.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { requestText } from '../../peers/sip-peer.ts';
import { open } from './adapter-fixtures.ts';
import { Mutator } from './mutants.ts';

const count = Number(process.env.DRAGOMAN_FUZZ ?? 10_000);

const imdn =
  '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m</message-id><delivery-notification><status><delivered/></status></delivery-notification></imdn>';
const cpim =
  'From: <sip:b@x>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nhi';
const parts = (port: number) => [
  { port },
  { port, type: 'message/cpim', body: cpim },
  { port, type: 'message/imdn+xml', body: imdn },
  { port, type: 'multipart/mixed;boundary=b', body: '--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--' },
  { port, type: 'application/im-iscomposing+xml', body: '<isComposing><state>active</state></isComposing>' },
  {
    port,
    method: 'REGISTER',
    uri: 'sip:native.example',
    to: '<sip:bob@native.example>',
    more: ['Contact: <sip:b@1.2.3.4>', 'Expires: 60'],
  },
  { port, method: 'OPTIONS' },
  { port, method: 'INVITE' },
  { port, method: 'ACK' },
];
const responses = [
  'SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\nContact: *\r\n\r\n',
];
function mutants(port: number, seed: number): Mutator {
  return new Mutator(
    [...parts(port).map(requestText), ...responses].map((text) => Buffer.from(text)),
    seed,
  );
}

async function site(t: TestContext) {
  return open(t, {
    nativeDomains: ['native.example'],
    holdMs: 0,
    maxConnectionsPerSource: 10_000,
    rates: { source: { perSecond: 0 }, target: { perSecond: 0 } },
  });
}

test('RFC 3261 s.26.3.2.4: broken datagrams through the whole adapter are answered or dropped, and the next is taken', async (t) => {
  const { peer, port, ask } = await site(t);
  peer.onRequest = () => undefined;
  let sent = 0;
  const all = mutants(peer.port, 1);
  while (sent < count) {
    peer.sendUdp(all.next(), port);
    if (++sent % 100 !== 0) continue;
    // A socket buffer is no queue: this one has been read when the question behind it is answered.
    assert.match((await ask({ method: 'OPTIONS', callId: `after-${sent}` })).first, /^SIP\/2\.0 200 /);
    peer.heard.length = 0;
  }
  assert.match((await ask({ callId: 'after-all' })).first, /^SIP\/2\.0 202 /);
});

test('RFC 3261 s.26.3.2.4: broken streams are refused or closed, and the next connection is served', async (t) => {
  const { peer, sip, hub, ask } = await site(t);
  const all = mutants(peer.port, 2);
  const perConnection = 10;
  for (let connections = count / perConnection; connections > 0; connections--) {
    const socket = connect(sip.portOf('TCP'), '127.0.0.1').on('error', () => {});
    socket.resume();
    for (let sent = 0; sent < perConnection; sent++) socket.write(all.next());
    socket.end();
    await once(socket, 'close');
  }
  assert.match((await ask({ callId: 'after-all' })).first, /^SIP\/2\.0 202 /);
  const refused = [...hub.counters]
    .filter(([name]) => name.startsWith('malformed_total'))
    .reduce((sum, [, value]) => sum + value, 0);
  assert.ok(refused > count / perConnection / 3, `${refused} refused`);
});
