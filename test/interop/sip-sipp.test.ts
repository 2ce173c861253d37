// sipp as the far end, over UDP and TCP: in, out, and with packets lost.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { create, message, type Settings, signal } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, until } from '../servers/process.ts';
import { sipp } from '../servers/sipp.ts';

async function site(t: TestContext, more: Settings = {}) {
  const hub = fakeHub();
  // sipp's scenario takes nothing but what it expects: no OPTIONS.
  const sip = create({ trusted: ['127.0.0.1'], ...more, holdMs: 0, t1Ms: 500, t2Ms: 4000, t4Ms: 5000 }, 0);
  t.after(() => sip.stop());
  await sip.start(hub);
  return { hub, sip };
}

for (const [transport, mode] of [
  ['UDP', 'u1'],
  ['TCP', 't1'],
] as const) {
  test(`RFC 3428 s.7: 500 messages of 500 people come in over ${transport}, each once`, async (t) => {
    if (!needs(t, 'sipp')) return;
    const { hub, sip } = await site(t);
    const run = sipp(t, 'uac-message', [`127.0.0.1:${sip.portOf(transport)}`, '-t', mode, '-m', '500', '-r', '500']);
    const { code, output } = await run.finished;
    assert.equal(code, 0, output);
    const texts = hub.draftsOf('message').map(({ text }) => text['']);
    assert.equal(texts.length, 500);
    assert.equal(new Set(texts).size, 500);
    assert.match(texts[0] ?? '', /^number \d+ – grüße/);
  });

  test(`RFC 7247 s.5: 100 messages go out over ${transport} and are taken`, async (t) => {
    if (!needs(t, 'sipp')) return;
    const [port = 0] = await freePorts(1);
    const { sip } = await site(t, { outboundProxy: `sip:127.0.0.1:${port};transport=${transport}` });
    const run = sipp(t, 'uas-message', ['-p', String(port), '-t', mode, '-m', '100']);
    const send = (user: number) => sip.deliver(message(`sip:user${user}@sipp.example`), signal);
    const isTaken = () =>
      send(0).then(
        () => true,
        () => false,
      );
    await until(isTaken, 'sipp listens');
    await Promise.all(Array.from({ length: 99 }, (_, user) => send(user + 1)));
    const { code, output } = await run.finished;
    assert.equal(code, 0, output);
  });
}

test('RFC 3261 s.17.2.2: with every fifth packet lost on both ways every message comes in, and each once', async (t) => {
  if (!needs(t, 'sipp')) return;
  const { hub, sip } = await site(t);
  const args = [`127.0.0.1:${sip.portOf('UDP')}`, '-t', 'u1', '-m', '60', '-r', '60', '-lost', '20'];
  const { code, output } = await sipp(t, 'uac-message', args).finished;
  assert.equal(code, 0, output);
  const texts = hub.draftsOf('message').map(({ text }) => text['']);
  assert.equal(new Set(texts).size, 60);
  assert.equal(texts.length, 60);
});

for (const [transport, mode] of [
  ['UDP', 'u1'],
  ['TCP', 't1'],
] as const) {
  test(`RFC 6665 s.4.2: 100 people subscribe over ${transport}, are told that it is pending, refresh, and leave`, async (t) => {
    if (!needs(t, 'sipp')) return;
    const { hub, sip } = await site(t);
    const args = [`127.0.0.1:${sip.portOf(transport)}`, '-t', mode, '-m', '100', '-r', '100'];
    const { code, output } = await sipp(t, 'uac-subscribe', args).finished;
    assert.equal(code, 0, output);
    assert.equal(hub.draftsOf('subscription').filter(({ action }) => action === 'request').length, 100);
    assert.equal(hub.draftsOf('presence').filter(({ availability }) => availability === 'unavailable').length, 100);
    assert.equal([...hub.state.entries.keys()].filter((key) => key.startsWith('subscription/')).length, 0);
  });
}

test('RFC 6665 s.4.4.3: 100 people ask once, and each is told once', async (t) => {
  if (!needs(t, 'sipp')) return;
  const { hub, sip } = await site(t);
  const args = [`127.0.0.1:${sip.portOf('UDP')}`, '-t', 'u1', '-m', '100', '-r', '100'];
  const { code, output } = await sipp(t, 'uac-poll', args).finished;
  assert.equal(code, 0, output);
  assert.equal(hub.draftsOf('subscription').filter(({ action }) => action === 'fetch').length, 100);
});
