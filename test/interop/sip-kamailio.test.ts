// Kamailio between a phone and the gateway: proxy, registrar, digest, TLS.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { options } from '../../adapters/sip/config.ts';
import { diagnose } from '../../adapters/sip/diagnose.ts';
import { create, message, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { requestText, responseTo, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { type Kamailio, type KamailioOptions, startKamailio } from '../servers/kamailio.ts';
import { freePorts, temporaryFolder } from '../servers/process.ts';

const domain = 'pbx.example';
const password = 'secret';

async function site(
  t: TestContext,
  ways: {
    transport: string;
    tls?: KamailioOptions['tls'];
    settings?: (kamailio: Kamailio) => Settings;
    listen?: Settings['listen'];
  },
) {
  const [port = 0] = await freePorts(1);
  const uri = `sip:127.0.0.1:${port};transport=${ways.transport}`;
  const kamailio = await startKamailio({
    domain,
    password,
    gateway: { domain: 'gw.example', uri },
    ...(ways.tls ? { tls: ways.tls } : {}),
  });
  t.after(() => kamailio.stop());
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  const hub = fakeHub();
  const listen = ways.listen ?? [
    { transport: 'udp' as const, port },
    { transport: 'tcp' as const, port },
  ];
  const sip = create({
    listen: listen.map((one) => ({ ...one, port })),
    t1Ms: 500,
    t2Ms: 4000,
    ...(ways.settings?.(kamailio) ?? { outboundProxy: `sip:127.0.0.1:${kamailio.port};transport=${ways.transport}` }),
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  return { kamailio, phone, hub, sip };
}

/** A phone that knows the password registers at Kamailio. */
async function register(phone: SipPeer, kamailio: Kamailio): Promise<void> {
  const parts = {
    port: phone.port,
    method: 'REGISTER',
    uri: `sip:${domain}`,
    from: `<sip:bob@${domain}>;tag=r`,
    to: `<sip:bob@${domain}>`,
    body: '',
    callId: 'register',
  };
  const contact = [`Contact: <sip:bob@127.0.0.1:${phone.port}>`, 'Expires: 600'];
  phone.sendUdp(requestText({ ...parts, more: contact }), kamailio.port);
  const challenge = await phone.until(({ first }) => first.startsWith('SIP/2.0 401'));
  const nonce = /nonce="([^"]+)"/.exec(challenge.header('WWW-Authenticate'))?.[1] ?? '';
  const h = (text: string) => createHash('md5').update(text).digest('hex');
  const response = h(`${h(`bob:${domain}:${password}`)}:${nonce}:${h(`REGISTER:sip:${domain}`)}`);
  const proof = `Authorization: Digest username="bob", realm="${domain}", nonce="${nonce}", uri="sip:${domain}", response="${response}"`;
  phone.sendUdp(requestText({ ...parts, cseq: 2, more: [...contact, proof] }), kamailio.port);
  await phone.until(({ first, header }) => first.startsWith('SIP/2.0 200') && header('CSeq') === '2 REGISTER');
}

for (const transport of ['udp', 'tcp']) {
  test(`RFC 7247 s.4: a message goes both ways through Kamailio over ${transport.toUpperCase()}`, async (t) => {
    if (!needs(t, 'kamailio')) return;
    const { kamailio, phone, hub, sip } = await site(t, { transport });
    await register(phone, kamailio);
    const event = message(`sip:bob@${domain}`, { text: { '': 'through a proxy 👋' }, wants: ['delivered'] });
    assert.deepEqual(await sip.deliver(event, signal), { state: 'sent' });
    const arrived = await phone.until(({ first }) => first.startsWith('MESSAGE'));
    assert.match(arrived.body, /through a proxy 👋$/);
    assert.match(arrived.header('Record-Route'), /lr/);
    phone.sendUdp(
      requestText({ port: phone.port, callId: 'back', from: `<sip:bob@${domain}>;tag=9`, body: 'and back' }),
      kamailio.port,
    );
    const answer = await phone.until(
      ({ first, header }) => header('Call-ID') === 'back' && /^SIP\/2\.0 [2-6]/.test(first),
    );
    assert.equal(answer.first, 'SIP/2.0 202 Accepted');
    const [draft] = hub.draftsOf('message');
    assert.deepEqual([draft?.from, draft?.text], [`sip:bob@${domain}`, { '': 'and back' }]);
  });
}

test('reference sip 1.3: what Kamailio and the phone behind it refuse is told by its reason', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const { kamailio, phone, sip } = await site(t, { transport: 'udp' });
  const reasonOf = (to: string, more = {}) =>
    sip.deliver(message(to, more), signal).then(
      () => 'taken',
      (error: { reason: string; native: string }) => `${error.native} ${error.reason}`,
    );
  assert.equal(await reasonOf(`sip:nobody@${domain}`), '480 unavailable');
  assert.equal(await reasonOf('sip:x@elsewhere.example'), '404 not-found');
  await register(phone, kamailio);
  phone.onRequest = (request) => responseTo(request, '603 Decline');
  assert.equal(await reasonOf(`sip:bob@${domain}`), '603 not-allowed');
  phone.onRequest = (request) =>
    responseTo(request, request.header('Content-Type') === 'message/cpim' ? '488 Not Acceptable Here' : '200 OK');
  assert.equal(await reasonOf(`sip:bob@${domain}`, { wants: ['delivered'] }), 'taken');
});

test('RFC 3261 s.10.2: a trunk registers at Kamailio with digest, is reached through it, and unregisters', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const { kamailio, phone, hub, sip } = await site(t, {
    transport: 'udp',
    settings: ({ port }) => ({
      trunks: [{ aor: `sip:gateway@${domain}`, registrar: `sip:127.0.0.1:${port}`, password, expires: 60 }],
    }),
  });
  await hub.untilStatus('up');
  const to = `sip:gateway@${domain}`;
  const ask = async (callId: string) => {
    phone.sendUdp(requestText({ port: phone.port, callId, uri: to, to: '<sip:alice@gw.example>' }), kamailio.port);
    const { first } = await phone.until(
      (heard) => heard.header('Call-ID') === callId && /^SIP\/2\.0 [2-6]/.test(heard.first),
    );
    return first;
  };
  assert.equal(await ask('in'), 'SIP/2.0 202 Accepted');
  assert.equal(hub.draftsOf('message')[0]?.to, 'sip:alice@gw.example');
  await register(phone, kamailio);
  await sip.deliver(message(`sip:bob@${domain}`), signal);
  await phone.until(({ first }) => first.startsWith('MESSAGE'));
  await sip.stop();
  assert.match(await ask('after'), /480/);
});

