// A provider that says what becomes of a registration: Kamailio with pua_reginfo and presence_reginfo.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { requestText, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { startKamailioReg } from '../servers/kamailio-reg.ts';
import { until } from '../servers/process.ts';

const aor = 'sip:gw@provider.example';

for (const transport of ['udp', 'tcp']) {
  test(`RFC 3680 s.5.1: over ${transport.toUpperCase()} a provider that has removed our contact says so, and we register again`, async (t) => {
    if (!needs(t, 'kamailio', 'kamailio-presence')) return;
    const kamailio = await startKamailioReg('provider.example', 'secret');
    t.after(() => kamailio.stop());
    const hub = fakeHub();
    const registrar = `sip:127.0.0.1:${kamailio.port};transport=${transport}`;
    const sip = create({ trunks: [{ aor, registrar, password: 'secret' }], t1Ms: 500, t2Ms: 4000 });
    t.after(() => sip.stop());
    await sip.start(hub);
    await hub.untilStatus('up');
    const told = () => hub.counters.get('requests_total{method=NOTIFY,status=200}') ?? 0;
    await until(() => told() > 0, 'Kamailio tells about the registration', 20_000);
    await kamailio.unregister(aor);
    await until(async () => (await kamailio.contacts(aor)) === 1, 'registered anew', 20_000);
    const peer = await startSipPeer();
    t.after(() => peer.stop());
    const parts = {
      port: peer.port,
      uri: aor,
      from: '<sip:dave@provider.example>;tag=1',
      to: '<sip:alice@gw.example>',
    };
    peer.sendUdp(requestText({ ...parts, callId: 'again' }), kamailio.port);
    const isFinal = (text: string) => /^SIP\/2\.0 [2-6]/.test(text);
    const { first } = await peer.until((one) => isFinal(one.first) && one.header('Call-ID') === 'again', 10_000);
    assert.match(first, / 202 /);
  });
}
