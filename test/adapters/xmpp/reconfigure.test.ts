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

test('reference smpp 7.6: hot reload: while a component changes its secret its messages wait, and are not refused', async (t) => {
  const { xmpp, change } = await open(t);
  const changing = change([component(one), component(two, { secret: 'other' })]);
  await assert.rejects(xmpp.deliver(from(two), signal), { reason: 'unavailable' });
  await changing;
});

test('a stop while it starts leaves no component connected', async (t) => {
  const server = await startFakeXmppServer();
  t.after(() => server.stop());
  const xmpp = adapter.create('jabber', adapter.options.parse({ port: server.port, domains: [component(one)] }));
  xmpp.start(fakeHub()).catch(() => {});
  t.after(() => xmpp.stop());
  await xmpp.stop();
  for (let turns = 0; turns < 200; turns++) await new Promise(setImmediate);
  assert.equal(server.connections, 0);
});

test('a stop while components change leaves none connected', async (t) => {
  const { server, xmpp, change } = await open(t);
  const before = server.connections;
  const changing = change([component(one), component(two, { secret: 'other' })]);
  await Promise.all([xmpp.stop(), changing]);
  for (let turns = 0; turns < 200; turns++) await new Promise(setImmediate);
  assert.equal(server.connections, before);
});

test('reference smpp 7.6: hot reload: who takes over a number meanwhile has it alone', async (t) => {
  const { server, hub, change } = await open(t);
  const number = '+447700900001';
  const code = 'a long code';
  const domains = [component(one, { registration: { numbers: { [number]: code } } }), component(two)];
  await hub.state.set(`registered/${one}/number/${number}`, 'a@b.example');
  await hub.state.set(`registered/${one}/jid/a@b.example`, number);
  const { promise: gate, resolve: release } = Promise.withResolvers<void>();
  const enter = hub.people.enter.bind(hub.people);
  let isEntering = false;
  t.mock.method(
    hub.people,
    'enter',
    async (addresses: Parameters<typeof enter>[0]) => {
      isEntering = true;
      await gate;
      await enter(addresses);
    },
    { times: 1 },
  );
  await change(domains);
  await until(() => isEntering, 'the registrations are read again');
  const filled = `<query xmlns='jabber:iq:register'><phone>${number}</phone><password>${code}</password></query>`;
  server.write(`<iq type='set' id='r1' from='c@b.example/x' to='${one}'>${filled}</iq>`);
  server.write(`<iq type='get' id='p1' from='c@b.example/x' to='${one}'><ping xmlns='urn:xmpp:ping'/></iq>`);
  await server.hears(({ attrs }) => attrs.id === 'p1', 'the answer to what was asked after it');
  release();
  await server.hears(({ attrs }) => attrs.id === 'r1', 'the answer');
  await new Promise(setImmediate);
  assert.deepEqual([...hub.entered], [`xmpp:c@b.example tel:${number}`]);
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
