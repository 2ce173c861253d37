// The cheapest way to say a text, why, and that nothing is lost on any of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Concat,
  contentOf,
  type DefaultAlphabet,
  gsm,
  languages,
  nationalAlphabet,
  type Part,
  type Piece,
  type Plan,
  planBinary,
  planText,
  readDataCoding,
  readSegment,
  type SplitOptions,
  toParts,
  transliterate,
} from '../../../adapters/smpp/text/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';

const base: SplitOptions = { alphabet0: 'gsm', ucs2: true, concat: 'udh8', maxParts: 255 };
const plan = (text: string, more: Partial<SplitOptions> = {}) => planText(text, { ...base, ...more });
const fails = (reason: string) => (error: unknown) => error instanceof GatewayError && error.reason === reason;

/** What a phone makes of the parts, in the order they are given. */
function readBack(parts: readonly Part[], { dataCoding }: Plan, alphabet0: DefaultAlphabet) {
  const coding = readDataCoding(dataCoding, alphabet0);
  const pieces: Piece[] = [];
  for (const { short_message, hasHeader, tlvs } of parts) {
    const octets = tlvs.find(({ tag }) => tag === 0x424)?.value ?? short_message;
    const { payload, part, udh } = readSegment(octets, hasHeader, tlvs, coding);
    pieces[(part?.index ?? 1) - 1] = { payload, dataCoding, ...(udh ? { udh } : {}) };
  }
  return contentOf(pieces, alphabet0);
}

function airBytes({ short_message, hasHeader, tlvs }: Part, { isSeptets, isPacked }: Plan): number {
  const header = hasHeader ? 1 + (short_message[0] as number) : 0;
  const added = tlvs.length > 0 ? (header > 0 ? 6 : 7) : 0;
  const body = short_message.length - header;
  if (!isSeptets || isPacked) return short_message.length + added;
  return Math.ceil(((header + added) * 8 + body * 7) / 8);
}

describe('the cheapest of default, single, locking, both, UCS-2', () => {
  const cases: Array<[text: string, alphabet: string, count: number, more?: Partial<SplitOptions>]> = [
    ['plain', 'GSM 7-bit', 1],
    ['ş', 'UCS-2', 1],
    [`${'a'.repeat(100)}ş`, 'GSM 7-bit turkish single shift', 1],
    ['ş'.repeat(100), 'GSM 7-bit turkish locking shift', 1],
    [`${'ş'.repeat(150)}^`, 'GSM 7-bit turkish locking shift', 1],
    [`${'आ'.repeat(140)}\u0958A`, 'GSM 7-bit hindi locking and hindi single shift', 1],
    [`${'ş'.repeat(150)}😀`, 'UCS-2', 3],
    [`${'á'.repeat(120)}${'a'.repeat(10)}`, 'GSM 7-bit portuguese locking shift', 1],
    [`${'a'.repeat(150)}ş`, 'UCS-2', 3, { nationalLanguages: [] }],
  ];
  for (const [text, alphabet, count, more = {}] of cases) {
    test(`reference smpp 1.3: ${text.length} characters with ${text.slice(-2)} go as ${count} of ${alphabet}`, () => {
      const found = plan(text, { nationalLanguages: [...languages], ...more });
      assert.deepEqual([found.alphabet, found.count], [alphabet, count]);
    });
  }
  test('reference smpp 7.2: the reason can be read: parts, alphabet, the character, and what would be cheaper', () => {
    assert.equal(plan('plain').reason, '1 part GSM 7-bit');
    assert.equal(plan(`it’s ${'a'.repeat(150)}`).reason, '3 parts UCS-2 because of U+2019; 1 part if transliterated');
    assert.equal(plan(`${'a'.repeat(100)}😀`).reason, '2 parts UCS-2 because of U+1F600; 1 part GSM 7-bit without');
    assert.equal(
      plan('Привет, это сообщение длиннее семидесяти знаков, и потому оно идет частями').reason,
      '2 parts UCS-2 because of U+041F, U+0440, U+0438 and 19 more',
    );
  });
  test('reference smpp 1.3: no way is cheaper than the one chosen', () => {
    const all = languages.flatMap((single) => [{ single }, { locking: single }, { locking: single, single }]);
    const letter = fc.constantFrom(...'aşğÇ^€áõÃकख़ঙ\u0958\u06aa 1');
    fc.assert(
      fc.property(fc.array(letter, { minLength: 60, maxLength: 260 }), (letters) => {
        const text = letters.join('');
        const { count } = plan(text, { nationalLanguages: [...languages] });
        for (const shift of all) {
          const units = nationalAlphabet(shift).measure(text);
          if (units !== undefined) assert.ok(count <= Math.ceil(units / 146), `${count} ${JSON.stringify(shift)}`);
        }
        assert.ok(count <= plan(text).count);
      }),
      { numRuns: 200 },
    );
  });
  test('TS 23.038 s.4: with a class the alphabets of that coding are used whatever 0 means to the bind', () => {
    const flash = (text: string, alphabet0: DefaultAlphabet) =>
      planText(text, { ...base, alphabet0 }, { messageClass: 0 });
    assert.deepEqual([flash('é@', 'latin1').dataCoding, flash('é@', 'latin1').alphabet], [0xf0, gsm.name]);
    assert.deepEqual([flash('ж', 'gsm').dataCoding, flash('ж', 'utf-8').dataCoding], [0x18, 0x18]);
    assert.equal(planText('x', base, { messageClass: 2 }).dataCoding, 0xf2);
  });
});

