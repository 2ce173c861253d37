// An account at a provider that is reached by WebSocket alone: Kamailio's websocket module, plain and over TLS.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { create, message, signal } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { requestText, startSipPeer } from '../peers/sip-peer.ts';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { startKamailioFrom } from '../servers/kamailio.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';

const file = join(import.meta.dirname, '../servers/kamailio-ws.cfg');
const aor = 'sip:gw@provider.example';

for (const transport of ['ws', 'wss']) {
  test(`RFC 7118 s.5: as a client over ${transport.toUpperCase()}: registered with digest, messages out and in by the same connection, kept alive, opened anew when it is gone`, async (t) => {
    if (!needs(t, 'kamailio', 'openssl')) return;
    const folder = temporaryFolder('websocket');
    t.after(() => folder.remove());
    const { cert } = makeCertificate(folder.path);
    const [tlsPort = 0] = await freePorts(1);
    const addresses = {
      '192.0.2.30:5060': '',
      '192.0.2.31:5061': `127.0.0.1:${tlsPort}`,
      CERTIFICATE: join(folder.path, 'cert.pem'),
      'PRIVATE-KEY': join(folder.path, 'key.pem'),
    };
    const kamailio = await startKamailioFrom(file, addresses);
    t.after(() => kamailio.stop());
    const port = transport === 'ws' ? kamailio.port : tlsPort;
    const trunk = { aor, registrar: `sip:localhost:${port};transport=${transport}`, password: 'secret' };
    const hub = fakeHub();
    const sip = create({ trunks: [trunk], tls: { ca: cert }, pingMs: 300, t1Ms: 500, t2Ms: 4000 });
    t.after(() => sip.stop());
    await sip.start(hub);
    await hub.untilStatus('up', 15_000);
    const peer = await startSipPeer();
    t.after(() => peer.stop());
    const isIn = async (callId: string) => {
      const parts = { port: peer.port, uri: aor, from: '<sip:dave@provider.example>;tag=1', callId };
      peer.sendUdp(requestText({ ...parts, to: '<sip:alice@gw.example>', body: 'grüße' }), kamailio.port);
      const isFinal = (text: string) => /^SIP\/2\.0 [2-6]/.test(text);
      const { first } = await peer.until((one) => isFinal(one.first) && one.header('Call-ID') === callId, 15_000);
      return first.includes(' 202 ');
    };
    const before = hub.gauges.get('flows');
    await sip.deliver(message(`sip:${peer.port}@provider.example`, { text: { '': 'hello 👋' } }), signal);
    const heard = peer.heard.find(({ first }) => first.startsWith('MESSAGE'));
    assert.equal(heard?.body, 'hello 👋');
    assert.match(heard?.text ?? '', new RegExp(`^Via: SIP/2\\.0/${transport.toUpperCase()} `, 'm'));
    assert.ok(await isIn('one'));
    assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'grüße' });
    assert.equal(hub.gauges.get('flows'), before ?? 1);

    // Kamailio is gone, and with it what it knew of us.
    await kamailio.stop();
    const again = await startKamailioFrom(file, addresses, kamailio.port);
    t.after(() => again.stop());
    let asked = 0;
    await until(() => isIn(`again-${asked++}`), 'reached by a new connection', 30_000);
  });
}

test('RFC 5922 s.7: a WebSocket server whose certificate is of somebody else is no way to a provider', async (t) => {
  if (!needs(t, 'kamailio', 'openssl')) return;
  const folder = temporaryFolder('websocket');
  t.after(() => folder.remove());
  makeCertificate(folder.path);
  const [tlsPort = 0] = await freePorts(1);
  const kamailio = await startKamailioFrom(file, {
    '192.0.2.30:5060': '',
    '192.0.2.31:5061': `127.0.0.1:${tlsPort}`,
    CERTIFICATE: join(folder.path, 'cert.pem'),
    'PRIVATE-KEY': join(folder.path, 'key.pem'),
  });
  t.after(() => kamailio.stop());
  const hub = fakeHub();
  const sip = create({ trunks: [{ aor, registrar: `sips:localhost:${tlsPort};transport=ws`, password: 'secret' }] });
  t.after(() => sip.stop());
  await sip.start(hub);
  await hub.untilStatus('down', 15_000);
  assert.match(hub.statuses.at(-1)?.why ?? '', /self-signed/);
});
