// What an attacker sends over real sockets: a SIP error or a closed connection, a few log lines, and flat memory.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { deflateSync, gzipSync } from 'node:zlib';
import { requestText } from '../../peers/sip-peer.ts';
import { type Opened, open, type Settings } from './adapter-fixtures.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const unlimited: Settings = {
  holdMs: 0,
  maxConnectionsPerSource: 1000,
  rates: { source: { perSecond: 0 }, target: { perSecond: 0 } },
};
const uri = 'sip:alice%40xmpp.example@gw.example';
const mostGrowthBytes = 8 * 1024 * 1024;

async function memoryInUse(): Promise<number> {
  // What the last turn held is let go in this one.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

function warnings({ hub }: Opened): string[] {
  return hub.logs.filter(({ level }) => level === 'warn').map(({ fields, message }) => `${message}: ${fields.why}`);
}

/** At most ten lines of a kind a second (SparingLog), whatever comes. */
function assertSparing(opened: Opened, startedAt: number): void {
  const seconds = Math.ceil((Date.now() - startedAt) / 1000) + 1;
  assert.ok(warnings(opened).length <= 20 * seconds, `${warnings(opened).length} lines in ${seconds} s`);
  assert.ok(warnings(opened).length > 0);
}

async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A MESSAGE whose body may be octets. */
function withBody(port: number, type: string, body: Uint8Array, more: readonly string[] = []): Buffer {
  const text = requestText({ port, transport: 'TCP', type, body: 'x', more });
  const head = text.slice(0, -1).replace('Content-Length: 1', `Content-Length: ${body.length}`);
  return Buffer.concat([Buffer.from(head), body]);
}

/** Sends each over one connection, one behind the answer to the other; the statuses that came. */
async function statusesOf(socket: Socket, count: number, request: (index: number) => Uint8Array): Promise<Set<string>> {
  const statuses = new Set<string>();
  let heard = '';
  for (let index = 0; index < count; index++) {
    socket.write(request(index));
    while (!/\r\n\r\n$/.test(heard)) heard += String((await once(socket, 'data'))[0]);
    for (const [, status] of heard.matchAll(/^SIP\/2\.0 (\d+)/gm)) statuses.add(status ?? '');
    heard = '';
  }
  return statuses;
}

test('RFC 3261 s.26.3.2.4: peers that send a byte at a time are closed when their time is over, and hold up nobody', async (t) => {
  const opened = await open(t, { ...unlimited, messageMs: 400 });
  const startedAt = Date.now();
  const sockets = await Promise.all(Array.from({ length: 40 }, () => connected(t, opened.sip.portOf('TCP'))));
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  const head = `MESSAGE ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n${'Subject: and so on\r\n'.repeat(50)}`;
  let at = 0;
  const drip = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write(head[at % head.length] ?? '');
    at++;
  }, 10);
  t.after(() => clearInterval(drip));
  assert.match((await opened.ask({ callId: 'meanwhile' })).first, / 202 /);
  await closed;
  assert.equal(opened.hub.drafts.length, 1);
  assert.match(warnings(opened).join('\n'), /what came is no SIP: \d+ bytes of a message that never ended/);
  assertSparing(opened, startedAt);
});

