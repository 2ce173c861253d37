// Every receipt that carriers are known to send, from its octets to what the sender of the message is told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { intTlv, octetsTlv, textTlv } from '../../../adapters/smpp/codec/index.ts';
import { type Heard, ownNumber, phoneNumber, receiving } from './receiving.ts';

type Pdu = Omit<Heard, 'sequence_number'>;

const dates = 'submit date:2611221200 done date:2611221201';
const text = (short_message: string, esm_class = 4, more: Record<string, unknown> = {}): Pdu => ({
  command: 'deliver_sm',
  body: { esm_class, short_message: Buffer.from(short_message), ...more },
});
const id = (name: string) => textTlv('receipted_message_id', name);
const state = (value: number) => intTlv('message_state', value);

describe('texts', () => {
  const long = '8f14e45f-ceea-467f-a0e6-b1c2d3e4f506';
  const vectors: Array<[what: string, given: string, pdu: Pdu, ending?: string]> = [
    [
      'Appendix B',
      '0123456789',
      text(`id:0123456789 sub:001 dlvrd:001 ${dates} stat:DELIVRD err:000 text:Hello`),
      'delivered',
    ],
    ['Text with a capital', '7f', text(`id:7f sub:001 dlvrd:000 ${dates} stat:UNDELIV err:011 Text:Hello`), 'failed'],
    ['no text field', '7f', text(`id:7f sub:001 dlvrd:001 ${dates} stat:DELIVRD err:000`), 'delivered'],
    ['sub and dlvrd missing', '12', text(`id:12 ${dates} stat:DELIVRD err:000 text:`), 'delivered'],
    ['dates of 10 digits', '12', text('id:12 submit date:2611221200 done date:2611221201 stat:DELIVRD'), 'delivered'],
    [
      'dates of 12 digits',
      '12',
      text('id:12 submit date:261122120000 done date:261122120101 stat:DELIVRD'),
      'delivered',
    ],
    [
      'dates of 14 digits',
      '12',
      text('id:12 submit date:20261122120000 done date:20261122120101 stat:DELIVRD'),
      'delivered',
    ],
    ['err of one character', '12', text('id:12 stat:UNDELIV err:1 text:'), 'failed'],
    ['err that is alphanumeric', '12', text('id:12 stat:REJECTD err:A2C text:'), 'failed'],
    [
      'an id that the text cuts at 10 digits while the parameter has the whole',
      '123456789012345',
      { ...text('id:1234567890 stat:DELIVRD err:000 text:'), tlvs: [id('123456789012345'), state(2)] },
      'delivered',
    ],
    ['an id with the NUL of its field', '12', text('id:12\0 stat:DELIVRD\0 err:000'), 'delivered'],
    ['a NUL at the end', '12', text('id:12 stat:DELIVRD\0'), 'delivered'],
    ['the longer names of s.5.2.28: DELIVERED', '12', text('id:12 stat:DELIVERED'), 'delivered'],
    ['the longer names of s.5.2.28: UNDELIVERABLE', '12', text('id:12 stat:UNDELIVERABLE err:1'), 'failed'],
    ['the longer names of s.5.2.28: REJECTED', '12', text('id:12 stat:Rejected err:1'), 'failed'],
    ['a UUID', long, text(`id:${long} ${dates} stat:DELIVRD err:000 text:`), 'delivered'],
    ['a UUID in the other case', long, text(`id:${long.toUpperCase()} stat:DELIVRD err:000`), 'delivered'],
    [
      'a compound SAR- id',
      'SAR-+447700900123-a1-3-1',
      text('id:SAR-+447700900123-a1-3-1 stat:DELIVRD err:000'),
      'delivered',
    ],
  ];
  for (const [what, given, pdu, ending] of vectors) {
    test(`reference smpp 5.1: text: ${what}`, async () => {
      const { accepted, hear, told, hub } = await receiving();
      await accepted(given);
      assert.deepEqual(await hear(pdu), { status: 'ESME_ROK' });
      assert.deepEqual(told(), [`e1 ${ending}`]);
      assert.equal(hub.draftsOf('message').length, 0);
    });
  }
});

