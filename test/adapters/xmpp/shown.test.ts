// The devices of a contact that somebody was shown, and how they go when all go at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Shown } from '../../../adapters/xmpp/shown.ts';
import type { EventOf } from '../../../src/contract/index.ts';
import { sampleEvent } from '../../peers/events.ts';
import { MemoryState } from '../../peers/hub.ts';

const bob = 'xmpp:bob\\40other.net@sip.xmpp.example';
const alice = 'xmpp:alice@xmpp.example';

function setUp(state = new MemoryState()) {
  const shown = new Shown('sip.xmpp.example', state);
  /** What is written, in its order. */
  const say = async (device: string, availability: EventOf<'presence'>['availability'], to = alice) => {
    const from = device === '' ? bob : `${bob}/${device}`;
    const written: string[] = [];
    await shown.carry(
      sampleEvent('presence', from, to, { availability }),
      async () => void written.push(`${device} ${availability}`.trim()),
      async (gone) => void written.push(`${gone.slice(bob.length + 1)} withdrawn`),
    );
    return written;
  };
  return { shown, say, state };
}

test('RFC 6121 s.4.5: when a person is gone as a whole each device that was shown goes, and the person', async () => {
  const { say, state } = setUp();
  await say('desk', 'available');
  await say('phone', 'away');
  await say('desk', 'busy');
  assert.deepEqual(await say('', 'unavailable'), ['desk withdrawn', 'phone withdrawn', 'unavailable']);
  assert.deepEqual(await say('', 'unavailable'), ['unavailable']);
  assert.equal(state.entries.size, 0, 'nothing is kept of what is gone');
});

test('where nothing is known any more no device stays either', async () => {
  const { say } = setUp();
  await say('desk', 'available');
  assert.deepEqual(await say('', 'unknown'), ['desk withdrawn', 'unknown']);
});

test('a device that went by itself is not withdrawn again', async () => {
  const { say } = setUp();
  await say('desk', 'available');
  await say('phone', 'available');
  assert.deepEqual(await say('desk', 'unavailable'), ['desk unavailable']);
  assert.deepEqual(await say('', 'unavailable'), ['phone withdrawn', 'unavailable']);
});

test('another process knows what was shown, and each watcher was shown something else', async () => {
  const { say, state } = setUp();
  await say('desk', 'available');
  const later = setUp(state);
  assert.deepEqual(await later.say('', 'unavailable', 'xmpp:carol@xmpp.example'), ['unavailable']);
  assert.deepEqual(await later.say('', 'unavailable', `${alice}/tablet`), ['desk withdrawn', 'unavailable']);
});

test('a change that says nothing new of which devices there are costs no write', async () => {
  const { say, state } = setUp();
  await say('desk', 'available');
  state.set = async () => assert.fail('written again');
  await say('desk', 'away');
  await say('desk', 'available');
});

test('a contact that invents devices without end is kept to a number of them', async () => {
  const { say } = setUp();
  for (let i = 0; i < 100; i++) await say(`d${i}`, 'available');
  assert.equal((await say('', 'unavailable')).length, 33);
});

test('a device that could not be withdrawn is withdrawn the next time', async () => {
  const { shown, say } = setUp();
  await say('desk', 'available');
  const gone = sampleEvent('presence', bob, alice, { availability: 'unavailable' });
  await assert.rejects(
    shown.carry(
      gone,
      async () => {},
      async () => {
        throw new Error('the link is gone');
      },
    ),
  );
  assert.deepEqual(await say('', 'unavailable'), ['desk withdrawn', 'unavailable']);
});
