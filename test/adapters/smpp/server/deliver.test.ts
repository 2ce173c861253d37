// Towards the ESMEs: receipts of what they handed in, messages for their numbers, over whichever bind is free.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PduOf, statuses, tlvInt, tlvOctets, tlvText } from '../../../../adapters/smpp/codec/index.ts';
import { GatewayError, type Message, parseAddress, type Receipt } from '../../../../src/contract/index.ts';
import { until } from '../../../servers/process.ts';
import { message } from '../event.ts';
import { type Esme, open, part, signal, submit } from './esme.ts';

const alice = parseAddress('tel:+447700900001');
const desk = parseAddress('tel:+447700900100');
const toDesk = (text: string, more: Partial<Message> = {}) => message(text, { from: alice, to: desk, ...more });
const idOf = (answer: { body: unknown }) => (answer.body as { message_id: string }).message_id;

function receiptOf(of: string, state: Receipt['state'], reason?: Receipt['reason']): Receipt {
  const { text: _, wants: __, type: ___, ...envelope } = message('', { to: desk });
  return { ...envelope, type: 'receipt', of, state, ...(reason === undefined ? {} : { reason }) };
}

/** Answers every request of ours from here on. */
function agree(esme: Esme, status = 0): PduOf<'deliver_sm'>[] {
  const heard: PduOf<'deliver_sm'>[] = [];
  esme.onPdu = (pdu) => {
    if (pdu.command === 'deliver_sm') heard.push(pdu);
    if (pdu.command === 'deliver_sm' || pdu.command === 'data_sm' || pdu.command === 'unbind') esme.answer(pdu, status);
  };
  return heard;
}

const fails = (reason: string) => (error: unknown) => error instanceof GatewayError && error.reason === reason;

const endings: Array<[Receipt['state'], Receipt['reason'], stat: string, state: number, err: string]> = [
  ['delivered', undefined, 'DELIVRD', 2, '000'],
  ['failed', 'not-found', 'UNDELIV', 5, '001'],
  ['failed', 'unreachable', 'UNDELIV', 5, '027'],
  ['failed', 'not-allowed', 'REJECTD', 8, '013'],
  ['expired', 'expired', 'EXPIRED', 3, '027'],
  ['unknown', undefined, 'UNKNOWN', 7, '000'],
];
for (const [state, reason, stat, code, err] of endings) {
  test(`SMPP 3.4 Appendix B: ${state}${reason ? ` (${reason})` : ''} is a receipt ${stat}, in text and parameters`, async (t) => {
    const { hub, bound, server } = await open(t, { messageIds: 'hex' });
    hub.clock = Date.UTC(2026, 10, 25, 12);
    const esme = await bound();
    const id = idOf(await esme.ask('submit_sm', submit('Hello, my dear old friend', { registered_delivery: 1 })));
    const heard = agree(esme);
    hub.clock += 61_000;
    await server.deliver(receiptOf(`me:${Number.parseInt(id, 16)}`, state, reason), signal);
    const [{ body, tlvs } = assert.fail()] = heard;
    assert.equal(body.esm_class, 0x04);
    assert.equal(
      body.short_message.toString(),
      `id:${id} sub:001 dlvrd:${stat === 'DELIVRD' ? '001' : '000'} submit date:2611251200 done date:2611251201 ` +
        `stat:${stat} err:${err} text:Hello, my dear old f`,
    );
    assert.equal(body.source_addr, '447700900123');
    assert.equal(body.destination_addr, '447700900100');
    assert.equal(tlvText(tlvs, 'receipted_message_id'), id);
    assert.equal(tlvInt(tlvs, 'message_state'), code);
    const network = tlvOctets(tlvs, 'network_error_code')?.toString('hex');
    assert.equal(network, err === '000' ? undefined : `0300${Number(err).toString(16).padStart(2, '0')}`);
  });
}

const asked: Array<[registered: number, state: Receipt['state'], isSent: boolean]> = [
  [0, 'delivered', false],
  [0, 'failed', false],
  [1, 'delivered', true],
  [1, 'failed', true],
  [1, 'sent', false],
  [2, 'delivered', false],
  [2, 'failed', true],
  [2, 'expired', true],
  [0x11, 'sent', true],
  [0x08, 'displayed', true],
  [0x01, 'displayed', false],
];
test('SMPP 3.4 s.5.2.17: an ESME gets the receipts that it asked for, final, intermediate and read, and no others', async (t) => {
  const { bound, server } = await open(t);
  const esme = await bound();
  for (const [registered_delivery, state, isSent] of asked) {
    const id = idOf(await esme.ask('submit_sm', submit('x', { registered_delivery })));
    const heard = agree(esme);
    await server.deliver(receiptOf(`me:${id}`, state), signal);
    const classes = heard.map(({ body }) => body.esm_class);
    const expected = state === 'sent' ? 0x20 : state === 'displayed' ? 0x10 : 0x04;
    assert.deepEqual(classes, isSent ? [expected] : [], `${registered_delivery} ${state}`);
    for (const _ of heard) await esme.next('deliver_sm');
  }
});

