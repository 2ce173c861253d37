// A TLS connection that the other side opened carries our requests too, if it says so and has proved who it is (RFC 5923).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { Aliases } from '../../../adapters/sip/transport/aliases.ts';
import { requestText } from '../../peers/sip-peer.ts';
import { makeCertificate } from '../../servers/certificate.ts';
import { needs } from '../../servers/debian.ts';
import { freePorts, temporaryFolder, until } from '../../servers/process.ts';
import { message, open, signal } from './adapter-fixtures.ts';
import { FakeFlow, fakeClock, request } from './fixtures.ts';

/** A far server that connects to us; nobody listens on the port that it names. */
async function site(t: TestContext, { isProven = true } = {}) {
  const folder = temporaryFolder('alias');
  t.after(() => folder.remove());
  const certificate = makeCertificate(folder.path);
  const ca = join(folder.path, 'cert.pem');
  const identity = { cert: ca, key: join(folder.path, 'key.pem'), ca };
  const [port = 0] = await freePorts(1);
  const { sip, hub } = await open(t, {
    listen: [{ transport: 'tls', port: 0, tls: { ...identity, requestCert: isProven } }],
    tls: identity,
    trusted: ['127.0.0.1'],
    outboundProxy: `sip:127.0.0.1:${port};transport=tls`,
  });
  const heard: string[] = [];
  const dial = async () => {
    const { cert, key } = certificate;
    const shown = isProven ? { cert, key } : {};
    const socket = connect({ host: '127.0.0.1', port: sip.portOf('TLS'), ca: cert, ...shown });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    socket.on('data', (chunk: Buffer) => answer(socket, chunk.toString(), heard));
    return socket;
  };
  const say = async (socket: TLSSocket, alias: string) => {
    const sentBy = `127.0.0.1:${port}${alias}`;
    const before = hub.drafts.length;
    socket.write(requestText({ port, transport: 'TLS', sentBy }));
    await until(() => hub.drafts.length > before, 'it was heard');
  };
  const send = (to = 'sip:bob@far.example') =>
    sip.deliver(message(to), signal).then(
      () => 'taken',
      (error: { reason: string }) => error.reason,
    );
  return { heard, dial, say, send, certificate, port };
}

function answer(socket: TLSSocket, text: string, heard: string[]): void {
  const [first = ''] = text.split('\r\n');
  heard.push(first.split(' ')[0] ?? '');
  if (first.startsWith('SIP/2.0')) return;
  const copied = text.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
  socket.write(['SIP/2.0 200 OK', ...copied, 'Content-Length: 0', '', ''].join('\r\n'));
}

test('RFC 5923 s.9: who offers alias over mutual TLS is sent our requests by the connection that it opened', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { heard, dial, say, send } = await site(t);
  const socket = await dial();
  await say(socket, ';alias');
  assert.equal(await send(), 'taken');
  assert.ok(heard.includes('MESSAGE'));
  socket.destroy();
  await once(socket, 'close');
  await until(async () => (await send()) === 'unreachable', 'when it has closed there is no way');
});

test('RFC 5923 s.9: who offers none is not', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { heard, dial, say, send } = await site(t);
  await say(await dial(), '');
  assert.equal(await send(), 'unreachable');
  assert.ok(!heard.includes('MESSAGE'));
});

test('RFC 5923 s.10: alias of who has shown no certificate is believed by nobody', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { heard, dial, say, send } = await site(t, { isProven: false });
  await say(await dial(), ';alias');
  assert.equal(await send(), 'unreachable');
  assert.ok(!heard.includes('MESSAGE'));
});

test('RFC 5923 s.10: a certificate of one domain takes no requests of another, nor of another address, and one connection four ports', () => {
  const clock = fakeClock();
  const flow = new FakeFlow(clock, 'TLS', { address: '192.0.2.9', port: 40_000 });
  const aliases = new Aliases();
  const certificate = { subject: { CN: '' }, subjectaltname: 'DNS:far.example' } as never;
  const offer = (port: number) => request({ via: `SIP/2.0/TLS 203.0.113.1:${port};branch=z9hG4bK1;alias` });
  aliases.note(offer(5061), flow, certificate);
  assert.equal(aliases.find({ address: '192.0.2.9', port: 5061 }, 'far.example'), flow);
  assert.equal(aliases.find({ address: '192.0.2.9', port: 5061 }, 'other.example'), undefined);
  assert.equal(aliases.find({ address: '203.0.113.1', port: 5061 }, 'far.example'), undefined);
  for (let port = 1; port < 1000; port++) aliases.note(offer(port), flow, certificate);
  assert.equal(aliases.size, 4);
  aliases.closed(flow);
  assert.equal(aliases.size, 0);
});

test('RFC 5923 s.8: we offer it on connections on which we have shown who we are', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { certificate, port, send } = await site(t);
  const heard: string[] = [];
  const vias: string[] = [];
  const server = createServer({ cert: certificate.cert, key: certificate.key }, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      vias.push(/^Via: (.*)$/m.exec(chunk.toString())?.[1] ?? '');
      answer(socket, chunk.toString(), heard);
    });
    socket.on('error', () => {});
  });
  t.after(() => server.close());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  await until(async () => (await send()) === 'taken', 'it was sent');
  assert.match(vias[0] ?? '', /;alias/);
});
