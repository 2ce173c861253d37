// query_sm, cancel_sm and replace_sm: what an ESME asks about a message that it handed in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PduOf, statusName } from '../../../../adapters/smpp/codec/index.ts';
import { GatewayError, type Receipt } from '../../../../src/contract/index.ts';
import { message } from '../event.ts';
import { type Esme, from, open, part, signal, submit, to } from './esme.ts';

const noon = Date.UTC(2026, 10, 25, 12);
const tomorrow = '261126120000000+';
const idOf = (answer: { body: unknown }) => (answer.body as { message_id: string }).message_id;
const source = from.source_addr;

async function query(esme: Esme, message_id: string, source_addr = source) {
  const answer = (await esme.ask('query_sm', { message_id, source_addr })) as unknown as PduOf<'query_sm_resp'>;
  return answer.command_status === 0
    ? [answer.body.message_state, answer.body.final_date, answer.body.error_code]
    : statusName(answer.command_status);
}

async function statesOf(esme: Esme, ids: readonly string[]): Promise<unknown[]> {
  const states: unknown[] = [];
  for (const id of ids) states.push((await query(esme, id, ''))[0]);
  return states;
}

function receiptOf(of: string, state: Receipt['state'], reason?: Receipt['reason']): Receipt {
  const { text: _, wants: __, type: ___, ...envelope } = message('');
  return { ...envelope, type: 'receipt', of, state, ...(reason === undefined ? {} : { reason }) };
}

test('SMPP 3.4 s.4.8: query_sm tells the state from our own record, its date and its error', async (t) => {
  const { hub, bound, server } = await open(t, {}, { enquireLinkMs: 0 });
  hub.clock = noon;
  const esme = await bound();
  const states: Array<[Receipt['state'], Receipt['reason'], unknown]> = [
    ['sent', undefined, [1, '', 0]],
    ['delivered', undefined, [2, '261125120100000+', 0]],
    ['expired', 'expired', [3, '261125120100000+', 27]],
    ['failed', 'unreachable', [5, '261125120100000+', 27]],
    ['failed', 'not-allowed', [8, '261125120100000+', 13]],
    ['unknown', undefined, [7, '261125120100000+', 0]],
  ];
  for (const [state, reason, expected] of states) {
    hub.clock = noon;
    const id = idOf(await esme.ask('submit_sm', submit('x')));
    assert.deepEqual(await query(esme, id), [1, '', 0]);
    hub.clock = noon + 60_000;
    await server.deliver(receiptOf(`me:${id}`, state, reason), signal);
    assert.deepEqual(await query(esme, id), expected);
  }
});

test('SMPP 3.4 s.4.8: what ended stays as it ended, but after UNKNOWN somebody may know better', async (t) => {
  const { bound, server } = await open(t);
  const esme = await bound();
  const id = idOf(await esme.ask('submit_sm', submit('x')));
  for (const [state, expected] of [
    ['unknown', 7],
    ['delivered', 2],
    ['failed', 2],
  ] as const) {
    await server.deliver(receiptOf(`me:${id}`, state), signal);
    assert.equal((await query(esme, id))[0], expected);
  }
});

test('SMPP 3.4 s.4.8: nobody asks about what is not theirs', async (t) => {
  const accounts = { me: { password: 'secret', senders: ['*'] }, other: { password: 'secret', senders: ['*'] } };
  const { bound } = await open(t, {}, { accounts });
  const [mine, theirs] = [await bound(), await bound({ system_id: 'other' })];
  const id = idOf(await mine.ask('submit_sm', submit('x')));
  assert.equal(await query(theirs, id), 'ESME_RINVMSGID');
  assert.equal(await query(mine, id, '447700900199'), 'ESME_RINVMSGID');
  assert.equal(await query(mine, '1000000777'), 'ESME_RINVMSGID');
  assert.equal(await query(mine, 'constructor'), 'ESME_RINVMSGID');
  for (const command of ['cancel_sm', 'replace_sm'] as const) {
    const body = { message_id: id, source_addr: source, short_message: Buffer.from('x') };
    assert.equal(statusName((await theirs.ask(command, body)).command_status), 'ESME_RINVMSGID');
  }
});

