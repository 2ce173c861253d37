// Mood and activity in the words of RPID and of XMPP, and who is told of them when.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heard } from '../../../adapters/xmpp/heard.ts';
import {
  answeredNews,
  extendedOf,
  fromNews,
  type Kind,
  type News,
  newsOf,
  questionAbout,
} from '../../../adapters/xmpp/mapping/extended-presence.ts';
import { Told } from '../../../adapters/xmpp/told.ts';
import { type DraftOf, type EventOf, parseAddress } from '../../../src/contract/index.ts';
import { activityWords, moodWords } from '../../../src/formats/pidf/rpid-words.ts';
import { parseXml, serializeXml } from '../../../src/formats/xml.ts';
import { sampleEvent } from '../../peers/events.ts';
import { MemoryState } from '../../peers/hub.ts';

const domain = 'sip.xmpp.example';
const bob = parseAddress(`xmpp:bob\\40other.net@${domain}`);
const alice = parseAddress('xmpp:alice@xmpp.example');
const pair = { watcher: bob, presentity: alice };
const uri = (kind: Kind) => `http://jabber.org/protocol/${kind}`;

const written = (kind: Kind, word: string | undefined) =>
  fromNews({ kind, word }, 'n1', parseAddress(`${bob}/desk`), parseAddress(`${alice}/x`));
const heardBack = (kind: Kind, word: string | undefined) => newsOf(written(kind, word));
const published = (kind: Kind, payload: string) =>
  newsOf(
    parseXml(
      `<message xmlns='jabber:component:accept'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${uri(kind)}'>${payload}</items></event></message>`,
    ),
  );
const activity = (inner: string) =>
  published('activity', `<item id='1'><activity xmlns='${uri('activity')}'>${inner}</activity></item>`)[0]?.word;
const mood = (inner: string) =>
  published('mood', `<item id='1'><mood xmlns='${uri('mood')}'>${inner}</mood></item>`)[0]?.word;

test('XEP-0107 s.3: every mood of RFC 4480 has the same name on XMPP, both ways', () => {
  for (const word of moodWords) assert.deepEqual(heardBack('mood', word), [{ kind: 'mood', word }]);
});

test('XEP-0107 s.2.1: a mood is one element; words beside it and refinements of it do not matter', () => {
  assert.equal(mood("<happy><ecstatic xmlns='urn:x'/></happy><text>it is done</text>"), 'happy');
  assert.equal(mood('<text>first</text><in_awe/>'), 'in_awe');
  for (const nothing of ['', '<text>only words</text>', '<undefined/>', '<constructor/>', "<happy xmlns='urn:x'/>"])
    assert.equal(mood(nothing), undefined, nothing);
});

test('XEP-0108 s.4: activities of RFC 4480 become general and specific ones, and come back the same', () => {
  const silent = ['away', 'busy', 'looking-for-work', 'performance', 'permanent-absence', 'presentation', 'spectator'];
  for (const word of activityWords) {
    const said = extendedOf({ activities: [word] }).activity;
    assert.equal(said, [...silent, 'worship'].includes(word) ? undefined : word);
    if (said !== undefined) assert.deepEqual(heardBack('activity', said), [{ kind: 'activity', word }]);
  }
  assert.match(serializeXml(written('activity', 'meeting')), /<working><in_a_meeting\/><\/working>/);
});

test('XEP-0108 s.3: an activity without a word in RPID is said by its general one', () => {
  const words = {
    '<eating><having_lunch/></eating>': 'meal',
    '<traveling><on_a_train/></traveling>': 'in-transit',
    '<traveling><on_a_trip/></traveling>': 'travel',
    '<working><coding/></working>': 'working',
    '<exercising><swimming/></exercising>': 'exercising',
    '<relaxing><other/></relaxing><text>in the sun</text>': 'relaxing',
    "<talking><on_the_phone xmlns='urn:x'/></talking>": 'talking',
    '<undefined/>': undefined,
    '': undefined,
  };
  for (const [payload, word] of Object.entries(words)) assert.equal(activity(payload), word, payload);
});

test('reference sip 3.4: of several moods and activities the first that XMPP has a word for is told', () => {
  const said = extendedOf({ moods: ['very odd', 'sad', 'happy'], activities: ['busy', 'reading & writing', 'meal'] });
  assert.deepEqual(said, { mood: 'sad', activity: 'meal' });
  assert.deepEqual(extendedOf({ moods: ['constructor'], activities: [] }), {});
});

