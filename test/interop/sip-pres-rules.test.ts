// Kamailio decides who sees people of other networks (pres-rules): whoever waits there is asked about, and the answer is a rule.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { decodePidf } from '../../src/formats/pidf/index.ts';
import { create, signal } from '../adapters/sip/adapter-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { fakeHub } from '../peers/hub.ts';
import { type PeerMessage, requestText, responseTo, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { startKamailioPresence } from '../servers/kamailio-presence.ts';

const alice = 'sip:alice%40xmpp.example@gw.example';
const [bob, carol] = ['sip:bob@pbx.example', 'sip:carol@pbx.example'];

async function site(t: TestContext) {
  const xcapPassword = 'secret';
  const kamailio = await startKamailioPresence({
    domains: ['gw.example', 'pbx.example'],
    hasRules: true,
    xcapPassword,
  });
  t.after(() => kamailio.stop());
  const hub = fakeHub();
  const rules = { root: `http://127.0.0.1:${kamailio.port}/xcap-root`, user: 'xcap', password: xcapPassword };
  const sip = create({
    outboundProxy: `sip:127.0.0.1:${kamailio.port};transport=udp`,
    presenceServers: [{ domain: 'pbx.example', askPending: true, rules }],
    t1Ms: 500,
    t2Ms: 4000,
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  phone.onRequest = (request) => responseTo(request, '200 OK');
  const subscribe = (watcher: string) => {
    const more = [
      'Event: presence',
      'Expires: 600',
      `Contact: <sip:phone@127.0.0.1:${phone.port}>`,
      'Accept: application/pidf+xml',
    ];
    const parts = { port: phone.port, method: 'SUBSCRIBE', uri: alice, from: `<${watcher}>;tag=w`, body: '', more };
    phone.sendUdp(requestText(parts), kamailio.port);
  };
  /** A NOTIFY to that watcher. */
  const told = (watcher: string, matches: (state: string, basics: string[]) => boolean) =>
    phone.until((message: PeerMessage) => {
      if (!message.first.startsWith('NOTIFY') || !message.header('To').includes(watcher)) return false;
      const basics = message.body === '' ? [] : decodePidf(message.body).tuples.map(({ basic }) => basic ?? '');
      return matches(message.header('Subscription-State'), basics);
    }, 10_000);
  const asked = (watcher: string) =>
    hub.untilDraft(
      (draft) =>
        draft.type === 'subscription' && draft.action === 'request' && draft.from === watcher && draft.to === alice,
      10_000,
    );
  return { kamailio, hub, sip, subscribe, told, asked };
}

test('RFC 3857 s.3: who waits at Kamailio is asked about, and the answer becomes a rule there that shows or blocks', async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const { hub, sip, subscribe, told, asked } = await site(t);
  await sip.deliver(sampleEvent('presence', `${alice};gr=desk`, bob, { availability: 'available' }), signal);
  subscribe(bob);
  await told(bob, (state, basics) => state.startsWith('pending') && basics.length === 0);
  await asked(bob);
  subscribe(carol);
  await asked(carol);
  const rows = await Array.fromAsync(sip.views.subscriptions?.() ?? []);
  assert.deepEqual(
    rows.flatMap(({ server, watcher, state }) => (server === 'pbx.example' ? [`${watcher} ${state}`] : [])).toSorted(),
    [`${bob} pending`, `${carol} pending`],
  );
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'approve' }), signal);
  await told(bob, (state, basics) => state.startsWith('active') && basics.includes('open'));
  await sip.deliver(sampleEvent('subscription', alice, carol, { action: 'deny' }), signal);
  await told(carol, (state) => state === 'terminated;reason=rejected');
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'deny' }), signal);
  await told(bob, (state) => state === 'terminated;reason=rejected');
  assert.equal(hub.draftsOf('subscription').filter(({ action }) => action === 'request').length, 2);
});
