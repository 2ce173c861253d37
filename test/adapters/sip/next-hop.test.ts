// RFC 3263: where a URI leads, in which order, and who is left alone for a while.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseUri } from '../../../adapters/sip/codec/uri.ts';
import { NextHop, type Resolver } from '../../../adapters/sip/next-hop.ts';
import { systemResolver } from '../../../adapters/sip/resolver.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { startDnsServer } from '../../peers/dns.ts';
import { responseTo, startSipPeer } from '../../peers/sip-peer.ts';
import { message, open, signal } from './adapter-fixtures.ts';

type Naptr = Awaited<ReturnType<Resolver['resolveNaptr']>>;
type Srv = Awaited<ReturnType<Resolver['resolveSrv']>>;

interface Zone {
  naptr?: Record<string, Naptr>;
  srv?: Record<string, Srv>;
  hosts?: Record<string, string[]>;
}

function absent(): never {
  throw Object.assign(new Error('no such record'), { code: 'ENOTFOUND' });
}

function resolverOf({ naptr = {}, srv = {}, hosts = {} }: Zone): Resolver {
  return {
    resolveNaptr: async (name) => naptr[name] ?? absent(),
    resolveSrv: async (name) => srv[name] ?? absent(),
    addresses: async (name) => hosts[name] ?? absent(),
  };
}

const clock = { now: 0 };
const hopsOf = (zone: Zone, random = () => 0) =>
  new NextHop({
    resolver: resolverOf(zone),
    transports: ['UDP', 'TCP', 'TLS', 'WS', 'WSS'],
    now: () => clock.now,
    random,
  });
const find = async (hop: NextHop, uri: string) =>
  (await hop.resolve(parseUri(uri))).map(({ transport, address, port }) => `${transport} ${address}:${port}`);

const service = (name: string, replacement: string, order: number, preference = 0) => ({
  service: name,
  flags: 's',
  replacement,
  order,
  preference,
});
const record = (name: string, priority: number, weight = 0, port = 5060) => ({ name, port, priority, weight });

test('RFC 3263 s.4.2: an address is its own answer, UDP unless something else is said', async () => {
  const hop = hopsOf({});
  assert.deepEqual(await find(hop, 'sip:a@192.0.2.1'), ['UDP 192.0.2.1:5060']);
  assert.deepEqual(await find(hop, 'sip:a@192.0.2.1:5070;transport=tcp'), ['TCP 192.0.2.1:5070']);
  assert.deepEqual(await find(hop, 'sip:a@[2001:db8::1]'), ['UDP 2001:db8::1:5060']);
  assert.deepEqual(await find(hop, 'sips:a@192.0.2.1'), ['TLS 192.0.2.1:5061']);
  assert.deepEqual(await find(hop, 'sip:a@example.org;maddr=192.0.2.7'), ['UDP 192.0.2.7:5060']);
});

test('RFC 3263 s.4.1: NAPTR chooses the transport in its order, then SRV the host', async () => {
  const hop = hopsOf({
    naptr: {
      'example.org': [
        service('SIP+D2U', '_sip._udp.example.org', 20),
        service('SIP+D2T', '_sip._tcp.example.org', 10, 2),
        service('SIPS+D2T', '_sips._tcp.example.org', 10, 1),
        service('SIP+D2S', '_sip._sctp.example.org', 1),
      ],
    },
    srv: { '_sips._tcp.example.org': [record('one.example.org', 1, 0, 5071)] },
    hosts: { 'one.example.org': ['192.0.2.1', '192.0.2.2'] },
  });
  assert.deepEqual(await find(hop, 'sip:a@example.org'), ['TLS 192.0.2.1:5071', 'TLS 192.0.2.2:5071']);
});

