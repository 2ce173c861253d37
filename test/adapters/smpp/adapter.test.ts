// The adapter between a hub and an SMSC (npm smpp): what goes out, what comes in, and what happens when things go wrong.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { adapter } from '../../../adapters/smpp/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { type FakeHub, fakeHub } from '../../peers/hub.ts';
import { type NpmSmsc, npmSmsc } from '../../peers/smpp-npm.ts';
import { until } from '../../servers/process.ts';
import { message, ours, receipt, theirs } from './event.ts';

const { signal } = new AbortController();

async function open(t: TestContext, more: Record<string, unknown> = {}, given: { smsc?: NpmSmsc; hub?: FakeHub } = {}) {
  const smsc = given.smsc ?? (await npmSmsc());
  const hub = given.hub ?? fakeHub();
  const fast = { reconnect: { firstMs: 10, maxMs: 20 }, throttle: { firstMs: 20, maxMs: 50 } };
  const settings = adapter.options.parse({ port: smsc.port, systemId: 'me', password: 'secret', ...fast, ...more });
  const smpp = adapter.create('carrier', settings);
  t.after(async () => {
    await smpp.stop();
    if (!given.smsc) await smsc.close();
  });
  await smpp.start(hub);
  return { smsc, hub, smpp };
}

const fails =
  (reason: string, words = /./) =>
  (error: unknown) =>
    error instanceof GatewayError && error.reason === reason && words.test(error.message);
const phone = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900123' };
const service = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900001' };
const dlr = (id: unknown, stat = 'DELIVRD') => ({
  ...phone,
  ...service,
  esm_class: 4,
  short_message: Buffer.from(
    `id:${id} sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:${stat} err:000 text:`,
  ),
});
const mo = (text: string, more: Record<string, unknown> = {}) => ({
  ...phone,
  ...service,
  data_coding: 0,
  short_message: Buffer.from(text),
  ...more,
});
const moPart = (reference: number, total: number, index: number, text: string) =>
  mo('', {
    esm_class: 0x40,
    short_message: Buffer.concat([Buffer.from([5, 0, 3, reference, total, index]), Buffer.from(text)]),
  });

