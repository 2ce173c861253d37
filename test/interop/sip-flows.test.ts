// An account at a provider with two edge proxies (Kamailio: path, outbound, stun) before its registrar: messages go on in both
// directions when one of them is killed, and by both again when it is back.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import { create, message, signal } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { requestText, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { type Kamailio, startKamailioFrom } from '../servers/kamailio.ts';
import { until } from '../servers/process.ts';

const servers = join(import.meta.dirname, '../servers');
const aor = 'sip:gw@provider.example';

async function start(t: TestContext, name: string, addresses: Record<string, string>, at?: number): Promise<Kamailio> {
  const kamailio = await startKamailioFrom(join(servers, `kamailio-flow-${name}.cfg`), addresses, at);
  t.after(() => kamailio.stop());
  return kamailio;
}

/** Over UDP to the registrar; resolves with the first line of the final answer. */
async function ask(peer: SipPeer, port: number, method: string, more: readonly string[] = []): Promise<string> {
  const callId = `${method}-${peer.heard.length}-${Math.random()}`;
  const parts = {
    port: peer.port,
    method,
    uri: aor,
    callId,
    from: '<sip:dave@provider.example>;tag=1',
    to: '<sip:alice@gw.example>',
  };
  peer.sendUdp(requestText({ ...parts, more: [...more] }), port);
  const isFinal = (text: string) => /^SIP\/2\.0 [2-6]/.test(text);
  const { first } = await peer.until((one) => isFinal(one.first) && one.header('Call-ID') === callId, 20_000);
  return first;
}

for (const transport of ['udp', 'tcp']) {
  test(`RFC 5626 s.4.2, s.4.3, s.4.5: two edges over ${transport.toUpperCase()}, one is killed: messages go in and out, and both flows are back with it`, async (t) => {
    if (!needs(t, 'kamailio')) return;
    const registrar = await start(t, 'registrar', { '192.0.2.30:5060': '' });
    const edgeAddresses = { '192.0.2.10:5060': '', '192.0.2.30:5060': `127.0.0.1:${registrar.port}` };
    const [one, two] = [await start(t, 'edge', edgeAddresses), await start(t, 'edge', edgeAddresses)];
    const peer = await startSipPeer();
    t.after(() => peer.stop());
    const hub = fakeHub();
    const outboundProxies = [one, two].map(({ port }) => `sip:127.0.0.1:${port};transport=${transport};lr`);
    const trunk = { aor, password: 'secret', outboundProxies, showAs: 'account' as const, expires: 60 };
    const sip = create({ trunks: [trunk], t1Ms: 100, t2Ms: 800 });
    t.after(() => sip.stop());
    await sip.start(hub);
    await hub.untilStatus('up');
    const flows = async () => Number((await ask(peer, registrar.port, 'INFO')).slice('SIP/2.0 200 '.length));
    await until(async () => (await flows()) === 2, 'two flows of one instance', 20_000);

    const isIn = async () => (await ask(peer, registrar.port, 'MESSAGE')).includes(' 202 ');
    const isOut = async (text: string) => {
      const sent = sip.deliver(message(`sip:${peer.port}@provider.example`, { text: { '': text } }), signal);
      const isTaken = await sent.then(
        () => true,
        (error: unknown) => {
          if (error instanceof GatewayError && !error.isFinal) return false;
          throw error;
        },
      );
      return isTaken && peer.heard.some(({ first, body }) => first.startsWith('MESSAGE') && body.includes(text));
    };
    await until(isIn, 'in');
    await until(() => isOut('by both'), 'out');

    await one.kill();
    await until(() => isOut('by the other'), 'out by the edge that lives', 30_000);
    await until(isIn, 'in by the edge that lives', 30_000);

    const { port } = one;
    await one.stop();
    const again = await start(t, 'edge', edgeAddresses, port);
    await two.kill();
    await until(() => isOut('by the first again'), 'out by the edge that is back', 60_000);
    await until(isIn, 'in by the edge that is back', 60_000);
    assert.ok(again.port === port);
  });
}
