// Presence events <-> presence documents: RFC 8048 s.6 and the table of the reference, both ways.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DevicePresence, devicesOf, documentOf } from '../../../adapters/sip/mapping/presence.ts';
import { parseAddress } from '../../../src/contract/index.ts';
import { decodePidf, encodePidf, encodeXpidf } from '../../../src/formats/pidf/index.ts';

const presentity = parseAddress('sip:juliet@example.com');
const at = Date.parse('2026-05-01T12:00:00Z');
const document = (...devices: DevicePresence[]) => documentOf(devices, { presentity, at });
const throughWire = (...devices: DevicePresence[]) => devicesOf(decodePidf(encodePidf(document(...devices))));
/** Without what the document adds: where the device answers. */
const plain = (states: readonly DevicePresence[]): unknown =>
  JSON.parse(JSON.stringify(states.map(({ device: _, ...state }) => state)));
const read = (inside: string) =>
  devicesOf(
    decodePidf(`<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:r" entity="sip:a@h">${inside}</presence>`),
  );
const tuple = (inside: string, more = '') =>
  read(`<tuple id="t"><status><basic>open</basic>${inside}</status>${more}</tuple>`)[0]?.availability;
const doing = (...words: string[]) => `<r:activities>${words.map((word) => `<r:${word}/>`).join('')}</r:activities>`;

test('RFC 8048 s.6.2: the document of its example, word for word', () => {
  const states: DevicePresence[] = [
    { resource: 'yn0cl4bnw0yr3vym', availability: 'away', priority: 13, notes: { en: 'retired to the chamber' } },
  ];
  const text = encodePidf(document(...states));
  for (const part of [
    'entity="pres:juliet@example.com"',
    '<tuple id="ID-yn0cl4bnw0yr3vym"><status><basic>open</basic><show xmlns="jabber:client">away</show></status>',
    '<contact priority="0.102">sip:juliet@example.com;gr=yn0cl4bnw0yr3vym</contact>',
    '<note xml:lang="en">retired to the chamber</note>',
    '<rpid:activities><rpid:away/></rpid:activities>',
    '<timestamp>2026-05-01T12:00:00.000Z</timestamp>',
  ]) {
    assert.ok(text.includes(part), `${part}\n${text}`);
  }
});

test('reference sip 2: what clients send reads as written beside it', () => {
  const folder = join(import.meta.dirname, '../../wire/sip');
  for (const file of globSync('{rfc3863,rfc4480,rfc8048,presence-as-sent}/*.json', { cwd: folder })) {
    const beside = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { devices: unknown };
    const states = devicesOf(decodePidf(readFileSync(join(folder, file.replace('.json', '.xml')))));
    assert.deepEqual(JSON.parse(JSON.stringify(states)), beside.devices, file);
  }
});

test('RFC 8048 s.6.2, notes 4 and 5: available is open, unavailable is closed', () => {
  assert.deepEqual(
    document({ resource: 'a', availability: 'available' }, { resource: 'b', availability: 'unavailable' }).tuples.map(
      ({ basic }) => basic,
    ),
    ['open', 'closed'],
  );
  assert.equal(read('<tuple id="t"><status><basic>closed</basic></status></tuple>')[0]?.availability, 'unavailable');
});

test('RFC 8048 s.6.2, note 6: priority is contact priority, 0 to 127 in unique steps, and below 0 nothing', () => {
  const written = new Set<string>();
  for (let priority = -128; priority <= 127; priority++) {
    const [state] = throughWire({ resource: 'a', availability: 'available', priority });
    assert.equal(state?.priority, priority < 0 ? undefined : priority);
    const text = / priority="([^"]*)"/.exec(
      encodePidf(document({ resource: 'a', availability: 'chat', priority })),
    )?.[1];
    if (priority < 0) assert.equal(text, undefined);
    else written.add(text ?? '');
    if (priority === 0) assert.equal(text, '0');
    if (priority === 127) assert.equal(text, '1');
  }
  assert.equal(written.size, 128);
});