test('SMPP 3.4 s.4.8: a submit_multi is on its way as long as one of its recipients is', async (t) => {
  const { bound, server } = await open(t);
  const esme = await bound();
  const sme = (destination_addr: string) => ({ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr });
  const dest_address = [sme('447700900123'), sme('447700900124')];
  const id = idOf(await esme.ask('submit_multi', { ...from, dest_address, short_message: Buffer.from('x') }));
  await server.deliver(receiptOf(`me:${id}-0`, 'delivered'), signal);
  assert.equal((await query(esme, id))[0], 1);
  await server.deliver(receiptOf(`me:${id}-1`, 'delivered'), signal);
  assert.equal((await query(esme, id))[0], 2);
});

test('SMPP 3.4 s.4.9: cancel_sm takes back what waits for its time; then it is DELETED, and cannot be taken back again', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const id = idOf(await esme.ask('submit_sm', submit('later', { schedule_delivery_time: tomorrow })));
  const cancel = async (more: Record<string, unknown> = {}) =>
    statusName((await esme.ask('cancel_sm', { message_id: id, source_addr: source, ...more })).command_status);
  assert.equal(await cancel({ destination_addr: '447700900999' }), 'ESME_RCANCELFAIL');
  assert.equal(await cancel(to), 'ESME_ROK');
  assert.deepEqual(await query(esme, id), [4, '261125120000000+', 0]);
  assert.equal(await cancel(), 'ESME_RCANCELFAIL');
});

test('SMPP 3.4 s.4.9: what is on its way cannot be taken back', async (t) => {
  const { bound } = await open(t);
  const esme = await bound();
  const id = idOf(await esme.ask('submit_sm', submit('now')));
  const { command_status } = await esme.ask('cancel_sm', { message_id: id, source_addr: source });
  assert.equal(statusName(command_status), 'ESME_RCANCELFAIL');
});

test('SMPP 3.4 s.4.9: without a message_id all that waits between two addresses is taken back, also after a restart', async (t) => {
  const first = await open(t);
  first.hub.clock = noon;
  const esme = await first.bound();
  const ids: string[] = [];
  for (const service_type of ['', 'VMN', 'VMN']) {
    ids.push(idOf(await esme.ask('submit_sm', submit('x', { service_type, schedule_delivery_time: tomorrow }))));
  }
  await first.server.stop();
  const second = await open(t, {}, {}, first.hub);
  const again = await second.bound();
  const cancel = { source_addr: source, ...to };
  assert.equal((await again.ask('cancel_sm', { ...cancel, service_type: 'VMN' })).command_status, 0);
  assert.deepEqual(await statesOf(again, ids), [1, 4, 4]);
  assert.equal((await again.ask('cancel_sm', cancel)).command_status, 0);
  assert.equal(statusName((await again.ask('cancel_sm', cancel)).command_status), 'ESME_RCANCELFAIL');
});

test('SMPP 3.4 s.4.9: a long text that waits is taken back by the id of any of its parts', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const ids: string[] = [];
  for (const index of [1, 2]) {
    ids.push(idOf(await esme.ask('submit_sm', part(4, 2, index, 'x', { schedule_delivery_time: tomorrow }))));
  }
  const { command_status } = await esme.ask('cancel_sm', { message_id: ids[1] ?? '', source_addr: source });
  assert.equal(command_status, 0);
  assert.deepEqual(await statesOf(esme, ids), [4, 4]);
});

test('SMPP 3.4 s.4.10: replace_sm says a message anew that waits for its time, under the same message_id', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const id = idOf(await esme.ask('submit_sm', submit('old', { schedule_delivery_time: tomorrow })));
  const body = { message_id: id, source_addr: source, short_message: Buffer.from('new'), registered_delivery: 1 };
  assert.equal((await esme.ask('replace_sm', body)).command_status, 0);
  const [old, anew] = hub.draftsOf('message');
  assert.deepEqual([anew?.text[''], anew?.nativeId, anew?.notBefore], ['new', old?.nativeId, old?.notBefore]);
  assert.equal(await hub.withdraw('p000000001'), false);
  const later = { ...body, schedule_delivery_time: '261127120000000+' };
  assert.equal((await esme.ask('replace_sm', later)).command_status, 0);
  assert.equal(hub.draftsOf('message')[2]?.notBefore, '2026-11-27T12:00:00.000Z');
  const cancel = await esme.ask('cancel_sm', { message_id: id, source_addr: source });
  assert.equal(cancel.command_status, 0);
});

