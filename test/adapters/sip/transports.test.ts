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

test('a place that refuses, and one that does not answer in time, are errors and no connections', async (t) => {
  const { target } = await tcpServer(t, () => {});
  const { pool } = transports(t, { connectTimeoutMs: 50 });
  await assert.rejects(pool.flowTo({ ...target, port: 1 }), { code: 'ECONNREFUSED' });
  await assert.rejects(pool.flowTo({ ...target, transport: 'TLS' }), /in time/);
  assert.equal(pool.size, 0);
});

test('RFC 5626 s.4.4.1: a peer that has answered pings and stops is dead after 10 s; one that never did is left alone', async (t) => {
  const answers = true;
  const clock = { now: 0 };
  const ours = await tcpServer(t, (socket) => {
    socket.on('data', (chunk) => {
      if (answers && chunk.toString() === '\r\n\r\n') socket.write('\r\n');
    });
  });
  let pings = 0;
  let answered = 0;
  server.on('connection', (socket) => {
    socket.on('pong', () => answered++);
    socket.on('ping', () => {
      pings++;
      if (pings > 1) return;
      socket.pong();
      // Answered, it has read what came before.
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
