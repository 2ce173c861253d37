// Connections: re-use, keep-alive, TLS names, WebSocket manners, and peers that do not read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { PeerCertificate } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { defaultLimits } from '../../../adapters/sip/codec/message.ts';
import { TimerWheel } from '../../../adapters/sip/timer-wheel.ts';
import { defaultConnectionLimits } from '../../../adapters/sip/transport/connection.ts';
import type { Flow } from '../../../adapters/sip/transport/flow.ts';
import { checkDomain } from '../../../adapters/sip/transport/tls.ts';
import { type Target, type TransportOptions, Transports } from '../../../adapters/sip/transport/transports.ts';
import { fakeHub } from '../../peers/hub.ts';
import { requestText } from '../../peers/sip-peer.ts';
import { makeCertificate } from '../../servers/certificate.ts';
import { needs } from '../../servers/debian.ts';
import { temporaryFolder, until } from '../../servers/process.ts';
import { create, open } from './adapter-fixtures.ts';

function transports(t: TestContext, more: Partial<TransportOptions> = {}, now = () => performance.now()) {
  const wheel = new TimerWheel(now);
  const closed: Flow[] = [];
  const pool = new Transports(
    {
      listen: [],
      tls: {},
      limits: defaultLimits,
      connectionLimits: defaultConnectionLimits,
      maxConnections: 10,
      maxConnectionsPerSource: 10,
      connectTimeoutMs: 2000,
      ...more,
    },
    wheel,
    { onMessage: () => {}, onBroken: () => {}, onClosed: (flow) => void closed.push(flow) },
  );
  t.after(async () => {
    wheel.stop();
    await pool.stop();
  });
  return { pool, wheel, closed };
}

async function tcpServer(t: TestContext, onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const target: Target = { transport: 'TCP', address: '127.0.0.1', port, name: '127.0.0.1' };
  return { target, sockets };
}

test('RFC 3261 s.18.1.1: where nobody listens over UDP, all requests at once leave by one socket', async (t) => {
  const { pool } = transports(t);
  const targets = [9, 10].map((port): Target => ({ transport: 'UDP', address: '127.0.0.1', port, name: '127.0.0.1' }));
  const flows = await Promise.all(targets.map((target) => pool.flowTo(target)));
  assert.equal(new Set(flows.map(({ sentBy }) => sentBy.port)).size, 1);
});

test('RFC 3261 s.18.1.1: one connection serves all requests to a place, and a new one is opened when it has closed', async (t) => {
  const { target, sockets } = await tcpServer(t, () => {});
  const { pool } = transports(t);
  const [one, same] = await Promise.all([pool.flowTo(target), pool.flowTo(target)]);
  assert.equal(one, same);
  assert.equal(await pool.flowTo(target), one);
  one.close();
  assert.notEqual(await pool.flowTo(target), one);
  assert.equal(sockets.size, 2);
});

test('RFC 3261 s.18.4: a place that refuses, and one that does not answer in time, are errors and no connections', async (t) => {
  const { target } = await tcpServer(t, () => {});
  const { pool } = transports(t, { connectTimeoutMs: 50 });
  await assert.rejects(pool.flowTo({ ...target, port: 1 }), { code: 'ECONNREFUSED' });
  await assert.rejects(pool.flowTo({ ...target, transport: 'TLS' }), /in time/);
  assert.equal(pool.size, 0);
});

test('RFC 5626 s.4.4.1: a peer that has answered pings and stops is dead after 10 s; one that never did is left alone', async (t) => {
  let answers = true;
  const clock = { now: 0 };
  const ours = await tcpServer(t, (socket) => {
    socket.on('data', (chunk) => {
      if (answers && chunk.toString() === '\r\n\r\n') socket.write('\r\n');
    });
  });
  let pings = 0;
  const mute = await tcpServer(t, (socket) => socket.on('data', () => void pings++));
  const limits = { ...defaultConnectionLimits, pingMs: 60_000 };
  const { pool, wheel, closed } = transports(t, { connectionLimits: limits }, () => clock.now);
  const [one, other] = [await pool.flowTo(ours.target), await pool.flowTo(mute.target)];
  const pass = async (ms: number, isSeen: () => boolean) => {
    clock.now += ms;
    wheel.advance();
    await until(isSeen, 'pinged');
  };
  await pass(60_010, () => pings === 1);
  await pass(60_010, () => pings === 2);
  answers = false;
  await pass(60_010, () => pings === 3);
  clock.now += 10_010;
  wheel.advance();
  assert.deepEqual([one.isOpen, other.isOpen], [false, true]);
  await until(() => closed.includes(one), 'the layer above hears of it');
});