describe('ids', () => {
  const vectors: Array<[what: string, given: string, written: string, rule: string]> = [
    ['hexadecimal in the response, decimal in the receipt', '1A2F', '6703', 'decimal-to-hex'],
    ['hexadecimal and zero padded in the response (3.3), decimal in the receipt', '00001A2F', '6703', 'decimal-to-hex'],
    ['decimal in the response, hexadecimal in the receipt', '6703', '1a2f', 'hex-to-decimal'],
    ['decimal in the response, zero padded hexadecimal in the receipt', '6703', '00001A2F', 'hex-to-decimal'],
    ['leading zeros stripped in the receipt', '0000006703', '6703', 'same'],
    ['leading zeros added in the receipt', '6703', '0000006703', 'same'],
    ['case changed on the way', 'AbCdEf01', 'aBcDeF01', 'same'],
    ['beyond 64 bits', 'ffffffffffffffffffff', '1208925819614629174706175', 'decimal-to-hex'],
  ];
  for (const [what, given, written, rule] of vectors) {
    test(`reference smpp 5.1: id: ${what}; the rule is learnt and shown`, async () => {
      const { accepted, hear, told, book } = await receiving();
      await accepted(given);
      await hear(text(`id:${written} stat:DELIVRD err:000 text:`));
      assert.deepEqual(told(), ['e1 delivered']);
      assert.equal(book.learnt.row('').idRule, rule);
    });
  }
  test('reference smpp 7.4: a pinned rule is the only one that is tried, and is shown as pinned', async () => {
    const { accepted, hear, told, book } = await receiving({ receiptIds: 'same' });
    await accepted('ff');
    await hear(text('id:255 stat:DELIVRD err:000 text:'));
    assert.deepEqual(told(), []);
    await hear(text('id:FF stat:DELIVRD err:000 text:'));
    assert.deepEqual(told(), ['e1 delivered']);
    assert.equal(book.learnt.row('').idRule, 'same (pinned)');
  });
  test('reference smpp 7.7: from the submit to each of its receipts is measured', async () => {
    const { hear, book, hub } = await receiving();
    hub.clock = 1_000_000;
    const record = {
      e: 'e1',
      f: 'tel:+447700900001',
      t: 'tel:+447700900123',
      d: phoneNumber,
      i: 0,
      n: 1,
      a: hub.now(),
    };
    await book.accepted('77', record, 3_600_000);
    hub.clock += 4200;
    await hear(text('id:77 stat:DELIVRD'));
    assert.deepEqual([...hub.observed], [['receipt_ms{bind=}', [4200]]]);
  });
  test('reference smpp 7.4: TON, NPI and data_coding of its messages are shown, in bounds, and what speaks against alphabet0', async () => {
    const { hear, book } = await receiving();
    const mobile = (more: object) =>
      hear({ command: 'deliver_sm', body: { short_message: Buffer.from('hi'), ...more } });
    await mobile({});
    await mobile({ source_addr_ton: 5, source_addr_npi: 0, source_addr: 'Bank', data_coding: 8 });
    await mobile({ short_message: Buffer.from('h\xe9', 'latin1') });
    const { numbers, codings } = book.learnt.row('');
    assert.equal(numbers, 'from 1/0 to 1/0; from 5/0 to 1/0');
    assert.equal(codings, '0x00; 0x08; 0x00 with octets above 0x7f (see alphabet0)');
    for (let npi = 0; npi < 20; npi++) await mobile({ source_addr_npi: npi });
    assert.equal(book.learnt.row('').numbers?.split('; ').length, 8);
  });
  test('reference smpp 7.4: a host that hands on receipts of two kinds is shown with both, and what is known is not written again', async () => {
    const { accepted, hear, hub, book } = await receiving();
    let writes = 0;
    const { set } = hub.state;
    hub.state.set = (key, value, ttlMs) => {
      if (key.startsWith('learnt/')) writes++;
      return set.call(hub.state, key, value, ttlMs);
    };
    for (let n = 0; n < 10; n++) {
      await accepted((0xabcd0 + n).toString(16), `hex${n}`);
      await hear(text(`id:${0xabcd0 + n} stat:DELIVRD`));
      await accepted(`9${n}0`, `decimal${n}`);
      await hear(text(`id:9${n}0 stat:DELIVRD`));
    }
    assert.equal(hub.draftsOf('receipt').length, 20);
    assert.equal(book.learnt.row('').idRule, 'same; decimal-to-hex');
    assert.ok(writes <= 6, `${writes} writes`);
  });
  test('reference smpp 7.4: what was overlooked between two ids is shown in words', async () => {
    for (const [given, written, words] of [
      ['abcdef', 'abcdef', 'exact'],
      ['ABCDEF', 'abcdef', 'without case'],
      ['000123', '123', 'without leading zeros'],
    ] as const) {
      const { accepted, hear, book } = await receiving();
      await accepted(given);
      await hear(text(`id:${written} stat:DELIVRD`));
      assert.equal(book.learnt.row('').ids, words);
    }
  });
});

