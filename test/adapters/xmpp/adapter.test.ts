// The adapter as the hub and a server see it: options, bounces, refusals, cuts, doctor.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adapter } from '../../../adapters/xmpp/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { sampleEvent } from '../../peers/events.ts';
import { fakeHub } from '../../peers/hub.ts';
import { isPing, pong, type Script, startFakeXmppServer } from '../../peers/xmpp-server.ts';
import { until } from '../../servers/process.ts';

const domain = 'sip.xmpp.example';
const domains = [{ domain, secret: 'secret', shows: ['sip'] }];
const bob = `xmpp:bob\\40other.net@${domain}`;
const bobJid = `bob\\40other.net@${domain}`;
const alice = 'xmpp:alice@xmpp.example/phone';
const signal = new AbortController().signal;
const hello = (from = bob) => sampleEvent('message', from, alice, { text: { '': 'hello' }, wants: [] });
const bounce = (id: string, condition: string, type = 'cancel') =>
  `<message from='alice@xmpp.example' to='${bobJid}' id='${id}' type='error'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;

async function open(t: TestContext, script: Partial<Script> = {}, more: Record<string, unknown> = {}) {
  const server = await startFakeXmppServer(script);
  t.after(() => server.stop());
  const hub = fakeHub();
  const xmpp = adapter.create('jabber', adapter.options.parse({ port: server.port, domains, ...more }));
  t.after(() => xmpp.stop());
  await xmpp.start(hub);
  await hub.untilStatus('up');
  return { server, hub, xmpp };
}

test('an option it does not know, a secret that is empty and a domain that is none are refused', () => {
  assert.ok(adapter.options.safeParse({ domains }).success);
  for (const wrong of [
    {},
    { domains: [] },
    { domains, colour: 'red' },
    { domains: [{ domain, secret: '', shows: ['sip'] }] },
    { domains: [{ domain: 'a b', secret: 'x', shows: ['sip'] }] },
    { domains: [{ domain, secret: 'x', shows: ['fax'] }] },
  ]) {
    assert.ok(!adapter.options.safeParse(wrong).success, JSON.stringify(wrong));
  }
});

test('RFC 6120 s.4.9.3.9: only a component of ours can be a native domain: for others nobody may speak', () => {
  const options = adapter.options.parse({ domains, nativeDomains: [domain, 'xmpp.example'] });
  assert.deepEqual(adapter.nativeDomains?.(options), [domain]);
  assert.deepEqual(adapter.gatewayDomains?.(options), [{ domain, shows: ['sip'] }]);
});

test('a message that comes back before the proof fails the delivery with its reason', async (t) => {
  const { server, xmpp } = await open(t, { onStanza: ({ attrs }) => bounce(attrs.id ?? '', 'item-not-found') });
  await assert.rejects(xmpp.deliver(hello(), signal), { reason: 'not-found', native: 'item-not-found' });
  server.script.onStanza = ({ attrs }) => bounce(attrs.id ?? '', 'resource-constraint', 'wait');
  await assert.rejects(xmpp.deliver(hello(), signal), { reason: 'throttled' });
});

test('a message that comes back after the proof is a failed receipt', async (t) => {
  const { server, xmpp, hub } = await open(t);
  const event = hello();
  await xmpp.deliver(event, signal);
  server.write(bounce(event.id, 'remote-server-timeout', 'wait'));
  const draft = await hub.untilDraft(({ type }) => type === 'receipt');
  assert.deepEqual(draft, {
    type: 'receipt',
    from: 'xmpp:alice@xmpp.example',
    to: bob,
    of: event.id,
    state: 'failed',
    reason: 'unreachable',
    text: 'remote-server-timeout',
    fault: { condition: 'remote-server-timeout' },
  });
});

test('nobody writes from a domain that is no component of ours: a server ends the stream at that', async (t) => {
  const { xmpp, server } = await open(t);
  await assert.rejects(xmpp.deliver(hello('xmpp:bob@xmpp.example'), signal), { reason: 'not-allowed' });
  assert.ok(!server.heard.some(({ name }) => name === 'message'));
});

test('a stanza cut at every byte is read once, and so are two in one chunk', async (t) => {
  const { server, hub } = await open(t);
  const stanza = (id: string) =>
    `<message from='alice@xmpp.example/phone' to='${bobJid}' id='${id}'><body>é😀&amp;</body></message>`;
  for (const byte of Buffer.from(stanza('bytes'))) server.write(Uint8Array.of(byte));
  server.write(stanza('one') + stanza('two'));
  await until(() => hub.drafts.length === 3, 'three drafts');
  assert.deepEqual(
    hub.draftsOf('message').map(({ nativeId, text }) => [nativeId, text['']]),
    [
      ['bytes', 'é😀&'],
      ['one', 'é😀&'],
      ['two', 'é😀&'],
    ],
  );
});

test('stanzas that make no sense are survived, and answered where there is somebody to answer', async (t) => {
  const { server, hub } = await open(t);
  server.write(
    "<message><body>from nowhere</body></message><message from='a@b' id='1'><body>to nowhere</body></message>" +
      `<message from='a b@c' to='${bobJid}' id='2'><body>no JID</body></message><iq type='result' id='3'/><iq/><presence/>` +
      `<message from='a@b' to='${bobJid}' type='error'/><unheard xmlns='urn:x'/>`,
  );
  const error = await server.hears(({ attrs }) => attrs.id === '2', 'an error');
  assert.match(error.toString(), /bad-request/);
  server.write(`<message from='a@b' to='${bobJid}' id='4'><body>sense</body></message>`);
  await hub.untilDraft((draft) => draft.type === 'message' && draft.text[''] === 'sense');
  assert.equal(hub.drafts.length, 1);
});

test('a stanza that the hub never sees is one line in the log, with the reason and without its words', async (t) => {
  const { server, hub } = await open(t, {}, { maxStanzaBytes: 10_000 });
  server.write(
    `<message from='a b@c' to='${bobJid}' id='1'><body>private</body></message><message from='a@b' to='${bobJid}' id='2'><body>${'private '.repeat(2000)}</body></message>`,
  );
  await server.hears(({ attrs }) => attrs.id === '2', 'an error');
  const said = hub.logs.filter(({ message }) => message === 'refused');
  assert.deepEqual(
    said.map(({ level, fields }) => [level, fields.reason, fields.from]),
    [
      ['warn', 'malformed', 'a b@c'],
      ['warn', 'too-large', 'a@b'],
    ],
  );
  assert.doesNotMatch(JSON.stringify(hub.logs), /private/);
});

test('a server that stays away is told of once, and again when it was back in between', async (t) => {
  const { server, hub } = await open(t, {}, { reconnect: { firstMs: 1, maxMs: 10 } });
  const told = (level: string) =>
    hub.logs.filter(({ message, ...line }) => message === 'component is down' && line.level === level).length;
  server.script.secret = 'changed';
  server.drop();
  await until(() => told('debug') >= 2, 'some tries');
  const before = told('warn');
  server.script.secret = 'secret';
  await until(() => hub.statuses.at(-1)?.state === 'up', 'up again');
  assert.equal(before, 2, 'the lost link and the refusal');
});

test('a receipt that nobody wants is not answered with an error', async (t) => {
  const { server, hub } = await open(t);
  hub.onPublish = () => {
    throw new GatewayError('not-found', 'nobody');
  };
  server.write(
    `<message from='a@b' to='${bobJid}' id='r'><received xmlns='urn:xmpp:receipts' id='x'/></message><message from='a@b' to='${bobJid}' id='m'><body>x</body></message>`,
  );
  await server.hears(({ attrs }) => attrs.id === 'm', 'the error');
  assert.ok(!server.heard.some(({ attrs }) => attrs.id === 'r'));
});

test('a stop while our store is away tells the sender, so that nothing is lost in silence', async (t) => {
  const { server, hub, xmpp } = await open(t);
  let asked = 0;
  hub.onPublish = () => {
    asked++;
    throw new GatewayError('unavailable', 'the store is away');
  };
  server.write(`<message from='alice@xmpp.example/phone' to='${bobJid}' id='late'><body>x</body></message>`);
  await until(() => asked > 0, 'a try');
  await xmpp.stop();
  const error = await server.hears(({ attrs }) => attrs.id === 'late', 'the error');
  assert.match(error.toString(), /type="wait"/);
});

test("each destination is a recipient's server as one component reaches it", () => {
  const xmpp = adapter.create('jabber', adapter.options.parse({ domains }));
  assert.equal(xmpp.destination?.(hello()), `xmpp.example from ${domain}`);
});

test('a trace shows the stanza, and where in it somebody speaks', async (t) => {
  const { server, hub, xmpp } = await open(t);
  server.write(
    `<message from='a@b' to='${bobJid}'><body xml:lang='en'>secret &amp; more</body><subject>s</subject></message>`,
  );
  await xmpp.deliver(hello(), signal);
  await until(() => hub.hops.length === 2, 'two hops');
  const hidden = hub.hops.map(({ hop }) =>
    hop.hidden?.map(([start, end]) => String(hop.wire).slice(start, end)).sort(),
  );
  assert.deepEqual(hidden.sort(), [['hello'], ['s', 'secret &amp; more']]);
});

test('doctor: a port that says nothing, one that is no component port, and the lines to add', async (t) => {
  const server = await startFakeXmppServer({ onHeader: undefined });
  t.after(() => server.stop());
  const diagnose = async () => {
    const found = [];
    const options = adapter.options.parse({ port: server.port, domains, connectTimeoutMs: 100 });
    for await (const finding of adapter.diagnose?.(options, signal) ?? []) found.push(finding);
    return found;
  };
  assert.match(`${(await diagnose())[0]?.what}`, /does not answer/);
  server.script.onHeader = () =>
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1'>";
  assert.match(`${(await diagnose())[0]?.what}`, /no component port/);
});

test('a ping that somebody else answers proves nothing', async (t) => {
  const { server, xmpp, hub } = await open(t, { answersPings: false });
  let isTaken = false;
  const delivering = xmpp.deliver(hello(), signal).then(() => {
    isTaken = true;
  });
  const ping = await server.hears(isPing, 'a ping');
  server.write(pong(ping, 'mallory@xmpp.example') + bounce('unrelated', 'gone'));
  await hub.untilDraft(({ type }) => type === 'receipt');
  assert.ok(!isTaken);
  server.write(pong(ping));
  await delivering;
});
