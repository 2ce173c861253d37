// People of other networks watch people of a SIP network: Kamailio is their presence agent, or a baresip phone answers for itself.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { create, signal } from '../adapters/sip/adapter-fixtures.ts';
import { pidf, watcher } from '../adapters/sip/presence/subscriber-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { type FakeHub, fakeHub } from '../peers/hub.ts';
import { requestText, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { type KamailioPresence, startKamailioPresence } from '../servers/kamailio-presence.ts';
import { freePorts, startServer, temporaryFolder, until } from '../servers/process.ts';

const domain = 'pbx.example';
const password = 'secret';
const bob = `sip:bob@${domain}`;

async function site(t: TestContext, presence: 'open' | 'rules', transport: 'udp' | 'tcp' = 'udp') {
  const [port = 0] = await freePorts(1);
  const kamailio = await startKamailioPresence({ domains: [domain], password, hasRules: presence === 'rules' });
  t.after(() => kamailio.stop());
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  const hub = fakeHub();
  const start = async () => {
    const sip = create({
      listen: [{ transport, port }],
      outboundProxy: `sip:127.0.0.1:${kamailio.port};transport=${transport}`,
      credentials: [{ user: 'gateway', password }],
      t1Ms: 500,
      t2Ms: 4000,
    });
    t.after(() => sip.stop());
    await sip.start(hub);
    return sip;
  };
  return { kamailio, phone, hub, sip: await start(), start };
}

const ask = (action: 'request' | 'cancel' | 'fetch') => sampleEvent('subscription', watcher, bob, { action });

/** What was published so far: `approve`, `a away`. */
function told(hub: FakeHub): string[] {
  return hub.drafts.map((draft) => {
    if (draft.type === 'subscription') return draft.action;
    const availability = draft.type === 'presence' ? draft.availability : draft.type;
    return `${draft.from.split(';gr=')[1] ?? 'bob'} ${availability}`;
  });
}

const isTold = (hub: FakeHub, what: string) => until(() => told(hub).includes(what), `${what} of ${told(hub)}`);

let publications = 0;

/** A phone of Bob's says how it is; resolves with the entity tag for the next time. */
async function publish(phone: SipPeer, { port }: KamailioPresence, body: string, tag?: string): Promise<string> {
  publications++;
  const callId = `publish-${publications}`;
  const more = ['Event: presence', `Expires: ${body === '' ? 0 : 600}`];
  if (tag !== undefined) more.push(`SIP-If-Match: ${tag}`);
  const people = { uri: bob, from: `<${bob}>;tag=p`, to: `<${bob}>` };
  const parts = { port: phone.port, method: 'PUBLISH', ...people, callId, body, type: 'application/pidf+xml', more };
  phone.sendUdp(requestText(parts), port);
  const answer = await phone.until(({ header }) => header('Call-ID') === callId);
  assert.equal(answer.first, 'SIP/2.0 200 OK');
  return answer.header('SIP-ETag');
}

test('RFC 8048 s.5.2: Kamailio as presence agent: digest, approval, states of several devices, restart, end', async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const { kamailio, phone, hub, sip, start } = await site(t, 'open');
  await sip.deliver(ask('request'), signal);
  await isTold(hub, 'bob unknown');
  assert.deepEqual(told(hub), ['approve', 'bob unknown']);
  const desk = await publish(phone, kamailio, pidf({ desk: 'away' }));
  await isTold(hub, 'desk away');
  await publish(phone, kamailio, pidf({ mobile: 'dnd' }));
  await isTold(hub, 'mobile busy');
  await sip.stop();
  // The next process takes the same dialog up.
  const next = await start();
  const later = await publish(phone, kamailio, pidf({ desk: 'chat' }), desk);
  await isTold(hub, 'desk chat');
  await publish(phone, kamailio, '', later);
  await isTold(hub, 'desk unavailable');
  assert.ok(!told(hub).includes('mobile unavailable'));
  await next.deliver(ask('cancel'), signal);
  assert.equal(told(hub).at(-1), 'deny');
  const { length } = hub.drafts;
  await publish(phone, kamailio, pidf({ desk: 'open' }));
  assert.deepEqual(await Array.fromAsync(next.views.subscriptions?.() ?? []), []);
  assert.equal(hub.drafts.length, length);
});

test('RFC 8048 s.5.2.1: Kamailio keeps a watcher pending until the presentity allows it, and blocks it later', async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const { kamailio, phone, hub, sip } = await site(t, 'rules');
  await publish(phone, kamailio, pidf({ desk: 'away' }));
  await sip.deliver(ask('request'), signal);
  const phase = async () => (await Array.fromAsync(sip.views.subscriptions?.() ?? []))[0]?.phase;
  await until(async () => (await phase()) === 'live', 'a NOTIFY that says pending');
  assert.deepEqual(told(hub), []);
  await kamailio.setRule({ user: 'bob', domain }, watcher, 'allow');
  await isTold(hub, 'desk away');
  assert.deepEqual(told(hub), ['approve', 'desk away']);
  await kamailio.setRule({ user: 'bob', domain }, watcher, 'block');
  await isTold(hub, 'deny');
});

