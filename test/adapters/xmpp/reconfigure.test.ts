// Options that change while components are connected: who stays notices nothing.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adapter } from '../../../adapters/xmpp/index.ts';
import { sampleEvent } from '../../peers/events.ts';
import { fakeHub } from '../../peers/hub.ts';
import { startFakeXmppServer } from '../../peers/xmpp-server.ts';
import { until } from '../../servers/process.ts';

const [one, two, three] = ['one.xmpp.example', 'two.xmpp.example', 'three.xmpp.example'];
const component = (domain: string, more: Record<string, unknown> = {}) => ({
  domain,
  secret: 'secret',
  shows: ['tel'],
  ...more,
});
const signal = new AbortController().signal;
const from = (domain: string) =>
  sampleEvent('message', `xmpp:+447700900123@${domain}`, 'xmpp:a@b.example', { text: { '': 'hello' }, wants: [] });

async function open(t: TestContext) {
  const server = await startFakeXmppServer();
  t.after(() => server.stop());
  const hub = fakeHub();
  const parse = (domains: object[], more: Record<string, unknown> = {}) =>
    adapter.options.parse({ port: server.port, domains, reconnect: { firstMs: 10, maxMs: 20 }, ...more });
  const xmpp = adapter.create('jabber', parse([component(one), component(two)]));
  t.after(() => xmpp.stop());
  await xmpp.start(hub);
  const change = async (domains: object[], more: Record<string, unknown> = {}) =>
    xmpp.reconfigure?.(parse(domains, more));
  const isUp = (count: number) =>
    until(() => hub.gauges.get('components_up') === count && hub.statuses.at(-1)?.state === 'up', `${count} up`);
  await isUp(2);
  return { server, hub, xmpp, change, isUp };
}

test('reference smpp 7.6: hot reload: a component that comes connects, one that goes says goodbye, one that stays is not touched', async (t) => {
  const { server, hub, xmpp, change, isUp } = await open(t);
  const before = server.connections;
  await change([component(one), component(three)]);
  await isUp(2);
  assert.equal(server.connections, before + 1, 'the first has its old connection');
  for (const domain of [one, three]) await xmpp.deliver(from(domain), signal);
  await assert.rejects(xmpp.deliver(from(two), signal), { reason: 'not-allowed' });
  assert.deepEqual(hub.statuses.at(-1), { state: 'up' });
  await change([component(three)]);
  assert.equal(hub.gauges.get('components_up'), 1);
});

test('reference smpp 7.6: hot reload: with another secret a component comes back, or says why it is not let in', async (t) => {
  const { server, hub, xmpp, change, isUp } = await open(t);
  await change([component(one), component(two, { secret: 'wrong' })]);
  await until(() => /not-authorized/.test(hub.statuses.at(-1)?.why ?? ''), 'the reason');
  assert.equal(hub.statuses.at(-1)?.state, 'up', 'the other works');
  await xmpp.deliver(from(one), signal);
  server.script.secret = 'other';
  await change([component(one), component(two, { secret: 'other' })]);
  await isUp(2);
  assert.deepEqual(hub.statuses.at(-1), { state: 'up' });
});

test('reference smpp 7.6: hot reload: types, limits and numbers to register for hold from now on, over the same connections', async (t) => {
  const { server, hub, xmpp, change } = await open(t);
  const before = server.connections;
  const both = [component(one), component(two)];
  await change(both, { receivedAs: 'normal', maxStanzaBytes: 10_000, maxRecipients: 0 });
  await xmpp.deliver(from(one), signal);
  await server.hears(({ name, attrs }) => name === 'message' && attrs.type === 'normal', 'a normal message');
  const long = { ...from(one), text: { '': 'x'.repeat(11_000) } };
  await assert.rejects(xmpp.deliver(long, signal), { reason: 'too-large' });
  const number = '+447700900001';
  await hub.state.set(`registered/${one}/number/${number}`, 'a@b.example');
  await hub.state.set(`registered/${one}/jid/a@b.example`, number);
  const registration = { numbers: { [number]: 'a long code' } };
  await change([component(one, { registration }), component(two)]);
  await until(() => hub.entered.has(`xmpp:a@b.example tel:${number}`), 'it is known again');
  await change(both);
  await until(() => hub.entered.size === 0, 'and is not any more');
  assert.equal(server.connections, before);
});

test('who was registered at a component that is gone is no longer known under the number', async (t) => {
  const { hub, change } = await open(t);
  const number = '+447700900001';
  const registration = { numbers: { [number]: 'a long code' } };
  await hub.state.set(`registered/${two}/number/${number}`, 'a@b.example');
  await hub.state.set(`registered/${two}/jid/a@b.example`, number);
  await change([component(one), component(two, { registration })]);
  await until(() => hub.entered.size === 1, 'it is known');
  await change([component(one)]);
  await until(() => hub.entered.size === 0, 'and is not any more');
});