test('reference smpp 7.1: of a long text every part that asked gets its own receipt, under its own id', async (t) => {
  const { hub, bound, server } = await open(t);
  const esme = await bound();
  const ids: string[] = [];
  for (const [index, registered_delivery] of [1, 0, 1].entries()) {
    ids.push(idOf(await esme.ask('submit_sm', part(5, 3, index + 1, 'x', { registered_delivery }))));
  }
  const heard = agree(esme);
  const { nativeId = '' } = hub.draftsOf('message')[0] ?? {};
  await server.deliver(receiptOf(nativeId, 'delivered'), signal);
  assert.deepEqual(
    heard.map(({ tlvs }) => tlvText(tlvs, 'receipted_message_id')),
    [ids[0], ids[2]],
  );
});

test('reference smpp 5: while the ESME is away its receipt is refused with a pause, and taken when it is back', async (t) => {
  const { bound, server } = await open(t);
  const first = await bound();
  const id = idOf(await first.ask('submit_sm', submit('x', { registered_delivery: 1 })));
  first.drop();
  const receipt = receiptOf(`me:${id}`, 'delivered');
  await until(async () => {
    const error = await server.deliver(receipt, signal).catch((thrown: GatewayError) => thrown);
    return error instanceof GatewayError && error.reason === 'unavailable' && error.retryAfterMs === 2000;
  }, 'unavailable');
  const second = await bound({ command: 'bind_receiver' });
  const heard = agree(second);
  await server.deliver(receipt, signal);
  assert.equal(heard.length, 1);
});

test('reference smpp 5: a receipt survives a restart of ours', async (t) => {
  const first = await open(t);
  const id = idOf(await (await first.bound()).ask('submit_sm', submit('x', { registered_delivery: 1 })));
  await first.server.stop();
  const second = await open(t, {}, {}, first.hub);
  const heard = agree(await second.bound());
  await second.server.deliver(receiptOf(`me:${id}`, 'delivered'), signal);
  assert.equal(heard.length, 1);
});

test("SMPP 3.4 s.4.6: a message for an account's number is a deliver_sm; its answer is the delivery", async (t) => {
  const { bound, server } = await open(t);
  const esme = await bound();
  const heard = agree(esme);
  const delivery = await server.deliver(toDesk('Grüße €'), signal);
  assert.equal(delivery.state, 'delivered');
  const [{ body } = assert.fail()] = heard;
  assert.deepEqual(
    [body.source_addr_ton, body.source_addr, body.destination_addr, body.data_coding, body.esm_class],
    [1, '447700900001', '447700900100', 0, 0],
  );
  assert.equal(body.short_message.toString('hex'), '47727e1e65201b65');
});

for (const [number, to] of [
  ['a number of a range', 'tel:+447700900255'],
  ['a short code', 'tel:12345;phone-context=esme.invalid'],
] as const) {
  test(`SMPP 3.4 s.4.6: ${number} reaches its account`, async (t) => {
    const { bound, server } = await open(t);
    const heard = agree(await bound());
    await server.deliver(toDesk('x', { to: parseAddress(to) }), signal);
    assert.equal(heard.length, 1);
    assert.equal(server.destination(toDesk('x', { to: parseAddress(to) })), 'me');
  });
}

test('a number of nobody is not found', async (t) => {
  const { bound, server } = await open(t);
  await bound();
  await assert.rejects(
    server.deliver(toDesk('x', { to: parseAddress('tel:+447700900999') }), signal),
    fails('not-found'),
  );
});

const carriages: Array<
  [options: Record<string, unknown>, version: number, look: (all: PduOf<'deliver_sm'>[]) => unknown, expected: unknown]
> = [
  [
    { concat: 'udh8' },
    0x34,
    (all) => all.map(({ body }) => [body.esm_class, body.short_message[0]]),
    [
      [0x40, 5],
      [0x40, 5],
    ],
  ],
  [{ concat: 'udh16' }, 0x34, (all) => all.map(({ body }) => body.short_message[0]), [6, 6]],
  [{ concat: 'sar' }, 0x34, (all) => all.map(({ tlvs }) => tlvInt(tlvs, 'sar_segment_seqnum')), [1, 2]],
  [{ concat: 'payload' }, 0x34, (all) => all.map(({ tlvs }) => tlvOctets(tlvs, 'message_payload')?.length), [200]],
  [
    { concat: 'sar' },
    0x33,
    (all) => all.map(({ body, tlvs }) => [body.short_message[0], tlvs.length]),
    [
      [5, 0],
      [5, 0],
    ],
  ],
];
for (const [options, version, look, expected] of carriages) {
  test(`SMPP 3.4 s.5.3.2.22: a long text travels as ${JSON.stringify(options.concat)} to version 0x${version.toString(16)}`, async (t) => {
    const { bound, server } = await open(t, options);
    const esme = await bound({ interface_version: version });
    const heard = agree(esme);
    await server.deliver(toDesk('y'.repeat(200)), signal);
    assert.deepEqual(look(heard), expected);
  });
}