describe('out', () => {
  test('SMPP 3.4 s.4.4.1: numbers, alphabet, receipt and validity of a submit_sm', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    hub.clock = Date.UTC(2026, 10, 23, 12);
    const expiresAt = new Date(hub.clock + (86_400 + 3600 + 60 + 1) * 1000).toISOString();
    assert.deepEqual(await smpp.deliver(message('Hello [x]', { expiresAt }), signal), {});
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
  test('an emoji goes as UCS-2, whole', async (t) => {
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
  test('a receipt that comes before the response is matched when the response comes', async (t) => {
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
  test('a receipt whose numbers are not turned round, with the id in another radix', async (t) => {
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
  test('a receipt after a restart of the adapter', async (t) => {
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
  test('on a pair of binds the receiver hears receipts of what the transmitter sent', async (t) => {
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
  test('while the SMSC throttles the same PDU is tried again; when the time is up it is throttled', async (t) => {
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
  test('a text that no alphabet of the carrier has is refused before anything is sent', async (t) => {
    const { smsc, smpp } = await open(t, { ucs2: false, maxParts: 10 });
    await assert.rejects(smpp.deliver(message('👋'), signal), fails('unsupported', /U\+1F44B/));
    await assert.rejects(smpp.deliver(message('a'.repeat(5000)), signal), fails('too-large', /33 SMS/));
    assert.equal(smsc.submits.length, 0);
  });
});

describe('out, in parts', () => {
  const long = 'abcdefghi '.repeat(40);
  test('each text between two numbers has its own reference, also after a restart', async (t) => {
    const first = await open(t);
    await first.smpp.deliver(message(long), signal);
    await first.smpp.stop();
    const { smsc, smpp } = await open(t, {}, first);
    await smpp.deliver(message(long), signal);
    const references = smsc.submits.map((submit) => submit.short_message[3]);
    assert.deepEqual(references, [1, 1, 1, 2, 2, 2]);
    assert.ok(smsc.submits.every(({ esm_class }) => esm_class === 0x40));
  });
  test('delivered when all parts are', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    await smpp.deliver(message(long), signal);
    for (const id of [3, 1]) await smsc.tell('deliver_sm', dlr(id));
    assert.equal(hub.drafts.length, 0);
    await smsc.tell('deliver_sm', dlr(2));
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ state }) => state),
      ['delivered'],
    );
  });
  test('with one receipt a message, only the last part asks', async (t) => {
    const { smsc, hub, smpp } = await open(t, { receipts: 'last-part' });
    await smpp.deliver(message(long), signal);
    assert.deepEqual(
      smsc.submits.map(({ registered_delivery }) => registered_delivery),
      [0, 0, 1],
    );
    await smsc.tell('deliver_sm', dlr(3));
    assert.equal(hub.draftsOf('receipt')[0]?.state, 'delivered');
  });
  test('a retry sends only the parts that were not taken, under the same reference', async (t) => {
    const { smsc, smpp } = await open(t, { window: 1 });
    let count = 0;
    smsc.onSubmit = () => (++count === 2 ? { command_status: 0x08 } : { message_id: String(count) });
    const event = message(long);
    await assert.rejects(smpp.deliver(event, signal), fails('unavailable'));
    await smpp.deliver(event, signal);
    const seen = smsc.submits.map((submit) => [...submit.short_message.subarray(3, 6)]);
    assert.deepEqual(seen, [
      [1, 3, 1],
      [1, 3, 2],
      [1, 3, 3],
      [1, 3, 2],
    ]);
  });
  test('a part that is refused for good takes back the rest', async (t) => {
    const { smsc, smpp } = await open(t, { window: 1 });
    smsc.onSubmit = () => ({ command_status: 0x0b });
    await assert.rejects(smpp.deliver(message(long), signal), fails('not-found'));
    assert.equal(smsc.submits.length, 1);
  });
  for (const [concat, fields] of [
    ['sar', 'sar_msg_ref_num'],
    ['payload', 'message_payload'],
  ] as const) {
    test(`SMPP 3.4 s.5.3.2: ${concat} puts it into ${fields}`, async (t) => {
      const { smsc, smpp } = await open(t, { concat });
      await smpp.deliver(message(long), signal);
      assert.equal(smsc.submits.length, concat === 'sar' ? 3 : 1);
      assert.ok(smsc.submits.every((submit) => submit[fields] !== undefined));
    });
  }
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

describe('outcome unknown', () => {
  const drop = (smsc: NpmSmsc) => {
    smsc.onSubmit = () => {
      smsc.drop();
      return undefined;
    };
  };
  test('report: the link drops before the response, and the sender is told that nobody knows', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    drop(smsc);
    const event = message('hi');
    assert.deepEqual(await smpp.deliver(event, signal), {});
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [[event.id, 'unknown']],
    );
    assert.match(hub.draftsOf('receipt')[0]?.text ?? '', /may have arrived/);
  });
  test('resend: the link drops before the response, and the hub may send again', async (t) => {
    const { smsc, hub, smpp } = await open(t, { unknownOutcome: 'resend' });
    drop(smsc);
    await assert.rejects(smpp.deliver(message('hi'), signal), fails('unavailable'));
    assert.equal(hub.drafts.length, 0);
  });
  test('report: parts that were never sent still are, those of unknown fate are not, and the whole is unknown', async (t) => {
    const { smsc, hub, smpp } = await open(t, { window: 1 });
    drop(smsc);
    const event = message('abcdefghi '.repeat(40));
    await assert.rejects(smpp.deliver(event, signal), fails('unavailable'));
    smsc.onSubmit = () => ({ message_id: '9' });
    await hub.untilStatus('up');
    await smpp.deliver(event, signal);
    assert.deepEqual(
      smsc.submits.map((submit) => submit.short_message[5]),
      [1, 2, 3],
    );
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ state }) => state),
      ['unknown'],
    );
  });
  test('a link that drops is bound again, and 100 in flight are each settled', async (t) => {
    const { smsc, hub, smpp } = await open(t, { window: 100 });
    await Promise.all(Array.from({ length: 200 }, () => smpp.deliver(message('warm'), signal)));
    const before = smsc.submits.length;
    smsc.onSubmit = () => undefined;
    const deliveries = Array.from({ length: 150 }, () => smpp.deliver(message('hi'), signal));
    const settled = Promise.allSettled(deliveries);
    await until(() => smsc.submits.length === before + 100, '100 in flight');
    smsc.drop();
    const fates = await settled;
    const taken = fates.filter(({ status }) => status === 'fulfilled').length;
    assert.deepEqual([taken, hub.draftsOf('receipt').length], [100, 100]);
    await hub.untilStatus('up');
    smsc.onSubmit = () => ({ message_id: 'x' });
    await smpp.deliver(message('again'), signal);
  });
});

describe('in', () => {
  test('SMPP 3.4 s.4.6: a message is acknowledged once it is published', async (t) => {
    const { smsc, hub } = await open(t);
    let isPublished = false;
    hub.onPublish = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      isPublished = true;
      return undefined;
    };
    assert.equal((await smsc.tell('deliver_sm', mo('Hi [you'.replace('[', '\x1b<')))).command_status, 0);
    assert.ok(isPublished);
    const [draft] = hub.draftsOf('message');
    assert.deepEqual([draft?.from, draft?.to, draft?.text], [theirs, ours, { '': 'Hi [you' }]);
    assert.ok(draft?.nativeId);
  });
  const answers: Array<[reason: ConstructorParameters<typeof GatewayError>[0], status: number]> = [
    ['throttled', 0x58],
    ['unavailable', 0x64],
    ['internal', 0x64],
    ['not-found', 0x0b],
    ['not-allowed', 0x66],
    ['malformed', 0x65],
  ];
  for (const [reason, status] of answers) {
    test(`SMPP 3.4 s.5.1.3: refused as ${reason} is answered with 0x${status.toString(16)}`, async (t) => {
      const { smsc, hub } = await open(t);
      hub.onPublish = () => {
        throw new GatewayError(reason, 'refused');
      };
      assert.equal((await smsc.tell('deliver_sm', mo('hi'))).command_status, status);
    });
  }
  test('a data_sm with a message_payload in UCS-2, to a short code from a name', async (t) => {
    const { smsc, hub } = await open(t);
    const people = {
      source_addr_ton: 5,
      source_addr_npi: 0,
      source_addr: 'My Bank',
      dest_addr_ton: 3,
      dest_addr_npi: 0,
      destination_addr: '12345',
    };
    await smsc.tell('data_sm', { ...people, data_coding: 8, message_payload: Buffer.from('d83ddc4b', 'hex') });
    const [draft] = hub.draftsOf('message');
    assert.deepEqual(draft?.text, { '': '👋' });
    assert.deepEqual(
      [draft?.from, draft?.to],
      ['tel:My%20Bank;phone-context=alphanumeric', 'tel:12345;phone-context=carrier.invalid'],
    );
  });
  test('data for an application and binary data are shown as what they are', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', mo('', { data_coding: 4, short_message: Buffer.alloc(7) }));
    await smsc.tell('deliver_sm', mo('', { esm_class: 0x40, short_message: Buffer.from('0605040b8423f0aabb', 'hex') }));
    assert.deepEqual(
      hub.draftsOf('message').map(({ text }) => text['']),
      ['[binary message, 7 octets]', '[binary message, 2 octets]'],
    );
  });
  test('a person who writes like a receipt is heard', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', mo('id:99 stat:DELIVRD is what I saw'));
    assert.equal(hub.draftsOf('message').length, 1);
  });
  test('a receipt that is none of ours is acknowledged and shown to nobody', async (t) => {
    const { smsc, hub } = await open(t);
    assert.equal((await smsc.tell('deliver_sm', dlr('nobody'))).command_status, 0);
    assert.equal(
      (await smsc.tell('deliver_sm', { ...dlr('x'), short_message: Buffer.from('no fields') })).command_status,
      0,
    );
    assert.equal(hub.drafts.length, 0);
  });
  test('the name that an SMSC repeats with a message makes the repeat known', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', mo('hi', { receipted_message_id: 'abc' }));
    assert.equal(hub.drafts[0]?.dedupeKey, 'id/abc');
    await smsc.tell('deliver_sm', mo('hi'));
    assert.equal(hub.drafts[1]?.dedupeKey, undefined);
  });
});

