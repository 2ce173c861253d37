// What the adapter sends, and what it makes of the answers and receipts of an SMSC (npm smpp).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { adapter } from '../../../adapters/smpp/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { until } from '../../servers/process.ts';
import { dlr, fails, open, phone, service, signal } from './carrier.ts';
import { message, ours, receipt, theirs } from './event.ts';

describe('out', () => {
  test('SMPP 3.4 s.4.4.1: numbers, alphabet, receipt and validity of a submit_sm', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    hub.clock = Date.UTC(2026, 10, 23, 12);
    const expiresAt = new Date(hub.clock + (86_400 + 3600 + 60 + 1) * 1000).toISOString();
    const { facts } = await smpp.deliver(message('Hello [x]', { expiresAt }), signal);
    assert.deepEqual(facts, { parts: 1, alphabet: 'GSM 7-bit', reason: '1 part GSM 7-bit', messageId: '1' });
    const [sent] = smsc.submits;
    assert.ok(sent);
    const { source_addr_ton, source_addr, dest_addr_ton, destination_addr, data_coding, registered_delivery } = sent;
    assert.deepEqual(
      [source_addr_ton, source_addr, dest_addr_ton, destination_addr],
      [1, '447700900001', 1, '447700900123'],
    );
    assert.deepEqual([data_coding, registered_delivery, sent.esm_class], [0, 1, 0]);
    assert.equal(sent.short_message.toString('hex'), Buffer.from('Hello \x1b<x\x1b>', 'latin1').toString('hex'));
  });
  test('reference smpp 1.1: auto UCS-2: an emoji goes as UCS-2, whole', async (t) => {
    const { smsc, smpp } = await open(t);
    await smpp.deliver(message('hi 👋'), signal);
    assert.equal(smsc.submits[0]?.data_coding, 8);
    assert.equal(smsc.submits[0]?.short_message.toString('hex'), '006800690020d83ddc4b');
  });
  test('a receipt becomes delivered, of our own id, from the one it was for', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    smsc.onSubmit = () => ({ message_id: '00FF' });
    const event = message('hi');
    await smpp.deliver(event, signal);
    assert.equal((await smsc.tell('deliver_sm', dlr('ff'))).command_status, 0);
    assert.deepEqual(hub.drafts, [{ type: 'receipt', from: theirs, to: ours, of: event.id, state: 'delivered' }]);
  });
  test('reference smpp 0, fact 6: a receipt that comes before the response is matched when the response comes', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    smsc.onSubmit = (submit, session) => {
      void smsc.tell('deliver_sm', dlr('255')).then(() => session.send(submit.response({ message_id: 'ff' })));
      return undefined;
    };
    const event = message('hi');
    await smpp.deliver(event, signal);
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [[event.id, 'delivered']],
    );
  });
  test('reference smpp 5.1: a receipt whose numbers are not turned round, with the id in another radix', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    smsc.onSubmit = () => ({ message_id: '0000FF' });
    await smpp.deliver(message('hi'), signal);
    const same = { ...dlr('255'), source_addr: service.destination_addr, destination_addr: phone.source_addr };
    await smsc.tell('deliver_sm', same);
    assert.equal(hub.draftsOf('receipt')[0]?.state, 'delivered');
  });
  test('a receipt in a data_sm, by its parameters only', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    smsc.onSubmit = () => ({ message_id: 'abc' });
    await smpp.deliver(message('hi'), signal);
    const fields = {
      ...phone,
      ...service,
      esm_class: 4,
      receipted_message_id: 'abc',
      message_state: 5,
      network_error_code: Buffer.from([3, 0, 1]),
    };
    assert.equal((await smsc.tell('data_sm', fields)).command_status, 0);
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ state, reason }) => [state, reason]),
      [['failed', 'not-found']],
    );
  });
  test('reference smpp 5.1: a receipt after a restart of the adapter', async (t) => {
    const first = await open(t);
    first.smsc.onSubmit = () => ({ message_id: '77' });
    const event = message('hi');
    await first.smpp.deliver(event, signal);
    await first.smpp.stop();
    const { smsc, hub } = await open(t, {}, first);
    await smsc.tell('deliver_sm', dlr('77', 'UNDELIV'));
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [[event.id, 'failed']],
    );
  });
  test('a receipt that the hub cannot take now is refused for a while, and taken when it comes again', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    smsc.onSubmit = () => ({ message_id: '1' });
    await smpp.deliver(message('hi'), signal);
    hub.onPublish = () => {
      throw new GatewayError('unavailable', 'the store is away');
    };
    assert.equal((await smsc.tell('deliver_sm', dlr('1'))).command_status, 0x64);
    hub.onPublish = undefined;
    assert.equal((await smsc.tell('deliver_sm', dlr('1'))).command_status, 0);
    assert.equal(hub.draftsOf('receipt').length, 1);
  });
  test('reference smpp 5.1: on another bind: on a pair of binds the receiver hears receipts of what the transmitter sent', async (t) => {
    const { smsc, hub, smpp } = await open(t, { bind: 'pair' });
    assert.deepEqual(smsc.binds.map(({ command }) => command).sort(), ['bind_receiver', 'bind_transmitter']);
    await hub.untilStatus('up');
    smsc.onSubmit = () => ({ message_id: '5' });
    await smpp.deliver(message('hi'), signal);
    await smsc.tell('deliver_sm', dlr('5'));
    assert.equal(hub.draftsOf('receipt')[0]?.state, 'delivered');
  });
  const statuses: Array<[status: number, reason: string]> = [
    [0x0b, 'not-found'],
    [0x0a, 'not-allowed'],
    [0x01, 'too-large'],
    [0x45, 'unavailable'],
    [0x412, 'not-allowed'],
  ];
  for (const [command_status, reason] of statuses) {
    test(`SMPP 3.4 s.5.1.3: status 0x${command_status.toString(16)} is ${reason}, in words`, async (t) => {
      const { smsc, smpp } = await open(t);
      smsc.onSubmit = () => ({ command_status });
      await assert.rejects(smpp.deliver(message('hi'), signal), fails(reason, /SMS centre/));
    });
  }
  test("the carrier's own status means what its statusReasons say", async (t) => {
    const { smsc, smpp } = await open(t, { statusReasons: { '0x412': 'unavailable' } });
    smsc.onSubmit = () => ({ command_status: 0x412 });
    await assert.rejects(smpp.deliver(message('hi'), signal), fails('unavailable', /0x00000412/));
  });
  test('reference smpp 5: throttled, order and loss: while the SMSC throttles the same PDU is tried again; when the time is up it is throttled', async (t) => {
    const { smsc, smpp } = await open(t);
    smsc.onSubmit = () => ({ command_status: 0x58 });
    const attempt = new AbortController();
    const delivery = smpp.deliver(message('hi'), attempt.signal);
    const verdict = assert.rejects(delivery, fails('throttled'));
    await until(() => smsc.submits.length >= 3, 'three tries');
    attempt.abort();
    await verdict;
  });
  test('what waits behind our own rate is throttled when its time is up, not unavailable', async (t) => {
    const { smsc, smpp } = await open(t, { ratePerSecond: 0.1 });
    await smpp.deliver(message('first'), signal);
    const attempt = new AbortController();
    const verdict = assert.rejects(smpp.deliver(message('second'), attempt.signal), fails('throttled'));
    await new Promise(setImmediate);
    attempt.abort();
    await verdict;
    assert.equal(smsc.submits.length, 1);
  });
  test('a response that comes after its time still makes the receipt understood', async (t) => {
    const { smsc, hub, smpp } = await open(t, { responseTimeoutMs: 60 });
    let answer: (() => void) | undefined;
    smsc.onSubmit = (submit, session) => {
      answer = () => void session.send(submit.response({ message_id: '31' }));
      return undefined;
    };
    const event = message('hi');
    const delivery = smpp.deliver(event, signal);
    // The link is alive meanwhile: only this one answer is slow.
    const alive = setInterval(() => smsc.sessions.at(-1)?.enquire_link(), 10);
    t.after(() => clearInterval(alive));
    await delivery;
    answer?.();
    await until(() => hub.counters.has('late_responses_total{status=ESME_ROK}'), 'the late response');
    await smsc.tell('deliver_sm', dlr('31'));
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [
        [event.id, 'unknown'],
        [event.id, 'delivered'],
      ],
    );
  });
  test('reference smpp 3: a text that no alphabet of the carrier has is refused before anything is sent', async (t) => {
    const { smsc, smpp } = await open(t, { ucs2: false, maxParts: 10 });
    await assert.rejects(smpp.deliver(message('👋'), signal), fails('unsupported', /U\+1F44B/));
    await assert.rejects(smpp.deliver(message('a'.repeat(5000)), signal), fails('too-large', /33 SMS/));
    assert.equal(smsc.submits.length, 0);
  });
});