describe('where', () => {
  const words = 'id:ab1 stat:DELIVRD err:000 text:';
  const vectors: Array<[what: string, pdu: Pdu, dialect: string]> = [
    ['short_message', text(words), 'deliver_sm text, esm_class 0x04'],
    [
      'message_payload',
      {
        command: 'deliver_sm',
        body: { esm_class: 4 },
        tlvs: [octetsTlv('message_payload', Buffer.from(words))],
      },
      'deliver_sm message_payload, esm_class 0x04',
    ],
    [
      'the parameters 0x001E and 0x0427 only',
      { command: 'deliver_sm', body: { esm_class: 4 }, tlvs: [id('ab1'), state(2)] },
      'deliver_sm parameters, esm_class 0x04',
    ],
    [
      'the parameters only, and esm_class 0',
      { command: 'deliver_sm', body: {}, tlvs: [id('ab1'), state(2)] },
      'deliver_sm parameters, esm_class 0x00',
    ],
    [
      'a data_sm with its parameters',
      { command: 'data_sm', body: { esm_class: 4 }, tlvs: [id('ab1'), state(2)] },
      'data_sm parameters, esm_class 0x04',
    ],
    [
      'a data_sm with a message_payload',
      { command: 'data_sm', body: { esm_class: 4 }, tlvs: [octetsTlv('message_payload', Buffer.from(words))] },
      'data_sm message_payload, esm_class 0x04',
    ],
    ['esm_class 0x08', text(words, 0x08), 'deliver_sm text, esm_class 0x08'],
    ['esm_class 0x20 with a last word', text(words, 0x20), 'deliver_sm text, esm_class 0x20'],
    [
      'esm_class 0x44: a user data header before the text',
      {
        command: 'deliver_sm',
        body: {
          esm_class: 0x44,
          short_message: Buffer.concat([Buffer.from([5, 0, 3, 7, 2, 1]), Buffer.from(words)]),
        },
      },
      'deliver_sm text, esm_class 0x04',
    ],
    ['esm_class 0x44 without a header', text(words, 0x44), 'deliver_sm text, esm_class 0x04'],
    ['data_coding 8 on ASCII text', text(words, 4, { data_coding: 8 }), 'deliver_sm text, esm_class 0x04'],
    [
      'data_coding 8 on UCS-2 text',
      text('', 4, { data_coding: 8, short_message: Buffer.from(words, 'utf16le').swap16() }),
      'deliver_sm text, esm_class 0x04',
    ],
  ];
  for (const [what, pdu, dialect] of vectors) {
    test(`reference smpp 5.1: where: ${what}`, async () => {
      const { accepted, hear, told, book, hub } = await receiving();
      await accepted('ab1');
      await hear(pdu);
      assert.deepEqual(told(), ['e1 delivered']);
      assert.equal(hub.draftsOf('message').length, 0);
      if (!dialect.endsWith('0x00')) assert.equal(book.learnt.row('').receipts, dialect);
    });
  }
  test('reference smpp 5.1: where: esm_class 0 is sniffed, but only if the id is known', async () => {
    const { accepted, hear, told, hub } = await receiving();
    await accepted('ab1');
    await hear(text('id:ab1 stat:DELIVRD err:000 text:', 0));
    assert.deepEqual(told(), ['e1 delivered']);
    await hear(text('id:ab2 stat:DELIVRD err:000 text:', 0));
    assert.deepEqual(
      hub.draftsOf('message').map((draft) => draft.text['']),
      ['id:ab2 stat:DELIVRD err:000 text:'],
    );
  });
  test('a receipt for no message of ours is acknowledged, counted and never shown to a person', async () => {
    const { hear, hub } = await receiving();
    assert.deepEqual(await hear(text('sub:001 stat:DELIVRD err:000')), { status: 'ESME_ROK' });
    assert.equal(hub.drafts.length, 0);
    assert.equal(hub.counters.get('receipts_total{found=unknown}'), 1);
  });
});

