// The national language tables of TS 23.038 annex A: every cell against test/wire/smpp/23.038/national.json, which was
// collected from two independent lists of the specification and agrees with both but where they have its misprints.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  contentOf,
  defaultTable,
  gsm,
  languages,
  nationalAlphabet,
  planText,
  readDataCoding,
  readSegment,
  type Shift,
  toParts,
} from '../../../adapters/smpp/text/index.ts';

type Tables = Record<string, { locking?: string[]; single?: string[] }>;
const file = join(import.meta.dirname, '../../wire/smpp/23.038/national.json');
const golden = JSON.parse(readFileSync(file, 'utf8')) as Tables;
const cellsOf = (rows: readonly string[]) =>
  rows
    .flatMap((row) => row.split(' '))
    .map((cell) => (cell === '....' ? '' : String.fromCharCode(Number.parseInt(cell, 16))));
const escapeCode = 0x1b;

describe('tables', () => {
  for (const [place, language] of languages.entries()) {
    const { locking, single } = golden[language] ?? {};
    if (locking) {
      test(`TS 23.038 s.A.3.${place + 1}: the locking shift table of ${language}, each cell both ways`, () => {
        const alphabet = nationalAlphabet({ locking: language });
        for (const [code, character] of cellsOf(locking).entries()) {
          if (code === escapeCode) continue;
          assert.equal(alphabet.decode(Buffer.from([code])), character || '\ufffd', code.toString(16));
          if (character !== '') assert.deepEqual([...alphabet.encode(character)], [code], character);
        }
      });
    }
    test(`TS 23.038 s.A.2.${place + 1}: the single shift table of ${language}, each cell both ways`, () => {
      const alphabet = nationalAlphabet({ single: language });
      const cells = cellsOf(single ?? []);
      assert.equal(cells.length, 128);
      for (const [code, character] of cells.entries()) {
        const shown = code === escapeCode ? ' ' : character || defaultTable[code];
        assert.equal(alphabet.decode(Buffer.from([escapeCode, code])), shown, code.toString(16));
        // What the main table has costs no escape; what stands twice is written with its lower code.
        if (character === '' || defaultTable.includes(character)) continue;
        assert.deepEqual([...alphabet.encode(character)], [escapeCode, cells.indexOf(character)], character);
      }
    });
  }
  test('TS 23.038 s.A.3.2: Spanish has no locking shift table: the default one stands', () => {
    assert.equal(golden.spanish?.locking, undefined);
    assert.equal(nationalAlphabet({ locking: 'spanish' }).decode(Buffer.from([0x05])), 'é');
  });
  test('TS 23.038 s.A.3: with a locking table an unknown code behind the escape shows its character, not the default one', () => {
    assert.equal(nationalAlphabet({ locking: 'turkish' }).decode(Buffer.from([escapeCode, 0x07])), 'ı');
    assert.equal(nationalAlphabet({ locking: 'turkish' }).decode(Buffer.from([escapeCode, escapeCode])), ' ');
  });
  test('every pair of tables says the same characters both ways, and no other', () => {
    const pairs: Shift[] = languages.flatMap((locking) => languages.map((single) => ({ locking, single })));
    for (const shift of pairs) {
      const alphabet = nationalAlphabet(shift);
      for (let code = 0; code <= 0xffff; code++) {
        const character = String.fromCharCode(code);
        const units = alphabet.measure(character);
        if (units === undefined) continue;
        const octets = alphabet.encode(character);
        assert.equal(octets.length, units);
        assert.equal(alphabet.decode(octets), character);
      }
    }
  });
});

