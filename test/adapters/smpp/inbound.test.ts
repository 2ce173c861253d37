// What an SMSC (npm smpp) sends: messages, whole and in parts, and how each is answered.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayError } from '../../../src/contract/index.ts';
import { until } from '../../servers/process.ts';
import { dlr, mo, moPart, open } from './carrier.ts';
import { ours, theirs } from './event.ts';

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
  test('TS 23.040 s.9.2.3.24.4: data for an application and binary data are files, and kept octet by octet', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', mo('', { data_coding: 4, short_message: Buffer.alloc(7) }));
    await smsc.tell('deliver_sm', mo('', { esm_class: 0x40, short_message: Buffer.from('0605040b8423f0aabb', 'hex') }));
    assert.deepEqual(
      hub.draftsOf('message').map(({ text, attachments, sms }) => [text, attachments?.[0]?.mediaType, sms?.binary]),
      [
        [{}, 'application/octet-stream', { data: 'AAAAAAAAAA==', dataCoding: 4 }],
        [{}, 'application/vnd.wap.wsp', { data: 'qrs=', dataCoding: 0, udh: '05040b8423f0' }],
      ],
    );
  });
  test('a person who writes like a receipt is heard', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', mo('id:99 stat:DELIVRD is what I saw'));
    assert.equal(hub.draftsOf('message').length, 1);
  });
  test('reference smpp 5: DLR not matched: a receipt that is none of ours is acknowledged and shown to nobody', async (t) => {
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
    assert.equal(hub.drafts[0]?.dedupeKey, `id/127.0.0.1:${smsc.port}/abc`);
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
  test('reference smpp 7.2: parts that come on two binds, one of them UCS-2 with half a surrogate pair, are one text', async (t) => {
    const { smsc, hub } = await open(t, { binds: 2 });
    await until(() => smsc.sessions.length === 2, 'two binds');
    const part = (index: number, octets: string) =>
      mo('', { data_coding: 8, esm_class: 0x40, short_message: Buffer.from(`0500034a020${index}${octets}`, 'hex') });
    const answered = (session: number, fields: Record<string, unknown>) =>
      new Promise((resolve) => smsc.sessions[session]?.deliver_sm(fields, resolve));
    await answered(1, part(2, 'dc4b0021'));
    await answered(0, part(1, '00480069d83d'));
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'Hi👋!');
  });
  test('reference smpp 1.1: concat in: a restart between two parts', async (t) => {
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
  test('reference smpp 1.1: concat in: what never comes leaves a visible gap when the wait is over', async (t) => {
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
