// Texts in parts: exact lengths, nothing torn, the cheapest alphabet, and the way back whatever the order.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Concat,
  gsm,
  type Part,
  type Piece,
  type Plan,
  planText,
  readDataCoding,
  readSegment,
  type SplitOptions,
  textOfPieces,
  toParts,
  ucs2,
} from '../../../adapters/smpp/text/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';

const base: SplitOptions = { alphabet0: 'gsm', ucs2: true, concat: 'udh8', maxParts: 255 };
const plan = (text: string, more: Partial<SplitOptions> = {}) => planText(text, { ...base, ...more });

/** What a phone makes of the parts, in the order they are given. */
function rejoin(parts: readonly Part[], { dataCoding }: Plan, alphabet0: SplitOptions['alphabet0'] = 'gsm'): string {
  const coding = readDataCoding(dataCoding, alphabet0);
  const pieces: Array<NonNullable<Piece>> = [];
  for (const { short_message, hasHeader, tlvs } of parts) {
    const payloadTlv = tlvs.find(({ tag }) => tag === 0x424)?.value;
    const { payload, part, udh } = readSegment(payloadTlv ?? short_message, hasHeader, tlvs, coding);
    pieces[(part?.index ?? 1) - 1] = { payload, dataCoding, ...(udh ? { udh } : {}) };
  }
  return textOfPieces(pieces, alphabet0);
}

/** Octets on the air: septets are packed there whatever the wire says. */
function airBytes({ short_message, hasHeader, tlvs }: Part, { isSeptets, isPacked }: Plan): number {
  const header = hasHeader ? 1 + (short_message[0] as number) : 0;
  const added = tlvs.length > 0 ? 7 : 0;
  const body = short_message.length - header;
  if (!isSeptets || isPacked) return short_message.length + added;
  return Math.ceil(((header + added) * 8 + body * 7) / 8);
}

describe('lengths', () => {
  const cases: Array<[text: string, more: Partial<SplitOptions>, lengths: number[]]> = [
    ['a'.repeat(160), {}, [160]],
    ['a'.repeat(161), {}, [153, 8]],
    ['a'.repeat(161), { concat: 'udh16' }, [152, 9]],
    ['a'.repeat(161), { concat: 'sar' }, [152, 9]],
    ['a'.repeat(306), {}, [153, 153]],
    ['’'.repeat(70), {}, [70]],
    ['’'.repeat(71), {}, [67, 4]],
    ['’'.repeat(71), { concat: 'udh16' }, [66, 5]],
    ['€'.repeat(80), {}, [80]],
    ['€'.repeat(81), {}, [76, 5]],
    ['é'.repeat(140), { alphabet0: 'latin1' }, [140]],
    ['é'.repeat(141), { alphabet0: 'latin1' }, [134, 7]],
    ['', {}, [0]],
  ];
  for (const [text, more, lengths] of cases) {
    test(`TS 23.040 s.9.2.3.24.1: ${text.length} x ${text.slice(0, 1)} with ${JSON.stringify(more)} is ${lengths}`, () => {
      assert.deepEqual(
        plan(text, more).texts.map((part) => part.length),
        lengths,
      );
    });
  }
});

describe('nothing is torn', () => {
  test('reference smpp 1.3: an escape and its character stay together at the border of a part', () => {
    const { texts } = plan(`${'a'.repeat(152)}€${'b'.repeat(40)}`);
    assert.deepEqual([texts[0]?.length, texts[1]?.[0]], [152, '€']);
  });
  test('reference smpp 1.3: a surrogate pair stays together at the border of a part', () => {
    const { texts } = plan(`${'а'.repeat(66)}😀${'b'.repeat(20)}`);
    assert.deepEqual([texts[0]?.length, texts[1]?.slice(0, 2)], [66, '😀']);
  });
  for (const cluster of ['👩‍👩‍👧‍👦', '🇬🇧', '👍🏽', 'é', '❤️', 'ห้']) {
    test(`reference smpp 1.3: the grapheme ${cluster} is in one part wherever the border falls`, () => {
      for (let before = 50; before <= 70; before++) {
        const { texts } = plan('я'.repeat(before) + cluster + 'я'.repeat(70));
        assert.equal(texts.filter((part) => part.includes(cluster)).length, 1, String(before));
      }
    });
  }
  test('a grapheme longer than a part is cut between characters', () => {
    const text = `e${'\u0301'.repeat(200)}`;
    assert.equal(plan(text).texts.join(''), text);
  });
  test('a lone surrogate becomes U+FFFD, once', () => {
    const split = plan('a\ud800b');
    assert.equal(rejoin(toParts(split, 'udh8', 1), split), 'a\ufffdb');
  });
});

describe('the cheapest alphabet', () => {
  test('the reason names the character that made it dear', () => {
    assert.match(plan(`it’s ${'a'.repeat(70)}`).reason, /2 parts UCS-2 because of U\+2019; 1 part if transliterated/);
    assert.equal(plan('plain').reason, '1 part GSM 7-bit');
  });
  test('a carrier without UCS-2 refuses in words', () => {
    assert.throws(
      () => plan('😀', { ucs2: false }),
      (error) => error instanceof GatewayError && error.reason === 'unsupported' && /U\+1F600/.test(error.message),
    );
  });
  test('a text of too many parts is refused in words', () => {
    assert.throws(
      () => plan('a'.repeat(2000), { maxParts: 10 }),
      (error) => error instanceof GatewayError && error.reason === 'too-large' && /14 SMS/.test(error.message),
    );
  });
});

