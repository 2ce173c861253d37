// One phone of our SIP domain writes to another that is switched off, through the gateway as operators run it: the text waits
// for the phone, though the domain is also that of XMPP users, and the receipt comes back under the sender's own name for it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type PeerMessage, requestText, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';
import { GatewayProcess } from './gateway-process.ts';

const bob = 'sip:bob@phones.example';
const carol = 'sip:carol@phones.example';

async function phone(t: TestContext): Promise<SipPeer> {
  const started = await startSipPeer();
  t.after(() => started.stop());
  return started;
}

let asked = 0;

async function ask(peer: SipPeer, port: number, parts: object): Promise<PeerMessage> {
  const callId = `ask-${++asked}`;
  peer.sendUdp(requestText({ port: peer.port, callId, ...parts }), port);
  return peer.until(({ first, header }) => /^SIP\/2\.0 [2-6]/.test(first) && header('Call-ID') === callId);
}

async function register(peer: SipPeer, port: number, aor: string, seconds: number): Promise<void> {
  const more = [`Contact: <${aor.replace(/@.*/, '')}@127.0.0.1:${peer.port}>`, `Expires: ${seconds}`];
  const parts = {
    method: 'REGISTER',
    uri: 'sip:phones.example',
    from: `<${aor}>;tag=r`,
    to: `<${aor}>`,
    body: '',
    more,
  };
  assert.equal((await ask(peer, port, parts)).first, 'SIP/2.0 200 OK');
}

const cpim = (id: string, from: string, to: string, wants: string, type: string, body: string) =>
  [
    `From: <${from}>`,
    `To: <${to}>`,
    'NS: imdn <urn:ietf:params:imdn>',
    `imdn.Message-ID: ${id}`,
    ...(wants === '' ? [] : [`imdn.Disposition-Notification: ${wants}`]),
    '',
    `Content-Type: ${type}`,
    '',
    body,
  ].join('\r\n');

const messages = ({ heard }: SipPeer) => heard.filter(({ first }) => first.startsWith('MESSAGE'));

test('reference sip 2: what a phone of ours writes to one that is away waits for it, and the receipt finds its way back', async (t) => {
  const folder = temporaryFolder('away-phone');
  t.after(() => folder.remove());
  const [port = 0] = await freePorts(1);
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    routes: [
      { to: 'sip:*', via: 'main' },
      { to: 'xmpp:*', via: 'echo' },
    ],
    instances: {
      main: {
        protocol: 'sip',
        listen: [{ transport: 'udp', port }],
        nativeDomains: ['phones.example'],
        holdMs: 0,
        publications: { accept: false },
        peers: { ask: false },
      },
      echo: { protocol: 'loopback', domain: 'echo.example' },
    },
  });
  await gateway.start();
  t.after(() => gateway.stop());
  const [bobs, carols] = await Promise.all([phone(t), phone(t)]);
  await register(carols, port, carol, 600);
  await register(carols, port, carol, 0);
  await register(bobs, port, bob, 600);

  const body = cpim('bobs-own-name', bob, carol, 'positive-delivery', 'text/plain', 'are you there?');
  const parts = { uri: carol, from: `<${bob}>;tag=b`, type: 'message/cpim', body };
  assert.match((await ask(bobs, port, parts)).first, /^SIP\/2\.0 202/);
  assert.equal(messages(carols).length, 0);
  await register(carols, port, carol, 600);
  const arrived = await carols.until(({ first }) => first.startsWith('MESSAGE'), 20_000);
  assert.match(arrived.body, /are you there\?/);
  assert.match(arrived.header('From'), /<sip:bob@phones\.example>/);

  const id = /imdn\.Message-ID: (\S+)/i.exec(arrived.body)?.[1] ?? '';
  const notice = `<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>${id}</message-id><datetime>2026-07-01T12:00:00Z</datetime><delivery-notification><status><delivered/></status></delivery-notification></imdn>`;
  const told = cpim('carols-own-name', carol, bob, '', 'message/imdn+xml', notice);
  await ask(carols, port, { uri: bob, from: `<${carol}>;tag=c`, type: 'message/cpim', body: told });
  await until(() => messages(bobs).length > 0, 'the receipt comes to the sender', 20_000);
  const [receipt] = messages(bobs) as [PeerMessage];
  assert.match(receipt.body, /<message-id>bobs-own-name<\/message-id>/);
  assert.match(receipt.body, /<delivered\/>/);
});
