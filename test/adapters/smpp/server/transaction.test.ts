// data_sm in transaction mode: the answer is the delivery.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { octetsTlv, statusName, type Tlv, tlvInt, tlvOctets, tlvText } from '../../../../adapters/smpp/codec/index.ts';
import { GatewayError, type Receipt } from '../../../../src/contract/index.ts';
import { until } from '../../../servers/process.ts';
import { message } from '../event.ts';
import { type Centre, type Esme, from, open, part, signal, submit, to } from './esme.ts';

const payload = (text: string) => [octetsTlv('message_payload', Buffer.from(text))];
const transaction = { ...from, ...to, esm_class: 2 };

/** Handed in, and known to the hub. */
async function handIn({ hub }: Centre, esme: Esme, more: object = {}, tlvs: Tlv[] = payload('hi')) {
  const before = hub.draftsOf('message').length;
  const answered = esme.ask('data_sm', { ...transaction, ...more }, tlvs);
  await hub.untilDraft(() => hub.draftsOf('message').length > before);
  const draft = hub.draftsOf('message')[before];
  const told = (state: Receipt['state'], reason?: Receipt['reason'], text?: string): Receipt => {
    const { text: _, wants: __, type: ___, ...envelope } = message('');
    const why = { ...(reason ? { reason } : {}), ...(text ? { text } : {}) };
    return { ...envelope, type: 'receipt', of: draft?.nativeId ?? '', state, ...why };
  };
  return { answered, draft, told };
}

test('SMPP 3.4 s.2.10.3: the answer to a data_sm in transaction mode waits until the far side has it, and no receipt follows', async (t) => {
  const centre = await open(t, {}, { transactionWaitMs: 5000 });
  const esme = await centre.bound();
  const { answered, draft, told } = await handIn(centre, esme, { registered_delivery: 1 });
  assert.deepEqual(draft?.wants, ['delivered']);
  const lifeMs = Date.parse(draft?.expiresAt ?? '') - centre.hub.now();
  assert.ok(lifeMs > 3000 && lifeMs <= 5000, `nobody keeps it longer than the answer waits (${lifeMs})`);
  const other = await centre.bound();
  assert.equal((await other.ask('submit_sm', submit('others go on'))).command_status, 0);
  await centre.server.deliver(told('sent'), signal);
  await centre.server.deliver(told('delivered'), signal);
  assert.equal(statusName((await answered).command_status), 'ESME_ROK');
  assert.equal(esme.heard.filter(({ command }) => command === 'deliver_sm').length, 0);
});

const endings: Array<
  [state: Receipt['state'], reason: Receipt['reason'], status: string, cause: number, error: number]
> = [
  ['failed', 'not-found', 'ESME_RDELIVERYFAILURE', 1, 1],
  ['failed', 'unreachable', 'ESME_RDELIVERYFAILURE', 0, 27],
  ['failed', 'not-allowed', 'ESME_RDELIVERYFAILURE', 2, 13],
  ['failed', 'internal', 'ESME_RDELIVERYFAILURE', 3, 34],
  ['expired', undefined, 'ESME_RDELIVERYFAILURE', 0, 27],
];
for (const [state, reason, status, cause, error] of endings) {
  test(`SMPP 3.4 s.5.3.2.33: a transaction that ${state} (${reason ?? 'its time'}) is ${status} with delivery_failure_reason ${cause}`, async (t) => {
    const centre = await open(t);
    const esme = await centre.bound();
    const { answered, told } = await handIn(centre, esme);
    await centre.server.deliver(told(state, reason, 'in words'), signal);
    const { command_status, tlvs } = await answered;
    assert.equal(statusName(command_status), status);
    assert.equal(tlvInt(tlvs, 'delivery_failure_reason'), cause);
    assert.deepEqual([...(tlvOctets(tlvs, 'network_error_code') ?? [])], [3, 0, error]);
    assert.equal(tlvText(tlvs, 'additional_status_info_text'), 'in words');
  });
}

test('SMPP 3.4 s.2.10.3: when the wait is over the outcome is unknown, and a receipt that was asked for still comes', async (t) => {
  const centre = await open(t, {}, { transactionWaitMs: 5000, responseTimeoutMs: 60_000, enquireLinkMs: 0 });
  centre.hub.clock = 1_000_000;
  const esme = await centre.bound();
  const { answered, told } = await handIn(centre, esme, { registered_delivery: 1 });
  centre.hub.clock += 8000;
  const { command_status, tlvs } = await answered;
  assert.equal(statusName(command_status), 'ESME_RUNKNOWNERR');
  assert.match(tlvText(tlvs, 'additional_status_info_text') ?? '', /nobody knows yet/);
  const delivering = centre.server.deliver(told('delivered'), signal);
  const receipt = await esme.next('deliver_sm');
  assert.match(receipt.body.short_message.toString(), /stat:DELIVRD/);
  esme.answer(receipt);
  await delivering;
});

test('SMPP 3.4 s.2.10.3: an ESME that left before the answer gets the receipt that it asked for', async (t) => {
  const centre = await open(t);
  const esme = await centre.bound();
  const { answered, told } = await handIn(centre, esme, { registered_delivery: 1 });
  answered.catch(() => {});
  esme.drop();
  await until(() => centre.hub.logs.some(({ message: said }) => said === 'a bind ended'), 'it is gone');
  const back = await centre.bound();
  const delivering = centre.server.deliver(told('delivered'), signal);
  const receipt = await back.next('deliver_sm');
  back.answer(receipt);
  await delivering;
});

test('SMPP 3.4 s.2.10.3: what the hub refuses is refused at once; parts, submit_sm and submit_multi know no transaction', async (t) => {
  const centre = await open(t);
  const esme = await centre.bound();
  centre.hub.onPublish = () => {
    throw new GatewayError('not-found', 'no route');
  };
  const refused = await esme.ask('data_sm', transaction, payload('hi'));
  assert.equal(statusName(refused.command_status), 'ESME_RINVDSTADR');
  centre.hub.onPublish = undefined;
  const { short_message = Buffer.alloc(0) } = part(1, 2, 1, 'x');
  const inParts = await esme.ask('data_sm', { ...transaction, esm_class: 0x42 }, [
    octetsTlv('message_payload', short_message),
  ]);
  const multi = await esme.ask('submit_multi', {
    ...from,
    esm_class: 2,
    dest_address: [to],
    short_message: Buffer.from('x'),
  });
  const single = await esme.ask('submit_sm', submit('x', { esm_class: 2 }));
  for (const { command_status } of [inParts, multi, single])
    assert.equal(statusName(command_status), 'ESME_RINVESMCLASS');
  assert.equal(
    (await esme.ask('submit_sm', submit('x', { esm_class: 1 }))).command_status,
    0,
    'a datagram is kept like all',
  );
});