test('RFC 3261 s.22.2: a trunk with the wrong password is down with a reason, and the doctor says what to do', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const { kamailio, hub } = await site(t, {
    transport: 'udp',
    settings: ({ port }) => ({
      trunks: [{ aor: `sip:gateway@${domain}`, registrar: `sip:127.0.0.1:${port}`, password: 'wrong' }],
    }),
  });
  await hub.untilStatus('down');
  assert.match(hub.statuses.at(-1)?.why ?? '', /401/);
  const settings = options.parse({
    listen: [],
    domains: [{ domain: 'gw.example', shows: ['xmpp'] }],
    outboundProxy: `sip:127.0.0.1:${kamailio.port}`,
    trunks: [
      { aor: `sip:gateway@${domain}`, registrar: `sip:127.0.0.1:${kamailio.port}`, password },
      { aor: `sip:gateway@${domain}`, registrar: `sip:127.0.0.1:${kamailio.port}`, password: 'wrong' },
    ],
  });
  const findings = await Array.fromAsync(diagnose(settings, signal));
  assert.deepEqual(
    findings.map(({ state, advice }) => [state, advice]),
    [
      ['ok', undefined],
      ['ok', undefined],
      ['failed', 'the password is wrong'],
    ],
  );
});

test('RFC 5922 s.7, RFC 5923 s.8: mutual TLS with Kamailio both ways by the one connection that we opened and offered', async (t) => {
  if (!needs(t, 'kamailio', 'openssl')) return;
  const folder = temporaryFolder('tls');
  t.after(() => folder.remove());
  makeCertificate(folder.path);
  const cert = join(folder.path, 'cert.pem');
  const identity = { cert, key: join(folder.path, 'key.pem'), ca: cert };
  const { kamailio, phone, hub, sip } = await site(t, {
    transport: 'tls',
    tls: identity,
    listen: [{ transport: 'tls', tls: { ...identity, requestCert: true } }],
    settings: ({ tlsPort }) => ({ tls: identity, outboundProxy: `sip:127.0.0.1:${tlsPort};transport=tls` }),
  });
  await register(phone, kamailio);
  await sip.deliver(message(`sip:bob@${domain}`, { text: { '': 'sealed' } }), signal);
  assert.equal((await phone.until(({ first }) => first.startsWith('MESSAGE'))).body, 'sealed');
  phone.sendUdp(requestText({ port: phone.port, callId: 'back', from: `<sip:bob@${domain}>;tag=9` }), kamailio.port);
  await phone.until(({ first, header }) => header('Call-ID') === 'back' && first.startsWith('SIP/2.0 202'));
  assert.equal(hub.drafts.length, 1);
  assert.match(JSON.stringify(hub.hops.map(({ hop }) => Buffer.from(hop.wire ?? '').toString())), /SIP\/2\.0\/TLS/);
  assert.equal(hub.gauges.get('flows'), 1);
});