test('RFC 3261 s.18: a silent connection is closed after idleMs', async (t) => {
  const { target } = await tcpServer(t, () => {});
  const clock = { now: 0 };
  const limits = { ...defaultConnectionLimits, idleMs: 1000, pingMs: 0 };
  const { pool, wheel } = transports(t, { connectionLimits: limits }, () => clock.now);
  const flow = await pool.flowTo(target);
  clock.now = 1010;
  wheel.advance();
  assert.equal(flow.isOpen, false);
});

test('RFC 3261 s.26.3.2.4: a peer that does not read is cut off instead of filling our memory', async (t) => {
  const { target } = await tcpServer(t, (socket) => socket.pause());
  const { pool } = transports(t);
  const flow = await pool.flowTo(target);
  const chunk = Buffer.alloc(65_536, 'x');
  let sent = 0;
  while (flow.isOpen && sent < 100e6) {
    flow.send(chunk, () => {});
    sent += chunk.length;
  }
  assert.ok(!flow.isOpen && sent < 20e6, `${sent} bytes`);
});

test('RFC 5922 s.7: a certificate counts for its SIP URIs, else its DNS names, else its common name, and never by a wildcard', () => {
  const certificate = (subjectaltname: string | undefined, CN = 'cn.example') =>
    ({ subject: { CN }, ...(subjectaltname === undefined ? {} : { subjectaltname }) }) as unknown as PeerCertificate;
  const isFor = (domain: string, names?: string) => checkDomain(domain, certificate(names)) === undefined;
  assert.ok(isFor('example.org', 'URI:sip:example.org, DNS:host.example.org'));
  assert.ok(!isFor('host.example.org', 'URI:sip:example.org, DNS:host.example.org'));
  assert.ok(isFor('HOST.example.org', 'DNS:host.example.org'));
  assert.ok(!isFor('a.example.org', 'DNS:*.example.org'));
  assert.ok(isFor('cn.example'));
  assert.ok(!isFor('cn.example', 'DNS:host.example.org'));
  assert.ok(isFor('127.0.0.1', 'IP Address:127.0.0.1'));
});

test('RFC 5922 s.7.3: a TLS server that is somebody else is not spoken to, one that is nobody’s either', async (t) => {
  if (!needs(t, 'openssl')) return;
  const folder = temporaryFolder('tls');
  t.after(() => folder.remove());
  const { cert, key } = makeCertificate(folder.path);
  const hub = fakeHub();
  const sip = create({ listen: [{ transport: 'tls', port: 0, tls: { cert: join(folder.path, 'cert.pem'), key } }] });
  t.after(() => sip.stop());
  await sip.start(hub);
  const target: Target = { transport: 'TLS', address: '127.0.0.1', port: sip.portOf('TLS'), name: 'localhost' };
  const knowing = transports(t, { tls: { ca: cert } }).pool;
  assert.equal((await knowing.flowTo(target)).transport, 'TLS');
  await assert.rejects(knowing.flowTo({ ...target, name: 'other.example' }), /certificate is for/);
  await assert.rejects(transports(t).pool.flowTo(target), /self-signed/);
});

