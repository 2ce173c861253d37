// The loopback adapter: the contract's suite, and what it shows a newcomer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapter, Loopback } from '../../../adapters/loopback/index.ts';
import { parseAddress } from '../../../src/contract/index.ts';
import { testAdapter } from '../../contract/adapter.ts';
import { fakeHub } from '../../peers/hub.ts';

const from = parseAddress('im:bob%40other.net@loopback.example');
const to = parseAddress('im:alice@loopback.example');

testAdapter('loopback', async (_, hub) => {
  const loopback = new Loopback(adapter.options.parse({}));
  return { adapter: loopback, hub, from, to, dropPeer: () => loopback.stop() };
});

test('what somebody says there is published, and an echo answers', async () => {
  const hub = fakeHub();
  const loopback = new Loopback(adapter.options.parse({ echo: true }));
  await loopback.start(hub);
  await loopback.say('im:alice@loopback.example', 'im:bob%40other.net@loopback.example', 'hello 👋');
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'hello 👋' });
});

test('an option it does not know is refused', () => {
  assert.ok(!adapter.options.safeParse({ ecco: true }).success);
});