describe('headers', () => {
  const base = { alphabet0: 'gsm', ucs2: true, concat: 'udh8', maxParts: 255 } as const;
  const hex = (octets: Buffer | undefined) => octets?.toString('hex');
  const read = (header: string, text: string) => {
    const octets = Buffer.concat([Buffer.from(header, 'hex'), Buffer.from(text, 'hex')]);
    const { payload, udh } = readSegment(octets, true, [], readDataCoding(0, 'gsm'));
    return contentOf([{ payload, dataCoding: 0, ...(udh ? { udh } : {}) }], 'gsm').text;
  };
  test('reference smpp 3: a header with the Turkish single shift only leaves the default table in place: 0x07 is ì', () => {
    assert.equal(read('03240101', '07'), 'ì');
    assert.equal(read('03240101', '1b69'), 'ı');
  });
  test('TS 23.040 s.9.2.3.24.16: with the locking shift 0x07 is ı', () => assert.equal(read('03250101', '07'), 'ı'));
  test('reference smpp 3: Hindi and the other tables are read', () => {
    assert.equal(read('03250106', '282a'), ')थ');
    for (const [place, language] of languages.entries()) {
      const [first] = cellsOf(golden[language]?.locking ?? []).filter((character) => character > '\u00ff');
      if (first === undefined) continue;
      const code = cellsOf(golden[language]?.locking ?? []).indexOf(first);
      assert.equal(
        read(`032501${Buffer.from([place + 1]).toString('hex')}`, Buffer.from([code]).toString('hex')),
        first,
      );
    }
  });
  test('TS 23.040 s.9.2.3.24.15: a language that nobody knows leaves the default tables', () => {
    assert.equal(read('0324010e', '1b65'), '€');
    assert.equal(read('032501ff', '04'), 'è');
  });
  const limits: Array<[more: object, text: string, limit: number, next: number]> = [
    [{ nationalLanguages: ['turkish'] }, 'ğ', 155, 149],
    [{ nationalLanguages: ['turkish'], concat: 'udh16' }, 'ğ', 155, 148],
    [{ nationalLanguages: ['hindi'] }, 'क', 155, 149],
  ];
  for (const [more, text, limit, next] of limits) {
    test(`TS 23.038 s.6.2.1.2.1: ${text} in a locking table: ${limit} in one part, ${next} in each of several (${JSON.stringify(more)})`, () => {
      const lengths = (count: number) =>
        planText(text.repeat(count), { ...base, ...more }).texts.map((part) => part.length);
      assert.deepEqual(lengths(limit), [limit]);
      assert.deepEqual(lengths(limit + 1), [next, limit + 1 - next]);
    });
  }
  test('TS 23.040 s.9.2.3.24.15, 16: both tables: 152 septets in one part, 146 in each of several', () => {
    const options = { ...base, nationalLanguages: ['hindi'] } as const;
    const filled = (septets: number) => `\u0958${'क'.repeat(septets - 2)}`;
    const one = planText(filled(152), options);
    assert.deepEqual([one.count, hex(toParts(one, 'udh8', 1)[0]?.short_message.subarray(0, 7))], [1, '06240106250106']);
    assert.deepEqual(
      planText(filled(153), options).texts.map((part) => part.length),
      [145, 7],
    );
  });
  test('TS 23.040 s.9.2.3.24: a part has its place first, then the language', () => {
    const plan = planText('ğ'.repeat(200), { ...base, nationalLanguages: ['turkish'] });
    const [first] = toParts(plan, 'udh8', 0x2a);
    assert.equal(hex(first?.short_message.subarray(0, 9)), '0800032a0201250101');
  });
  test('reference smpp 1.1: national shift tables: no table is used where the carrier is not known to take it', () => {
    assert.equal(planText('ğ'.repeat(100), base).alphabet, 'UCS-2');
    const others = { ...base, nationalLanguages: ['spanish'] } as const;
    assert.equal(planText('ğ'.repeat(100), others).alphabet, 'UCS-2');
  });
  test('reference smpp 1.3: a table that saves nothing is not used: every phone reads UCS-2', () => {
    assert.equal(planText('ağaç', { ...base, nationalLanguages: ['turkish'] }).alphabet, 'UCS-2');
  });
  test('reference smpp 1.3: the shortest header among equals: Turkish with few of its letters goes with the single shift', () => {
    const { alphabet, count, reason } = planText(`${'a'.repeat(120)}ğ`, { ...base, nationalLanguages: ['turkish'] });
    assert.deepEqual([alphabet, count], ['GSM 7-bit turkish single shift', 1]);
    assert.match(reason, /^1 part GSM 7-bit turkish single shift because of U\+011F$/);
  });
  test('gsm alone needs no header', () =>
    assert.equal(planText('plain', { ...base, nationalLanguages: [...languages] }).alphabet, gsm.name));
});
