// The XMPP adapter on Debian's Prosody: the common suite, and what is Prosody's own.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer } from 'node:tls';
import { adapter } from '../../adapters/xmpp/index.ts';
import { sampleEvent } from '../peers/events.ts';
import { fakeHub } from '../peers/hub.ts';
import { type Certificate, makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { temporaryFolder } from '../servers/process.ts';
import { startProsody, type XmppServerOptions } from '../servers/prosody.ts';
import { findings, openAdapter, runSuite, sayHello, secret, serverOptions, settings, sip, sms } from './xmpp-suite.ts';

async function open(t: TestContext, more: Partial<XmppServerOptions> = {}) {
  const server = await startProsody({ ...serverOptions, ...more });
  t.after(() => server.stop());
  return server;
}

test('XMPP on Prosody', async (t) => {
  if (needs(t, 'prosody')) await runSuite(t, await open(t));
});

test('XEP-0114 on Prosody: doctor tells an unknown domain, and a domain that somebody else holds', async (t) => {
  if (!needs(t, 'prosody')) return;
  const server = await open(t);
  const [unknown] = await findings(server, { domains: [{ domain: 'nobody.example', secret, shows: ['tel'] }] });
  assert.match(`${unknown?.what}`, /no such component/);
  assert.match(`${unknown?.advice}`, /Component "nobody.example"/);
  await openAdapter(t, server);
  assert.deepEqual(
    (await findings(server)).map(({ state }) => state),
    ['warning'],
  );
});

test('RFC 6120 s.4.9.3.3: the second gateway of a domain hears conflict, says so, and leaves the first alone', async (t) => {
  if (!needs(t, 'prosody')) return;
  const server = await open(t);
  const first = await openAdapter(t, server);
  const hub = fakeHub();
  const second = adapter.create('standby', settings(server));
  t.after(() => second.stop());
  await second.start(hub);
  assert.equal(hub.statuses.at(-1)?.state, 'down');
  assert.match(`${hub.statuses.at(-1)?.why}`, /conflict/);
  await first.adapter.deliver(
    sampleEvent('message', `xmpp:bob@${sip}`, 'xmpp:alice@xmpp.example', { text: { '': 'x' }, wants: [] }),
    new AbortController().signal,
  );
  await first.adapter.stop();
  await hub.untilStatus('up');
});

test('RFC 6120 s.4.9.3.3: a gateway that was replaced steps down and starts no kick war', async (t) => {
  if (!needs(t, 'prosody')) return;
  const server = await open(t, { extra: 'component_conflict_resolve = "kick_old"' });
  const first = await openAdapter(t, server, { reconnect: { firstMs: 10, maxMs: 60_000 } });
  const second = await openAdapter(t, server, { reconnect: { firstMs: 10, maxMs: 60_000 } });
  await first.hub.untilStatus('down');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(second.hub.statuses.at(-1)?.state, 'up');
  assert.match(`${first.hub.statuses.at(-1)?.why}`, /conflict/);
});

test('a component whose secret is wrong is down alone, the other works', async (t) => {
  if (!needs(t, 'prosody')) return;
  const server = await open(t);
  const hub = fakeHub();
  const domains = [
    { domain: sms, secret: 'wrong', shows: ['tel'] },
    { domain: sip, secret, shows: ['sip'] },
  ];
  const xmpp = adapter.create('jabber', settings(server, { domains }));
  t.after(() => xmpp.stop());
  await xmpp.start(hub);
  const { state, why } = hub.statuses.at(-1) ?? {};
  assert.equal(state, 'up');
  assert.match(`${why}`, /sms\.xmpp\.example.*not-authorized/);
});

test('TLS from the first byte in front of Prosody: verified, and refused when nobody vouches for it', async (t) => {
  if (!needs(t, 'prosody', 'openssl')) return;
  const folder = temporaryFolder('xmpp-tls');
  t.after(() => folder.remove());
  const certificate = makeCertificate(folder.path);
  const server = await open(t);
  const port = await startTlsProxy(t, certificate, server.componentPort);
  const at = { ...server, componentPort: port };
  await sayHello(t, at, { tls: { ca: certificate.cert } });
  const [finding] = await findings(at, {
    tls: true,
    domains: [{ domain: 'spare.xmpp.example', secret, shows: ['tel'] }],
  });
  assert.match(`${finding?.what}`, /self.signed/);
});

async function startTlsProxy(t: TestContext, { cert, key }: Certificate, to: number): Promise<number> {
  const proxy = createServer({ cert, key }, (outer) => {
    const inner = connect(to, '127.0.0.1');
    inner.pipe(outer).pipe(inner);
    for (const socket of [inner, outer])
      socket.on('error', () => {}).on('close', () => [inner, outer].map((one) => one.destroy()));
  });
  proxy.on('tlsClientError', () => {});
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  return (proxy.address() as AddressInfo).port;
}