test('RFC 8048 s.6.2, note 7: show goes as <show xmlns="jabber:client"> inside status and as RPID, and comes back from either', () => {
  for (const [availability, show, activity] of [
    ['away', 'away', 'away'],
    ['extended-away', 'xa', 'away'],
    ['busy', 'dnd', 'busy'],
    ['chat', 'chat', undefined],
  ] as const) {
    const { tuples, person } = document({ resource: 'a', availability });
    assert.deepEqual([tuples[0]?.show, person?.activities?.[0]], [show, activity]);
    assert.equal(tuple(`<show xmlns="jabber:client">${show}</show>`), availability);
    const { person: _, ...silent } = document({ resource: 'a', availability });
    assert.equal(devicesOf(silent)[0]?.availability, availability);
  }
  assert.equal(tuple('<show xmlns="jabber:client">online</show>'), 'available');
  assert.equal(tuple('<show xmlns="jabber:client">constructor</show>'), 'available');
});

test('reference sip 3.4: RPID activities say show where no <show/> does', () => {
  for (const [words, availability] of [
    [['away'], 'away'],
    [['vacation'], 'extended-away'],
    [['holiday'], 'extended-away'],
    [['permanent-absence'], 'extended-away'],
    [['busy'], 'busy'],
    [['on-the-phone'], 'busy'],
    [['meeting'], 'busy'],
    [['presentation'], 'busy'],
    [['performance'], 'busy'],
    [['steering'], 'busy'],
    [['away', 'on-the-phone'], 'busy'],
    [['meal'], 'available'],
    [[], 'available'],
  ] as const) {
    assert.equal(tuple('', doing(...words)), availability, words.join());
    assert.equal(
      read(`<tuple id="t"><status><basic>open</basic></status></tuple><r:person>${doing(...words)}</r:person>`)[0]
        ?.availability,
      availability,
    );
  }
  assert.equal(tuple('<show xmlns="jabber:client">chat</show>', doing('meeting')), 'chat');
});

test('reference sip 3.4: no activity and user-input active is chat; chat says so', () => {
  assert.equal(tuple('', '<r:user-input>active</r:user-input>'), 'chat');
  assert.equal(tuple('', `<r:user-input>active</r:user-input>${doing('meal')}`), 'available');
  assert.deepEqual(document({ resource: 'a', availability: 'chat' }).tuples[0]?.input, { isIdle: false });
});

test('reference sip 3.4: other activities and moods are kept, those that only repeat the availability are not', () => {
  const [state] = read(
    `<tuple id="t"><status><basic>open</basic></status></tuple><r:person>${doing('away', 'meal', 'travel')}<r:mood><r:happy/></r:mood></r:person>`,
  );
  assert.deepEqual([state?.availability, state?.activities, state?.moods], ['away', ['meal', 'travel'], ['happy']]);
});

test('RFC 4480 s.3.14: idle is since when; idle without a time is away', () => {
  const idle = (attributes: string) =>
    read(
      `<tuple id="t"><status><basic>open</basic></status><r:user-input ${attributes}>idle</r:user-input></tuple>`,
    )[0];
  const since = '2026-01-01T00:00:00.000Z';
  assert.deepEqual(idle(`last-input="${since}"`), { resource: 't', availability: 'available', idleSince: since });
  assert.equal(idle('idle-threshold="60"')?.availability, 'away');
});

test('reference sip 3.4: several resources are several tuples, and the person is what the first among them is about', () => {
  const states: DevicePresence[] = [
    { resource: 'phone', availability: 'away', priority: 1 },
    { resource: 'desk', availability: 'busy', priority: 9, activities: ['on-the-phone'], moods: ['happy'] },
    { resource: 'old', availability: 'unavailable', priority: 99 },
  ];
  const { tuples, person } = document(...states);
  assert.deepEqual(
    tuples.map(({ id, activities }) => [id, activities]),
    [
      ['ID-phone', ['away']],
      ['ID-desk', undefined],
      ['ID-old', []],
    ],
  );
  assert.deepEqual([person?.activities, person?.moods], [['on-the-phone'], ['happy']]);
  assert.deepEqual(
    throughWire(...states).map(({ resource, availability, activities }) => [resource, availability, activities]),
    [
      ['phone', 'away', undefined],
      ['desk', 'busy', ['on-the-phone']],
      ['old', 'unavailable', undefined],
    ],
  );
});

