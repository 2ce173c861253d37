// Kamailio as the presence server of a SIP domain: people of other networks are published there, its watchers are told.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type EventOf, parseAddress } from '../../src/contract/index.ts';
import { decodePidf } from '../../src/formats/pidf/index.ts';
import { create, signal } from '../adapters/sip/adapter-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { fakeHub } from '../peers/hub.ts';
import { type PeerMessage, requestText, responseTo, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { startKamailioPresence } from '../servers/kamailio-presence.ts';

const alice = parseAddress('sip:alice@gw.example');
const bob = parseAddress('sip:bob@pbx.example');

async function site(t: TestContext) {
  const kamailio = await startKamailioPresence({ domains: ['gw.example', 'pbx.example'] });
  t.after(() => kamailio.stop());
  const hub = fakeHub();
  const sip = create({
    outboundProxy: `sip:127.0.0.1:${kamailio.port};transport=udp`,
    presenceServers: [{ domain: 'pbx.example', expires: 60 }],
    t1Ms: 500,
    t2Ms: 4000,
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  const watcher = await startSipPeer();
  t.after(() => watcher.stop());
  const hear = async (availability: EventOf<'presence'>['availability'], resource = 'phone', more = {}) => {
    const from = parseAddress(`${alice};gr=${resource}`);
    const id = 'e000000000004';
    const at = new Date().toISOString();
    const event: EventOf<'presence'> = {
      ...{ v: 1, id, origin: 'x', trace: id, at, from, to: bob, source: { from, to: bob }, conversation: id, hops: 1 },
      ...{ type: 'presence', availability, ...more },
    };
    await sip.deliver(event, signal);
  };
  const states = (message: PeerMessage) =>
    // Kamailio closes the tuples of what is taken back, and leaves the rest of them.
    decodePidf(message.body).tuples.map(({ id, basic, show = 'open' }) => `${id} ${basic === 'open' ? show : basic}`);
  const told = (matches: (states: string[]) => boolean) =>
    watcher.until(
      (message) => message.first.startsWith('NOTIFY') && message.body !== '' && matches(states(message)),
      8000,
    );
  const subscribe = () =>
    watcher.sendUdp(
      requestText({
        ...{ port: watcher.port, method: 'SUBSCRIBE', uri: alice, from: `<${bob}>;tag=w1`, body: '' },
        more: [
          'Event: presence',
          'Expires: 600',
          `Contact: <sip:bob@127.0.0.1:${watcher.port}>`,
          'Accept: application/pidf+xml',
        ],
      }),
      kamailio.port,
    );
  watcher.onRequest = (request) => responseTo(request, '200 OK');
  return { kamailio, hub, hear, told, subscribe };
}

test('reference sip 3.6: Kamailio takes initial, modify and remove, and tells its watchers each device', async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const { hear, told, subscribe, hub } = await site(t);
  await hear('available', 'phone', { notes: { en: 'here' } });
  subscribe();
  await told((states) => states.join() === 'ID-phone open');
  await hear('busy', 'desk', { activities: ['on-the-phone'] });
  await told((states) => states.join() === 'ID-phone open,ID-desk dnd');
  await hear('away', 'phone');
  await told((states) => states.join() === 'ID-phone away,ID-desk dnd');
  await hear('unavailable', 'phone');
  await hear('unavailable', 'desk');
  await told((states) => states.join() === 'ID-desk closed');
  assert.equal(hub.counters.get('answers_total{method=PUBLISH,status=200}'), 5);
});

test('RFC 3903 s.5: a Kamailio that has lost its database answers 412, and is told everything anew', async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const { hear, told, subscribe, hub, kamailio } = await site(t);
  await hear('available');
  kamailio.forgetPublications();
  await hear('away');
  subscribe();
  await told((states) => states.join() === 'ID-phone away');
  assert.equal(hub.counters.get('answers_total{method=PUBLISH,status=412}'), 1);
});

test('RFC 4662 s.4: a list that Kamailio serves is watched as one contact, its members its devices', async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const list = parseAddress('sip:friends@pbx.example');
  const watcher = parseAddress('sip:alice@gw.example');
  const kamailio = await startKamailioPresence({
    domains: ['gw.example', 'pbx.example'],
    lists: [{ uri: list, owner: { user: 'alice', domain: 'gw.example' }, members: [bob, 'sip:carol@pbx.example'] }],
  });
  t.after(() => kamailio.stop());
  const hub = fakeHub();
  const sip = create({ outboundProxy: `sip:127.0.0.1:${kamailio.port};transport=udp`, t1Ms: 500, t2Ms: 4000 });
  t.after(() => sip.stop());
  await sip.start(hub);
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  const publish = async (basic: string, more: readonly string[] = []) => {
    const body = `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${bob}"><tuple id="t1"><status><basic>${basic}</basic></status></tuple></presence>`;
    const text = requestText({
      ...{ port: phone.port, method: 'PUBLISH', uri: bob, from: `<${bob}>;tag=p`, body, type: 'application/pidf+xml' },
      more: ['Event: presence', 'Expires: 600', ...more],
    });
    phone.heard.length = 0;
    // As a phone does: the first copy may find nobody at home yet.
    const send = () => phone.sendUdp(text, kamailio.port);
    const repeating = setInterval(send, 500);
    send();
    try {
      return await phone.until(({ first, header }) => first.startsWith('SIP/2.0 200') && header('SIP-ETag') !== '');
    } finally {
      clearInterval(repeating);
    }
  };
  const etag = (await publish('open')).header('SIP-ETag');
  const id = 'e000000000005';
  const people = { from: watcher, to: list, source: { from: watcher, to: list } };
  const event: EventOf<'subscription'> = {
    ...{ v: 1, id, origin: 'x', trace: id, at: new Date().toISOString(), ...people, conversation: id, hops: 1 },
    ...{ type: 'subscription', action: 'request' },
  };
  await sip.deliver(event, signal);
  const told = (availability: string) =>
    hub.untilDraft(
      (draft) =>
        draft.type === 'presence' &&
        draft.from === `${list};gr=bob%40pbx.example` &&
        draft.availability === availability,
      10_000,
    );
  await told('available');
  await publish('closed', [`SIP-If-Match: ${etag}`]);
  await told('unavailable');
});

