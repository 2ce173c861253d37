// What arrived parts say: alphabets and codings side by side, what waits, octets, headers; and whatever a mutant says.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  contentOf,
  type Element,
  formatElements,
  formatHeader,
  gsm,
  headerBytesOf,
  type Piece,
  parseElements,
  readDataCoding,
  readHeader,
  readSegment,
  shiftElements,
  textOfPieces,
  ucs2,
} from '../../../adapters/smpp/text/index.ts';

const piece = (payload: Buffer | string, dataCoding = 0, udh?: string): Piece => ({
  payload: typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload,
  dataCoding,
  ...(udh === undefined ? {} : { udh: Buffer.from(udh, 'hex') }),
});
const said = (...pieces: Piece[]) => contentOf(pieces, 'gsm').text;

describe('text', () => {
  test('reference smpp 1.3: parts are joined before they are decoded: a surrogate pair cut in two survives', () => {
    assert.equal(said(piece('0061d83d', 8), piece('de000062', 8)), 'a😀b');
    assert.equal(said(piece('00', 8), piece('61', 8)), 'a');
  });
  test('reference smpp 1.3: an escape in one part and its character in the next are one character', () => {
    assert.equal(said(piece('611b'), piece('6562')), 'a€b');
  });
  test('reference smpp 1.3: each part in the alphabet that it says', () => {
    assert.equal(said(piece(gsm.encode('a@')), piece(ucs2.encode('ж'), 8), piece('1b65')), 'a@ж€');
    assert.equal(said(piece('07', 0, '250101'), piece('07'), piece('e9', 3)), 'ıìé');
  });
  test('UTF-8 cut inside a character survives where it is what 0 means', () => {
    const [one, other] = [piece('c3'), piece('a9')];
    assert.equal(textOfPieces([one, other], 'utf-8'), 'é');
  });
  test('reference smpp 1.3: ESC and an unknown code show the default table’s character, ESC ESC a space', () => {
    assert.equal(said(piece('1b411b1b42')), 'A B');
    assert.ok(!said(piece('1b07')).includes('\x1b'));
  });
  test('reference smpp 1.3: data_coding 0xC8, 0xE0 and 0xF0 are a TS 23.038 coding, not four bits of SMPP', () => {
    assert.equal(said(piece('6869', 0xc8)), 'hi');
    assert.equal(said(piece('00680069', 0xe0)), 'hi');
    assert.equal(said(piece('6869', 0xf0)), 'hi');
    assert.equal(contentOf([piece('6869', 0xf0)], 'gsm').messageClass, 0);
  });
  test('the tables of a language replace the default alphabet only', () => {
    assert.equal(said(piece('0007', 8, '250101')), '\u0007');
    assert.equal(textOfPieces([piece('e9', 0, '250101')], 'latin1'), 'é');
  });
  test('a gap shows, and a part of octets among text is counted', () => {
    assert.equal(said(piece('61'), undefined, undefined, piece('62')), 'a[...][...]b');
    assert.equal(said(piece('61'), piece('0000', 4)), 'a[binary message, 2 octets]');
    assert.equal(said(undefined), '[...]');
    assert.equal(said(piece('0000', 4), undefined), '[binary message, 2 octets][...]');
  });
  test('elements that nobody understands stay with the text', () => {
    const { text, udh } = contentOf([piece('6869', 0, '0a0300020322010a250101')], 'gsm');
    assert.deepEqual([text, udh?.toString('hex')], ['hi', '0a0300020322010a']);
  });
});

describe('message waiting', () => {
  const cases: Array<[dataCoding: number, udh: string | undefined, text: string]> = [
    [0xc8, undefined, '[voice message waiting]'],
    [0xc0, undefined, '[no voice message waiting]'],
    [0xca, undefined, '[email waiting]'],
    [0xd9, undefined, '[fax waiting]'],
    [0xeb, undefined, '[message waiting]'],
    [0, '01020003', '[3 voice messages waiting]'],
    [0, '01028101', '[1 fax waiting]'],
    [0, '01020000', '[no voice messages waiting]'],
    [0, '0102800201020201', '[2 voice messages, 1 email waiting]'],
  ];
  for (const [dataCoding, udh, text] of cases) {
    test(`TS 23.038 s.4, TS 23.040 s.9.2.3.24.2: 0x${dataCoding.toString(16)} ${udh ?? ''} without a text is ${text}`, () => {
      assert.equal(said(piece('', dataCoding, udh)), text);
    });
  }
  test('TS 23.038 s.4: its text is shown when it has one', () => assert.equal(said(piece('6869', 0xc8)), 'hi'));
  test('TS 23.038 s.4: group 1100 may be thrown away, 1101 and 1110 are kept', () => {
    const kept = [0xc8, 0xd8, 0xe8].map((coding) => readDataCoding(coding, 'gsm').waiting?.isKept);
    assert.deepEqual(kept, [false, true, true]);
  });
});

