// SIP.js over WebSocket: registers, is found, sends and receives, asks for receipts and gets them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import { create, message, receipt, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { type FakeHub, fakeHub } from '../peers/hub.ts';
import { startBrowserPhone } from '../peers/sip-browser.ts';
import { until } from '../servers/process.ts';

const aor = 'sip:bob@native.example';
const alice = 'sip:alice@gw.example';

async function site(t: TestContext, more: Settings = {}, password?: string) {
  const hub = fakeHub();
  const sip = create({ listen: [{ transport: 'ws', port: 0 }], nativeDomains: ['native.example'], ...more });
  t.after(() => sip.stop());
  await sip.start(hub);
  const phone = await startBrowserPhone(`ws://127.0.0.1:${sip.portOf('WS')}`, aor, password);
  t.after(() => phone.stop());
  return { hub, sip, phone };
}

const cpim = (id: string, text: string) =>
  [
    `From: <${aor}>`,
    `To: <${alice}>`,
    'DateTime: 2026-07-01T10:00:00Z',
    'NS: imdn <urn:ietf:params:imdn>',
    `imdn.Message-ID: ${id}`,
    'imdn.Disposition-Notification: positive-delivery, display',
    '',
    'Content-Type: text/plain;charset=UTF-8',
    '',
    text,
  ].join('\r\n');

const isRegistered = ({ state }: FakeHub) => state.entries.get(`binding/${aor}`)?.value.includes('uri') ?? false;

test('RFC 7118: a browser phone registers, is reached over its own connection, and is away once that has closed', async (t) => {
  const { sip, phone, hub } = await site(t);
  assert.equal(await phone.register(), 200);
  await sip.deliver(message(aor, { text: { '': 'hello 👋' } }), signal);
  assert.deepEqual(phone.heard, [
    { from: 'sip:alice%40xmpp.example@gw.example', type: 'text/plain;charset=UTF-8', body: 'hello 👋' },
  ]);
  await phone.disconnect();
  await until(() => !isRegistered(hub), 'the binding goes with the connection');
  await assert.rejects(
    sip.deliver(message(aor), signal),
    (error: unknown) => error instanceof GatewayError && error.reason === 'unavailable' && error.native === '480',
  );
});

test('RFC 5438 s.7.2: a message from a browser phone is published and its receipts come back as IMDN', async (t) => {
  const { sip, phone, hub } = await site(t);
  await phone.register();
  assert.equal(await phone.send(alice, cpim('m1', 'grüße'), 'message/cpim'), 202);
  const [draft] = hub.draftsOf('message');
  assert.deepEqual([draft?.from, draft?.text, draft?.nativeId], [aor, { '': 'grüße' }, 'm1']);
  for (const state of ['delivered', 'displayed'] as const) await sip.deliver(receipt(aor, { of: 'm1', state }), signal);
  assert.deepEqual(
    phone.heard.map(({ body }) => /<(delivered|displayed)\/>/.exec(body)?.[1]),
    ['delivered', 'displayed'],
  );
  assert.match(phone.heard[0]?.body ?? '', /<message-id>m1</);
});

test('RFC 5438 s.7.2: an IMDN that a browser phone sends is a receipt of the message we sent', async (t) => {
  const { sip, phone, hub } = await site(t);
  await phone.register();
  const event = message(aor, { wants: ['delivered', 'displayed'] });
  await sip.deliver(event, signal);
  const id = /imdn\.Message-ID: (\S+)/.exec(phone.heard[0]?.body ?? '')?.[1];
  assert.equal(id, `${event.id}.rich`);
  const imdn = `<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>${id}</message-id><display-notification><status><displayed/></status></display-notification></imdn>`;
  assert.equal(await phone.send(alice, imdn, 'message/imdn+xml'), 200);
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ of, state, from }) => [of, state, from]),
    [[event.id, 'displayed', aor]],
  );
});

test('reference sip 5.5: what a browser phone refuses is told by its reason, and CPIM falls back to plain text', async (t) => {
  const { sip, phone } = await site(t);
  await phone.register();
  phone.onMessage = (heard) =>
    heard.request.getHeader('content-type') === 'message/cpim'
      ? heard.reject({ statusCode: 415, reasonPhrase: 'Unsupported Media Type' })
      : heard.accept();
  await sip.deliver(message(aor, { wants: ['delivered'] }), signal);
  assert.deepEqual(
    phone.heard.map(({ type }) => type),
    ['message/cpim', 'text/plain;charset=UTF-8'],
  );
  phone.onMessage = (heard) => heard.reject({ statusCode: 486, reasonPhrase: 'Busy' });
  await assert.rejects(
    sip.deliver(message(aor), signal),
    (error: unknown) => error instanceof GatewayError && error.reason === 'unavailable',
  );
});

test('RFC 3261 s.22.1: with digest SIP.js answers our challenges, and a wrong password stays outside', async (t) => {
  const auth = { realm: 'native.example', users: { bob: { password: 'secret' } } };
  const right = await site(t, { auth }, 'secret');
  assert.equal(await right.phone.register(), 200);
  assert.equal(await right.phone.send(alice, 'hi'), 202);
  assert.equal(await right.phone.unregister(), 200);
  assert.equal(isRegistered(right.hub), false);
  const wrong = await site(t, { auth }, 'wrong');
  assert.equal(await wrong.phone.register(), 401);
  assert.equal(await wrong.phone.send(alice, 'hi'), 401);
  assert.equal(wrong.hub.drafts.length, 0);
});
