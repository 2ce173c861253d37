// Duties of the reference (sip 3.4, 3.5, 3.6, 3.11, 3.13) that no other test of the adapter has named.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toPresenceEvent } from '../../../adapters/xmpp/mapping/presence.ts';
import { parseXml } from '../../../src/formats/xml.ts';
import { sampleEvent } from '../../peers/events.ts';
import { alice, open, signal } from './adapter-fixtures.ts';
import { Site, watching } from './watcher-fixtures.ts';

const asking = {
  method: 'SUBSCRIBE',
  body: '',
  more: ['Event: presence', 'Contact: <sip:bob@127.0.0.1:9>', 'Expires: 60'],
};

test('RFC 6665 s.4.2.1.3, RFC 3856 s.6.6.1: whoever subscribes is asked for proof with 401, never 407', async (t) => {
  const { ask, hub } = await open(t, {
    nativeDomains: ['native.example'],
    auth: { realm: 'native.example', users: { bob: { password: 'secret' } } },
  });
  const answer = await ask({ ...asking, from: '<sip:bob@native.example>;tag=1' });
  assert.equal(answer.first, 'SIP/2.0 401 Unauthorized');
  assert.match(answer.header('WWW-Authenticate'), /^Digest realm="native\.example"/);
  assert.equal(answer.header('Proxy-Authenticate'), '');
  assert.equal(hub.drafts.length, 0);
});

test('RFC 6665 s.4.4.4: an answer to OPTIONS lists the events we know in Allow-Events', async (t) => {
  const { ask } = await open(t);
  assert.match((await ask({ method: 'OPTIONS', body: '' })).header('Allow-Events'), /\bpresence\b/);
});

test('RFC 3903 s.6: Record-Route and Contact of a PUBLISH are ignored, and no answer has a Record-Route', async (t) => {
  const { ask } = await open(t, { nativeDomains: ['native.example'] });
  const answer = await ask({
    method: 'PUBLISH',
    uri: 'sip:bob@native.example',
    from: '<sip:bob@native.example>;tag=1',
    type: 'application/pidf+xml',
    body: '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@native.example"/>',
    more: ['Event: presence', 'Expires: 600', 'Record-Route: <sip:proxy.example;lr>', 'Contact: <sip:bob@9.9.9.9>'],
  });
  assert.equal(answer.first, 'SIP/2.0 200 OK');
  assert.deepEqual([answer.header('Record-Route'), answer.header('Contact')], ['', '']);
  assert.notEqual(answer.header('SIP-ETag'), '');
});

test('RFC 3261 s.18.1.1: a datagram of 60,000 bytes is taken', async (t) => {
  const { ask, hub } = await open(t);
  assert.match((await ask({ body: 'x'.repeat(60_000) })).first, / 202 /);
  assert.equal(hub.draftsOf('message')[0]?.text['']?.length, 60_000);
});

test('RFC 3261 s.18.1.1: what is over 1300 bytes and no MESSAGE falls back to UDP where TCP is refused', async (t) => {
  const { ask, sip, peer } = await open(t, {}, { takesTcp: false });
  const bob = `sip:bob@127.0.0.1:${peer.port}`;
  await ask({ ...asking, from: `<${bob}>;tag=1`, more: ['Event: presence', `Contact: <${bob}>`, 'Expires: 600'] });
  await sip.deliver(sampleEvent('subscription', alice, bob, { action: 'approve' }), signal);
  const notes = { en: 'x'.repeat(1500) };
  await sip.deliver(sampleEvent('presence', `${alice};gr=phone`, bob, { availability: 'available', notes }), signal);
  const told = await peer.until(({ first, body }) => first.startsWith('NOTIFY') && body.includes(notes.en), 10_000);
  assert.equal(told.transport, 'UDP');
});

test('RFC 3994 s.3.3: active again and again is taken, whatever the refresh, and each makes it last on', async (t) => {
  const { ask, hub } = await open(t);
  const type = 'application/im-iscomposing+xml';
  const body =
    '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state><refresh>1</refresh></isComposing>';
  for (let copy = 0; copy < 3; copy++) {
    assert.match((await ask({ type, body })).first, / 200 /);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const states = () => hub.draftsOf('typing').map(({ state }) => state);
  assert.ok(states().length >= 1 && states().every((state) => state === 'composing'), states().join());
  await hub.untilDraft((draft) => draft.type === 'typing' && draft.state === 'paused');
  assert.equal(states().filter((state) => state === 'paused').length, 1, 'and it ends once');
});

test('RFC 8048 s.6.2, note 1: only presence without a type and unavailable are notifications', () => {
  const typeOf = (type: string) =>
    toPresenceEvent(parseXml(`<presence xmlns='jabber:component:accept' from='a@b/c' to='d@e' ${type}/>`), 0)?.type;
  assert.deepEqual([typeOf(''), typeOf("type='unavailable'")], ['presence', 'presence']);
  for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe', 'invisible'])
    assert.notEqual(typeOf(`type='${type}'`), 'presence', type);
});

test('RFC 8048 s.6.2, table 1: the languages of what is said stand in Content-Language, unless something has none', async () => {
  const { site } = await watching();
  for (const [notes, expected] of [
    [{ cs: 'pryč' }, 'cs'],
    [{ cs: 'pryč', 'de-CH': 'weg' }, 'cs, de-CH'],
    [{ cs: 'pryč', '': 'away' }, undefined],
  ] as const) {
    await site.tell({ availability: 'away', notes });
    await site.advance(6000);
    assert.equal(site.last.request.headers.get('Content-Language'), expected);
  }
});

test('RFC 8048 s.5.3.1: a pending NOTIFY says nothing, and an end as rejected no more than that', async () => {
  const site = new Site();
  await site.subscribe();
  await site.approve('deny');
  assert.deepEqual(
    site.notified.map(({ body }) => body),
    ['', ''],
  );
});