describe('there and back', () => {
  const concat = fc.constantFrom<Concat>('udh8', 'udh16', 'sar', 'payload');
  const piece = fc.oneof(
    fc.constantFrom(...'abcXYZ @€{}[]\n\r£é', '👩‍👩‍👧', '😀', '🇬🇧', '\r\n', 'é'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  );
  const anyText = fc.oneof(
    fc.array(piece, { maxLength: 400 }).map((all) => all.join('')),
    fc.array(fc.constantFrom(...'abc €{}@'), { maxLength: 600 }).map((all) => all.join('')),
  );

  test('reference smpp 1.3: any text, split and rejoined in any order with repeats, is the same; no part is over 140 octets', () => {
    fc.assert(
      fc.property(anyText, concat, fc.nat(0xffff), fc.infiniteStream(fc.nat(1000)), (text, how, reference, dice) => {
        const split = plan(text, { concat: how });
        const parts = toParts(split, how, reference);
        for (const part of parts) assert.ok(airBytes(part, split) <= 140 || how === 'payload');
        const shuffled = [...parts, ...parts.slice(0, 2)]
          .map((part) => ({ part, at: dice.next().value }))
          .sort((one, other) => one.at - other.at)
          .map(({ part }) => part);
        assert.equal(rejoin(shuffled, split), text.toWellFormed());
      }),
      { numRuns: 500 },
    );
  });

  test('reference smpp 0, fact 7: no grapheme of any text is in two parts', () => {
    const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
    const borders = (text: string) => new Set([...segmenter.segment(text)].map(({ index }) => index));
    fc.assert(
      fc.property(anyText, (text) => {
        const whole = text.toWellFormed();
        const { texts, isSeptets } = plan(text);
        const alphabet = isSeptets ? gsm : ucs2;
        const allowed = borders(whole);
        const longest = Math.max(
          0,
          ...[...segmenter.segment(whole)].map(({ segment }) => alphabet.measure(segment) ?? 0),
        );
        fc.pre(longest <= 130);
        let at = 0;
        for (const part of texts.slice(0, -1)) {
          at += part.length;
          assert.ok(allowed.has(at), `cut at ${at}`);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('every code point survives, in parts of one long text', () => {
    let text = '';
    const check = () => {
      const split = plan(text);
      assert.equal(rejoin(toParts(split, 'udh8', 7), split), text);
      text = '';
    };
    for (let code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 7) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      text += String.fromCodePoint(code);
      if (text.length >= 2000) check();
    }
    check();
  });

  test('packed septets survive with a header and without', () => {
    for (const concatenation of ['udh8', 'udh16'] as const) {
      for (const length of [7, 8, 100, 160, 161, 400]) {
        const text = 'abcdefg€'.repeat(100).slice(0, length);
        const split = plan(text, { alphabet0: 'gsm-packed', concat: concatenation });
        const parts = toParts(split, concatenation, 3);
        for (const { short_message } of parts) assert.ok(short_message.length <= 140);
        assert.equal(rejoin(parts, split, 'gsm-packed'), text);
      }
    }
  });
});

describe('headers from the network', () => {
  const coding = readDataCoding(0, 'gsm');
  const read = (header: string, text = 'x') => {
    const octets = Buffer.concat([Buffer.from(header, 'hex'), gsm.encode(text)]);
    return readSegment(octets, true, [], coding);
  };
  test('TS 23.040 s.9.2.3.24.1: an 8-bit reference', () => {
    assert.deepEqual(read('0500032a0302').part, { reference: '8:42', total: 3, index: 2 });
  });
  test('TS 23.040 s.9.2.3.24.8: a 16-bit reference', () => {
    assert.deepEqual(read('060804012a0302').part, { reference: '16:298', total: 3, index: 2 });
  });
  test('elements beside the reference are passed over', () => {
    assert.deepEqual(read('08240101' + '00032a0201').part, { reference: '8:42', total: 2, index: 1 });
  });
  test('TS 23.040 s.9.2.3.24.1: a place of 0, beyond the count, or a count of 0 is no part', () => {
    for (const header of ['0500032a0300', '0500032a0304', '0500032a0000']) assert.equal(read(header).part, undefined);
  });
  test('TS 23.040 s.9.2.3.24.4: port addressing marks data for an application', () => {
    assert.equal(read('06050415811581').isForApplication, true);
  });
  test('a header that says more octets than there are is none', () => {
    assert.equal(readSegment(Buffer.from('ff41', 'hex'), true, [], coding).payload.length, 2);
  });
  test('a header whose element is cut short says nothing', () => {
    assert.equal(read('0200ff').part, undefined);
  });
  test('any octets at all are read without an exception', () => {
    const some = fc.uint8Array({ maxLength: 160 });
    fc.assert(
      fc.property(some, fc.boolean(), fc.nat(255), (octets, hasHeader, dataCoding) => {
        const { payload } = readSegment(Buffer.from(octets), hasHeader, [], readDataCoding(dataCoding, 'gsm-packed'));
        assert.equal(typeof textOfPieces([{ payload, dataCoding }], 'gsm-packed'), 'string');
      }),
      { numRuns: 2000 },
    );
  });
});