describe('what npm smpp gets wrong', () => {
  test('reference smpp 3: a text over 255 octets is parts, and no short_message is over 254', () => {
    const planned = plan('ж'.repeat(300));
    for (const { short_message } of toParts(planned, 'udh8', 1)) assert.ok(short_message.length <= 140);
    assert.equal(planned.count, 5);
  });
  test('reference smpp 3: a character outside the alphabet never becomes another one: UCS-2, or a refusal', () => {
    assert.equal(plan('`').dataCoding, 8);
    assert.throws(() => plan('`', { ucs2: false }), fails('unsupported'));
  });
  test('reference smpp 3: GSM 7-bit goes out as data_coding 0 and never as 1, which is IA5 when it comes in', () => {
    assert.equal(plan('a@b_c$').dataCoding, 0);
    assert.equal(contentOf([{ payload: Buffer.from('a@b_c$'), dataCoding: 1 }], 'gsm').text, 'a@b_c$');
  });
});

describe('transliteration', () => {
  const cases: Array<[text: string, said: string | undefined]> = [
    ['it’s “so” – …', 'it\'s "so" - ...'],
    ['ça va? Žižek, Łódź', 'ca va? Zizek, Lodz'],
    ['½ ﬁle № 5 ²', '1/2 file No 5 2'],
    ['cafe\u0301', 'café'],
    ['Åé€£Ω', 'Åé€£Ω'],
    ['œuvre þing', 'oeuvre thing'],
    ['a\u00a0b\u200bc', 'a bc'],
    ['Привет', undefined],
    ['ok 😀', undefined],
  ];
  for (const [text, said] of cases) {
    test(`reference smpp 7.2: ${text} is ${said ?? 'not sayable'}`, () => assert.equal(transliterate(text, gsm), said));
  }
  test('it never changes what the alphabet can say', () => {
    const letter = fc.constantFrom(...'@£$¥èéùìòÇ\nØø\rÅåΔ_ÆæßÉ^{}[]|~€\\ÄÖÑÜ§¿äöñüà abc\'"-');
    fc.assert(
      fc.property(fc.array(letter), (letters) => {
        assert.equal(transliterate(letters.join(''), gsm), letters.join(''));
      }),
    );
  });
  test('whatever it says the alphabet has', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const said = transliterate(text, gsm);
        assert.ok(said === undefined || gsm.measure(said) !== undefined);
      }),
      { numRuns: 2000 },
    );
  });
  test('reference smpp 7.2: transliteration: it is off by default, and on only where it saves parts', () => {
    const text = `it’s ${'a'.repeat(100)}`;
    assert.equal(plan(text).alphabet, 'UCS-2');
    const saved = plan(text, { transliterate: true });
    assert.deepEqual([saved.count, saved.texts[0]?.slice(0, 4)], [1, "it's"]);
    assert.match(saved.reason, /^1 part GSM 7-bit, transliterated because of U\+2019$/);
    assert.deepEqual(plan('it’s', { transliterate: true }).texts, ['it’s']);
  });
  test('where the carrier has no UCS-2 it is what is left', () => {
    assert.deepEqual(plan('it’s', { ucs2: false, transliterate: true }).texts, ["it's"]);
    assert.throws(() => plan('Привет', { ucs2: false, transliterate: true }), fails('unsupported'));
  });
});

