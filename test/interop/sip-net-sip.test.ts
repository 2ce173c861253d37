// Net::SIP, a SIP stack in Perl: as a phone of ours over UDP, TCP and TLS, as a notifier, and as a provider's registrar.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { create, message, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { pidf } from '../adapters/sip/presence/subscriber-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { fakeHub } from '../peers/hub.ts';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { type NetSipPhone, startNetSipPhone, startNetSipRegistrar } from '../servers/net-sip.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';

const aor = 'sip:bob@native.example';
const alice = 'sip:alice@gw.example';
const dave = 'sip:dave@provider.example';

async function site(
  t: TestContext,
  transport: NetSipPhone['transport'],
  more: Settings = {},
  tls?: NetSipPhone['tls'],
) {
  const hub = fakeHub();
  const sip = create({
    nativeDomains: ['native.example'],
    auth: { realm: 'native.example', users: { bob: { password: 'secret' } } },
    t1Ms: 500,
    t2Ms: 4000,
    ...more,
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  const server = sip.portOf(transport.toUpperCase() as 'UDP' | 'TCP' | 'TLS');
  const phoneOf = async (password: string) => {
    const phone = await startNetSipPhone({ transport, aor, server, password, ...(tls ? { tls } : {}) });
    t.after(() => phone.stop());
    return phone;
  };
  const phone = await phoneOf('secret');
  const register = (expires = 600) =>
    phone.ask('REGISTER', 'sip:native.example', { to: `<${aor}>`, headers: { expires: String(expires) } });
  return { hub, sip, phone, register, phoneOf };
}

for (const transport of ['udp', 'tcp'] as const) {
  test(`RFC 3261 s.22: Net::SIP over ${transport.toUpperCase()} finds MD5 among three challenges, registers, writes and is written to`, async (t) => {
    if (!needs(t, 'net-sip')) return;
    const { hub, sip, phone, register, phoneOf } = await site(t, transport);
    assert.equal((await phone.ask('OPTIONS', 'sip:native.example')).status, 200);
    const made = await register();
    assert.equal(made.status, 200);
    assert.match(String(made.contact), /;expires=600$/);
    const headers = { 'content-type': 'text/plain;charset=UTF-8' };
    assert.equal((await phone.ask('MESSAGE', alice, { body: 'grüße', headers })).status, 202);
    assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'grüße' });
    await sip.deliver(message(aor, { text: { '': 'hello 👋' } }), signal);
    assert.equal((await phone.hears(({ heard }) => heard === 'MESSAGE', 'a message')).body, 'hello 👋');
    assert.equal((await register(0)).status, 200);
    await assert.rejects(sip.deliver(message(aor), signal), /no phone registered/);
    const stranger = await phoneOf('wrong');
    assert.equal((await stranger.ask('MESSAGE', alice, { body: 'hi', headers })).status, 401);
    assert.equal(hub.drafts.length, 1);
  });

  test(`RFC 6665 s.4.2: Net::SIP over ${transport.toUpperCase()} publishes, subscribes, refreshes and leaves`, async (t) => {
    if (!needs(t, 'net-sip')) return;
    const { hub, phone, register } = await site(t, transport);
    await register();
    const publish = (more: Record<string, string>, body?: string) =>
      phone.ask('PUBLISH', aor, {
        to: `<${aor}>`,
        headers: { event: 'presence', expires: '600', ...more },
        ...(body === undefined ? {} : { body }),
      });
    const first = await publish({ 'content-type': 'application/pidf+xml' }, pidf({ desk: 'away' }));
    assert.equal(first.status, 200);
    const again = await publish({ 'sip-if-match': String(first['sip-etag']) });
    assert.equal(again.status, 200);
    assert.notEqual(again['sip-etag'], first['sip-etag']);
    assert.equal((await publish({ 'sip-if-match': String(first['sip-etag']) })).status, 412);
    const watch = (expires: number) =>
      phone.ask('SUBSCRIBE', alice, {
        id: 'dialog-1',
        headers: { event: 'presence', expires: String(expires), accept: 'application/pidf+xml' },
      });
    const heard = (count: number) =>
      until(() => phone.heard.filter(({ heard }) => heard === 'NOTIFY').length === count, `${count} NOTIFY`);
    assert.equal((await watch(600)).status, 200);
    await heard(1);
    assert.equal((await watch(300)).status, 200);
    await heard(2);
    assert.equal((await watch(0)).status, 200);
    await heard(3);
    const states = phone.heard.filter(({ heard }) => heard === 'NOTIFY').map((one) => one['subscription-state']);
    assert.deepEqual(states, ['pending;expires=600', 'pending;expires=300', 'terminated;reason=timeout']);
    assert.equal(hub.draftsOf('subscription').filter(({ action }) => action === 'request').length, 1);
  });
}

