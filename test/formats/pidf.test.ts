// Presence documents: the samples of their RFCs, what clients really send, every id and text, broken ones by the million.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodePidf,
  emptyDocument,
  encodePidf,
  encodeXpidf,
  nameOfTupleId,
  type PidfDevice,
  type PidfDocument,
  type PidfTuple,
  tupleIdOf,
} from '../../src/formats/pidf/index.ts';
import { childOf, parseXml, XmlError } from '../../src/formats/xml.ts';

const folder = join(import.meta.dirname, '../wire/sip');
const golden = globSync('{rfc3863,rfc4480,rfc8048,presence-as-sent}/*.xml', { cwd: folder });
const presence = (inside: string, attributes = 'entity="pres:a@example.com"') =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:x="urn:x" ${attributes}>${inside}</presence>`;
const tupleWith = (inside: string) =>
  decodePidf(presence(`<tuple id="t"><status><basic>open</basic></status>${inside}</tuple>`)).tuples[0] as PidfTuple;
const plain = (document: PidfDocument): unknown => JSON.parse(JSON.stringify(document));

test('RFC 3863 s.4.3: the samples read as written beside them, and come back the same when written and read again', () => {
  assert.equal(golden.length, 10);
  for (const file of golden) {
    const document = decodePidf(readFileSync(join(folder, file)));
    const beside = JSON.parse(readFileSync(join(folder, file.replace('.xml', '.json')), 'utf8')) as {
      document: unknown;
    };
    assert.deepEqual(plain(document), beside.document, file);
    // A tuple of which nothing is said is not written.
    const tuples = document.tuples.filter(({ basic }) => basic !== undefined);
    assert.deepEqual(plain(decodePidf(encodePidf(document))), plain({ ...document, tuples }), file);
  }
});

test('RFC 3863 s.4.1.1: an empty document says who, and nothing of them', () => {
  const document = emptyDocument('pres:a@example.com');
  assert.deepEqual(decodePidf(encodePidf(document)), document);
});

test('reference sip 3.7: entity is a pres: or a sip: URI, or missing', () => {
  assert.equal(decodePidf(presence('', 'entity="sip:b@h"')).entity, 'sip:b@h');
  assert.equal(decodePidf(presence('', '')).entity, '');
});

test('reference sip 3.7: a tuple has an id of its own even where its sender forgot, or used one twice', () => {
  const status = '<status><basic>open</basic></status>';
  const ids = (inside: string) => decodePidf(presence(inside)).tuples.map(({ id }) => id);
  assert.deepEqual(ids(`<tuple>${status}</tuple><tuple>${status}</tuple>`), ['entry', 'entry.2']);
  assert.deepEqual(ids(`<tuple id="a">${status}</tuple><tuple id="a">${status}</tuple>`), ['a', 'a.2']);
});

test('RFC 3863 s.4.1.2, s.4.1.7: status, extensions, contact, notes and timestamp are written in this order', () => {
  const text = encodePidf({
    ...emptyDocument('pres:a@h'),
    tuples: [
      {
        id: 't',
        timestamp: '2026-01-01T00:00:00.000Z',
        notes: { en: 'n' },
        priority: 0.5,
        contact: 'sip:a@h',
        extensions: ['<e xmlns="u:e"/>'],
        activities: ['away'],
        statusExtensions: ['<s xmlns="u:s"/>'],
        show: 'away',
        basic: 'open',
      },
    ],
  });
  const tuple = childOf(parseXml(text), 'tuple');
  assert.deepEqual(
    tuple?.children.map((child) => (typeof child === 'string' ? child : child.name)),
    ['status', 'activities', 'e', 'contact', 'note', 'timestamp'],
  );
  const status = tuple && childOf(tuple, 'status');
  assert.deepEqual(
    status?.children.map((child) => (typeof child === 'string' ? child : `${child.ns} ${child.name}`)),
    ['urn:ietf:params:xml:ns:pidf basic', 'jabber:client show', 'u:s s'],
  );
});

test('RFC 3863 s.4.1.3: a status has at least one child, so a tuple that says nothing is not written', () => {
  const silent: PidfTuple = { id: 't', notes: {}, extensions: [], statusExtensions: [] };
  assert.ok(!encodePidf({ ...emptyDocument('pres:a@h'), tuples: [silent] }).includes('<tuple'));
});

test('RFC 3863 s.4.1.5: priority is a decimal from 0 to 1; what is out of range, or none, is as good as missing', () => {
  const priority = (text: string) => tupleWith(`<contact priority="${text}">sip:a@h</contact>`).priority;
  for (const [text, value] of [
    ['0', 0],
    ['0.5', 0.5],
    ['.5', 0.5],
    ['1', 1],
    ['1.0', 1],
    ['1.000', 1],
    ['0.800000', 0.8],
  ] as const) {
    assert.equal(priority(text), value, text);
  }
  for (const text of ['1.1', '-0.1', '2', '', 'high', '1e-1', '0,5', 'NaN', '١']) {
    assert.equal(priority(text), undefined, text);
  }
});

test('RFC 3863 s.4.1.5: priority is written with at most three decimals', () => {
  const written = (priority: number) =>
    /priority="([^"]*)"/.exec(
      encodePidf({
        ...emptyDocument('pres:a@h'),
        tuples: [
          { id: 't', basic: 'open', contact: 'sip:a@h', priority, notes: {}, extensions: [], statusExtensions: [] },
        ],
      }),
    )?.[1];
  assert.deepEqual([0, 1, 1 / 3, 0.1, 100 / 127].map(written), ['0', '1', '0.333', '0.1', '0.787']);
});

test('RFC 3863 s.4.1.6: a note says its language, or has that of what encloses it', () => {
  const note = (text: string) => tupleWith(text).notes;
  assert.deepEqual(note('<note xml:lang="fr">ici</note><note>here</note>'), { fr: 'ici', '': 'here' });
  assert.deepEqual(note('<note xml:lang="en">a</note><note xml:lang="en">b</note>'), { en: 'a\nb' });
  assert.deepEqual(note('<note xml:lang="__proto__">a</note><note xml:lang="constructor">b</note>'), {
    '': 'a',
    constructor: 'b',
  });
  const { tuples, notes } = decodePidf(
    presence('<tuple id="t" xml:lang="de"><note>da</note></tuple><note>here</note>', 'xml:lang="en" entity="pres:a@h"'),
  );
  assert.deepEqual([tuples[0]?.notes, notes], [{ de: 'da' }, { en: 'here' }]);
});

test('RFC 3863 s.4.1.7: a timestamp is RFC 3339; small letters and missing zones are forgiven, the rest is left out', () => {
  const time = (text: string) => tupleWith(`<timestamp>${text}</timestamp>`).timestamp;
  assert.equal(time('2005-05-30T16:09:44+05:00'), '2005-05-30T11:09:44.000Z');
  assert.equal(time(' 2005-05-30t16:09:44.5z '), '2005-05-30T16:09:44.500Z');
  assert.equal(time('2005-05-30T16:09:44'), '2005-05-30T16:09:44.000Z');
  for (const wrong of ['', 'now', '2005-13-30T16:09:44Z', '2005-05-30', '9999-12-31T23:59:59-05:00']) {
    assert.equal(time(wrong), undefined, wrong);
  }
});

test('RFC 3863 s.4.2.3: what nobody knows is ignored, and carried along so that it stands alone', () => {
  const tuple = tupleWith('<x:odd p:level="3" xml:lang="en">a<x:b/></x:odd>');
  assert.deepEqual(tuple.extensions, [
    '<odd xmlns="urn:x" xmlns:p="urn:ietf:params:xml:ns:pidf" p:level="3" xml:lang="en">a<b/></odd>',
  ]);
});

test('reference sip 3.7: what must be understood and is not makes its parent void, and only that', () => {
  const must = '<x:odd p:mustUnderstand="true"/>';
  const open = '<status><basic>open</basic></status>';
  const { tuples, devices, person } = decodePidf(
    presence(
      `<tuple id="a">${open}${must}</tuple><tuple id="b">${open}</tuple><tuple id="c"><status>${must}<basic>open</basic></status></tuple>` +
        `<x:device id="d">${must}</x:device><x:person id="p">${must}</x:person>`,
    ),
  );
  assert.deepEqual(
    tuples.map(({ id, basic }) => [id, basic]),
    [
      ['b', 'open'],
      ['c', undefined],
    ],
  );
  assert.deepEqual([devices, person], [[], undefined]);
  assert.throws(() => decodePidf(presence(must)), XmlError);
  assert.equal(decodePidf(presence('<x:odd p:mustUnderstand="false"/>')).extensions.length, 1);
});

test('RFC 4479 s.3.5: of two persons that contradict each other the later counts', () => {
  const person = (id: string, time: string, doing: string) =>
    `<x:person id="${id}"><x:activities><x:${doing}/></x:activities><x:timestamp>${time}</x:timestamp></x:person>`;
  const early = person('p1', '2026-01-01T00:00:00Z', 'meal');
  const late = person('p2', '2026-01-01T00:00:01Z', 'travel');
  for (const both of [early + late, late + early]) {
    assert.deepEqual(decodePidf(presence(both)).person?.activities, ['travel']);
  }
});

test('RFC 4480 s.3.2: activities that RFC 4480 does not list are <other>, none at all is <unknown/>', () => {
  const text = (activities: string[]) =>
    encodePidf({ ...emptyDocument('pres:a@h'), person: { id: 'p', activities, notes: {}, extensions: [] } });
  assert.match(text(['meal', 'knitting <fast>']), /<rpid:meal\/><rpid:other>knitting &lt;fast&gt;<\/rpid:other>/);
  assert.match(text([]), /<rpid:activities><rpid:unknown\/><\/rpid:activities>/);
  for (const words of [[], ['meal', 'knitting'], ['other'], ['unknown', 'note']]) {
    assert.deepEqual(decodePidf(text(words)).person?.activities, words);
  }
});

test('RFC 4480 s.3.14: user-input says since when nobody has touched it', () => {
  const input = (text: string) => tupleWith(text).input;
  assert.deepEqual(input('<x:user-input last-input="2026-01-01T00:00:00Z">idle</x:user-input>'), {
    isIdle: true,
    since: '2026-01-01T00:00:00.000Z',
  });
  assert.deepEqual(input('<x:user-input idle-threshold="60">idle</x:user-input>'), { isIdle: true });
  assert.deepEqual(input('<x:user-input>active</x:user-input>'), { isIdle: false });
});

test('RFC 5196: capabilities of a service are carried as they came', () => {
  const caps = '<servcaps xmlns="urn:ietf:params:xml:ns:pidf:caps"><audio>true</audio></servcaps>';
  const tuple = tupleWith(caps);
  assert.deepEqual(tuple.extensions, [caps]);
  assert.ok(encodePidf({ ...emptyDocument('pres:a@h'), tuples: [tuple] }).includes(caps));
});

test('reference sip 3.4: every device name has a tuple id that is an xs:ID, starts with ID-, and stands for it alone', () => {
  assert.equal(tupleIdOf('balcony'), 'ID-balcony');
  assert.equal(tupleIdOf('Küche 2'), 'ID-K_c3_bcche_202');
  assert.equal(tupleIdOf('a_b'), 'ID-a_5fb');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const id = tupleIdOf(name);
      assert.match(id, /^ID-[A-Za-z0-9._-]*$/);
      assert.equal(nameOfTupleId(id), name);
    }),
  );
});

test("reference sip 3.4: an id that we would not have made is nobody's name: t1, ID-K_C3, ID-_41, ID-_ff", () => {
  for (const id of ['t1', 'ID-K_C3_BC', 'ID-_41', 'ID-_ff', 'ID-a b', ''])
    assert.equal(nameOfTupleId(id), undefined, id);
});

test("reference sip 2: xpidf is read (a document type, comments, Microsoft's words) and written for those who know no other", () => {
  const tuples: PidfTuple[] = [
    {
      id: 'ID-a',
      basic: 'open',
      show: 'dnd',
      contact: 'sip:a@h;gr=a',
      priority: 1,
      notes: {},
      extensions: [],
      statusExtensions: [],
    },
    { id: 'ID-b', basic: 'open', notes: {}, extensions: [], statusExtensions: [] },
    { id: 'ID-c', basic: 'open', activities: ['away'], notes: {}, extensions: [], statusExtensions: [] },
    { id: 'ID-d', basic: 'closed', notes: {}, extensions: [], statusExtensions: [] },
  ];
  const text = encodeXpidf({ ...emptyDocument('sip:a@h'), tuples });
  assert.match(text, /<!DOCTYPE presence PUBLIC /);
  const read = decodePidf(text);
  assert.equal(read.entity, 'sip:a@h');
  assert.deepEqual(
    read.tuples.map(({ id, basic, activities, priority, contact }) => [id, basic, activities, priority, contact]),
    [
      ['ID-a', 'open', ['busy'], 1, 'sip:a@h;gr=a'],
      ['ID-b', 'open', undefined, undefined, 'sip:a@h'],
      ['ID-c', 'open', ['away'], undefined, 'sip:a@h'],
      ['ID-d', 'closed', undefined, undefined, 'sip:a@h'],
    ],
  );
});

test('what a document type declares does not exist, so nothing is ever expanded', () => {
  const bomb = '<!DOCTYPE presence [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>';
  assert.throws(() => decodePidf(`${bomb}${presence('<note>&b;</note>')}`), XmlError);
  assert.deepEqual(decodePidf(`<?xml version="1.0"?>${bomb}<!-- c -->${presence('<note>n</note>')}<?p i?>`).notes, {
    '': 'n',
  });
});

test('DESIGN 8: size, depth and the number of tuples are bounded', () => {
  assert.throws(() => decodePidf(presence(`<note>${'x'.repeat(70_000)}</note>`)), /65536/);
  assert.throws(() => decodePidf(Buffer.alloc(1_000_000, 'x')), XmlError);
  assert.throws(() => decodePidf(presence('<x:a>'.repeat(20) + '</x:a>'.repeat(20))), /16/);
  assert.throws(() => decodePidf(presence('<tuple/>'.repeat(65))), /64/);
  assert.equal(decodePidf(presence('<tuple/>'.repeat(64))).tuples.length, 64);
});

test('RFC 3863 s.4.1: what is no presence document is refused: other roots, other XML, nothing', () => {
  for (const text of ['', ' ', 'hello', '<html/>', '<presence', presence('') + presence(''), '\ufeff']) {
    assert.throws(() => decodePidf(text), XmlError, text);
  }
  assert.deepEqual(decodePidf(Buffer.from(`\ufeff${presence('')}`)).tuples, []);
});

test('DESIGN 8: any document survives being written and read again, whatever stands in its texts', () => {
  const text = fc
    .string({ unit: 'grapheme' })
    .map((value) => value.trim())
    .filter((value) => !/\r/.test(value));
  const filled = text.filter((value) => value !== '');
  const word = fc.constantFrom('away', 'meal', 'on-the-phone', 'other', 'unknown', 'note', 'knitting & purling');
  const notes = fc.dictionary(fc.constantFrom('', 'en', 'zh-Hant'), filled);
  const time = fc
    .date({ min: new Date(0), max: new Date('2099-01-01'), noInvalidDate: true })
    .map((at) => at.toISOString());
  const entry = {
    notes,
    extensions: fc.subarray(['<a xmlns="u:a"/>', '<b xmlns="">&lt;</b>']),
    activities: fc.uniqueArray(word),
    timestamp: time,
  };
  const tuple = fc.record(
    {
      ...entry,
      basic: fc.constantFrom('open' as const, 'closed' as const),
      statusExtensions: fc.subarray(['<c xmlns="u:c"/>']),
      show: fc.constantFrom('away', 'chat'),
      contact: filled,
      input: fc.record({ isIdle: fc.boolean(), since: time }, { requiredKeys: ['isIdle'] }),
      deviceId: filled,
    },
    { requiredKeys: ['basic', 'notes', 'extensions', 'statusExtensions'] },
  );
  const document = fc.record({
    entity: text,
    tuples: fc.array(tuple, { maxLength: 4 }).map((all) => all.map((one, index) => ({ ...one, id: `t${index}` }))),
    person: fc.record(entry, { requiredKeys: ['notes', 'extensions'] }).map((person) => ({ ...person, id: 'person' })),
    devices: fc.constant<PidfDevice[]>([]),
    notes,
    extensions: fc.subarray(['<d xmlns="u:d"/>']),
  });
  fc.assert(
    fc.property(document, (written) => {
      assert.deepEqual(plain(decodePidf(encodePidf(written))), plain(written));
    }),
  );
});

test('RFC 3863 s.4.1.4: basic is open or closed, and what is neither says nothing', () => {
  const basicOf = (basic: string) =>
    decodePidf(
      `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a@h"><tuple id="t"><status>${basic}</status></tuple></presence>`,
    ).tuples[0]?.basic;
  assert.deepEqual([basicOf('<basic>open</basic>'), basicOf('<basic> closed </basic>')], ['open', 'closed']);
  for (const none of ['<basic>?</basic>', '<basic/>', '', '<basic>OPEN or so</basic>'])
    assert.equal(basicOf(none), undefined, none);
});
