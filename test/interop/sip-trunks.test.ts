// Several accounts at a Kamailio that asks for all it can: SHA-256, Service-Route, Outbound with STUN, GRUU; over a NAT, and over
// a restart of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isStun } from '../../adapters/sip/codec/stun.ts';
import { create, message, open, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { requestText, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { startKamailioFrom } from '../servers/kamailio.ts';
import { startNat } from '../servers/nat.ts';
import { until } from '../servers/process.ts';

const configuration = join(import.meta.dirname, '../servers/kamailio-trunks.cfg');
const gateway = 'sip:gw@one.example';
const other = 'sip:other@two.example';

async function provider(t: TestContext, at?: number) {
  const kamailio = await startKamailioFrom(configuration, { '192.0.2.30:5060': '' }, at);
  t.after(() => kamailio.stop());
  return kamailio;
}

function trunk(aor: string, registrar: string): NonNullable<Settings['trunks']>[number] {
  const user = aor.slice('sip:'.length).split('@')[0];
  return { aor, registrar, password: `secret of ${user}`, showAs: 'account', expires: 60 };
}

async function register(t: TestContext, trunks: Settings['trunks']) {
  const hub = fakeHub();
  const sip = create({ trunks, t1Ms: 500, t2Ms: 4000 });
  t.after(() => sip.stop());
  await sip.start(hub);
  await hub.untilStatus('up');
  return { hub, sip };
}

/** Somebody at the provider writes to an account of ours; resolves with the status. */
async function writeTo(peer: SipPeer, aor: string, port: number): Promise<string> {
  const callId = `to-${aor}-${peer.heard.length}`;
  const parts = {
    port: peer.port,
    uri: aor,
    from: '<sip:dave@one.example>;tag=1',
    to: '<sip:alice@gw.example>',
    callId,
  };
  peer.sendUdp(requestText({ ...parts, more: ['User-Agent: phone'] }), port);
  const isFinal = (text: string) => /^SIP\/2\.0 [2-6]/.test(text);
  const { first } = await peer.until(({ first, header }) => isFinal(first) && header('Call-ID') === callId, 10_000);
  return first.slice(8, 11);
}

for (const transport of ['udp', 'tcp']) {
  test(`RFC 3608 s.6.2, RFC 8760 s.2.4: two accounts at once over ${transport.toUpperCase()}: SHA-256, each reached as itself, out by the Service-Route`, async (t) => {
    if (!needs(t, 'kamailio')) return;
    const kamailio = await provider(t);
    const registrar = `sip:127.0.0.1:${kamailio.port};transport=${transport}`;
    const { hub, sip } = await register(t, [trunk(gateway, registrar), trunk(other, registrar)]);
    const peer = await startSipPeer();
    t.after(() => peer.stop());
    const isReached = async (aor: string) => (await writeTo(peer, aor, kamailio.port)) === '202';
    for (const aor of [gateway, other]) await until(() => isReached(aor), `${aor} is reached`);
    assert.equal(hub.draftsOf('message').length, 2);
    // One account writes to the other: 403 without the Service-Route, 407 without the password.
    await sip.deliver(message(other, { text: { '': 'by the edge' } }), signal);
    assert.equal(hub.draftsOf('message').at(-1)?.from, other, 'showAs: account');
    await sip.stop();
    assert.equal(await writeTo(peer, gateway, kamailio.port), '404', 'unregistered');
  });
}

test('RFC 5626 s.4.4.2, s.4.5: STUN over the flow is answered by Kamailio; when the NAT forgets, the account registers anew at once', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const kamailio = await provider(t);
  const nat = await startNat(kamailio.port);
  t.after(() => nat.stop());
  const { hub } = await register(t, [trunk(gateway, `sip:127.0.0.1:${nat.port}`)]);
  const asked = () => nat.passed.filter(isStun).length;
  const registered = () => nat.passed.filter((bytes) => bytes.toString().startsWith('REGISTER')).length;
  // Flow-Timer: 2
  await until(() => asked() >= 2, 'STUN goes by the flow');
  assert.equal(registered(), 2, 'with its challenge');
  await nat.forget();
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  await until(() => registered() >= 4, 'it registers anew');
  assert.ok(asked() < 7, 'and not because nobody answered');
  await until(async () => (await writeTo(peer, gateway, kamailio.port)) === '202', 'it is reached by the new flow');
  assert.ok(hub.draftsOf('message').length > 0);
});

test('RFC 5626 s.4.5: when the registrar has restarted and forgotten everybody, accounts come back by themselves', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const first = await provider(t);
  const registrar = `sip:127.0.0.1:${first.port};transport=tcp`;
  const { hub } = await register(t, [trunk(gateway, registrar), trunk(other, registrar)]);
  await first.stop();
  await hub.untilStatus('down');
  const second = await provider(t, first.port);
  await hub.untilStatus('up');
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  for (const aor of [gateway, other]) {
    await until(async () => (await writeTo(peer, aor, second.port)) === '202', `${aor} is reached`, 15_000);
  }
});

test('RFC 5626 s.8: a STUN client of coturn is told where our port of SIP sees it', async (t) => {
  if (!needs(t, 'stun')) return;
  const { port } = await open(t);
  const child = spawn('/usr/bin/turnutils_stunclient', ['-p', String(port), '127.0.0.1']);
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'exit');
  assert.match(output, /UDP reflexive addr: 127\.0\.0\.1:\d+/);
});
