// Receipts: every dialect that carriers write, and every way to spell an id.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  decode,
  encode,
  intTlv,
  isFault,
  octetsTlv,
  type PduOf,
  type Tlv,
  textTlv,
} from '../../../adapters/smpp/codec/index.ts';
import { outcomeOfReceipt, parseReceipt } from '../../../adapters/smpp/receipts/dialects.ts';
import { candidateKeys, idKey, isSameNumber } from '../../../adapters/smpp/receipts/ids.ts';

function deliver(text: string, esm_class = 4, tlvs: readonly Tlv[] = []): PduOf<'deliver_sm'> {
  const body = { esm_class, source_addr: '447700900123', short_message: Buffer.from(text) };
  const pdu = decode(encode({ command: 'deliver_sm', sequence_number: 1, body, tlvs }));
  assert.ok(!isFault(pdu) && pdu.command === 'deliver_sm');
  return pdu;
}

const parse = (text: string, esm_class = 4, tlvs: readonly Tlv[] = []) =>
  parseReceipt(deliver(text, esm_class, tlvs), [text]);

describe('receipts in the wild', () => {
  const dates = 'submit date:2611221200 done date:2611221201';
  const cases: Array<[what: string, text: string, ids: string[], stat: string, code?: string]> = [
    [
      'Appendix B',
      `id:0123456789 sub:001 dlvrd:001 ${dates} stat:DELIVRD err:000 text:Hello`,
      ['0123456789'],
      'DELIVRD',
      '000',
    ],
    [
      'Text with a capital',
      `id:7f sub:001 dlvrd:001 ${dates} stat:UNDELIV err:011 Text:Hello`,
      ['7f'],
      'UNDELIV',
      '011',
    ],
    ['no text at all', `id:7f sub:001 dlvrd:000 ${dates} stat:EXPIRED err:1`, ['7f'], 'EXPIRED', '1'],
    ['no sub and no dlvrd', `id:12 ${dates} stat:REJECTD err:A2C text:`, ['12'], 'REJECTD', 'A2C'],
    [
      'dates of 12 digits',
      'id:12 submit date:261122120000 done date:261122120101 stat:DELIVRD err:000',
      ['12'],
      'DELIVRD',
      '000',
    ],
    ['dates of 14 digits', 'id:12 submit date:20261122120000 done date:20261122120101 stat:DELIVRD', ['12'], 'DELIVRD'],
    [
      'a UUID',
      `id:8f14e45f-ceea-467f-a0e6-b1c2d3e4f506 ${dates} stat:DELIVRD err:000`,
      ['8f14e45f-ceea-467f-a0e6-b1c2d3e4f506'],
      'DELIVRD',
      '000',
    ],
    [
      'a compound id',
      `id:SAR-+447700900123-a1-3-1 ${dates} stat:DELIVRD err:000`,
      ['SAR-+447700900123-a1-3-1'],
      'DELIVRD',
      '000',
    ],
    ['keys in capitals', 'ID:12 STAT:delivrd ERR:000', ['12'], 'DELIVRD', '000'],
    ['spaces after the colons', 'id: 12 stat: DELIVRD err: 000', ['12'], 'DELIVRD', '000'],
    ['a word of the carrier', 'id:12 stat:BLOCKED err:000', ['12'], 'BLOCKED', '000'],
    ['keys inside the text of a person', 'id:12 stat:DELIVRD err:000 text:stat:FAILED id:99', ['12'], 'DELIVRD', '000'],
  ];
  for (const [what, text, ids, stat, code] of cases) {
    test(`SMPP 3.4 Appendix B: ${what}`, () => {
      const receipt = parse(text);
      assert.deepEqual([receipt?.ids, receipt?.stat, receipt?.code], [ids, stat, code]);
      assert.equal(receipt?.isCertain, true);
    });
  }

  test('reference smpp 5.1: text: an id that the text cuts at ten digits is whole in its parameter, which comes first', () => {
    const tlvs = [textTlv('receipted_message_id', '123456789012345')];
    assert.deepEqual(parse('id:1234567890 stat:DELIVRD', 4, tlvs)?.ids, ['123456789012345', '1234567890']);
  });
  test('SMPP 3.4 s.5.3.2.12, 5.3.2.35: parameters alone are a receipt, whatever esm_class says', () => {
    const tlvs = [textTlv('receipted_message_id', 'ab'), intTlv('message_state', 5)];
    const receipt = parse('', 0, tlvs);
    assert.deepEqual([receipt?.ids, receipt?.stat, receipt?.isCertain], [['ab'], 'UNDELIV', true]);
  });
  for (const esm of [0x04, 0x08, 0x20, 0x44, 0x24]) {
    test(`SMPP 3.4 s.5.2.12: esm_class 0x${esm.toString(16)} is certainly a receipt`, () => {
      assert.equal(parse('id:1 stat:DELIVRD', esm)?.isCertain, true);
    });
  }
  test('reference smpp 5.1: where: esm_class 0 with the text of a receipt is one only if the id is known', () => {
    assert.equal(parse('id:1 stat:DELIVRD', 0)?.isCertain, false);
  });
  test('a person who writes about ids is no receipt', () => {
    assert.equal(parse('my id: 12 is lost', 0), undefined);
    assert.equal(parse('hello', 0), undefined);
  });
  test('reference smpp 5: encodings: ASCII that is marked as UCS-2 is read as ASCII', () => {
    assert.equal(parseReceipt(deliver('id:1 stat:DELIVRD'), ['楤㨱', 'id:1 stat:DELIVRD'])?.stat, 'DELIVRD');
  });
  test('SMPP 3.4 s.5.3.2.31: the error of a GSM network gives the reason', () => {
    const tlvs = [octetsTlv('network_error_code', Buffer.from([3, 0, 1]))];
    const receipt = parse('id:1 stat:UNDELIV err:001', 4, tlvs);
    assert.ok(receipt);
    const outcome = outcomeOfReceipt(receipt);
    assert.equal(outcome?.reason, 'not-found');
    assert.match(outcome?.words ?? '', /unknown subscriber \(error 001 of the SMS centre\)/);
  });
  const endings: Array<[stat: string, state: string | undefined]> = [
    ['DELIVRD', 'delivered'],
    ['EXPIRED', 'expired'],
    ['DELETED', 'failed'],
    ['UNDELIV', 'failed'],
    ['REJECTD', 'failed'],
    ['SKIPPED', 'failed'],
    ['FAILED', 'failed'],
    ['UNKNOWN', 'unknown'],
    ['BLOCKED', 'unknown'],
    ['ACCEPTD', undefined],
    ['ENROUTE', undefined],
    ['BUFFRED', undefined],
  ];
  for (const [stat, state] of endings) {
    test(`SMPP 3.4 s.5.2.28: ${stat} is ${state ?? 'not the end'}`, () => {
      assert.equal(outcomeOfReceipt({ ids: ['1'], stat, isCertain: true })?.state, state);
    });
  }
  test('any octets at all, and any length, are read without an exception', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void parse(text.slice(0, 60), 4)));
    parseReceipt(deliver(''), ['id:'.repeat(20_000)]);
  });
});