test('SMPP 3.4 s.4.7: with data_sm text, header and life time are optional parameters, and receipts are matched', async (t) => {
  const { smsc, hub, smpp } = await open(t, { submitWith: 'data_sm' });
  hub.clock = 0;
  const expiresAt = new Date(90_061_000).toISOString();
  await smpp.deliver(message('hi €', { expiresAt }), signal);
  await smpp.deliver(message('abcdefghi '.repeat(20)), signal);
  const [short, long] = smsc.submits;
  assert.equal(short?.command, 'data_sm');
  assert.deepEqual(short.message_payload, Buffer.from('6869201b65', 'hex'));
  assert.equal(short.qos_time_to_live, 90_061);
  assert.equal(long?.esm_class, 0x40);
  await smsc.tell('data_sm', dlr(1));
  await smsc.tell('deliver_sm', dlr(1));
  assert.equal(hub.draftsOf('receipt').length, 1);
});

describe('notices', () => {
  test('an SMS sender is told by SMS that the message did not arrive', async (t) => {
    const { smsc, smpp } = await open(t);
    await smpp.deliver(receipt('failed', 'nobody is called that'), signal);
    const [sent] = smsc.submits;
    assert.equal(
      sent?.short_message.toString(),
      'Your message to +447700900001 was not delivered: nobody is called that',
    );
    assert.equal(sent?.registered_delivery, 0);
  });
  test('what SMS cannot say is said by silence: delivered, displayed', async (t) => {
    const { smsc, smpp } = await open(t);
    for (const state of ['sent', 'delivered', 'displayed'] as const) await smpp.deliver(receipt(state), signal);
    assert.equal(smsc.submits.length, 0);
  });
  test('a reason that the carrier has no letters for is left out, the notice is not', async (t) => {
    const { smsc, smpp } = await open(t, { ucs2: false });
    await smpp.deliver(receipt('failed', '查无此人'), signal);
    assert.equal(smsc.submits[0]?.short_message.toString(), 'Your message to +447700900001 was not delivered.');
  });
  test('notices can be switched off', async (t) => {
    const { smsc, smpp } = await open(t, { notices: false });
    await smpp.deliver(receipt('failed'), signal);
    assert.equal(smsc.submits.length, 0);
  });
});