for (const transport of ['udp', 'tcp'] as const) {
  test(`RFC 8048 s.7.1: a poll of Kamailio over ${transport} brings one NOTIFY with the state`, async (t) => {
    if (!needs(t, 'kamailio-presence')) return;
    const { kamailio, phone, hub, sip } = await site(t, 'open', transport);
    await publish(phone, kamailio, pidf({ desk: 'xa' }));
    await sip.deliver(ask('fetch'), signal);
    await isTold(hub, 'desk extended-away');
    await until(
      async () => (await Array.fromAsync(sip.views.subscriptions?.() ?? [])).length === 0,
      'the poll is over',
    );
  });
}

test('RFC 3856 s.6: baresip answers a SUBSCRIBE with its own presence, and hears when the watcher goes', async (t) => {
  if (!needs(t, 'baresip')) return;
  const [port = 0] = await freePorts(1);
  const folder = temporaryFolder('baresip');
  t.after(() => folder.remove());
  mkdirSync(folder.path, { recursive: true });
  const modules = ['account.so', 'menu.so', 'contact.so', 'presence.so'];
  const path = 'module_path /usr/lib/baresip/modules';
  const config = [`sip_listen 127.0.0.1:${port}`, path, ...modules.map((name) => `module_app ${name}`)];
  writeFileSync(join(folder.path, 'config'), `${config.join('\n')}\n`);
  writeFileSync(join(folder.path, 'accounts'), `<sip:bob@127.0.0.1:${port}>;regint=0\n`);
  writeFileSync(join(folder.path, 'contacts'), '');
  const baresip = await startServer('/usr/bin/baresip', { args: ['-f', folder.path], readyLine: /ready/i });
  t.after(() => baresip.stop());
  const hub = fakeHub();
  const sip = create({ listen: [{ transport: 'udp', port: 0 }], t1Ms: 500, t2Ms: 4000 });
  t.after(() => sip.stop());
  await sip.start(hub);
  const contact = `sip:bob@127.0.0.1:${port}`;
  const event = (action: 'request' | 'cancel') => sampleEvent('subscription', watcher, contact, { action });
  await sip.deliver(event('request'), signal);
  await until(() => hub.draftsOf('presence').length > 0, `a NOTIFY of baresip:\n${baresip.output()}`);
  const [presence] = hub.draftsOf('presence');
  assert.equal(told(hub)[0], 'approve');
  assert.match(presence?.availability ?? '', /^(available|unknown)$/);
  await sip.deliver(event('cancel'), signal);
  assert.equal(told(hub).at(-1), 'deny');
});

test('reference sip 3.6: baresip registers with us and does not publish: it is asked, and its answer is told', async (t) => {
  if (!needs(t, 'baresip')) return;
  const hub = fakeHub();
  const sip = create({
    nativeDomains: ['native.example'],
    auth: { realm: 'native.example', users: { bob: { password } }, algorithms: ['MD5'] },
    publications: { watchers: 'everybody' },
    t1Ms: 500,
    t2Ms: 4000,
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  const phone = 'sip:bob@native.example';
  await sip.deliver(sampleEvent('subscription', watcher, phone, { action: 'request' }), signal);
  assert.deepEqual(told(hub), ['approve', 'bob unavailable']);
  const [port = 0] = await freePorts(1);
  const folder = temporaryFolder('baresip');
  t.after(() => folder.remove());
  const modules = ['account.so', 'menu.so', 'contact.so', 'presence.so'];
  const path = 'module_path /usr/lib/baresip/modules';
  const config = [`sip_listen 127.0.0.1:${port}`, path, ...modules.map((name) => `module_app ${name}`)];
  writeFileSync(join(folder.path, 'config'), `${config.join('\n')}\n`);
  const outbound = `"sip:127.0.0.1:${sip.portOf('UDP')};transport=udp"`;
  writeFileSync(join(folder.path, 'accounts'), `<${phone}>;auth_user=bob;auth_pass=${password};outbound=${outbound}\n`);
  writeFileSync(join(folder.path, 'contacts'), '');
  const baresip = await startServer('/usr/bin/baresip', { args: ['-f', folder.path], readyLine: /ready/i });
  t.after(() => baresip.stop());
  await until(() => hub.draftsOf('presence').length > 1, `a NOTIFY of baresip:\n${baresip.output()}`);
  assert.match(hub.draftsOf('presence')[1]?.availability ?? '', /^(available|unknown)$/);
});
