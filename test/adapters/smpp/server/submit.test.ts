// submit_sm, data_sm and submit_multi: what becomes an event, and the status of everything that does not.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Body,
  intTlv,
  octetsTlv,
  type PduOf,
  type StatusName,
  statusName,
  type Tlv,
} from '../../../../adapters/smpp/codec/index.ts';
import { type FailureReason, GatewayError } from '../../../../src/contract/index.ts';
import { message } from '../event.ts';
import { from, open, part, signal, submit, to } from './esme.ts';

const day = Date.UTC(2026, 10, 25, 12);
const idOf = (answer: { body: unknown }) => (answer.body as { message_id: string }).message_id;

test('SMPP 3.4 s.4.4: a submit_sm becomes a message, and its answer names it', async (t) => {
  const { hub, bound } = await open(t);
  const esme = await bound();
  const answer = await esme.ask('submit_sm', submit('Hello'));
  assert.equal(answer.command_status, 0);
  assert.equal(idOf(answer), '1000000000');
  assert.deepEqual(hub.drafts, [
    {
      type: 'message',
      from: 'tel:+447700900100',
      to: 'tel:+447700900123',
      nativeId: 'me:1000000000',
      text: { '': 'Hello' },
      wants: ['delivered'],
    },
  ]);
});

test('SMPP 3.4 s.5.2.23: message_id is unique, decimal or hexadecimal as the account wants it, also after a restart', async (t) => {
  const first = await open(t, { messageIds: 'hex' });
  const esme = await first.bound();
  assert.equal(idOf(await esme.ask('submit_sm', submit('a'))), '3b9aca00');
  assert.equal(idOf(await esme.ask('submit_sm', submit('b'))), '3b9aca01');
  await first.server.stop();
  const second = await open(t, { messageIds: 'hex' }, {}, first.hub);
  const again = await second.bound();
  assert.equal(idOf(await again.ask('submit_sm', submit('c'))), '3b9acde8');
});

test('SMPP 3.4 s.5.2.17: registered_delivery says what the hub is asked for', async (t) => {
  const { hub, bound } = await open(t, { tracked: false });
  const esme = await bound();
  for (const registered_delivery of [0, 1, 2, 0x11, 0x08]) {
    await esme.ask('submit_sm', submit('x', { registered_delivery }));
  }
  assert.deepEqual(
    hub.draftsOf('message').map(({ wants }) => wants),
    [[], ['delivered'], ['delivered'], ['sent', 'delivered'], ['displayed']],
  );
});

test('SMPP 3.4 s.7.1.1: validity_period and schedule_delivery_time, absolute and relative, become instants', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = day;
  const esme = await bound();
  await esme.ask('submit_sm', submit('a', { validity_period: '000001023000000R' }));
  await esme.ask('submit_sm', submit('b', { validity_period: '261125140000004+' }));
  await esme.ask(
    'submit_sm',
    submit('c', { schedule_delivery_time: '261126100000000+', validity_period: '261127100000008-' }),
  );
  assert.deepEqual(
    hub.draftsOf('message').map(({ notBefore, expiresAt }) => [notBefore, expiresAt]),
    [
      [undefined, '2026-11-26T14:30:00.000Z'],
      [undefined, '2026-11-25T13:00:00.000Z'],
      ['2026-11-26T10:00:00.000Z', '2026-11-27T12:00:00.000Z'],
    ],
  );
});

test('SMPP 3.4 s.5.2.14: priority_flag; s.5.2.11 service_type, 5.2.13 protocol_id, 5.2.18 replace_if_present; TLVs nobody knows', async (t) => {
  const { hub, bound } = await open(t);
  const esme = await bound();
  const hints = { service_type: 'VMN', protocol_id: 0x41, replace_if_present_flag: 1, data_coding: 0x10 };
  await esme.ask('submit_sm', submit('x', { ...hints, priority_flag: 3 }), [
    { tag: 0x1401, value: Buffer.from('0a0b', 'hex') },
  ]);
  const [draft] = hub.draftsOf('message');
  assert.equal(draft?.priority, 'emergency');
  assert.deepEqual(draft?.sms, {
    messageClass: 0,
    serviceType: 'VMN',
    protocolId: 0x41,
    replaceIfPresent: true,
    tlvs: { '0x1401': '0a0b' },
  });
});

