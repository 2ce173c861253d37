// Alphabets and data_coding: the tables of 3GPP TS 23.038 in octets, packing, and how each carrier means 0.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Alphabet,
  gsm,
  ia5,
  latin1,
  packSeptets,
  readDataCoding,
  ucs2,
  unpackSeptets,
} from '../../../adapters/smpp/text/index.ts';

const hex = (octets: Buffer) => octets.toString('hex');
const bytes = (text: string) => Buffer.from(text, 'hex');

describe('GSM 7-bit', () => {
  const cases: Array<[text: string, octets: string]> = [
    ['@£$¥èéùìòÇ\nØø\rÅå', '000102030405060708090a0b0c0d0e0f'],
    ['Δ_ΦΓΛΩΠΨΣΘΞ', '101112131415161718191a'],
    ['ÆæßÉ !"#¤', '1c1d1e1f2021222324'],
    ['ÄÖÑÜ§¿', '5b5c5d5e5f60'],
    ['äöñüà', '7b7c7d7e7f'],
    ['\f^{}\\[~]|€', '1b0a1b141b281b291b2f1b3c1b3d1b3e1b401b65'],
  ];
  for (const [text, octets] of cases) {
    test(`TS 23.038 s.6.2.1: ${JSON.stringify(text)} both ways`, () => {
      assert.equal(hex(gsm.encode(text)), octets);
      assert.equal(gsm.decode(bytes(octets)), text);
    });
  }
  test('TS 23.038 s.6.2.1.1: an escape and an unknown code show the character of the default table', () => {
    assert.equal(gsm.decode(bytes('1b41')), 'A');
  });
  test('TS 23.038 s.6.2.1.1: two escapes are reserved and show a space; so does one at the end', () => {
    assert.equal(gsm.decode(bytes('1b1b41')), ' A');
    assert.equal(gsm.decode(bytes('411b')), 'A ');
  });
  test('an extension character counts two septets, and one that is not there is not measured', () => {
    assert.equal(gsm.measure('a€'), 3);
    for (const stranger of ['`', 'ç', '’', '😀', '\x1b', '\t'])
      assert.equal(gsm.measure(stranger), undefined, stranger);
  });
  test('every code point of the table round-trips, and no other claims to', () => {
    let known = 0;
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      if (gsm.measure(character) === undefined) continue;
      known++;
      assert.equal(gsm.decode(gsm.encode(character)), character);
    }
    assert.equal(known, 127 + 10);
  });
});

describe('other alphabets', () => {
  test('TS 23.038 s.6.2.3: UCS-2 is big-endian, with surrogates', () => {
    assert.equal(hex(ucs2.encode('a😀')), '0061d83dde00');
    assert.equal(ucs2.decode(bytes('0061d83dde00')), 'a😀');
  });
  test('half a UCS-2 character at the end is left out', () => assert.equal(ucs2.decode(bytes('006100')), 'a'));
  test('reference smpp 1.3: every code point round-trips in UCS-2', () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      assert.equal(ucs2.decode(ucs2.encode(character)), character);
    }
  });
  test('reference smpp 0, fact 3: data_coding 1 is IA5, where a@b_c$ means what it says', () => {
    assert.equal(readDataCoding(1, 'gsm').alphabet?.decode(Buffer.from('a@b_c$')), 'a@b_c$');
    assert.equal(ia5.measure('é'), undefined);
  });
  test('Latin-1 holds what fits an octet', () => {
    assert.equal(hex(latin1.encode('ÿç')), 'ffe7');
    assert.equal(latin1.measure('€'), undefined);
  });
  const national: Array<[coding: number, octets: string, text: string]> = [
    [6, 'bfe0d8', 'При'],
    [7, 'f9ece5ed', 'שלום'],
    [5, '93fa967b', '日本'],
    [14, 'c7d1b1db', '한글'],
  ];
  for (const [coding, octets, text] of national) {
    test(`SMPP 3.4 s.5.2.19: data_coding ${coding} is read as ${text}`, () => {
      assert.equal(readDataCoding(coding, 'gsm').alphabet?.decode(bytes(octets)), text);
    });
  }
});