describe('ids', () => {
  test('reference smpp 5.1: ids: case and leading zeros do not matter', () => {
    assert.equal(idKey('00AbC'), idKey('abc'));
    assert.equal(idKey('000'), '0');
  });
  test('reference smpp 1.1: DLR id radix: any number is found in any radix, padded or not, in any case', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 1n << 64n }),
        fc.boolean(),
        fc.nat(6),
        fc.boolean(),
        (n, isHexFirst, zeros, isUpper) => {
          const [hex, decimal] = ['0'.repeat(zeros) + n.toString(16), n.toString()];
          const [response, receipt] = isHexFirst ? [hex, decimal] : [decimal, hex];
          const written = isUpper ? receipt.toUpperCase() : receipt;
          assert.ok(candidateKeys(written).some(([, key]) => key === idKey(response)));
        },
      ),
    );
  });
  test('an id of any length makes a key that every store takes', () => {
    assert.ok(Buffer.byteLength(idKey('\xff'.repeat(254))) <= 450);
    assert.equal(candidateKeys('f'.repeat(200)).length, 1);
  });
  test('numbers are the same in national and international form, and not by a few digits', () => {
    assert.ok(isSameNumber('07700900123', '447700900123'));
    assert.ok(isSameNumber('+447700900123', '447700900123'));
    assert.ok(!isSameNumber('447700900124', '447700900123'));
    assert.ok(!isSameNumber('', '447700900123'));
  });
});