test('XEP-0163 s.4.3: a notification is a headline from the account to the account, and empty when nothing is left', () => {
  const { attributes } = written('mood', 'happy');
  assert.deepEqual(attributes, { from: bob.slice(5), to: alice.slice(5), id: 'n1', type: 'headline' });
  assert.match(serializeXml(written('mood', undefined)), /<mood xmlns="[^"]+"\/>/);
  assert.deepEqual(heardBack('activity', undefined), [{ kind: 'activity', word: undefined }]);
});

test('XEP-0060 s.7.2: an item that is retracted, a node that is emptied or deleted say that nothing is left', () => {
  const gone = [{ kind: 'mood', word: undefined }];
  const said = (inner: string) =>
    newsOf(
      parseXml(`<message xmlns='c'><event xmlns='http://jabber.org/protocol/pubsub#event'>${inner}</event></message>`),
    );
  assert.deepEqual(published('mood', "<retract id='1'/>"), gone);
  assert.deepEqual(said(`<purge node='${uri('mood')}'/>`), gone);
  assert.deepEqual(said(`<delete node='${uri('mood')}'/>`), gone);
  for (const other of [
    "<items node='urn:xmpp:avatar:metadata'><item/></items>",
    `<configuration node='${uri('mood')}'/>`,
    '',
  ])
    assert.deepEqual(said(other), [], other);
  assert.deepEqual(published('mood', '<item/>'), []);
});

test('XEP-0060 s.6.5: what was published last is asked of the account, and its answer says what holds now', () => {
  const question = questionAbout('mood', 'q1', parseAddress(`${bob}/desk`), parseAddress(`${alice}/x`));
  assert.deepEqual([question.attributes.from, question.attributes.to], [bob.slice(5), alice.slice(5)]);
  assert.match(serializeXml(question), /<items node="[^"]*\/mood" max_items="1"\/>/);
  const { id } = question.attributes;
  const answer = (inner: string, type = 'result', to = id) =>
    answeredNews(parseXml(`<iq xmlns='jabber:component:accept' id='${to}' type='${type}'>${inner}</iq>`));
  const items = (inner: string, node = uri('mood')) =>
    `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${node}'>${inner}</items></pubsub>`;
  const happy = `<item id='1'><mood xmlns='${uri('mood')}'><happy/></mood></item>`;
  assert.deepEqual(answer(items(happy)), [{ kind: 'mood', word: 'happy' }]);
  assert.deepEqual(answer(items('')), [{ kind: 'mood', word: undefined }]);
  const error = (condition: string) =>
    answer(`<error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`, 'error');
  assert.deepEqual(error('item-not-found'), [{ kind: 'mood', word: undefined }]);
  // No PEP there, or not for this contact: what was told before holds.
  for (const condition of ['service-unavailable', 'forbidden', 'not-authorized', 'feature-not-implemented'])
    assert.deepEqual(error(condition), [], condition);
  assert.deepEqual(answer(''), []);
  assert.deepEqual(answer(items(happy, 'urn:x')), []);
  assert.deepEqual(answer(items(happy), 'result', 'ping-1'), [], 'nobody asked');
});

type State = Partial<EventOf<'presence'>>;

function teller(state = new MemoryState()) {
  const told = new Told(domain, state);
  /** What was written for that, in its order. */
  const say = async (device: string, said: State) => {
    const lines: string[] = [];
    const tell = async ({ kind, word = 'nothing' }: News) => void lines.push(`${kind} ${word}`);
    const event = sampleEvent('presence', device === '' ? bob : `${bob}/${device}`, alice, said);
    await told.carry(event, async () => void lines.push('presence'), tell);
    return lines;
  };
  return { told, say, state };
}

test('reference sip 3.4: a watcher is told of a mood after the presence, once, and when it ends', async () => {
  const { say, state } = teller();
  assert.deepEqual(await say('desk', { availability: 'available' }), ['presence']);
  assert.equal(state.entries.size, 0, 'nothing is kept of who says nothing');
  assert.deepEqual(await say('desk', { moods: ['happy'], activities: ['meal'] }), [
    'presence',
    'mood happy',
    'activity meal',
  ]);
  assert.deepEqual(await say('desk', { moods: ['happy'], activities: ['meal'] }), ['presence']);
  assert.deepEqual(await say('desk', { activities: ['meal'] }), ['presence', 'mood nothing']);
  assert.deepEqual(await say('desk', { availability: 'unavailable' }), ['presence', 'activity nothing']);
  assert.equal(state.entries.size, 0, 'nothing is kept of what is gone');
});