describe('packing', () => {
  test('TS 23.038 s.6.1.2.1: hellohello in nine octets', () => {
    assert.equal(hex(packSeptets(gsm.encode('hellohello'))), 'e8329bfd4697d9ec37');
    assert.equal(gsm.decode(unpackSeptets(bytes('e8329bfd4697d9ec37'))), 'hellohello');
  });
  test('TS 23.040 s.9.2.3.24: after a header of six octets one fill bit, after seven none', () => {
    assert.equal(hex(packSeptets(gsm.encode('a'), 1)), 'c2');
    assert.equal(gsm.decode(unpackSeptets(bytes('c2'), 1)), 'a');
  });
  test('a filler in the last seven bits is no character', () => {
    assert.equal(gsm.decode(unpackSeptets(packSeptets(gsm.encode('1234567')))), '1234567');
  });
  test('any text survives packing, but for an @ or CR that only looks like a filler', () => {
    const text = fc.string({ unit: fc.constantFrom(...'abc @€{1\n£'), maxLength: 160 });
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 6 }), (said, fill) => {
        const units = gsm.encode(said);
        fc.pre(!(units.at(-1) === 0 && (units.length * 7 + fill) % 8 === 0));
        assert.equal(gsm.decode(unpackSeptets(packSeptets(units, fill), fill)), said);
      }),
    );
  });
});

describe('data_coding', () => {
  const names = (alphabet: Alphabet | undefined) => alphabet?.name;
  const cases: Array<[coding: number, alphabet: string | undefined, more?: object]> = [
    [0x00, 'GSM 7-bit'],
    [0x01, 'IA5'],
    [0x02, undefined],
    [0x03, 'Latin-1'],
    [0x04, undefined],
    [0x08, 'UCS-2'],
    [0x0f, 'GSM 7-bit'],
    [0x10, 'GSM 7-bit', { messageClass: 0 }],
    [0x14, undefined, { messageClass: 0 }],
    [0x18, 'UCS-2', { messageClass: 0 }],
    [0x19, 'UCS-2', { messageClass: 1 }],
    [0x20, undefined, { isCompressed: true }],
    [0x48, 'UCS-2'],
    [0xc8, 'GSM 7-bit', { waiting: { isActive: true, isKept: false, what: 'voicemail' } }],
    [0xd1, 'GSM 7-bit', { waiting: { isActive: false, isKept: true, what: 'fax' } }],
    [0xe0, 'UCS-2', { waiting: { isActive: false, isKept: true, what: 'voicemail' } }],
    [0xea, 'UCS-2', { waiting: { isActive: true, isKept: true, what: 'email' } }],
    [0xf0, 'GSM 7-bit', { messageClass: 0 }],
    [0xf1, 'GSM 7-bit', { messageClass: 1 }],
    [0xf6, undefined, { messageClass: 2 }],
  ];
  for (const [coding, alphabet, more] of cases) {
    test(`TS 23.038 s.4: 0x${coding.toString(16)} is ${alphabet ?? 'no text'} ${JSON.stringify(more ?? {})}`, () => {
      const read = readDataCoding(coding, 'gsm');
      assert.equal(names(read.alphabet), alphabet);
      assert.deepEqual({ ...read, ...more }, read);
    });
  }
  test('reference smpp 1.3: 0 is what the bind says it is', () => {
    assert.equal(names(readDataCoding(0, 'latin1').alphabet), 'Latin-1');
    assert.equal(names(readDataCoding(0, 'ia5').alphabet), 'IA5');
    assert.equal(readDataCoding(0, 'gsm-packed').isPacked, true);
    assert.equal(readDataCoding(8, 'gsm-packed').isPacked, false);
  });
  test('every value is read as something', () => {
    for (let coding = 0; coding < 256; coding++) assert.ok('alphabet' in readDataCoding(coding, 'gsm'));
  });
});
