// Responses that are lost with a link: ours, after which the SMSC sends its message again, and the SMSC's, after which
// nobody knows what became of ours.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { adapter } from '../../../adapters/smpp/index.ts';
import { type FakeHub, fakeHub } from '../../peers/hub.ts';
import { type WirePeer, type WireSmsc, wireSmsc } from '../../peers/smpp-wire.ts';
import { until } from '../../servers/process.ts';
import { dlr, mo, signal } from './carrier.ts';
import { message } from './event.ts';

async function open(t: TestContext, more: Record<string, unknown> = {}, given?: { smsc: WireSmsc; hub: FakeHub }) {
  const smsc = given?.smsc ?? (await wireSmsc());
  const hub = given?.hub ?? fakeHub();
  hub.clock ??= 1_000_000;
  const fast = { reconnect: { firstMs: 0, maxMs: 0 }, enquireLinkMs: 0, responseTimeoutMs: 1000 };
  const settings = adapter.options.parse({ port: smsc.port, systemId: 'me', ...fast, ...more });
  const smpp = adapter.create('carrier', settings);
  t.after(async () => {
    await smsc.close();
    await smpp.stop();
  });
  const started = smpp.start(hub);
  const peer = await bindNext(smsc);
  await started;
  const told = () => hub.draftsOf('receipt').map(({ of, state }) => `${of} ${state}`);
  return { smsc, hub, smpp, peer, told };
}

async function bindNext(smsc: WireSmsc): Promise<WirePeer> {
  const peer = await smsc.accepted();
  peer.answer(await peer.next('bind_transceiver'), 0, { system_id: 'x' });
  return peer;
}

/** Moves the clock until that is so. */
async function pass(hub: FakeHub, ms: number, claim: () => boolean, what: string): Promise<void> {
  await until(() => {
    if (!claim()) hub.clock = (hub.clock ?? 0) + ms;
    return claim();
  }, what);
}

describe('unknownOutcome: query', () => {
  test('reference smpp 7.5: the link is lost before the response and nothing more is heard: told as unknown, once, after the wait', async (t) => {
    const { smsc, hub, smpp, peer, told } = await open(t, { unknownOutcome: 'query' });
    const event = message('hi');
    const delivery = smpp.deliver(event, signal);
    await peer.next('submit_sm');
    peer.drop();
    await delivery;
    assert.deepEqual(told(), []);
    const again = await bindNext(smsc);
    await pass(hub, 100, () => told().length > 0, 'the verdict');
    assert.deepEqual(told(), [`${event.id} unknown`]);
    assert.deepEqual(
      again.heard.map(({ command }) => command),
      ['bind_transceiver'],
      'nothing was sent again',
    );
  });
  test('a restart in the meantime changes nothing', async (t) => {
    const first = await open(t, { unknownOutcome: 'query' });
    const event = message('hi');
    const delivery = first.smpp.deliver(event, signal);
    await first.peer.next('submit_sm');
    first.peer.drop();
    await delivery;
    await first.smpp.stop();
    for (const waiting of first.smsc.peers.slice(1)) waiting.drop();
    const smsc = await wireSmsc();
    const { hub, told } = await open(t, { unknownOutcome: 'query' }, { smsc, hub: first.hub });
    await pass(hub, 100, () => told().length > 0, 'the verdict');
    assert.deepEqual(told(), [`${event.id} unknown`]);
  });
  test('SMPP 3.4 s.4.8: the response comes late, the link is lost, and after rebinding the SMSC is asked by its id', async (t) => {
    const { smsc, hub, smpp, peer, told } = await open(t, { unknownOutcome: 'query', responseTimeoutMs: 5000 });
    const event = message('hi');
    const abort = new AbortController();
    const delivery = smpp.deliver(event, abort.signal);
    const submit = await peer.next('submit_sm');
    abort.abort();
    await pass(hub, 100, () => hub.now() > 1_000_000 + 1600, 'the grace');
    await delivery;
    peer.answer(submit, 0, { message_id: '0Ab1' });
    await until(() => hub.counters.has('late_responses_total{status=ESME_ROK}'), 'the late response');
    peer.drop();
    const again = await bindNext(smsc);
    const asked = again.next('query_sm');
    let query: Awaited<typeof asked> | undefined;
    void asked.then((pdu) => {
      query = pdu;
    });
    await pass(hub, 100, () => query !== undefined, 'the question');
    assert.ok(query);
    assert.deepEqual([query.body.message_id, query.body.source_addr], ['0Ab1', '447700900001']);
    again.answer(query, 0, { message_id: '0Ab1', final_date: '', message_state: 2, error_code: 0 });
    await until(() => told().length > 0, 'what it said');
    assert.deepEqual(told(), [`${event.id} delivered`]);
  });
  test('reference smpp 7.5: a receipt with an id nobody knows, between the two numbers of the lost one: it is its', async (t) => {
    const { smsc, hub, smpp, peer, told } = await open(t, { unknownOutcome: 'query' });
    const event = message('hi');
    const delivery = smpp.deliver(event, signal);
    await peer.next('submit_sm');
    peer.drop();
    await delivery;
    const again = await bindNext(smsc);
    const { short_message, ...fields } = dlr('4711');
    again.send({ command: 'deliver_sm', sequence_number: 5, body: { ...fields, short_message } });
    await until(() => told().length > 0, 'the receipt');
    assert.deepEqual(told(), [`${event.id} delivered`]);
    await again.next('deliver_sm_resp');
    const query = again.next('query_sm');
    let isAsked = false;
    void query.then(() => {
      isAsked = true;
    });
    await pass(hub, 100, () => isAsked, 'the question');
    again.answer(await query, 0x67);
    assert.deepEqual(told(), [`${event.id} delivered`]);
  });
});

describe('messages sent again', () => {
  const hello = (text: string, sequence_number: number) => {
    const { short_message, ...fields } = mo(text);
    return { command: 'deliver_sm' as const, sequence_number, body: { ...fields, short_message } };
  };
  const texts = (hub: FakeHub) => hub.draftsOf('message').map(({ text }) => text['']);

  test('reference smpp 7.5: a message whose response was lost with the link comes again, is acknowledged and is not published twice', async (t) => {
    const { smsc, hub, peer } = await open(t);
    peer.send(hello('only once', 7));
    await until(() => hub.drafts.length === 1, 'the first');
    peer.drop();
    const again = await bindNext(smsc);
    again.send(hello('only once', 1));
    assert.equal((await again.next('deliver_sm_resp')).command_status, 0);
    assert.deepEqual(texts(hub), ['only once']);
    again.send(hello('only once', 2));
    assert.equal((await again.next('deliver_sm_resp')).command_status, 0);
    assert.deepEqual(texts(hub), ['only once', 'only once'], 'said again by the person');
  });
  test('reference smpp 7.5: two equal messages on a link that lives are two messages', async (t) => {
    const { hub, peer } = await open(t);
    for (const sequence of [7, 8]) {
      peer.send(hello('ok', sequence));
      await peer.next('deliver_sm_resp');
    }
    assert.deepEqual(texts(hub), ['ok', 'ok']);
  });
  test('after the window, and with a window of 0, it is a new message', async (t) => {
    const { smsc, hub, peer } = await open(t);
    peer.send(hello('later', 7));
    await until(() => hub.drafts.length === 1, 'the first');
    peer.drop();
    const again = await bindNext(smsc);
    await hub.untilStatus('up');
    hub.clock = hub.now() + 5 * 60_000 + 1;
    again.send(hello('later', 1));
    await again.next('deliver_sm_resp');
    assert.deepEqual(texts(hub), ['later', 'later']);
  });
});
