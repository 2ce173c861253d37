// Presence through the adapter, as the hub and a server see it: what becomes an event, and what is answered when it cannot.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adapter } from '../../../adapters/xmpp/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { sampleEvent } from '../../peers/events.ts';
import { fakeHub } from '../../peers/hub.ts';
import { startFakeXmppServer } from '../../peers/xmpp-server.ts';
import type { Stanza } from '../../peers/xmpp-user.ts';
import { until } from '../../servers/process.ts';

const domain = 'sip.xmpp.example';
const domains = [{ domain, secret: 'secret', shows: ['sip'] }];
const bob = `xmpp:bob\\40other.net@${domain}`;
const bobJid = `bob\\40other.net@${domain}`;
const alice = 'xmpp:alice@xmpp.example';
const signal = new AbortController().signal;
const stanzas = 'urn:ietf:params:xml:ns:xmpp-stanzas';

async function open(t: TestContext) {
  const server = await startFakeXmppServer();
  t.after(() => server.stop());
  const hub = fakeHub();
  const xmpp = adapter.create(
    'jabber',
    adapter.options.parse({ port: server.port, domains, reconnect: { firstMs: 10 } }),
  );
  t.after(() => xmpp.stop());
  await xmpp.start(hub);
  await hub.untilStatus('up');
  let asked = 0;
  /** Alice says that, and this is all that comes back. */
  const answersTo = async (type: string | undefined, to = bobJid, from = 'alice@xmpp.example/phone') => {
    const before = server.heard.length;
    server.write(`<presence from='${from}' to='${to}' id='p1'${type === undefined ? '' : ` type='${type}'`}/>`);
    const id = `end-${++asked}`;
    server.write(
      `<iq type='get' from='alice@xmpp.example/phone' to='${domain}' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    );
    await server.hears(({ attrs }) => attrs.id === id, 'the end');
    return server.heard.slice(before).filter(({ name }) => name === 'presence');
  };
  return { server, hub, xmpp, answersTo };
}

const outline = ({ attrs }: Stanza) => [attrs.from, attrs.to, attrs.type];

test('RFC 6121 s.3.1.2: a subscription is published between bare JIDs and nothing is answered before the other network has', async (t) => {
  const { hub, answersTo } = await open(t);
  assert.deepEqual(await answersTo('subscribe', `${bobJid}/x`), []);
  assert.deepEqual(hub.drafts, [{ type: 'subscription', from: alice, to: bob, action: 'request' }]);
});

test('where the other network has no presence whoever asks is told yes, and available', async (t) => {
  const { hub, answersTo } = await open(t);
  hub.onPublish = () => {
    throw new GatewayError('unsupported', 'telephones have no presence');
  };
  const bare = 'alice@xmpp.example';
  assert.deepEqual((await answersTo('subscribe', bobJid, bare)).map(outline), [
    [bobJid, bare, 'subscribed'],
    [bobJid, bare, undefined],
  ]);
  assert.deepEqual((await answersTo('probe', bobJid, bare)).map(outline), [[bobJid, bare, undefined]]);
  assert.deepEqual(
    (await answersTo('unsubscribe', bobJid, bare)).map(({ attrs }) => attrs.type),
    ['unsubscribed', 'unavailable'],
  );
  for (const type of [undefined, 'unavailable', 'subscribed', 'unsubscribed'])
    assert.deepEqual(await answersTo(type), [], type);
  assert.ok(!hub.logs.some(({ level }) => level === 'warn' || level === 'error'));
});

test('RFC 6120 s.8.3: a refusal is an error with its condition; a request that can never be granted leaves the roster', async (t) => {
  const { hub, answersTo } = await open(t);
  const refuse = (error: GatewayError) => {
    hub.onPublish = () => {
      throw error;
    };
  };
  refuse(new GatewayError('not-found', 'nobody is called that'));
  const [error, denial] = await answersTo('subscribe');
  assert.ok(error?.getChild('error')?.getChild('item-not-found', stanzas));
  assert.equal(error?.attrs.id, 'p1');
  assert.equal(denial?.attrs.type, 'unsubscribed');
  assert.deepEqual(
    (await answersTo('probe')).map(({ attrs }) => attrs.type),
    ['error'],
    'a route that is missing today costs nobody a subscription',
  );
  assert.equal((await answersTo(undefined)).length, 1);
  for (const type of ['unavailable', 'subscribed', 'unsubscribe', 'unsubscribed'])
    assert.deepEqual(await answersTo(type), [], type);
  refuse(new GatewayError('throttled', 'too many'));
  const [later, ...rest] = await answersTo('subscribe');
  assert.equal(later?.getChild('error')?.attrs.type, 'wait');
  assert.equal(rest.length, 0, 'the request stays open');
  assert.deepEqual(await answersTo(undefined), []);
});

test('XEP-0100 s.4.4.1: the gateway itself greets back whoever logs in or out, and no other gateway', async (t) => {
  const { hub, answersTo } = await open(t);
  const types = async (type: string | undefined, from?: string) =>
    (await answersTo(type, domain, from)).map(({ attrs }) => [attrs.from, attrs.type]);
  assert.deepEqual(await types(undefined), [[domain, undefined]]);
  assert.deepEqual(await types('unavailable'), [[domain, 'unavailable']]);
  assert.deepEqual(await types('subscribe'), [
    [domain, 'subscribed'],
    [domain, undefined],
  ]);
  assert.deepEqual(await types(undefined, 'icq.xmpp.example/registered@here'), []);
  assert.deepEqual(hub.drafts, []);
});

test('XEP-0045 s.7.2: somebody who takes a contact for a room is told that there is none', async (t) => {
  const { server, hub } = await open(t);
  server.write(
    `<presence from='alice@xmpp.example/phone' to='${bobJid}/nick' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
  );
  const error = await server.hears(({ attrs }) => attrs.id === 'j', 'the error');
  assert.ok(error.getChild('error')?.getChild('feature-not-implemented', stanzas));
  assert.deepEqual(hub.drafts, []);
});