test('an instance that only receives accepts nothing', () => {
  const settings = adapter.options.parse({ systemId: 'me', bind: 'receiver' });
  assert.equal(adapter.create('carrier', settings).accepts.size, 0);
});

test('reference smpp 7.7: the trace holds submit, response and receipt, the texts hidden, and the counters their status', async (t) => {
  const { smsc, hub, smpp } = await open(t);
  const event = message('secret words');
  await smpp.deliver(event, signal);
  await smsc.tell('deliver_sm', dlr(1));
  const [planned, out, back, receipted] = hub.hops.filter((hop) => hop.event === event.id).map(({ hop }) => hop);
  assert.equal(planned?.what, '1 part GSM 7-bit');
  const [range] = out?.hidden ?? [];
  assert.ok(range && Buffer.isBuffer(out?.wire));
  assert.equal(out.wire.subarray(...range).toString(), 'secret words');
  assert.equal(back?.what, 'submit_sm_resp ESME_ROK');
  assert.equal(receipted?.what, 'deliver_sm DELIVRD');
  assert.equal(receipted.hidden?.length, 1);
  assert.equal(hub.counters.get('submits_total{bind=bind_transceiver 1,status=ESME_ROK}'), 1);
});

test('reference smpp 7.7: histograms bind by bind: response and receipt latency, window use; and error codes', async (t) => {
  const { smsc, hub, smpp } = await open(t);
  await smpp.deliver(message('hello'), signal);
  await smsc.tell('deliver_sm', dlr(1));
  const names = [...hub.observed.keys()].sort();
  const bind = '{bind=bind_transceiver 1}';
  assert.deepEqual(names, [`receipt_ms${bind}`, `response_ms${bind}`, `window_use${bind}`]);
  assert.deepEqual(hub.observed.get(`window_use${bind}`), [1]);
  assert.equal(hub.counters.get('receipt_states_total{bind=bind_transceiver 1,stat=DELIVRD,err=000}'), 1);
  await smsc.tell('deliver_sm', dlr('1', 'WHATEVER'));
  assert.equal(hub.counters.get('receipt_states_total{bind=bind_transceiver 1,stat=other,err=000}'), 1);
});