test('RFC 3263 s.4.1: for a sips: URI NAPTR chooses among the secure services only, and is not asked where the URI names a transport or port', async () => {
  const hop = hopsOf({
    naptr: {
      'example.org': [
        service('SIP+D2T', '_sip._tcp.example.org', 1),
        service('SIPS+D2T', '_sips._tcp.hosting.example', 2),
        service('SIPS+D2W', '_wss.example.org', 3),
      ],
    },
    srv: {
      '_sip._tcp.example.org': [record('plain.example.org', 1)],
      '_sips._tcp.hosting.example': [record('one.example.org', 1, 0, 5071)],
      '_sips._tcp.example.org': [record('two.example.org', 1, 0, 5072)],
    },
    hosts: { 'one.example.org': ['192.0.2.1'], 'two.example.org': ['192.0.2.2'], 'example.org': ['192.0.2.3'] },
  });
  assert.deepEqual(await find(hop, 'sips:a@example.org'), ['TLS 192.0.2.1:5071']);
  assert.deepEqual(await find(hop, 'sips:a@example.org;transport=tcp'), ['TLS 192.0.2.2:5072']);
  assert.deepEqual(await find(hop, 'sips:a@example.org:5099'), ['TLS 192.0.2.3:5099']);
});

test('RFC 7118 s.5.2.1, s.10.2: WebSocket by its parameter, with sips: over TLS, or by NAPTR; never by a guess', async () => {
  const hop = hopsOf({
    naptr: { 'example.org': [service('SIPS+D2W', '_wss.example.org', 1), service('SIP+D2W', '_ws.example.org', 2)] },
    srv: { '_ws.example.org': [record('one.example.org', 1, 0, 8080)] },
    hosts: { 'one.example.org': ['192.0.2.1'], 'two.example.org': ['192.0.2.2'] },
  });
  assert.deepEqual(await find(hop, 'sip:a@192.0.2.1;transport=ws'), ['WS 192.0.2.1:80']);
  assert.deepEqual(await find(hop, 'sip:a@192.0.2.1;transport=wss'), ['WSS 192.0.2.1:443']);
  assert.deepEqual(await find(hop, 'sips:a@192.0.2.1:8443;transport=ws'), ['WSS 192.0.2.1:8443']);
  assert.deepEqual(await find(hop, 'sip:a@example.org'), ['WS 192.0.2.1:8080']);
  assert.deepEqual(await find(hop, 'sip:a@two.example.org'), ['UDP 192.0.2.2:5060']);
});

test('RFC 3263 s.4.2: without NAPTR the SRV records decide, without those the address', async () => {
  const zone = {
    srv: { '_sip._tcp.example.org': [record('one.example.org', 1)] },
    hosts: { 'one.example.org': ['192.0.2.1'] },
  };
  assert.deepEqual(await find(hopsOf(zone), 'sip:a@example.org'), ['TCP 192.0.2.1:5060']);
  const plain = hopsOf({ hosts: { 'example.org': ['192.0.2.3'] } });
  assert.deepEqual(await find(plain, 'sip:a@example.org'), ['UDP 192.0.2.3:5060']);
  assert.deepEqual(await find(plain, 'sip:a@example.org;transport=tls'), ['TLS 192.0.2.3:5061']);
  assert.deepEqual(await find(plain, 'sip:a@example.org:5080'), ['UDP 192.0.2.3:5080']);
});

test('RFC 2782: lower priority first, within one by weight', async () => {
  const zone: Zone = {
    srv: { '_sip._udp.example.org': [record('c.', 20), record('light.', 10, 1), record('heavy.', 10, 9)] },
    hosts: { 'c.': ['192.0.2.3'], 'light.': ['192.0.2.1'], 'heavy.': ['192.0.2.2'] },
  };
  let heavyFirst = 0;
  for (let step = 0; step < 100; step++) {
    const found = await find(
      hopsOf(zone, () => step / 100),
      'sip:a@example.org',
    );
    if (found[0] === 'UDP 192.0.2.2:5060') heavyFirst++;
    assert.equal(found[2], 'UDP 192.0.2.3:5060');
  }
  assert.ok(heavyFirst > 80 && heavyFirst < 95, `${heavyFirst} of 100`);
});

test('RFC 3263 s.4.2, RFC 7247 s.7.2: a domain that DNS says is none is not found; a DNS that does not answer is worth a retry', async () => {
  await assert.rejects(
    find(hopsOf({}), 'sip:a@nowhere.example'),
    (error: unknown) =>
      error instanceof GatewayError &&
      error.reason === 'not-found' &&
      error.fault?.condition === 'remote-server-not-found',
  );
  const broken = new NextHop({
    resolver: {
      ...resolverOf({}),
      addresses: async () => Promise.reject(Object.assign(new Error('x'), { code: 'ETIMEOUT' })),
    },
    transports: ['UDP'],
    now: () => 0,
  });
  await assert.rejects(
    find(broken, 'sip:a@example.org'),
    (error: unknown) => error instanceof GatewayError && error.reason === 'unreachable',
  );
});