test("RFC 4662 s.3: Kamailio's RLS has one of our people in a list, watches that person with us, and tells its watcher", async (t) => {
  if (!needs(t, 'kamailio-presence')) return;
  const hub = fakeHub();
  const sip = create({ trusted: ['127.0.0.1'], watchers: { notifyPauseMs: 100 }, t1Ms: 500, t2Ms: 4000 });
  t.after(() => sip.stop());
  await sip.start(hub);
  const list = 'sip:friends@pbx.example';
  const kamailio = await startKamailioPresence({
    domains: ['pbx.example'],
    gateway: { domain: 'gw.example', port: sip.portOf('UDP') },
    lists: [{ uri: list, owner: { user: 'bob', domain: 'pbx.example' }, members: [alice] }],
  });
  t.after(() => kamailio.stop());
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  phone.onRequest = (request) => responseTo(request, '200 OK');
  const more = [
    ...['Event: presence', 'Expires: 600', 'Supported: eventlist', `Contact: <sip:bob@127.0.0.1:${phone.port}>`],
    'Accept: application/pidf+xml, application/rlmi+xml, multipart/related',
  ];
  const parts = { port: phone.port, method: 'SUBSCRIBE', uri: list, from: `<${bob}>;tag=w1`, body: '', more };
  phone.sendUdp(requestText(parts), kamailio.port);
  await hub.untilDraft((draft) => draft.type === 'subscription' && draft.action === 'request' && draft.to === alice);
  const [asked] = hub.draftsOf('subscription');
  assert.equal(asked?.from, bob);
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'approve' }), signal);
  const told = (basic: string) =>
    phone.until(
      ({ first, body }) => first.startsWith('NOTIFY') && body.includes('rlmi') && body.includes(`<basic>${basic}`),
      10_000,
    );
  await sip.deliver(sampleEvent('presence', `${alice};gr=desk`, bob, { availability: 'available' }), signal);
  await told('open');
  await sip.deliver(sampleEvent('presence', `${alice};gr=desk`, bob, { availability: 'unavailable' }), signal);
  await told('closed');
});