test('SMPP 3.4 s.4.7: with deliverWith: data_sm a message travels as data_sm', async (t) => {
  const { bound, server } = await open(t, { deliverWith: 'data_sm' });
  const esme = await bound();
  agree(esme);
  await server.deliver(toDesk('hi'), signal);
  const { tlvs } = await esme.next('data_sm');
  assert.equal(tlvOctets(tlvs, 'message_payload')?.toString(), 'hi');
});

test('TS 23.040 s.9.2.3.24: binary goes to an ESME as it came, header and data_coding kept', async (t) => {
  const { bound, server } = await open(t);
  const heard = agree(await bound());
  const binary = { data: '3q2+7w==', udh: '05040b8423f0', dataCoding: 4 };
  await server.deliver(toDesk('', { text: {}, sms: { binary } }), signal);
  const [{ body } = assert.fail()] = heard;
  assert.deepEqual(
    [body.esm_class, body.data_coding, body.short_message.toString('hex')],
    [0x40, 4, '0605040b8423f0deadbeef'],
  );
});

const refusals: Array<[status: keyof typeof statuses, reason: string]> = [
  ['ESME_RX_T_APPN', 'unavailable'],
  ['ESME_RX_P_APPN', 'not-allowed'],
  ['ESME_RX_R_APPN', 'not-allowed'],
  ['ESME_RTHROTTLED', 'throttled'],
  ['ESME_RMSGQFUL', 'throttled'],
  ['ESME_RSYSERR', 'unavailable'],
  ['ESME_RINVDCS', 'unsupported'],
];
test('SMPP 3.4 s.5.1.3: what an ESME answers to deliver_sm decides whether it is tried again', async (t) => {
  for (const [status, reason] of refusals) {
    const { bound, server } = await open(t);
    agree(await bound(), statuses[status]);
    await assert.rejects(server.deliver(toDesk('x'), signal), fails(reason), status);
  }
});

test('reference smpp 7.5: an attempt that ended in the middle of a long text goes on where it was, under the same reference', async (t) => {
  const { bound, server } = await open(t);
  const first = await bound();
  const event = toDesk('z'.repeat(400));
  const attempt = server.deliver(event, signal);
  const one = await first.next('deliver_sm');
  first.answer(one);
  await first.next('deliver_sm');
  first.drop();
  await assert.rejects(attempt, fails('unavailable'));
  const heard = agree(await bound());
  await server.deliver(event, signal);
  assert.deepEqual(
    heard.map(({ body }) => [body.short_message[3], body.short_message[5]]),
    [2, 3].map((index) => [one.body.short_message[3], index]),
  );
});

test('reference smpp 7.6: without an answer in time a delivery fails, and the next goes over the other bind', async (t) => {
  const { hub, bound, server } = await open(t, {}, { responseTimeoutMs: 1000, enquireLinkMs: 0 });
  hub.clock = 1_000_000;
  const deaf = await bound();
  const slow = server.deliver(toDesk('slow'), signal);
  await deaf.next('deliver_sm');
  const heard = agree(await bound());
  // It lives, it only does not answer that.
  hub.clock += 500;
  await deaf.ask('enquire_link');
  hub.clock += 500;
  await assert.rejects(slow, fails('unavailable'));
  for (let n = 0; n < 3; n++) await server.deliver(toDesk(`n${n}`), signal);
  assert.equal(heard.length, 3);
});

test('SMPP 3.4 s.2.9: no more than deliverWindow requests wait on one bind; all binds of an account share the load', async (t) => {
  const { bound, server } = await open(t, { deliverWindow: 2 });
  const [one, other] = [await bound(), await bound()];
  const all = Array.from({ length: 8 }, (_, n) => server.deliver(toDesk(`n${n}`), signal));
  await until(() => one.heard.length === 3 && other.heard.length === 3, 'two on each bind');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual([one.heard.length, other.heard.length], [3, 3]);
  for (const esme of [one, other]) {
    for (const pdu of esme.heard) if (pdu.command === 'deliver_sm') esme.answer(pdu);
    agree(esme);
  }
  await Promise.all(all);
});

test('reference smpp 5: DLR lost when the ESME is away: a transmitter gets nothing: its account is away as far as messages go', async (t) => {
  const { bound, server } = await open(t);
  await bound({ command: 'bind_transmitter' });
  await assert.rejects(server.deliver(toDesk('x'), signal), fails('unavailable'));
});