test('reference sip 3.4: an account has one mood: that of the device that changed last and has one', async () => {
  const { say } = teller();
  await say('desk', { moods: ['happy'] });
  assert.deepEqual(await say('phone', { availability: 'available' }), ['presence']);
  assert.deepEqual(await say('phone', { moods: ['sad'] }), ['presence', 'mood sad']);
  assert.deepEqual(await say('desk', { moods: ['happy'] }), ['presence']);
  assert.deepEqual(await say('phone', { availability: 'unavailable' }), ['presence', 'mood happy']);
  assert.deepEqual(await say('', { availability: 'unavailable' }), ['presence', 'mood nothing']);
});

test('another process knows what was told; whoever asks anew is told again', async () => {
  const { say, state } = teller();
  await say('desk', { moods: ['happy'] });
  const later = teller(state);
  assert.deepEqual(await later.say('desk', { moods: ['happy'] }), ['presence']);
  later.told.asked({ watcher: alice, presentity: bob });
  assert.deepEqual(await later.say('desk', { moods: ['happy'] }), ['presence', 'mood happy']);
  assert.deepEqual(await later.say('desk', { moods: ['happy'] }), ['presence']);
});

test('what could not be told is told with the next presence', async () => {
  const { told, say } = teller();
  const lost = async () => {
    throw new Error('the link is gone');
  };
  await assert.rejects(told.carry(sampleEvent('presence', bob, alice, { moods: ['happy'] }), async () => {}, lost));
  assert.deepEqual(await say('', { moods: ['happy'] }), ['presence', 'mood happy']);
});

test('a contact that invents devices without end is remembered by the last of them', async () => {
  const { say, state } = teller();
  for (let i = 0; i < 100; i++) await say(`d${i}`, { moods: ['happy'] });
  const [note] = state.entries.values();
  assert.equal((JSON.parse(note?.value ?? '') as { devices: unknown[] }).devices.length, 32);
});

const present = (device: string, more: Partial<DraftOf<'presence'>> = {}): DraftOf<'presence'> => ({
  type: 'presence',
  from: parseAddress(`${alice}/${device}`),
  to: bob,
  availability: 'available',
  ...more,
});

function listener(state = new MemoryState()) {
  const heard = new Heard(domain, state);
  const take = async (kind: Kind, word: string | undefined, to = bob) => {
    const said: Array<DraftOf<'presence'>> = [];
    await heard.take({ ...pair, watcher: to }, { kind, word }, async (one) => void said.push(one));
    return said;
  };
  return { heard, take, state };
}

test('reference sip 3.4: what a person publishes changes the presence of each device that is there, and only for that watcher', async () => {
  const { heard, take } = listener();
  await heard.complete(present('phone', { at: '2026-01-01T00:00:00.000Z', notes: { en: 'tea' } }));
  await heard.complete(present('tablet'));
  await heard.complete(present('desk'));
  await heard.complete(present('desk', { availability: 'unavailable' }));
  await heard.complete({ ...present('phone'), to: parseAddress('xmpp:carol@sip.xmpp.example') });
  assert.deepEqual(await take('mood', 'happy'), [
    present('phone', { notes: { en: 'tea' }, moods: ['happy'] }),
    present('tablet', { moods: ['happy'] }),
  ]);
  assert.deepEqual(await take('mood', 'happy'), [], 'once');
  assert.deepEqual(await take('activity', 'meal'), [
    present('phone', { notes: { en: 'tea' }, moods: ['happy'], activities: ['meal'] }),
    present('tablet', { moods: ['happy'], activities: ['meal'] }),
  ]);
  assert.deepEqual(await heard.complete(present('desk')), present('desk', { moods: ['happy'], activities: ['meal'] }));
  const gone = present('desk', { availability: 'unavailable' });
  assert.deepEqual(await heard.complete(gone), gone);
});

test('reference sip 3.4: a mood that was published outlives the device and the process, until it is taken back', async () => {
  const { heard, take, state } = listener();
  await take('mood', 'happy');
  await heard.complete({ ...present('x', { availability: 'unavailable' }), from: alice });
  const later = listener(state);
  assert.deepEqual((await later.heard.complete(present('desk'))).moods, ['happy']);
  assert.deepEqual(await later.take('mood', undefined), [present('desk')]);
  assert.equal(state.entries.size, 0);
  await later.take('mood', 'sad');
  await later.heard.forget(pair);
  assert.equal(state.entries.size, 0);
  assert.deepEqual(await later.heard.complete(present('desk')), present('desk'));
});

test('news that could not be published is news again', async () => {
  const { heard, take } = listener();
  await heard.complete(present('desk'));
  const lost = async () => {
    throw new Error('the store is away');
  };
  await assert.rejects(heard.take(pair, { kind: 'mood', word: 'happy' }, lost));
  assert.deepEqual(await take('mood', 'happy'), [present('desk', { moods: ['happy'] })]);
});