test('SMPP 3.4 s.4.10: what is out cannot be replaced, and its replacement is not sent either', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const body = { source_addr: source, short_message: Buffer.from('new') };
  const now = idOf(await esme.ask('submit_sm', submit('now')));
  assert.equal(
    statusName((await esme.ask('replace_sm', { ...body, message_id: now })).command_status),
    'ESME_RREPLACEFAIL',
  );
  const id = idOf(await esme.ask('submit_sm', submit('later', { schedule_delivery_time: tomorrow })));
  const withdrawn: string[] = [];
  hub.withdraw = async (event) => {
    withdrawn.push(event);
    return event !== 'p000000002';
  };
  assert.equal(
    statusName((await esme.ask('replace_sm', { ...body, message_id: id })).command_status),
    'ESME_RREPLACEFAIL',
  );
  assert.deepEqual(withdrawn, ['p000000002', 'p000000003']);
});

test('SMPP 3.4 s.4.10: a replacement that is wrong, or that the hub refuses, leaves the old text as it was', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const id = idOf(await esme.ask('submit_sm', submit('old', { schedule_delivery_time: tomorrow })));
  const replace = async (more: Record<string, unknown>) => {
    const body = { message_id: id, source_addr: source, short_message: Buffer.from('new'), ...more };
    return statusName((await esme.ask('replace_sm', body)).command_status);
  };
  assert.equal(await replace({ schedule_delivery_time: 'never' }), 'ESME_RINVSCHED');
  assert.equal(await replace({ validity_period: 'never' }), 'ESME_RINVEXPIRY');
  assert.equal(await replace({ short_message: Buffer.alloc(0) }), 'ESME_RINVMSGLEN');
  assert.equal(await replace({ sm_default_msg_id: 1 }), 'ESME_RINVDFTMSGID');
  assert.equal(await replace({ registered_delivery: 0x40 }), 'ESME_RINVREGDLVFLG');
  hub.onPublish = () => {
    throw new GatewayError('not-allowed', 'no');
  };
  assert.equal(await replace({}), 'ESME_RSUBMITFAIL');
  assert.equal((await esme.ask('cancel_sm', { message_id: id, source_addr: source })).command_status, 0);
});

test('SMPP 3.4 s.5.2.18: replace_if_present takes the place of what still waits between the same numbers with the same service_type', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const later = (text: string, more = {}) =>
    esme.ask('submit_sm', submit(text, { schedule_delivery_time: tomorrow, service_type: 'VMN', ...more })).then(idOf);
  const old = await later('one voice message');
  const others = [
    await later('another kind', { service_type: 'CMT' }),
    await later('to somebody else', { destination_addr: '447700900124' }),
    await later('from another number', { source_addr: '447700900201' }),
  ];
  const fresh = await later('two voice messages', { replace_if_present_flag: 1 });
  assert.deepEqual(await statesOf(esme, [old, ...others, fresh]), [4, 1, 1, 1, 1]);
  const now = idOf(await esme.ask('submit_sm', submit('three', { service_type: 'VMN', replace_if_present_flag: 1 })));
  assert.deepEqual(await statesOf(esme, [fresh, now, ...others]), [4, 1, 1, 1, 1], 'an immediate one replaces as well');
  assert.equal(hub.draftsOf('message').at(-1)?.sms?.replaceIfPresent, true, 'and a carrier is told too');
});

test('SMPP 3.4 s.5.2.18: what replaces and is refused leaves the old message waiting; a long text replaces as a whole', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = noon;
  const esme = await bound();
  const flags = { schedule_delivery_time: tomorrow, replace_if_present_flag: 1 };
  const old = idOf(await esme.ask('submit_sm', submit('old', flags)));
  hub.onPublish = () => {
    throw new GatewayError('not-allowed', 'the quota is used up');
  };
  assert.equal(statusName((await esme.ask('submit_sm', submit('new', flags))).command_status), 'ESME_RSUBMITFAIL');
  assert.deepEqual(await statesOf(esme, [old]), [1]);
  hub.onPublish = undefined;
  const first = idOf(await esme.ask('submit_sm', part(9, 2, 1, 'new, ', flags)));
  assert.deepEqual(await statesOf(esme, [old]), [1], 'half a text replaces nothing');
  const second = idOf(await esme.ask('submit_sm', part(9, 2, 2, 'and long', flags)));
  assert.deepEqual(await statesOf(esme, [old, first, second]), [4, 1, 1]);
});