describe('there and back on every way', () => {
  const concat = fc.constantFrom<Concat>('udh8', 'udh16', 'sar', 'payload');
  const alphabet0 = fc.constantFrom<DefaultAlphabet>('gsm', 'latin1', 'ia5', 'gsm-packed', 'utf-8');
  const piece = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...'abcXYZ @€{}[]\n\r£éşğİıçÇáõकखगघ\u0958\u0950\u06aa\u0679১২') },
    { weight: 1, arbitrary: fc.constantFrom('👩‍👩‍👧', '😀', '🇬🇧', '\r\n', 'é', 'क्षि') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
  );
  const kinds = [
    fc.array(piece, { maxLength: 400 }),
    fc.array(fc.constantFrom(...'abcşğİıçÇ^{€ '), { maxLength: 500 }),
    fc.array(fc.constantFrom(...'कखगघङचछ\u0958\u0950AB^12 '), { maxLength: 500 }),
  ];
  const text = fc.oneof(...kinds).map((all) => all.join(''));
  const allowed = fc.subarray([...languages]);

  test('reference smpp 1.3: any text, any bind, split and rejoined in any order, is the same; no part is over 140 octets', () => {
    fc.assert(
      fc.property(text, concat, alphabet0, allowed, fc.nat(0xffff), (said, how, zero, tables, reference) => {
        const options = { ...base, concat: how, alphabet0: zero, nationalLanguages: tables };
        const planned = planText(said, options);
        const parts = toParts(planned, how, reference);
        if (zero !== 'utf-8') for (const part of parts) assert.ok(airBytes(part, planned) <= 140 || how === 'payload');
        const order = [...parts].sort((one, other) => one.short_message.compare(other.short_message));
        // A packed @ or CR at the very end cannot be told from a filler (TS 23.038 s.6.1.2.3.1).
        const isFiller = planned.isPacked && planned.bodies.some((body) => body.at(-1) === 0 || body.at(-1) === 0x0d);
        if (!isFiller) assert.equal(readBack(order, planned, zero).text, said.toWellFormed());
      }),
      { numRuns: 600 },
    );
  });
  test('reference smpp 7.2: every code point, on every kind of bind, with and without tables', () => {
    for (const zero of ['gsm', 'latin1', 'ia5', 'utf-8'] as const) {
      for (const nationalLanguages of [[], [...languages]]) {
        let said = '';
        for (let code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 257) {
          if (code < 0xd800 || code > 0xdfff) said += String.fromCodePoint(code);
          if (said.length < 900 && code + 257 <= 0x10ffff) continue;
          const planned = plan(said, { alphabet0: zero, nationalLanguages });
          assert.equal(readBack(toParts(planned, 'udh8', 1), planned, zero).text, said);
          said = '';
        }
      }
    }
  });
  test('reference smpp 7.2: every code point on its own: what is chosen says it', () => {
    for (let code = 0; code <= 0x10ffff; code += code < 0x10000 ? 1 : 97) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const said = `${'a'.repeat(75)}${String.fromCodePoint(code)}`;
      const planned = plan(said, { nationalLanguages: ['turkish', 'hindi', 'urdu'] });
      assert.equal(readBack(toParts(planned, 'udh8', 1), planned, 'gsm').text, said);
    }
  });
  test('reference smpp 1.3: what data_coding 0 means is the bind’s: UTF-8, longer on the wire than on the air, travels as a payload', () => {
    const planned = plan('é'.repeat(160), { alphabet0: 'utf-8' });
    const [part] = toParts(planned, 'udh8', 1);
    assert.deepEqual([planned.count, planned.dataCoding, part?.short_message.length], [1, 0, 0]);
    assert.equal(part?.tlvs[0]?.value.toString(), 'é'.repeat(160));
    assert.equal(plan('ж'.repeat(71), { alphabet0: 'utf-8' }).count, 2);
  });
});

describe('octets that are no text', () => {
  const octets = (length: number) => Buffer.alloc(length, 0xab).toString('base64');
  test('TS 23.040 s.9.2.3.24.4: they go as they are, with their header', () => {
    const planned = planBinary({ data: 'qrs=', udh: '05040b8423f0', dataCoding: 0x04 }, 'udh8', 10);
    const [part] = toParts(planned, 'udh8', 0);
    assert.equal(part?.short_message.toString('hex'), '0605040b8423f0aabb');
    assert.deepEqual([part?.hasHeader, planned.dataCoding, planned.count], [true, 4, 1]);
  });
  test('more than 140 octets are parts, each with the header, and come back whole', () => {
    for (const how of ['udh8', 'udh16', 'sar', 'payload'] as const) {
      const binary = { data: octets(300), udh: '05040b8423f0', dataCoding: 0xf5 };
      const planned = planBinary(binary, how, 10);
      const parts = toParts(planned, how, 7);
      assert.deepEqual([planned.count, parts.length], [3, how === 'payload' ? 1 : 3]);
      for (const part of parts) assert.ok(airBytes(part, planned) <= 140 || how === 'payload');
      const { binary: back, text, messageClass } = readBack(parts, planned, 'gsm');
      assert.deepEqual(
        [back?.data.toString('base64'), back?.udh?.toString('hex'), back?.port, back?.dataCoding, text, messageClass],
        [binary.data, '05040b8423f0', 0x0b84, 0xf5, '', 1],
      );
    }
  });
  test('a header that is cut short is malformed, what leaves no room or is a part already is too large', () => {
    const refused =
      (binary: { data: string; udh: string }, most = 10) =>
      () =>
        planBinary({ ...binary, dataCoding: 4 }, 'udh8', most);
    assert.throws(refused({ data: '', udh: '0504' }), fails('malformed'));
    assert.throws(refused({ data: octets(200), udh: '0003010201' }), fails('too-large'));
    assert.throws(refused({ data: octets(1), udh: `0a8a${'00'.repeat(138)}` }), fails('too-large'));
    assert.throws(refused({ data: octets(2000), udh: '' }), fails('too-large'));
  });
  test('any octets and any header that has room come back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(0xffff), (data, port) => {
        const udh = `0504${port.toString(16).padStart(4, '0')}0000`;
        const binary = { data: Buffer.from(data).toString('base64'), udh, dataCoding: 4 };
        const planned = planBinary(binary, 'udh16', 255);
        const { binary: back } = readBack(toParts(planned, 'udh16', 9).reverse(), planned, 'gsm');
        assert.deepEqual([back?.data.toString('base64'), back?.udh?.toString('hex')], [binary.data, udh]);
      }),
    );
  });
});