test('RFC 7118 s.4, s.5: one message a frame, text or binary; without the subprotocol sip there is no connection, and HTTP is told to upgrade', async (t) => {
  const { sip, hub } = await open(t, {
    listen: [
      { transport: 'udp', port: 0 },
      { transport: 'ws', port: 0 },
    ],
  });
  const url = `127.0.0.1:${sip.portOf('WS')}`;
  // RFC 6455 names them octet for octet.
  for (const protocols of [[], ['chat'], ['SIP']]) {
    const refused = new WebSocket(`ws://${url}`, protocols);
    const [error] = await once(refused, 'error').catch((thrown: Error) => [thrown]);
    assert.match(String(error), /400/);
  }
  assert.equal((await fetch(`http://${url}/`)).status, 426);
  const phone = new WebSocket(`ws://${url}`, ['sip']);
  t.after(() => phone.terminate());
  await once(phone, 'open');
  phone.send('\r\n\r\n');
  assert.equal(String((await once(phone, 'message'))[0]), '\r\n');
  phone.send(Buffer.from(requestText({ port: 1, transport: 'WS', sentBy: 'abc.invalid', body: 'as bytes' })));
  const [answer, isBinary] = await once(phone, 'message');
  assert.match(String(answer), /^SIP\/2\.0 202 /);
  assert.equal(isBinary, false, 'what is text goes as text');
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'as bytes' });
  phone.send('x'.repeat(70_000));
  await once(phone, 'close');
});

test('RFC 7118 s.4.1: as a client it asks for the subprotocol sip, and a server that does not grant it, or is no WebSocket server, is no way', async (t) => {
  const servers = [() => 'sip', () => 'chat', undefined].map((choose) => {
    if (choose) return new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: choose });
    return createHttpServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  });
  const targets: Target[] = [];
  for (const server of servers) {
    t.after(() => server.close());
    if (!server.address()) await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    targets.push({ transport: 'WS', address: '127.0.0.1', port, name: '127.0.0.1' });
  }
  const { pool } = transports(t);
  const [good, other, none] = targets as [Target, Target, Target];
  const flow = await pool.flowTo(good);
  assert.equal(flow.transport, 'WS');
  assert.equal(await pool.flowTo(good), flow, 'used again');
  await assert.rejects(pool.flowTo(other), /protocol/);
  await assert.rejects(pool.flowTo(none), /404/);
  assert.equal(pool.size, 1);
});

test('RFC 7118 s.6: a WebSocket that we opened is pinged, and one that has answered and stops is dead after 10 s', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'sip', autoPong: false });
  t.after(() => server.close());
  if (!server.address()) await once(server, 'listening');
  let pings = 0;
  let answered = 0;
  server.on('connection', (socket) => {
    socket.on('pong', () => answered++);
    socket.on('ping', () => {
      pings++;
      if (pings > 1) return;
      socket.pong();
      // Once that is answered, what came before has been read.
      socket.ping();
    });
  });
  let now = 0;
  const limits = { ...defaultConnectionLimits, pingMs: 20_000 };
  const { pool, wheel } = transports(t, { connectionLimits: limits }, () => now);
  const { port } = server.address() as AddressInfo;
  const flow = await pool.flowTo({ transport: 'WS', address: '127.0.0.1', port, name: '127.0.0.1' });
  const pass = async (ms: number, what: () => boolean, why: string) => {
    now += ms;
    wheel.advance();
    await until(what, why);
  };
  await pass(20_050, () => pings === 1 && answered === 1, 'a ping');
  await pass(20_050, () => pings === 2, 'another ping');
  await pass(10_050, () => !flow.isOpen, 'given up');
});

test('RFC 7118 s.5.2.2: the answer to who came by WebSocket and is gone is sent nowhere, whatever its Via says', async (t) => {
  const listen = [
    { transport: 'udp' as const, port: 0 },
    { transport: 'ws' as const, port: 0 },
  ];
  const { sip, hub, peer, ask } = await open(t, { listen });
  const phone = new WebSocket(`ws://127.0.0.1:${sip.portOf('WS')}`, ['sip']);
  await once(phone, 'open');
  const gone = Promise.withResolvers<undefined>();
  let isAsked = false;
  hub.onPublish = () => {
    isAsked = true;
    return gone.promise;
  };
  phone.send(requestText({ port: peer.port, transport: 'WS' }));
  await until(() => isAsked, 'it is under way');
  phone.close();
  await once(phone, 'close');
  gone.resolve(undefined);
  await until(() => hub.counters.has('requests_total{method=MESSAGE,status=202}'), 'it is answered');
  await ask({ callId: 'after' });
  assert.deepEqual(
    peer.heard.filter(({ header }) => header('Call-ID') !== 'after'),
    [],
  );
});