test('presence and messages of one pair are published in the order in which they came', async (t) => {
  const { server, hub } = await open(t);
  let isSlow = true;
  hub.onPublish = async () => {
    if (isSlow) await new Promise((resolve) => setImmediate(resolve));
    isSlow = false;
    return undefined;
  };
  const from = "from='alice@xmpp.example/phone'";
  server.write(
    `<presence ${from} to='${bobJid}'/><message ${from} to='${bobJid}'><body>x</body></message><presence ${from} to='${bobJid}' type='unavailable'/>`,
  );
  await until(() => hub.drafts.length === 3, 'three drafts');
  assert.deepEqual(
    hub.drafts.map(({ type }) => type),
    ['presence', 'message', 'presence'],
  );
});

test('RFC 6121 s.3.1.3: an error in answer to our request is a denial, one in answer to a probe says that nothing is known', async (t) => {
  const { server, hub, xmpp } = await open(t);
  const bounce = (id: string, condition: string, type = 'cancel') =>
    server.write(
      `<presence from='alice@xmpp.example' to='${bobJid}' id='${id}' type='error'><error type='${type}'><${condition} xmlns='${stanzas}'/></error></presence>`,
    );
  const request = sampleEvent('subscription', bob, alice, { action: 'request' });
  await xmpp.deliver(request, signal);
  bounce(`ask-${request.id}`, 'remote-server-timeout', 'wait');
  bounce(request.id, 'forbidden');
  bounce(`ask-${request.id}`, 'forbidden');
  await hub.untilDraft(({ type }) => type === 'subscription');
  bounce('probe-e000000000077', 'remote-server-not-found');
  await hub.untilDraft(({ type }) => type === 'presence');
  assert.deepEqual(hub.drafts, [
    { type: 'subscription', from: alice, to: bob, action: 'deny' },
    { type: 'presence', from: alice, to: bob, availability: 'unknown' },
  ]);
});

test('an error that comes before the proof ends the delivery too', async (t) => {
  const { server, hub, xmpp } = await open(t);
  server.script.onStanza = ({ name, attrs }) =>
    name === 'presence'
      ? `<presence from='${attrs.to}' to='${attrs.from}' id='${attrs.id}' type='error'><error type='auth'><forbidden xmlns='${stanzas}'/></error></presence>`
      : undefined;
  await assert.rejects(xmpp.deliver(sampleEvent('subscription', bob, alice, { action: 'request' }), signal), {
    reason: 'not-allowed',
  });
  await hub.untilDraft((draft) => draft.type === 'subscription' && draft.action === 'deny');
});