describe('state', () => {
  const endings: Array<[stat: string, state?: string, reason?: string]> = [
    ['DELIVRD', 'delivered'],
    ['EXPIRED', 'expired', 'expired'],
    ['DELETED', 'failed', 'not-allowed'],
    ['UNDELIV', 'failed', 'unreachable'],
    ['UNKNOWN', 'unknown'],
    ['REJECTD', 'failed', 'not-allowed'],
    ['SKIPPED', 'failed', 'unreachable'],
    ['FAILED', 'failed', 'unreachable'],
    ['BLOCKED', 'unknown'],
    ['ACCEPTD'],
    ['ENROUTE'],
    ['BUFFRED'],
  ];
  for (const [stat, ending, reason] of endings) {
    test(`reference smpp 5.1: state: ${stat} is ${ending ?? 'not final: nothing is told, the trace has it'}`, async () => {
      const { accepted, hear, told, hub } = await receiving();
      await accepted('1a');
      await hear(text(`id:1a stat:${stat} err:000 text:`));
      assert.deepEqual(told(), ending === undefined ? [] : [`e1 ${ending}`]);
      assert.equal(hub.draftsOf('receipt')[0]?.reason, reason);
      assert.deepEqual(
        hub.hops.map(({ event, hop }) => [event, hop.what]),
        [['e1', `deliver_sm ${stat}`]],
      );
    });
  }
  const states: Array<[message_state: number, ending?: string]> = [
    [0],
    [1],
    [2, 'delivered'],
    [3, 'expired'],
    [4, 'failed'],
    [5, 'failed'],
    [6],
    [7, 'unknown'],
    [8, 'failed'],
    [9, 'failed'],
  ];
  for (const [value, ending] of states) {
    test(`SMPP 5.0 s.4.7.15: message_state ${value} is ${ending ?? 'not final'}`, async () => {
      const { accepted, hear, told } = await receiving();
      await accepted('1a');
      await hear({ command: 'deliver_sm', body: { esm_class: 4 }, tlvs: [id('1a'), state(value)] });
      assert.deepEqual(told(), ending === undefined ? [] : [`e1 ${ending}`]);
    });
  }
  test('reference smpp 5.1: UNKNOWN is followed by a better one; of the rest the first final counts, all are in the trace', async () => {
    const { accepted, hear, told, hub } = await receiving();
    await accepted('1a');
    for (const stat of ['UNKNOWN', 'EXPIRED', 'DELIVRD', 'DELIVRD']) await hear(text(`id:1a stat:${stat}`));
    assert.deepEqual(told(), ['e1 unknown', 'e1 expired']);
    assert.equal(hub.hops.length, 4);
  });
  test('SMPP 3.4 s.5.2.12: an intermediate notification is traced and concludes nothing', async () => {
    const { accepted, hear, told, hub } = await receiving();
    await accepted('1a');
    const absent = octetsTlv('network_error_code', Buffer.from([3, 0, 6]));
    await hear({ command: 'deliver_sm', body: { esm_class: 0x20 }, tlvs: [id('1a'), state(1), absent] });
    await hear(text('id:1a stat:UNDELIV err:006 text:', 0x20));
    assert.deepEqual(told(), []);
    assert.equal(hub.hops.length, 2);
    await hear(text('id:1a stat:DELIVRD err:000 text:', 0x04));
    assert.deepEqual(told(), ['e1 delivered']);
  });
});

