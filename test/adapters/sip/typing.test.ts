// isComposing (RFC 3994) <-> typing, both ways, with both timers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dispatch } from '../../../adapters/sip/dispatch.ts';
import { Peers } from '../../../adapters/sip/peers.ts';
import { TypingOut } from '../../../adapters/sip/typing-out.ts';
import { TypingWatch } from '../../../adapters/sip/typing-watch.ts';
import { type EventOf, parseAddress } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import type { PeerMessage } from '../../peers/sip-peer.ts';
import { message, open, signal, typing } from './adapter-fixtures.ts';
import { fakeClock } from './fixtures.ts';

const type = 'application/im-iscomposing+xml';
const document = (state: string, more = '') =>
  `<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>${state}</state>${more}</isComposing>`;

/** A sender with a clock that the test moves; `said` are the states that went out. */
function sender(options = { typing: true, typingIdleMs: 15_000 }) {
  const clock = fakeClock();
  const hub = fakeHub();
  hub.clock = 0;
  const said: string[] = [];
  const dispatch = {
    async send(event: EventOf<'typing'>, _: AbortSignal, exchange: (attempt: () => unknown, peer: string) => unknown) {
      await exchange(() => {
        said.push(event.state);
        return { status: 200 };
      }, event.to);
    },
  } as unknown as Dispatch;
  const peers = new Peers({ state: hub.state, now: () => 0, pins: [], rememberMs: 1000 });
  const watch = new TypingWatch(clock.wheel);
  const { signal: stopping } = new AbortController();
  const out = new TypingOut(options, { hub, dispatch, peers, watch, stopping });
  const advance = (ms: number) => {
    clock.advance(ms);
    hub.clock = (hub.clock ?? 0) + ms;
  };
  const say = (state: 'composing' | 'paused' | 'gone') => out.deliver(typing('sip:bob@x', state), signal);
  return { out, said, advance, say, watch };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('RFC 3994 s.3.2: active is said once in a refresh interval of 60 s, and refreshed behind it', async () => {
  const { said, advance, say } = sender({ typing: true, typingIdleMs: 0 });
  await say('paused');
  await say('composing');
  for (let seconds = 0; seconds < 59; seconds++) {
    advance(1000);
    await say('composing');
  }
  assert.deepEqual(said, ['composing'], 'repeated by the client, not by us');
  advance(1000);
  await say('composing');
  await say('gone');
  await say('gone');
  assert.deepEqual(said, ['composing', 'composing', 'gone']);
});

test('RFC 3994 s.3.2: a sender that says nothing more is idle after 15 s, once', async () => {
  const { said, advance, say, watch } = sender();
  await say('composing');
  advance(14_000);
  await say('composing');
  advance(14_000);
  assert.deepEqual(said, ['composing']);
  advance(2000);
  await settle();
  assert.deepEqual(said, ['composing', 'paused']);
  await say('paused');
  advance(300_000);
  await settle();
  assert.deepEqual(said, ['composing', 'paused']);
  assert.equal(watch.size, 0);
});

test('RFC 3994 s.3.2: content implies idle: nothing is said behind a message', async () => {
  const { out, said, advance, say } = sender();
  await say('composing');
  out.ended(message('sip:bob@x', { to: parseAddress('sip:bob@x;gr=desk') }));
  advance(60_000);
  await settle();
  await say('paused');
  assert.deepEqual(said, ['composing']);
});

test('RFC 3994 s.3.5: what is written names its content type and a refresh of 120 s', async (t) => {
  const { sip, peer } = await open(t);
  for (const state of ['composing', 'paused'] as const) await sip.deliver(typing(peer.uri, state), signal);
  const [active, idle] = [...new Map(peer.heard.map((one) => [one.header('Via'), one])).values()] as [
    PeerMessage,
    PeerMessage,
  ];
  assert.equal(active.header('Content-Type'), type);
  assert.match(active.body, /<state>active<\/state><contenttype>text\/plain<\/contenttype><refresh>120<\/refresh>/);
  assert.match(idle.body, /<state>idle<\/state>/);
  assert.doesNotMatch(idle.body, /refresh/);
});

test('typing: false says nothing', async (t) => {
  const { sip, peer } = await open(t, { typing: false });
  await sip.deliver(typing(peer.uri, 'composing'), signal);
  assert.equal(peer.heard.length, 0);
});

test('RFC 3994 s.3.3: a receiver that gets no refresh takes it for idle: the XMPP user is not stuck typing', async (t) => {
  const { ask, hub } = await open(t);
  await ask({ type, body: document('active', '<refresh>1</refresh>') });
  await hub.untilDraft((draft) => draft.type === 'typing' && draft.state === 'paused', 3000);
  assert.deepEqual(
    hub.draftsOf('typing').map(({ state }) => state),
    ['composing', 'paused'],
  );
});

test('RFC 3994 s.3.3: without refresh an active is worth 120 s, with one it is worth that, but never more than ten minutes', () => {
  const clock = fakeClock();
  const watch = new TypingWatch(clock.wheel);
  const ended: string[] = [];
  watch.watch('usual', 120_000, () => ended.push('usual'));
  watch.watch('endless', 999_999_999_000, () => ended.push('endless'));
  clock.advance(119_000);
  assert.deepEqual(ended, []);
  clock.advance(2000);
  assert.deepEqual(ended, ['usual']);
  clock.advance(480_000);
  assert.deepEqual(ended, ['usual', 'endless']);
});

test('RFC 3994 s.3.5: an unknown state is idle, and a message ends what was active', async (t) => {
  const { ask, hub } = await open(t);
  await ask({ type, body: document('active', '<refresh>60</refresh>') });
  await ask({ type, body: document('dancing') });
  await ask({ type, body: document('active', '<refresh>60</refresh>') });
  await ask({ body: 'hello' });
  assert.deepEqual(
    hub.drafts.map((draft) => (draft.type === 'typing' ? draft.state : draft.type)),
    ['composing', 'paused', 'composing', 'message'],
  );
});

test('RFC 3994 s.3.5: isComposing is read in CPIM too', async (t) => {
  const { ask, hub } = await open(t);
  const body = ['From: <sip:bob@other.example>', '', `Content-Type: ${type}`, '', document('active')].join('\r\n');
  assert.equal((await ask({ type: 'message/cpim', body })).first, 'SIP/2.0 200 OK');
  assert.deepEqual(
    hub.draftsOf('typing').map(({ state }) => state),
    ['composing'],
  );
});

test('reference sip 2: a document that is no isComposing is 400, and never shown as text', async (t) => {
  const { ask, hub } = await open(t);
  assert.match((await ask({ type, body: '<other/>' })).first, /400/);
  assert.match((await ask({ type, body: 'hello' })).first, /400/);
  assert.equal(hub.drafts.length, 0);
});