test('RFC 3263 s.4.3: who is blocked comes last, until its time is over', async () => {
  clock.now = 0;
  const hop = hopsOf({ hosts: { 'example.org': ['192.0.2.1', '192.0.2.2'] } });
  const [first] = await hop.resolve(parseUri('sip:a@example.org'));
  hop.block(first!, 5000);
  assert.deepEqual(await find(hop, 'sip:a@example.org'), ['UDP 192.0.2.2:5060', 'UDP 192.0.2.1:5060']);
  clock.now = 5001;
  assert.deepEqual(await find(hop, 'sip:a@example.org'), ['UDP 192.0.2.1:5060', 'UDP 192.0.2.2:5060']);
});

test('the hosts file counts where no name server is configured', async () => {
  assert.ok((await systemResolver([], () => 0).addresses('localhost')).includes('127.0.0.1'));
});

test('RFC 2308 s.5: that there is no such record is asked once in a while, not for each message', async (t) => {
  const dns = await startDnsServer({ 'plain.example': { A: ['127.0.0.1'] } });
  t.after(() => dns.stop());
  let now = 0;
  const resolver = systemResolver([dns.address], () => now);
  for (let count = 0; count < 3; count++) await assert.rejects(resolver.resolveSrv('_sip._udp.plain.example'));
  assert.equal(dns.asked.length, 1);
  now = 30_001;
  await assert.rejects(resolver.resolveSrv('_sip._udp.plain.example'));
  assert.equal(dns.asked.length, 2);
  assert.deepEqual(await resolver.addresses('plain.example'), ['127.0.0.1']);
});

async function pair(t: TestContext) {
  const [first, second] = [await startSipPeer(), await startSipPeer()];
  const dns = await startDnsServer({
    'pair.example': {
      NAPTR: [{ order: 1, preference: 1, flags: 's', service: 'SIP+D2U', replacement: '_sip._udp.pair.example' }],
    },
    '_sip._udp.pair.example': {
      SRV: [
        { priority: 1, weight: 0, port: first.port, target: 'a.pair.example' },
        { priority: 2, weight: 0, port: second.port, target: 'b.pair.example' },
      ],
    },
    'a.pair.example': { A: ['127.0.0.1'] },
    'b.pair.example': { A: ['127.0.0.1'] },
  });
  for (const { stop } of [first, second, dns]) t.after(stop);
  const { sip } = await open(t, { dns: { servers: [dns.address] } });
  return { sip, dns, first, second };
}

test('RFC 3263 s.4.3: after 503 the next one gets the same request with another branch; the first is left alone as Retry-After says', async (t) => {
  const { sip, dns, first, second } = await pair(t);
  first.onRequest = (request) => responseTo(request, '503 Busy', ['Retry-After: 60']);
  await sip.deliver(message('sip:x@pair.example'), signal);
  const questions = dns.asked.length;
  await sip.deliver(message('sip:y@pair.example'), signal);
  assert.deepEqual([first.heard.length, second.heard.length], [1, 2]);
  assert.equal(first.heard[0]?.header('Call-ID'), second.heard[0]?.header('Call-ID'));
  assert.notEqual(first.heard[0]?.header('Via'), second.heard[0]?.header('Via'));
  assert.equal(dns.asked.length, questions, 'answers are kept');
  assert.deepEqual(dns.asked.slice(0, 2), ['NAPTR pair.example', 'SRV _sip._udp.pair.example']);
});

test('RFC 3263 s.4.3: after silence too', async (t) => {
  const { sip, first, second } = await pair(t);
  first.onRequest = () => undefined;
  await sip.deliver(message('sip:x@pair.example'), signal);
  assert.ok(first.heard.length > 1);
  assert.equal(second.heard.length, 1);
});

test('RFC 3263 s.4.3: when all refuse, the last 503 is the answer', async (t) => {
  const { sip, first, second } = await pair(t);
  for (const peer of [first, second]) peer.onRequest = (request) => responseTo(request, '503 Busy', ['Retry-After: 9']);
  await assert.rejects(
    sip.deliver(message('sip:x@pair.example'), signal),
    (error: unknown) => error instanceof GatewayError && error.native === '503' && error.retryAfterMs === 9000,
  );
});