test('RFC 8048 s.6.2, note 2: a device is called what our id says, else the gr of its contact, else its tuple id', () => {
  const status = '<status><basic>open</basic></status>';
  const names = (inside: string) => read(inside).map(({ resource }) => resource);
  assert.deepEqual(
    names(
      `<tuple id="ID-balcony">${status}<contact>sip:a@h;gr=x</contact></tuple>` +
        `<tuple id="t1">${status}<contact>sip:a@h;gr=urn%3Auuid:1</contact></tuple>` +
        `<tuple id="t2">${status}<contact>sip:a@h;gr=urn%3Auuid:1</contact></tuple><tuple id="t3">${status}</tuple>`,
    ),
    ['balcony', 'urn:uuid:1', 't2', 't3'],
  );
  assert.deepEqual(names(`<tuple id="a&#9;b">${status}</tuple>`), ['ab']);
});

test('RFC 3863 s.4.1.1: a document without tuples is a person of whom no device is known', () => {
  assert.deepEqual(read(''), [{ availability: 'unknown' }]);
  assert.deepEqual(read('<note>waiting</note>'), [{ availability: 'unknown', notes: { '': 'waiting' } }]);
  assert.deepEqual(document({ availability: 'unknown' }).tuples, []);
});

test('RFC 8048 s.6.2: a person as a whole is unavailable: one closed tuple that names no device', () => {
  const { tuples } = document({ availability: 'unavailable' });
  assert.deepEqual([tuples[0]?.id, tuples[0]?.basic, tuples[0]?.contact], ['ID-', 'closed', undefined]);
  assert.deepEqual(throughWire({ availability: 'unavailable' }), [{ availability: 'unavailable' }]);
});

test('RFC 4479 s.3.4: what a device is called goes with it', () => {
  const [state] = throughWire({ resource: 'a', availability: 'available', device: { name: "Juliet's telephone" } });
  assert.equal(state?.device?.name, "Juliet's telephone");
});

test('RFC 3863 s.4.2: extensions go through unless they are no XML', () => {
  const extensions = [
    '<a xmlns="u:a" x="1">b</a>',
    '</presence>',
    '<a',
    '<a xmlns="u:a"/><b/>',
    `<a>${'x'.repeat(9_000)}</a>`,
  ];
  assert.deepEqual(
    throughWire({ resource: 'a', availability: 'available', extensions })[0]?.extensions,
    extensions.slice(0, 1),
  );
});

test('reference sip 3.4: devices survive the way to a document and back, whatever they are called and say', () => {
  const text = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
    .map((value) => value.trim())
    .filter((value) => value !== '' && !/[\0-\x1f\x7f]/.test(value));
  const time = fc
    .date({ min: new Date(0), max: new Date('2099-01-01'), noInvalidDate: true })
    .map((moment) => moment.toISOString());
  const state = fc.record(
    {
      availability: fc.constantFrom('available', 'chat', 'away', 'extended-away', 'busy', 'unavailable'),
      notes: fc.dictionary(fc.constantFrom('', 'en', 'de-CH'), text, { minKeys: 1 }),
      priority: fc.integer({ min: 0, max: 127 }),
      activities: fc.uniqueArray(fc.constantFrom('meal', 'travel', 'reading & writing'), { minLength: 1 }),
      moods: fc.uniqueArray(fc.constantFrom('happy', 'in_love', 'very odd'), { minLength: 1 }),
      idleSince: time,
      extensions: fc.constant<string[]>(['<e xmlns="u:e"/>']),
      resource: text,
    },
    { requiredKeys: ['availability', 'resource'] },
  );
  const devices = fc.uniqueArray(state, { maxLength: 5, minLength: 1, selector: ({ resource }) => resource });
  fc.assert(
    fc.property(devices, (states) => {
      // A closed tuple has no contact, so no priority.
      const expected = states.map(({ priority, ...rest }) =>
        priority === undefined || rest.availability === 'unavailable' ? rest : { ...rest, priority },
      );
      assert.deepEqual(plain(throughWire(...states)), plain(expected));
    }),
  );
});

test('reference sip 2: a watcher who only knows xpidf is told open, away, busy or closed', () => {
  const told = (availability: DevicePresence['availability']) =>
    devicesOf(decodePidf(encodeXpidf(document({ resource: 'a', availability }))))[0]?.availability;
  assert.deepEqual((['available', 'chat', 'away', 'extended-away', 'busy', 'unavailable'] as const).map(told), [
    'available',
    'available',
    'away',
    'away',
    'busy',
    'unavailable',
  ]);
});