test('RFC 3261 s.26.3.2.4: headers without an end are refused at the limit, and the connection is closed', async (t) => {
  const opened = await open(t, unlimited);
  for (const line of [
    'Subject: and so on\r\n',
    'A'.repeat(1000),
    'Via: SIP/2.0/TCP x;branch=z9hG4bK1, ',
    '\r\n ',
    ' ',
  ]) {
    const socket = await connected(t, opened.sip.portOf('TCP'));
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    const isClosed = once(socket, 'close');
    socket.write(`MESSAGE ${uri} SIP/2.0\r\n`);
    const chunk = line.repeat(Math.ceil(8192 / line.length));
    for (let sent = 0; sent < 1024 * 1024 && socket.writable; sent += chunk.length) {
      socket.write(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await isClosed;
    assert.ok(heard === '' || /^SIP\/2\.0 (4|513)/.test(heard), heard.slice(0, 40));
  }
  assert.equal(opened.hub.drafts.length, 0);
  assert.match((await opened.ask({ callId: 'after' })).first, / 202 /);
});

function nested(depth: number): Buffer {
  let body = 'Content-Type: text/plain\r\n\r\nhi';
  for (let level = depth; level > 0; level--)
    body = `Content-Type: multipart/mixed;boundary=b${level}\r\n\r\n--b${level}\r\n${body}\r\n--b${level}--`;
  return Buffer.from(body.slice(body.indexOf('\r\n\r\n') + 4));
}

const bombs: Readonly<Record<string, { status: string; request(port: number): Buffer }>> = {
  'a multipart nested 800 deep': {
    status: '400',
    request: (port) => withBody(port, 'multipart/mixed;boundary=b1', nested(800)),
  },
  'a multipart of ten thousand parts': {
    status: '400',
    request: (port) => withBody(port, 'multipart/mixed;boundary=b', Buffer.from('--b\r\n'.repeat(10_000))),
  },
  'a deflated IMDN of eight megabytes': {
    status: '413',
    request: (port) => withBody(port, 'message/imdn+xml', eightMegabytes, ['Content-Encoding: deflate']),
  },
  'a deflated body that breaks off': {
    status: '400',
    request: (port) => withBody(port, 'text/plain', broken, ['Content-Encoding: deflate']),
  },
  'gzip in gzip': {
    status: '413',
    request: (port) => withBody(port, 'text/plain', gzipSync(gzipped), ['Content-Encoding: gzip, gzip']),
  },
  'elements nested ten thousand deep': {
    status: '413',
    request: (port) => withBody(port, 'message/imdn+xml', Buffer.from('<a>'.repeat(10_000))),
  },
  'entities that stand for entities': {
    status: '400',
    request: (port) =>
      withBody(
        port,
        'message/imdn+xml',
        Buffer.from('<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><imdn>&b;</imdn>'),
      ),
  },
  'CPIM of ten thousand headers': {
    status: '400',
    request: (port) => withBody(port, 'message/cpim', Buffer.from(`${'A: b\r\n'.repeat(10_000)}\r\n`)),
  },
};
const eightMegabytes = deflateSync(Buffer.alloc(8 * 1024 * 1024, 32));
const broken = Buffer.concat([deflateSync('x'.repeat(99)).subarray(0, 8), Buffer.alloc(4000, 255)]);
const gzipped = gzipSync(Buffer.alloc(8 * 1024 * 1024, 32));
const count = 1000;

for (const [name, { status, request }] of Object.entries(bombs)) {
  test(`RFC 3261 s.26.3.2.4: ${name}, a thousand times, is ${status}, a few log lines and no memory`, async (t) => {
    const opened = await open(t, unlimited);
    const { sip, peer, hub } = opened;
    const startedAt = Date.now();
    const socket = await connected(t, sip.portOf('TCP'));
    const send = (times: number) => statusesOf(socket, times, () => request(peer.port));
    await send(count / 10);
    const before = await memoryInUse();
    assert.deepEqual(await send(count), new Set([status]));
    const grown = (await memoryInUse()) - before;
    t.diagnostic(`${grown >> 10} KiB more after ${count}, ${process.memoryUsage().rss >> 20} MiB resident`);
    assert.ok(grown < mostGrowthBytes, `${grown} bytes more`);
    assert.equal(hub.drafts.length, 0);
    assertSparing(opened, startedAt);
    assert.ok(!hub.logs.some(({ fields }) => JSON.stringify(fields).length > 1000), 'no body in a log line');
  });
}

test('RFC 3261 s.26.3.2.4: connections that come, begin and go leave nothing behind', async (t) => {
  const opened = await open(t, unlimited);
  const visit = async (times: number) => {
    for (let index = 0; index < times; index++) {
      const socket = connect(opened.sip.portOf('TCP'), '127.0.0.1').on('error', () => {});
      await once(socket, 'connect');
      socket.write(`MESSAGE ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK${index}\r\n`);
      socket.destroy();
    }
  };
  await visit(200);
  const before = await memoryInUse();
  await visit(1000);
  const grown = (await memoryInUse()) - before;
  t.diagnostic(`${grown >> 10} KiB more`);
  assert.ok(grown < mostGrowthBytes, `${grown} bytes more`);
});
