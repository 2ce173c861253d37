// Who may watch whom: what is kept, asked again after a reconnect, and believed where a server says nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watches } from '../../../adapters/xmpp/watches.ts';
import { type Address, type DraftOf, parseAddress, type Subscription } from '../../../src/contract/index.ts';
import { MemoryState } from '../../peers/hub.ts';
import { FakeClock } from './fake-clock.ts';

const domain = 'sip.xmpp.example';
const bob = parseAddress('xmpp:bob\\40other.net@sip.xmpp.example');
const alice = parseAddress('xmpp:alice@xmpp.example');
const pair = { watcher: bob, presentity: alice };

function setUp(state = new MemoryState()) {
  const clock = new FakeClock();
  const said: string[] = [];
  const asked: Address[] = [];
  const concluded: DraftOf<'presence'>[] = [];
  const watches = new Watches(domain, {
    state,
    clock,
    say: async (action, watcher, presentity) => void said.push(`${action} ${watcher} ${presentity}`),
    askMore: ({ presentity }) => void asked.push(presentity),
    conclude: (draft) => void concluded.push(draft),
  });
  const written: string[] = [];
  const carry = (action: Subscription['action'], from: Address = bob, to: Address = alice) =>
    watches.carry({ action, from, to }, async () => void written.push(action));
  const rows = () => Array.fromAsync(watches.rows());
  return { watches, state, clock, said, asked, concluded, written, carry, rows };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('XEP-0163 s.4.3: what else somebody publishes is asked for with each probe, and not before the approval', async () => {
  const { watches, carry, asked } = setUp();
  await carry('request');
  await carry('fetch');
  assert.deepEqual(asked, []);
  await watches.answered('approve', pair);
  await carry('fetch');
  await watches.refresh();
  assert.deepEqual(asked, [alice, alice]);
});

test('a watch is pending from the request until the answer, and gone after denial or cancellation', async () => {
  const { watches, carry, rows } = setUp();
  await carry('request', parseAddress(`${bob}/ID-1`));
  assert.deepEqual(await rows(), [{ ...pair, standing: 'pending' }]);
  await watches.answered('approve', pair);
  await carry('request');
  assert.deepEqual(await rows(), [{ ...pair, standing: 'approved' }]);
  await watches.answered('deny', pair);
  assert.deepEqual(await rows(), []);
  await watches.answered('approve', pair);
  await carry('cancel');
  assert.deepEqual(await rows(), []);
});

test('a probe is never written while a request is open: Prosody would forget the request', async () => {
  const { carry, written, concluded } = setUp();
  await carry('request');
  await carry('fetch');
  assert.deepEqual(written, ['request']);
  assert.deepEqual(concluded, [{ type: 'presence', from: alice, to: bob, availability: 'unknown' }]);
});

test('RFC 6121 s.4.3.2: a probe that a server leaves unanswered means offline to an approved watcher, nothing to another', async () => {
  const { watches, carry, clock, concluded } = setUp();
  const carol = parseAddress('xmpp:carol@xmpp.example');
  await watches.answered('approve', pair);
  await carry('fetch');
  clock.move(3000);
  await carry('fetch', bob, carol);
  clock.move(2000);
  await settle();
  assert.deepEqual(
    concluded.map(({ from, availability }) => [from, availability]),
    [[alice, 'unavailable']],
  );
  clock.move(3000);
  await settle();
  assert.deepEqual(
    concluded.slice(1).map(({ from, availability }) => [from, availability]),
    [[carol, 'unknown']],
  );
  assert.equal(clock.timers.size, 0);
});

test('whatever comes of the one who was asked, from any device, is the answer', async () => {
  const { watches, carry, clock, concluded } = setUp();
  await watches.answered('approve', pair);
  await carry('fetch');
  watches.heard(parseAddress(`${alice}/phone`), bob);
  clock.move(10_000);
  await settle();
  assert.deepEqual(concluded, []);
});

test('a probe that could not be written is no question', async () => {
  const { watches, clock, concluded } = setUp();
  const failed = watches.carry({ action: 'fetch', from: bob, to: alice }, async () => {
    throw new Error('the link is gone');
  });
  await assert.rejects(failed, /the link is gone/);
  clock.move(10_000);
  await settle();
  assert.deepEqual(concluded, []);
});

test('reference xmpp 3.3: after a new connection everybody who is watched is probed and every open request repeated, also by another process', async () => {
  const { watches, carry, state } = setUp();
  const carol = parseAddress('xmpp:carol@xmpp.example');
  await watches.answered('approve', pair);
  await carry('request', bob, carol);
  const later = setUp(state);
  await later.watches.refresh();
  assert.deepEqual(later.said.sort(), [`fetch ${bob} ${alice}`, `request ${bob} ${carol}`]);
  const elsewhere = new Watches('other.xmpp.example', {
    state,
    clock: later.clock,
    say: async () => assert.fail('not of this component'),
    askMore: () => {},
    conclude: () => {},
  });
  await elsewhere.refresh();
});

test('a refresh gives way to the next one', async () => {
  const state = new MemoryState();
  const { watches } = setUp(state);
  for (let i = 0; i < 5; i++) {
    await watches.answered('approve', { watcher: bob, presentity: parseAddress(`xmpp:u${i}@xmpp.example`) });
  }
  const asked: string[] = [];
  const second = new Watches(domain, {
    state,
    clock: new FakeClock(),
    say: async (_, __, presentity) => {
      asked.push(presentity);
      if (asked.length === 2) second.stop();
    },
    askMore: () => {},
    conclude: () => {},
  });
  await second.refresh();
  assert.equal(asked.length, 2);
});
