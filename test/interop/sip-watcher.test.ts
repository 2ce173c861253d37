// baresip as a watcher: a phone that subscribes to its contacts, shows how they are, and says goodbye.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type EventOf, parseAddress } from '../../src/contract/index.ts';
import { create } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, startServer, temporaryFolder, until } from '../servers/process.ts';

const bob = parseAddress('sip:bob@phones.example');
const alice = parseAddress('sip:alice%40xmpp.example@gw.example');
const { signal } = new AbortController();

function envelope(from = alice) {
  const at = new Date().toISOString();
  const people = { from, to: bob };
  return {
    v: 1 as const,
    id: 'e00000001',
    origin: 'x',
    trace: 't',
    at,
    ...people,
    source: people,
    conversation: 'c',
    hops: 1,
  };
}

function presence(said: Partial<EventOf<'presence'>>): EventOf<'presence'> {
  const device = parseAddress(`${alice};gr=desk`);
  return { ...envelope(device), type: 'presence', availability: 'available', ...said };
}

async function startBaresip(t: TestContext, gateway: number) {
  const [port = 0] = await freePorts(1);
  const { path: folder, remove } = temporaryFolder('baresip');
  t.after(remove);
  const modules = ['account', 'contact', 'presence', 'g711'].map((name) => `module ${name}.so`);
  const config = [`sip_listen 127.0.0.1:${port}`, 'module_path /usr/lib/baresip/modules', ...modules, ''].join('\n');
  writeFileSync(join(folder, 'config'), config);
  writeFileSync(join(folder, 'accounts'), `<${bob}>;regint=0;outbound="sip:127.0.0.1:${gateway};transport=udp"\n`);
  writeFileSync(join(folder, 'contacts'), '"Alice" <sip:alice@gw.example>;presence=p2p\n');
  const phone = await startServer('/usr/bin/baresip', { args: ['-4', '-f', folder, '-s'], readyLine: /is ready/ });
  t.after(() => phone.stop());
  return phone;
}

test('RFC 3856 s.6.7: baresip subscribes, shows open, busy and closed as its contact changes, and leaves when it stops', async (t) => {
  if (!needs(t, 'baresip')) return;
  const hub = fakeHub();
  const sip = create({ t1Ms: 500, t2Ms: 4000, t4Ms: 5000, watchers: { notifyPauseMs: 100 } }, 0);
  t.after(() => sip.stop());
  await sip.start(hub);
  const phone = await startBaresip(t, sip.portOf('UDP'));
  await hub.untilDraft((draft) => draft.type === 'subscription' && draft.action === 'request', 20_000);
  await sip.deliver({ ...envelope(), type: 'subscription', action: 'approve' }, signal);
  await hub.untilDraft((draft) => draft.type === 'subscription' && draft.action === 'fetch');
  // The first state of a contact it takes in silence.
  const taken = () => hub.counters.get('answers_total{method=NOTIFY,status=200}') ?? 0;
  await sip.deliver(presence({}), signal);
  await until(() => taken() > 0 && phone.output().includes('<basic>open'), 'the first state');
  const shows = (status: string) =>
    until(() => new RegExp(`changed status from .* to \\S*${status}`).test(phone.output()), status);
  await sip.deliver(presence({ availability: 'unavailable' }), signal);
  await shows('Offline');
  await sip.deliver(presence({ availability: 'busy' }), signal);
  await shows('Busy');
  await sip.deliver(presence({ notes: { en: 'back' } }), signal);
  await shows('Online');
  assert.deepEqual(
    [...hub.counters.keys()].filter((name) => name.includes('NOTIFY')),
    ['answers_total{method=NOTIFY,status=200}'],
  );
  await phone.stop();
  const gone = await hub.untilDraft((draft) => draft.type === 'presence', 10_000);
  assert.deepEqual(gone, {
    ...{ type: 'presence', availability: 'unavailable', from: bob, to: parseAddress('sip:alice@gw.example') },
  });
});