test('RFC 6665 s.4.1: Net::SIP is subscribed to, and its NOTIFY is the approval and the state', async (t) => {
  if (!needs(t, 'net-sip')) return;
  const { hub, sip, phone, register } = await site(t, 'udp', { publications: { accept: false } });
  await register();
  const event = (action: 'request' | 'cancel') => sampleEvent('subscription', alice, aor, { action });
  await sip.deliver(event('request'), signal);
  await until(() => hub.draftsOf('presence').length > 0, 'presence of a phone in Perl');
  assert.equal(hub.draftsOf('subscription')[0]?.action, 'approve');
  assert.deepEqual(hub.draftsOf('presence')[0]?.notes, { '': 'from perl' });
  await sip.deliver(event('cancel'), signal);
  assert.equal(hub.draftsOf('subscription').at(-1)?.action, 'deny');
  await until(() => phone.heard.filter(({ heard }) => heard === 'SUBSCRIBE').length === 2, 'it is left');
});

test('RFC 5922 s.7: Net::SIP over TLS: each shows a certificate and checks the other’s', async (t) => {
  if (!needs(t, 'net-sip', 'openssl')) return;
  const folder = temporaryFolder('net-sip-tls');
  t.after(() => folder.remove());
  makeCertificate(folder.path);
  const identity = {
    cert: join(folder.path, 'cert.pem'),
    key: join(folder.path, 'key.pem'),
    ca: join(folder.path, 'cert.pem'),
  };
  const listen = [{ transport: 'tls' as const, port: 0, tls: { ...identity, requestCert: true } }];
  const { hub, sip, phone, register } = await site(t, 'tls', { listen, tls: identity }, identity);
  assert.equal((await register()).status, 200);
  const headers = { 'content-type': 'text/plain' };
  assert.equal((await phone.ask('MESSAGE', alice, { body: 'sealed', headers })).status, 202);
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'sealed' });
  await sip.deliver(message(aor, { text: { '': 'and back' } }), signal);
  const back = await phone.hears(({ heard }) => heard === 'MESSAGE', 'a message over TLS');
  assert.equal(back.body, 'and back');
  assert.match(String(back.via), /^SIP\/2\.0\/TLS /);
});

test('RFC 3261 s.10.2: a trunk registers at Net::SIP with digest, keeps to what it grants, goes through it both ways, and leaves', async (t) => {
  if (!needs(t, 'net-sip')) return;
  const [port = 0] = await freePorts(1);
  const provider = await startNetSipRegistrar(port, 'provider.example', 'gateway', 'secret');
  t.after(() => provider.stop());
  const hub = fakeHub();
  const trunk = { aor: 'sip:gateway@provider.example', registrar: `sip:127.0.0.1:${port}`, password: 'secret' };
  const sip = create({ trunks: [trunk], t1Ms: 500, t2Ms: 4000 });
  t.after(() => sip.stop());
  await sip.start(hub);
  await hub.untilStatus('up');
  const made = await provider.hears(
    ({ heard, authorization }) => heard === 'REGISTER' && authorization !== '',
    'a password',
  );
  assert.match(String(made.authorization), /algorithm=MD5/);
  assert.equal(provider.heard.find(({ heard }) => heard === 'REGISTER')?.authorization, '');
  const neighbour = await startNetSipPhone({ ...{ transport: 'udp', server: port, password: 'secret' }, aor: dave });
  t.after(() => neighbour.stop());
  const headers = { 'content-type': 'text/plain' };
  const parts = { to: `<${alice}>`, body: 'in', headers };
  assert.equal((await neighbour.ask('MESSAGE', trunk.aor, parts)).status, 202);
  assert.deepEqual(
    hub.draftsOf('message').map((draft) => [draft.from, draft.to]),
    [[dave, alice]],
  );
  await neighbour.ask('REGISTER', 'sip:provider.example', { to: `<${dave}>` });
  await sip.deliver(message(dave, { text: { '': 'out' } }), signal);
  assert.equal((await neighbour.hears(({ heard }) => heard === 'MESSAGE', 'a message')).body, 'out');
  await sip.stop();
  const goodbye = await provider.hears(({ heard, expires }) => heard === 'REGISTER' && expires === '0', 'a goodbye');
  assert.match(String(goodbye.contact), /^<sip:gateway@127\.0\.0\.1:/);
});