test('presence counts as delivered when a later ping was answered, and is written again after a lost link', async (t) => {
  const { server, xmpp, hub } = await open(t);
  server.script.answersPings = false;
  const event = sampleEvent('presence', `${bob}/ID-1`, alice, { availability: 'away' });
  const lost = xmpp.deliver(event, signal);
  await server.hears(({ attrs }) => attrs.id === event.id, 'the presence');
  server.drop();
  await assert.rejects(lost, { reason: 'unavailable' });
  server.script.answersPings = true;
  await until(() => server.connections === 2, 'a new connection');
  await hub.untilStatus('up');
  await xmpp.deliver(event, signal);
  assert.equal(server.heard.filter(({ attrs }) => attrs.id === event.id).length, 2);
});

test('after a new connection everybody who is watched is probed, and operators see who that is', async (t) => {
  const { server, hub, xmpp, answersTo } = await open(t);
  await xmpp.deliver(sampleEvent('subscription', bob, alice, { action: 'request' }), signal);
  await answersTo('subscribed');
  const rows = await Array.fromAsync(xmpp.views?.subscriptions?.() ?? []);
  assert.deepEqual(rows, [{ watcher: bob, presentity: alice, standing: 'approved' }]);
  server.drop();
  await until(() => server.connections === 2, 'a new connection');
  const probe = await server.hears(({ attrs }) => attrs.type === 'probe', 'a probe');
  assert.deepEqual(outline(probe), [bobJid, 'alice@xmpp.example', 'probe']);
  await hub.untilStatus('up');
});

const moodOf = (word: string, from = 'alice@xmpp.example') =>
  `<message from='${from}' to='${bobJid}/ID-1' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='http://jabber.org/protocol/mood'><item id='current'><mood xmlns='http://jabber.org/protocol/mood'><${word}/></mood></item></items></event></message>`;

test('XEP-0163 s.4.3: a mood is heard of people who are watched, and of nobody else; what a notification bounces as is no receipt', async (t) => {
  const { server, hub, xmpp, answersTo } = await open(t);
  await answersTo('subscribed');
  await answersTo(undefined);
  server.write(moodOf('happy', 'mallory@xmpp.example'));
  server.write(moodOf('happy'));
  await hub.untilDraft((draft) => draft.type === 'presence' && draft.moods?.[0] === 'happy');
  await answersTo(undefined, bobJid, 'mallory@xmpp.example/x');
  await hub.untilDraft((draft) => draft.from.startsWith('xmpp:mallory'));
  assert.ok(hub.draftsOf('presence').every(({ from, moods }) => !moods || from.startsWith(alice)));
  await xmpp.deliver(sampleEvent('presence', `${bob}/ID-1`, alice, { availability: 'away', moods: ['sad'] }), signal);
  const told = await server.hears(({ name }) => name === 'message', 'the headline');
  const place = server.heard.findLast(({ name }) => name === 'presence');
  assert.ok(place?.getChild('c', 'http://jabber.org/protocol/caps'));
  server.write(
    `<message from='alice@xmpp.example' to='${bobJid}' id='${told.attrs.id}' type='error'><error type='cancel'><service-unavailable xmlns='${stanzas}'/></error></message>`,
  );
  await answersTo(undefined);
  assert.deepEqual(hub.draftsOf('receipt'), []);
});

test('a notification that is refused at once does not fail the presence that it belongs to', async (t) => {
  const { server, xmpp } = await open(t);
  server.script.onStanza = ({ name, attrs }) =>
    name === 'message'
      ? `<message from='${attrs.to}' to='${attrs.from}' id='${attrs.id}' type='error'><error type='cancel'><forbidden xmlns='${stanzas}'/></error></message>`
      : undefined;
  await xmpp.deliver(sampleEvent('presence', bob, alice, { availability: 'away', moods: ['sad'] }), signal);
});

test('a status is hidden in traces like all that people write', async (t) => {
  const { hub, xmpp } = await open(t);
  await xmpp.deliver(
    sampleEvent('presence', bob, alice, { availability: 'away', notes: { en: 'in hospital' } }),
    signal,
  );
  const [{ hop } = { hop: undefined }] = hub.hops;
  assert.deepEqual(
    hop?.hidden?.map(([start, end]) => String(hop.wire).slice(start, end)),
    ['in hospital'],
  );
  assert.equal(hop?.what, 'presence');
});
