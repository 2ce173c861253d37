// Where a domain leads, as a real name server says it: NAPTR, SRV and addresses of both families, and who is next when one fails.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import { message, open, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { type PeerMessage, responseTo, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { startDnsmasq } from '../servers/dnsmasq.ts';
import { until } from '../servers/process.ts';

async function peersOf(t: TestContext, count: number, options = {}): Promise<SipPeer[]> {
  const peers = await Promise.all(Array.from({ length: count }, () => startSipPeer(options)));
  for (const peer of peers) t.after(() => peer.stop());
  return peers;
}

async function site(t: TestContext, records: readonly string[], more: Settings = { t1Ms: 500, t2Ms: 4000 }) {
  const dns = await startDnsmasq(records);
  t.after(() => dns.stop());
  return { dns, ...(await open(t, { dns: { servers: [dns.address] }, ...more })) };
}

const busy = (seconds: number) => (request: PeerMessage) =>
  responseTo(request, '503 Busy', [`Retry-After: ${seconds}`]);
const naptr = (order: number, service: string, replacement: string) =>
  `naptr-record=example.net,${order},10,s,${service},,${replacement}`;
const srv = (transport: string, host: string, { port }: SipPeer, priority: number, weight = 0) =>
  `srv-host=_sip._${transport}.example.net,${host}.example.net,${port},${priority},${weight}`;
const hosts = ['host-record=a.example.net,127.0.0.1', 'host-record=b.example.net,127.0.0.1'];

async function pair(t: TestContext, options = {}, more?: Settings) {
  const [first] = (await peersOf(t, 1, options)) as [SipPeer];
  const [second] = (await peersOf(t, 1)) as [SipPeer];
  const records = [naptr(1, 'SIP+D2U', '_sip._udp.example.net'), ...hosts];
  const order = [srv('udp', 'a', first, 1), srv('udp', 'b', second, 2)];
  return { first, second, ...(await site(t, [...records, ...order], more)) };
}

test('RFC 3263 s.4.3: of two hosts behind NAPTR and SRV the first says 503: the second takes it, and the first rests as Retry-After says', async (t) => {
  if (!needs(t, 'dnsmasq')) return;
  const { first, second, sip } = await pair(t);
  first.onRequest = busy(1);
  await sip.deliver(message('sip:x@example.net'), signal);
  await sip.deliver(message('sip:y@example.net'), signal);
  assert.deepEqual([first.heard.length, second.heard.length], [1, 2]);
  assert.equal(first.heard[0]?.header('Call-ID'), second.heard[0]?.header('Call-ID'));
  assert.notEqual(first.heard[0]?.header('Via'), second.heard[0]?.header('Via'), 'another branch');
  first.onRequest = (request) => responseTo(request, '200 OK');
  const isBack = async () => {
    await sip.deliver(message('sip:z@example.net'), signal);
    return first.heard.length > 1;
  };
  await until(isBack, 'the first is asked again after a second');
});

test('RFC 3263 s.4.3: a host that refuses a connection, and one that is silent, are passed over', async (t) => {
  if (!needs(t, 'dnsmasq')) return;
  // Quick timers: 64 * T1 is 1.3 s.
  const { first, second, sip } = await pair(t, { takesTcp: false }, {});
  await sip.deliver(message('sip:y@example.net', { text: { '': 'x'.repeat(2000) } }), signal);
  assert.deepEqual([first.heard.length, second.heard[0]?.transport], [0, 'TCP']);
  first.onRequest = () => undefined;
  await sip.deliver(message('sip:x@example.net'), signal);
  assert.ok(first.heard.length > 5, 'copies until Timer F');
  assert.equal(second.heard.at(-1)?.transport, 'UDP');
});

test('RFC 3263 s.4.1: NAPTR says which transport comes first', async (t) => {
  if (!needs(t, 'dnsmasq')) return;
  const [first, second] = (await peersOf(t, 2)) as [SipPeer, SipPeer];
  const order = [naptr(2, 'SIP+D2U', '_sip._udp.example.net'), naptr(1, 'SIP+D2T', '_sip._tcp.example.net')];
  const { sip } = await site(t, [...order, ...hosts, srv('udp', 'a', first, 1), srv('tcp', 'b', second, 1)]);
  await sip.deliver(message('sip:x@example.net'), signal);
  assert.deepEqual([first.heard.length, second.heard[0]?.transport], [0, 'TCP']);
});

test('RFC 2782: hosts of one priority share by weight, those of a higher number wait until all of it fail', async (t) => {
  if (!needs(t, 'dnsmasq')) return;
  const [heavy, light, spare] = (await peersOf(t, 3)) as [SipPeer, SipPeer, SipPeer];
  const shares = [srv('udp', 'a', heavy, 1, 90), srv('udp', 'b', light, 1, 10), srv('udp', 'a', spare, 2, 100)];
  const { sip } = await site(t, [...hosts, ...shares]);
  const users = Array.from({ length: 200 }, (_, user) => `sip:user${user}@example.net`);
  await Promise.all(users.map((user) => sip.deliver(message(user), signal)));
  assert.equal(heavy.heard.length + light.heard.length, 200);
  // 20 expected; that it is none or forty happens once in a hundred thousand times.
  assert.ok(light.heard.length > 0 && light.heard.length < 40, `${light.heard.length}`);
  for (const peer of [heavy, light]) peer.onRequest = busy(60);
  await sip.deliver(message('sip:last@example.net'), signal);
  assert.equal(spare.heard.length, 1);
});

test('RFC 3263 s.4.2: a host that has an IPv6 address alone is reached there', async (t) => {
  if (!needs(t, 'dnsmasq')) return;
  const [six] = (await peersOf(t, 1, { host: '::1' })) as [SipPeer];
  const { sip } = await site(t, ['host-record=six.example.net,::1', srv('udp', 'six', six, 1)]);
  await sip.deliver(message('sip:x@example.net'), signal);
  assert.match(six.heard[0]?.header('Via') ?? '', /^SIP\/2\.0\/UDP \[::1\]:\d+;/);
});

test('RFC 3263 s.4: no such domain is final, a name server that is gone is not, and what it said is remembered', async (t) => {
  if (!needs(t, 'dnsmasq')) return;
  const [peer] = (await peersOf(t, 1)) as [SipPeer];
  const { sip, dns } = await site(t, [...hosts, srv('udp', 'a', peer, 1), 'local=/none.example/']);
  const failureOf = (to: string) =>
    sip.deliver(message(to), signal).then(
      () => 'taken',
      (error: unknown) => error instanceof GatewayError && error.reason,
    );
  assert.equal(await failureOf('sip:x@example.net'), 'taken');
  assert.equal(await failureOf('sip:x@none.example'), 'not-found');
  await dns.process.kill();
  assert.equal(await failureOf('sip:x@example.net'), 'taken');
  assert.equal(await failureOf('sip:x@other.example'), 'unreachable');
});