describe('in, in parts', () => {
  test('TS 23.040 s.9.2.3.24.1: in any order, repeats dropped, one message; a character may span two parts', async (t) => {
    const { smsc, hub } = await open(t);
    for (const [index, text] of [
      [3, '<c'],
      [1, 'a'],
      [3, '<c'],
      [2, 'b\x1b'],
      [2, 'b\x1b'],
    ] as const) {
      assert.equal((await smsc.tell('deliver_sm', moPart(7, 3, index, text))).command_status, 0);
    }
    assert.deepEqual(
      hub.draftsOf('message').map(({ text }) => text['']),
      ['ab[c'],
    );
  });
  test('SMPP 3.4 s.5.3.2.22: by SAR parameters', async (t) => {
    const { smsc, hub } = await open(t);
    for (const index of [2, 1]) {
      await smsc.tell(
        'deliver_sm',
        mo(`part ${index} `, { sar_msg_ref_num: 9, sar_total_segments: 2, sar_segment_seqnum: index }),
      );
    }
    assert.deepEqual(
      hub.draftsOf('message').map(({ text }) => text['']),
      ['part 1 part 2 '],
    );
  });
  test('parts in different alphabets', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', moPart(1, 2, 1, 'one '));
    const header = Buffer.from([5, 0, 3, 1, 2, 2]);
    await smsc.tell(
      'deliver_sm',
      mo('', {
        data_coding: 8,
        esm_class: 0x40,
        short_message: Buffer.concat([header, Buffer.from('d83ddc4b', 'hex')]),
      }),
    );
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'one 👋');
  });
  test('a restart between two parts', async (t) => {
    const first = await open(t);
    await first.smsc.tell('deliver_sm', moPart(4, 2, 2, 'world'));
    await first.smpp.stop();
    const { smsc, hub } = await open(t, {}, first);
    await smsc.tell('deliver_sm', moPart(4, 2, 1, 'hello '));
    assert.deepEqual(
      hub.draftsOf('message').map(({ text }) => text['']),
      ['hello world'],
    );
    assert.deepEqual(
      [...hub.state.entries.keys()].filter((key) => key.startsWith('mo/')),
      [],
    );
  });
  test('all parts stored but not handed on when the process died: handed on at the start, the repeat dropped', async (t) => {
    const first = await open(t);
    await first.smsc.tell('deliver_sm', moPart(4, 2, 1, 'hello '));
    first.hub.onPublish = () => {
      throw new GatewayError('unavailable', 'dying');
    };
    await first.smsc.tell('deliver_sm', moPart(4, 2, 2, 'world'));
    await first.smpp.stop();
    first.hub.onPublish = undefined;
    const { smsc, hub } = await open(t, {}, first);
    await hub.untilDraft();
    assert.equal((await smsc.tell('deliver_sm', moPart(4, 2, 2, 'world'))).command_status, 0);
    assert.deepEqual(
      hub.draftsOf('message').map(({ text }) => text['']),
      ['hello world'],
    );
  });
  test('a text whose time is over while the hub is away is handed on when it is back', async (t) => {
    const { smsc, hub } = await open(t);
    hub.clock = Date.now();
    await smsc.tell('deliver_sm', moPart(5, 2, 1, 'begin '));
    let refusals = 0;
    hub.onPublish = () => {
      refusals++;
      throw new GatewayError('unavailable', 'away');
    };
    hub.clock += 10 * 60_000;
    await until(() => refusals === 1, 'a refusal');
    hub.onPublish = undefined;
    hub.clock += 6000;
    await hub.untilDraft();
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'begin [...]');
  });
  test('what never comes leaves a visible gap when the wait is over', async (t) => {
    const { smsc, hub } = await open(t);
    hub.clock = Date.now();
    await smsc.tell('deliver_sm', moPart(5, 3, 1, 'begin '));
    await smsc.tell('deliver_sm', moPart(5, 3, 3, ' end'));
    hub.clock += 10 * 60_000;
    await hub.untilDraft();
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'begin [...] end');
  });
  test('a reference in use again ends the older text', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', moPart(6, 2, 1, 'old '));
    await smsc.tell('deliver_sm', moPart(6, 2, 1, 'new '));
    await smsc.tell('deliver_sm', moPart(6, 2, 2, 'text'));
    assert.deepEqual(
      hub.draftsOf('message').map(({ text }) => text['']),
      ['old [...]', 'new text'],
    );
  });
  test('the last part is refused while the hub is away, and completes the text when it comes again', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', moPart(8, 2, 1, 'one '));
    hub.onPublish = () => {
      throw new GatewayError('throttled', 'full');
    };
    assert.equal((await smsc.tell('deliver_sm', moPart(8, 2, 2, 'two'))).command_status, 0x58);
    hub.onPublish = undefined;
    assert.equal((await smsc.tell('deliver_sm', moPart(8, 2, 2, 'two'))).command_status, 0);
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'one two');
    assert.ok(hub.drafts[0]?.dedupeKey);
  });
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

test('the trace holds submit, response and receipt, the texts hidden, and the counters their status', async (t) => {
  const { smsc, hub, smpp } = await open(t);
  const event = message('secret words');
  await smpp.deliver(event, signal);
  await smsc.tell('deliver_sm', dlr(1));
  const [out, back, receipted] = hub.hops.filter((hop) => hop.event === event.id).map(({ hop }) => hop);
  const [range] = out?.hidden ?? [];
  assert.ok(range && Buffer.isBuffer(out?.wire));
  assert.equal(out.wire.subarray(...range).toString(), 'secret words');
  assert.equal(back?.what, 'submit_sm_resp ESME_ROK');
  assert.equal(receipted?.what, 'deliver_sm DELIVRD');
  assert.equal(receipted.hidden?.length, 1);
  assert.equal(hub.counters.get('submits_total{status=ESME_ROK}'), 1);
});
