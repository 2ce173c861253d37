// sipp where requests cross, overtake each other, are repeated or come too late; and a thousand messages a second.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import { create, message, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { sampleEvent } from '../peers/events.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, until } from '../servers/process.ts';
import { sipp } from '../servers/sipp.ts';

async function site(t: TestContext, more: Settings = {}) {
  const hub = fakeHub();
  const usual = { trusted: ['127.0.0.1'], holdMs: 0, t1Ms: 500, t2Ms: 4000, t4Ms: 5000 };
  const sip = create({ ...usual, ...more }, 0);
  t.after(() => sip.stop());
  await sip.start(hub);
  return { hub, sip, port: sip.portOf('UDP'), count: (name: string) => hub.counters.get(name) ?? 0 };
}

const calls = (count: number, ...more: string[]) => ['-t', 'u1', '-m', String(count), '-r', String(count), ...more];

for (const [lost, people] of [
  [0, 50],
  [10, 15],
] as const) {
  test(`RFC 3903 s.6: two phones publish for each of ${people} people, and a tag that is used up is 412, with ${lost} % lost`, async (t) => {
    if (!needs(t, 'sipp')) return;
    const { hub, sip, port, count } = await site(t, { nativeDomains: ['native.example'] });
    const args = [`127.0.0.1:${port}`, ...calls(people), ...(lost > 0 ? ['-lost', String(lost)] : [])];
    const { code, output } = await sipp(t, 'uac-publish', args).finished;
    assert.equal(code, 0, output);
    assert.deepEqual(
      [count('requests_total{method=PUBLISH,status=200}'), count('requests_total{method=PUBLISH,status=412}')],
      [6 * people, 2 * people],
    );
    assert.deepEqual(await Array.fromAsync(sip.views.publications?.() ?? []), []);
    assert.equal(hub.logs.filter(({ level }) => level === 'error').length, 0);
  });
}

test('RFC 6665 s.4.1.2.4: a NOTIFY before the 2xx makes the dialog, a fork is 481, and an end that crosses ours is an end', async (t) => {
  if (!needs(t, 'sipp')) return;
  const [far = 0] = await freePorts(1);
  const { hub, sip, count } = await site(t, { outboundProxy: `sip:127.0.0.1:${far}` });
  const run = sipp(t, 'uas-subscribe', ['-p', String(far), ...calls(20)]);
  const contacts = Array.from({ length: 20 }, (_, number) => `sip:bob${number}@sipp.example`);
  const ask = (to: string, action: 'request' | 'cancel') =>
    sip.deliver(sampleEvent('subscription', 'sip:alice@gw.example', to, { action }), signal);
  await Promise.all(contacts.map((to) => ask(to, 'request')));
  const said = (action: string) => hub.draftsOf('subscription').filter((draft) => draft.action === action).length;
  await until(() => count('requests_total{method=NOTIFY,status=481}') === 20, 'each fork is turned away');
  assert.equal(said('approve'), 20);
  await Promise.all(contacts.map((to) => ask(to, 'cancel')));
  const { code, output } = await run.finished;
  assert.equal(code, 0, output);
  assert.equal(said('deny'), 20);
  assert.deepEqual(await Array.fromAsync(sip.views.subscriptions?.() ?? []), []);
});

test('RFC 3261 s.17.1.2.2: with every fifth packet lost on the way out each message is taken', async (t) => {
  if (!needs(t, 'sipp')) return;
  const [far = 0] = await freePorts(1);
  const { sip, count } = await site(t, { outboundProxy: `sip:127.0.0.1:${far}` });
  sipp(t, 'uas-message-lossy', ['-p', String(far), '-t', 'u1', '-lost', '20']);
  const users = Array.from({ length: 30 }, (_, number) => `sip:user${number}@sipp.example`);
  const outcomes = await Promise.all(users.map((user) => sip.deliver(message(user), signal)));
  assert.equal(outcomes.length, 30);
  assert.ok(count('retransmissions_total') > 2, `${count('retransmissions_total')} copies`);
});

test('RFC 4320 s.4.2: an answer that comes when Timer F is over is nobody’s, and the next message goes out', async (t) => {
  if (!needs(t, 'sipp')) return;
  const [far = 0] = await freePorts(1);
  // 64 * T1 is 1.3 s.
  const { sip, hub } = await site(t, { outboundProxy: `sip:127.0.0.1:${far}`, t1Ms: 20, t2Ms: 160, t4Ms: 200 });
  const run = sipp(t, 'uas-late', ['-p', String(far), ...calls(1)]);
  await assert.rejects(
    sip.deliver(message('sip:bob@sipp.example'), signal),
    (error: unknown) => error instanceof GatewayError && error.reason === 'unreachable' && error.native === '408',
  );
  assert.equal((await run.finished).code, 0);
  sipp(t, 'uas-message', ['-p', String(far), '-t', 'u1']);
  const isTaken = () =>
    sip.deliver(message('sip:carol@sipp.example'), signal).then(
      () => true,
      () => false,
    );
  await until(isTaken, 'the next is taken', 20_000);
  assert.equal(hub.logs.filter(({ level }) => level === 'error').length, 0);
});

test('reference sip-stack 10: a thousand messages a second for four seconds come in, each once', async (t) => {
  if (!needs(t, 'sipp')) return;
  const { hub, port, count } = await site(t);
  const args = [`127.0.0.1:${port}`, '-t', 'u1', '-m', '4000', '-r', '1000'];
  const { code, output } = await sipp(t, 'uac-message', args).finished;
  assert.equal(code, 0, output);
  const texts = hub.draftsOf('message').map(({ text }) => text['']);
  assert.deepEqual([texts.length, new Set(texts).size], [4000, 4000]);
  assert.equal(count('requests_total{method=MESSAGE,status=202}'), 4000);
});