test('SMPP 3.4 s.5.2.19: text in each alphabet, and octets that are none as binary with an attachment', async (t) => {
  const { hub, bound } = await open(t);
  const esme = await bound();
  await esme.ask('submit_sm', submit('', { data_coding: 0, short_message: Buffer.from('1b65400b', 'hex') }));
  await esme.ask('submit_sm', submit('é', { data_coding: 3 }));
  await esme.ask('submit_sm', submit('', { data_coding: 8, short_message: Buffer.from('d83ddc4b', 'hex') }));
  const octets = Buffer.from('0605040b8423f0deadbeef', 'hex');
  await esme.ask('submit_sm', submit('', { data_coding: 4, esm_class: 0x40, short_message: octets }));
  const drafts = hub.draftsOf('message');
  assert.deepEqual(
    drafts.slice(0, 3).map(({ text }) => text['']),
    ['€¡Ø', 'é', '👋'],
  );
  assert.deepEqual(drafts[3]?.sms?.binary, { dataCoding: 4, udh: '05040b8423f0', data: '3q2+7w==' });
  assert.equal(drafts[3]?.attachments?.[0]?.bytes, 4);
});

test('SMPP 3.4 s.5.2.7: a name as sender, a short code, a range, and the default for nobody', async (t) => {
  const { hub, bound } = await open(t, { defaultSender: 'My Bank' });
  const esme = await bound();
  const senders = [
    { source_addr_ton: 5, source_addr_npi: 0, source_addr: 'My Bank' },
    { source_addr_ton: 3, source_addr_npi: 0, source_addr: '12345' },
    { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900277' },
    { source_addr_ton: 0, source_addr_npi: 0, source_addr: '' },
  ];
  for (const sender of senders) assert.equal((await esme.ask('submit_sm', submit('x', sender))).command_status, 0);
  assert.deepEqual(
    hub.draftsOf('message').map((draft) => draft.from),
    [
      'tel:My%20Bank;phone-context=alphanumeric',
      'tel:12345;phone-context=esme.invalid',
      'tel:+447700900277',
      'tel:My%20Bank;phone-context=alphanumeric',
    ],
  );
});

const tlv = (tag: number, hex: string): Tlv => ({ tag, value: Buffer.from(hex, 'hex') });
const payload = octetsTlv('message_payload', Buffer.from('x'));
const bad: Array<[what: string, status: StatusName, body: Partial<Body<'submit_sm'>>, tlvs?: Tlv[]]> = [
  ["s.5.2.8: a sender that is not the account's", 'ESME_RINVSRCADR', { source_addr: '447700900999' }],
  ["s.5.2.8: a name that is not the account's", 'ESME_RINVSRCADR', { source_addr_ton: 5, source_addr: 'Your Bank' }],
  ['s.5.2.8: no sender where there is no default', 'ESME_RINVSRCADR', { source_addr: '' }],
  ['s.5.2.5: source TON 7', 'ESME_RINVSRCTON', { source_addr_ton: 7 }],
  ['s.5.2.6: source NPI 7', 'ESME_RINVSRCNPI', { source_addr_npi: 7 }],
  ['s.5.2.5: destination TON 9', 'ESME_RINVDSTTON', { dest_addr_ton: 9 }],
  ['s.5.2.6: destination NPI 2', 'ESME_RINVDSTNPI', { dest_addr_npi: 2 }],
  ['s.5.2.9: no destination', 'ESME_RINVDSTADR', { destination_addr: '' }],
  ['s.5.2.9: a destination that the account may not write to', 'ESME_RINVDSTADR', { destination_addr: '12015550123' }],
  ['s.4.4: submit_sm in transaction mode', 'ESME_RINVESMCLASS', { esm_class: 2 }],
  ['s.5.2.12: a delivery acknowledgement, which nobody asked for', 'ESME_RINVESMCLASS', { esm_class: 0x08 }],
  [
    's.5.2.12: a user data header that is not there',
    'ESME_RINVESMCLASS',
    { esm_class: 0x40, short_message: Buffer.from([9, 1]) },
  ],
  ['s.5.2.14: priority_flag 4', 'ESME_RINVPRTFLG', { priority_flag: 4 }],
  ['s.5.2.15: a schedule that is no time', 'ESME_RINVSCHED', { schedule_delivery_time: 'tomorrow' }],
  ['s.5.2.15: a schedule on 30 February', 'ESME_RINVSCHED', { schedule_delivery_time: '270230100000000+' }],
  ['s.5.2.15: a schedule in the past', 'ESME_RINVSCHED', { schedule_delivery_time: '251125100000000+' }],
  ['s.5.2.16: a validity that is no time', 'ESME_RINVEXPIRY', { validity_period: '1 day' }],
  ['s.5.2.16: a validity that is over', 'ESME_RINVEXPIRY', { validity_period: '251125100000000+' }],
  [
    's.5.2.16: a validity that ends before the schedule',
    'ESME_RINVEXPIRY',
    { schedule_delivery_time: '261127100000000+', validity_period: '261126100000000+' },
  ],
  ['s.5.2.17: reserved bits of registered_delivery', 'ESME_RINVREGDLVFLG', { registered_delivery: 0x80 }],
  ['s.5.2.17: receipts of successes only, which are SMPP 5.0', 'ESME_RINVREGDLVFLG', { registered_delivery: 3 }],
  ['s.5.2.18: replace_if_present_flag 2', 'ESME_RINVREPFLAG', { replace_if_present_flag: 2 }],
  ['s.5.2.19: a reserved data_coding', 'ESME_RINVDCS', { data_coding: 0x80 }],
  ['s.5.2.19: compressed text', 'ESME_RINVDCS', { data_coding: 0x20 }],
  ['s.5.2.20: a predefined message', 'ESME_RINVDFTMSGID', { sm_default_msg_id: 1 }],
  ['s.5.2.21: no text', 'ESME_RINVMSGLEN', { short_message: Buffer.alloc(0) }],
  ['s.5.3.2.32: short_message and message_payload', 'ESME_ROPTPARNOTALLWD', {}, [payload]],
  ['s.5.3.2.22: a sar_ parameter alone', 'ESME_RMISSINGOPTPARAM', {}, [intTlv('sar_msg_ref_num', 1)]],
  [
    's.5.3.2.24: segment 3 of 2',
    'ESME_RINVOPTPARAMVAL',
    {},
    [intTlv('sar_msg_ref_num', 1), intTlv('sar_total_segments', 2), intTlv('sar_segment_seqnum', 3)],
  ],
  ['s.5.3.2: a number of two octets in one', 'ESME_RINVPARLEN', {}, [tlv(0x020c, '01')]],
  ['s.5.3.2: a number of no octets', 'ESME_RINVPARLEN', {}, [tlv(0x020c, '')]],
  ['s.5.3.2: a subaddress that is too long', 'ESME_RINVPARLEN', {}, [tlv(0x0202, '00'.repeat(24))]],
];

describe('SMPP 3.4: each bad field of a submit_sm has its own status, and the next message is taken', () => {
  for (const [what, status, body, tlvs] of bad) {
    test(`SMPP 3.4 ${what}: ${status}`, async (t) => {
      const { hub, bound } = await open(t, { destinations: ['+44*'] });
      hub.clock = day;
      const esme = await bound();
      const answer = await esme.ask('submit_sm', submit('x', body), tlvs);
      assert.equal(statusName(answer.command_status), status);
      assert.equal(hub.drafts.length, 0);
      assert.equal((await esme.ask('submit_sm', submit('good'))).command_status, 0);
      assert.deepEqual(
        [...hub.state.entries.keys()].filter((key) => key.startsWith('sm/')).length,
        1,
        'nothing of the refused one is kept',
      );
    });
  }
});

const refusals: Array<[FailureReason, StatusName]> = [
  ['not-found', 'ESME_RINVDSTADR'],
  ['not-allowed', 'ESME_RSUBMITFAIL'],
  ['unsupported', 'ESME_RSUBMITFAIL'],
  ['too-large', 'ESME_RINVMSGLEN'],
  ['expired', 'ESME_RINVEXPIRY'],
  ['throttled', 'ESME_RMSGQFUL'],
  ['unavailable', 'ESME_RSYSERR'],
  ['internal', 'ESME_RSYSERR'],
];
for (const [reason, status] of refusals) {
  test(`SMPP 3.4 s.5.1.3: what the hub refuses as ${reason} is answered ${status}, with the words where they fit`, async (t) => {
    const { hub, bound } = await open(t);
    hub.onPublish = () => {
      throw new GatewayError(reason, 'because');
    };
    const esme = await bound();
    assert.equal(statusName((await esme.ask('submit_sm', submit('x'))).command_status), status);
    const data = await esme.ask('data_sm', { ...from, ...to }, [payload]);
    assert.equal(statusName(data.command_status), status);
    assert.equal(data.tlvs.find(({ tag }) => tag === 0x001d)?.value.toString(), 'because\0');
  });
}

test('SMPP 3.4 s.4.7: data_sm carries its text in message_payload, and without one it is refused', async (t) => {
  const { hub, bound } = await open(t);
  hub.clock = day;
  const esme = await bound();
  const long = octetsTlv('message_payload', Buffer.from('y'.repeat(2000)));
  const answer = await esme.ask('data_sm', { ...from, ...to }, [long, intTlv('qos_time_to_live', 60)]);
  assert.equal(answer.command_status, 0);
  const [draft] = hub.draftsOf('message');
  assert.equal(draft?.text['']?.length, 2000);
  assert.equal(draft?.expiresAt, '2026-11-25T12:01:00.000Z');
  // s.4.7.1 leaves room for 64 characters; no number has as many.
  for (const [field, status] of [
    ['source_addr', 'ESME_RINVSRCADR'],
    ['destination_addr', 'ESME_RINVDSTADR'],
  ] as const) {
    const answered = await esme.ask('data_sm', { ...from, ...to, [field]: '4'.repeat(64) }, [long]);
    assert.equal(statusName(answered.command_status), status);
  }
  const empty = await esme.ask('data_sm', { ...from, ...to });
  assert.equal(statusName(empty.command_status), 'ESME_RMISSINGOPTPARAM');
});

test('SMPP 3.4 s.4.5: submit_multi reaches each of its recipients under one message_id, and lists those it does not', async (t) => {
  const { hub, bound } = await open(t, { destinations: ['+44*'] });
  const esme = await bound();
  const sme = (destination_addr: string) => ({ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr });
  const dest_address = [sme('447700900123'), sme('12015550123'), { dl_name: 'everybody' }, sme('447700900124')];
  const answer = await esme.ask('submit_multi', { ...from, dest_address, short_message: Buffer.from('all') });
  assert.equal(answer.command_status, 0);
  const { message_id, unsuccess_sme } = (answer as unknown as PduOf<'submit_multi_resp'>).body;
  assert.deepEqual(
    unsuccess_sme.map((one) => [one.destination_addr, statusName(one.error_status_code)]),
    [
      ['12015550123', 'ESME_RINVDSTADR'],
      ['everybody', 'ESME_RINVDLNAME'],
    ],
  );
  assert.deepEqual(
    hub.draftsOf('message').map((draft) => [draft.to, draft.nativeId]),
    [
      ['tel:+447700900123', `me:${message_id}-0`],
      ['tel:+447700900124', `me:${message_id}-3`],
    ],
  );
  const nobody = await esme.ask('submit_multi', { ...from, dest_address: [], short_message: Buffer.from('x') });
  assert.equal(statusName(nobody.command_status), 'ESME_RINVNUMDESTS');
});

test('reference smpp 1.3: parts in any order, on two binds, become one message, each answered with an id of its own', async (t) => {
  const { hub, bound } = await open(t);
  const [one, other] = [await bound(), await bound({ command: 'bind_transmitter' })];
  const ids = [
    await one.ask('submit_sm', part(7, 3, 3, 'three')),
    await other.ask('submit_sm', part(7, 3, 1, 'one ')),
  ].map(idOf);
  assert.equal(hub.drafts.length, 0);
  ids.push(idOf(await one.ask('submit_sm', part(7, 3, 2, 'two '))));
  assert.equal(new Set(ids).size, 3);
  assert.deepEqual(
    hub.draftsOf('message').map(({ text }) => text['']),
    ['one two three'],
  );
});

test('SMPP 3.4 s.5.3.2.22: parts by SAR parameters become one message', async (t) => {
  const { hub, bound } = await open(t);
  const esme = await bound();
  for (const index of [2, 1]) {
    await esme.ask('submit_sm', submit(`part ${index} `), [
      intTlv('sar_msg_ref_num', 99),
      intTlv('sar_total_segments', 2),
      intTlv('sar_segment_seqnum', index),
    ]);
  }
  assert.equal(hub.draftsOf('message')[0]?.text[''], 'part 1 part 2 ');
});

test('reference smpp 7.5: a part is durable before its answer: a restart between two loses nothing', async (t) => {
  const first = await open(t);
  await (await first.bound()).ask('submit_sm', part(9, 2, 1, 'before '));
  await first.server.stop();
  const second = await open(t, {}, {}, first.hub);
  await (await second.bound()).ask('submit_sm', part(9, 2, 2, 'after'));
  assert.equal(first.hub.draftsOf('message')[0]?.text[''], 'before after');
});

test('reference smpp 7.5: the same text twice under the same reference is two messages: an ESME counts as it likes', async (t) => {
  const { hub, bound } = await open(t);
  const esme = await bound();
  for (let times = 0; times < 2; times++) {
    for (const index of [1, 2]) await esme.ask('submit_sm', part(1, 2, index, `${index}`));
  }
  assert.equal(hub.draftsOf('message').length, 2);
});

test('reference smpp 7.5: a part that is handed in again before the whole is there is no second part, and both its ids have a receipt', async (t) => {
  const { hub, bound, server } = await open(t);
  const esme = await bound();
  const say = (index: number) =>
    esme.ask('submit_sm', part(1, 2, index, `${index}`, { registered_delivery: 1 })).then(idOf);
  const ids = [await say(1), await say(1), await say(2)];
  const [draft, ...more] = hub.draftsOf('message');
  assert.deepEqual([draft?.text, more.length], [{ '': '12' }, 0]);
  assert.equal(new Set(ids).size, 3);
  const { text: _, wants: __, type: ___, ...envelope } = message('');
  const receipt = { ...envelope, type: 'receipt', of: draft?.nativeId ?? '', state: 'delivered' } as const;
  const told: string[] = [];
  esme.onPdu = (pdu) => {
    if (pdu.command !== 'deliver_sm') return;
    told.push(
      /^id:(\S+) .* stat:DELIVRD/.exec(String((pdu.body as { short_message: Buffer }).short_message))?.[1] ?? '',
    );
    esme.answer(pdu);
  };
  await server.deliver(receipt, signal);
  assert.deepEqual(told.sort(), ids.sort());
});

test('reference smpp 7.5: when the hub refuses the whole, the last part is refused and the ESME gets receipts for the others', async (t) => {
  const { hub, bound } = await open(t);
  hub.onPublish = () => {
    throw new GatewayError('not-found', 'no route');
  };
  const esme = await bound();
  const id = idOf(await esme.ask('submit_sm', part(3, 2, 1, 'a', { registered_delivery: 1 })));
  const last = await esme.ask('submit_sm', part(3, 2, 2, 'b', { registered_delivery: 1 }));
  assert.equal(statusName(last.command_status), 'ESME_RINVDSTADR');
  const receipt = await esme.next('deliver_sm');
  assert.match(receipt.body.short_message.toString(), new RegExp(`^id:${id} .* stat:UNDELIV err:001`));
  esme.answer(receipt);
});