describe('errors in words', () => {
  const wordsOf = async (pdu: Pdu, more: Record<string, unknown> = {}) => {
    const { accepted, hear, hub } = await receiving(more);
    await accepted('1a');
    await hear(pdu);
    const { state: ending, reason, text: words } = hub.draftsOf('receipt')[0] ?? {};
    return [ending, reason, words];
  };
  test("reference smpp 7.1: the carrier's own err code is quoted, and put into words by its table", async () => {
    const failed = text('id:1a stat:UNDELIV err:012 text:');
    const said = 'the SMS centre could not deliver it';
    assert.deepEqual(await wordsOf(failed), ['failed', 'unreachable', `${said} (error 012 of the SMS centre)`]);
    const errorWords = { '12': 'absent subscriber' };
    assert.deepEqual(await wordsOf(failed, { errorWords }), [
      'failed',
      'unreachable',
      `${said}: absent subscriber (error 012 of the SMS centre)`,
    ]);
  });
  const errors: Array<[what: string, octets: number[], reason: string, words: RegExp]> = [
    ['SMPP 3.4 s.5.3.2.31: network_error_code 3/1', [3, 0, 1], 'not-found', /unknown subscriber/],
    ['SMPP 3.4 s.5.3.2.31: network_error_code 3/6', [3, 0, 6], 'unreachable', /absent subscriber/],
    ['TS 23.040 s.9.2.3.22: TP-FCS D3', [3, 0, 0xd3], 'unreachable', /memory of the phone is full/],
    ['TS 23.040 s.9.2.3.22: TP-FCS C5', [3, 0, 0xc5], 'not-allowed', /duplicate/],
    ['SMPP 5.0 s.4.8.4.42: network_error_code 7 is a status of SMPP', [7, 0, 0x0b], 'not-found', /take the number/],
  ];
  for (const [what, octets, reason, words] of errors) {
    test(`${what} is said in words`, async () => {
      const tlvs = [octetsTlv('network_error_code', Buffer.from(octets))];
      const [ending, why, said] = await wordsOf({ ...text('id:1a stat:UNDELIV err:000'), tlvs });
      assert.deepEqual([ending, why], ['failed', reason]);
      assert.match(String(said), words);
    });
  }
});

describe('without an id', () => {
  const numbers = { source_addr: phoneNumber, destination_addr: ownNumber };
  test('reference smpp 5.1: an empty message_id: nothing is guessed unless it is configured', async () => {
    const { accepted, hear, told } = await receiving();
    await accepted('');
    await hear(text('sub:001 stat:DELIVRD err:000', 4, numbers));
    assert.deepEqual(told(), []);
  });
  test('reference smpp 5.1: an empty message_id: by destination, source and time order where configured', async () => {
    const { accepted, hear, told } = await receiving({ receiptFallback: 'numbers' });
    for (const event of ['e1', 'e2']) await accepted('', event);
    await hear(text('stat:ACCEPTD', 4, numbers));
    await hear(text('stat:DELIVRD', 4, { ...numbers, source_addr: '447700900999' }));
    await hear(text('stat:DELIVRD', 4, numbers));
    // Not turned round, and in national form.
    await hear(text('stat:UNDELIV', 4, { source_addr: ownNumber, destination_addr: '07700900123' }));
    assert.deepEqual(told(), ['e1 delivered', 'e2 failed']);
  });
  test('reference smpp 5.1: the same message_id for every message names none of them', async () => {
    const { accepted, hear, told, book } = await receiving();
    for (const event of ['e1', 'e2', 'e3']) await accepted('msg_id_not_implemented', event);
    await hear(text('id:msg_id_not_implemented stat:DELIVRD', 4, numbers));
    assert.deepEqual(told(), []);
    assert.equal(book.learnt.row('').constantIds, 'msg_id_not_implemented');
  });
  test('reference smpp 5.1: an SMS centre that comes back and counts from the beginning gives no constant', async () => {
    const { accepted, hear, told, book } = await receiving();
    await accepted('1', 'e1');
    await hear(text('id:1 stat:DELIVRD', 4, numbers));
    book.linkLost('');
    await accepted('1', 'e2');
    await hear(text('id:1 stat:UNDELIV', 4, numbers));
    assert.deepEqual(told(), ['e1 delivered', 'e2 failed']);
  });
  test('reference smpp 5.1: the same message_id for every message: in time order where configured', async () => {
    const { accepted, hear, told } = await receiving({ receiptFallback: 'numbers' });
    for (const event of ['e1', 'e2', 'e3']) await accepted('msg_id_not_implemented', event);
    for (const stat of ['DELIVRD', 'EXPIRED', 'DELIVRD']) {
      await hear(text(`id:msg_id_not_implemented stat:${stat}`, 4, numbers));
    }
    assert.deepEqual(told(), ['e1 delivered', 'e2 expired', 'e3 delivered']);
  });
});