describe('octets', () => {
  test('TS 23.040 s.9.2.3.24.4: to a port they are for an application, whatever the coding says', () => {
    const { text, binary } = contentOf([piece('6869', 0, '0504158a0000'), piece('21', 0, '0504158a0000')], 'gsm');
    assert.deepEqual(
      [text, binary?.data.toString(), binary?.port, binary?.udh?.toString('hex'), binary?.dataCoding],
      ['', 'hi!', 0x158a, '0504158a0000', 0],
    );
    assert.equal(contentOf([piece('00', 4, '0402f0f1')], 'gsm').binary?.port, 0xf0);
  });
  test('SMPP 3.4 s.5.3.2.21: the port in an optional parameter is one', () => {
    const tlv = (tag: number, port: number) => ({ tag, value: Buffer.from([port >> 8, port & 0xff]) });
    const coding = readDataCoding(4, 'gsm');
    const read = readSegment(Buffer.from('aa', 'hex'), false, [tlv(0x20b, 2948), tlv(0x20a, 9200)], coding);
    assert.deepEqual([read.isForApplication, read.udh?.toString('hex')], [true, '05040b8423f0']);
  });
  test('TS 23.038 s.4: compressed octets are no text', () => {
    const { isCompressed, alphabet } = readDataCoding(0x20, 'gsm');
    assert.deepEqual([isCompressed, alphabet], [true, undefined]);
  });
});

describe('headers', () => {
  const element = fc
    .record({ identifier: fc.nat(255), data: fc.uint8Array({ maxLength: 12 }) })
    .map(({ identifier, data }): Element => ({ identifier, data: Buffer.from(data) }));
  test('reference smpp 3: a header is the same after it was read and written', () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 10 }), (elements) => {
        const header = formatHeader(elements);
        if (header.length > 0) assert.equal(headerBytesOf(Buffer.concat([header, Buffer.from('x')])), header.length);
        assert.deepEqual(parseElements(formatElements(elements)), elements);
      }),
    );
  });
  test('TS 23.040 s.9.2.3.24: of an element that may stand once, the last counts', () => {
    const { part, shift } = readHeader(parseElements(Buffer.from('00030102010003020201' + '240101240102', 'hex')));
    assert.deepEqual([part, shift.single], [{ reference: '8:2', total: 2, index: 1 }, 'spanish']);
  });
  test('TS 23.040 s.9.2.3.24: an element of another length than its own is passed over', () => {
    const { part, port, shift, rest } = readHeader(parseElements(Buffer.from('0002010205010a24020101', 'hex')));
    assert.deepEqual([part, port, shift, rest.length], [undefined, undefined, {}, 3]);
  });
  test('every pair of tables is read as it was written', () => {
    for (const single of [undefined, 'turkish', 'urdu'] as const) {
      for (const locking of [undefined, 'hindi', 'portuguese'] as const) {
        const { shift } = readHeader(shiftElements({ locking, single }));
        assert.deepEqual([shift.locking, shift.single], [locking, single]);
      }
    }
  });
});

// A million, in a fixed sequence.
test('mutants of headers and codings say something or nothing, and never throw', () => {
  let seed = 0x2545f491;
  const random = (below: number) => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  };
  const seeds = [
    '0b0003010201240101250106414243',
    '06050415811581aabbccdd',
    '0500030a0201d83dde00',
    '050102800300' + '48',
  ].map((hex) => Buffer.from(hex, 'hex'));
  const binds = ['gsm', 'gsm-packed', 'utf-8', 'latin1'] as const;
  for (let n = 0; n < 1_000_000; n++) {
    const octets = Buffer.from(seeds[n % seeds.length] as Buffer);
    for (let flips = random(4); flips >= 0; flips--) octets[random(octets.length)] = random(256);
    const dataCoding = random(256);
    const alphabet0 = binds[n % binds.length] ?? 'gsm';
    const cut = octets.subarray(0, random(octets.length + 1));
    const coding = readDataCoding(dataCoding, alphabet0);
    const { payload, part, udh } = readSegment(cut, random(4) > 0, [], coding);
    const { text, binary } = contentOf([{ payload, dataCoding, ...(udh ? { udh } : {}) }], alphabet0);
    if (typeof text !== 'string' || !text.isWellFormed()) assert.fail(`${cut.toString('hex')} ${dataCoding}`);
    if (binary && binary.data.length > cut.length * 2) assert.fail('longer than it came');
    if (part && (part.index < 1 || part.index > part.total)) assert.fail(JSON.stringify(part));
  }
});
