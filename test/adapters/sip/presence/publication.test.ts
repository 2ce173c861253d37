// PUBLISH in: the event state compositor, as its own unit with a clock and a store in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type SipRequest } from '../../../../adapters/sip/codec/message.ts';
import { SipParseError } from '../../../../adapters/sip/codec/parse-error.ts';
import type { Answer } from '../../../../adapters/sip/endpoint.ts';
import { Compositor } from '../../../../adapters/sip/presence/publication/compositor.ts';
import { Shelf } from '../../../../adapters/sip/presence/publication/shelf.ts';
import { TimerWheel } from '../../../../adapters/sip/timer-wheel.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { type FakeHub, fakeHub } from '../../../peers/hub.ts';
import { requestText } from '../../../peers/sip-peer.ts';

const bob = parseAddress('sip:bob@native.example');
const pidf = (basic: string, id = 't1', more = '') =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@native.example"><tuple id="${id}"><status><basic>${basic}</basic></status></tuple>${more}</presence>`;

interface Wish {
  etag?: string;
  expires?: number;
  body?: string;
  more?: readonly string[];
  uri?: string;
  from?: string;
  type?: string;
  callId?: string;
  event?: string;
  sentBy?: string;
}

function site(hub: FakeHub = fakeHub()) {
  hub.clock ??= Date.parse('2026-05-01T12:00:00Z');
  const now = () => hub.now();
  const wheel = new TimerWheel(now, () => () => {});
  const changes: string[] = [];
  const changed = (presentity: string) => void changes.push(presentity);
  const shelf = new Shelf({ state: hub.state, wheel, now, changed });
  const options = {
    nativeDomains: new Set(['native.example']),
    minExpires: 60,
    maxExpires: 3600,
    max: 1000,
    maxPerPerson: 3,
  };
  const compositor = new Compositor(options, { hub, shelf, changed });
  let count = 0;
  const read = (wish: Wish): SipRequest => {
    const { etag, expires, event = 'presence', uri = bob } = wish;
    count++;
    return decodeMessage(
      Buffer.from(
        requestText({
          port: 5070,
          method: 'PUBLISH',
          uri,
          from: wish.from ?? `<${bob}>;tag=f${count}`,
          callId: wish.callId ?? `publish-${count}-${Math.random()}`,
          ...(wish.sentBy === undefined ? {} : { sentBy: wish.sentBy }),
          body: wish.body ?? '',
          type: wish.type ?? 'application/pidf+xml',
          more: [
            ...(event === '' ? [] : [`Event: ${event}`]),
            ...(expires === undefined ? [] : [`Expires: ${expires}`]),
            ...(etag === undefined ? [] : [`SIP-If-Match: ${etag}`]),
            ...(wish.more ?? []),
          ],
        }),
      ),
    ) as SipRequest;
  };
  const flow = undefined as never;
  const publish = async (wish: Wish, user?: string): Promise<Answer> => {
    const answer = await compositor.handle({ request: read(wish), flow, isTrusted: false, ...(user ? { user } : {}) });
    answer.afterwards?.();
    return answer;
  };
  const advance = (ms: number) => {
    hub.clock = hub.now() + ms;
    wheel.advance();
  };
  const states = () => shelf.document(bob).tuples.map(({ id, basic }) => `${id} ${basic}`);
  return { hub, shelf, publish, advance, changes, states };
}

const header = ({ headers = [] }: Answer, name: string) => headers.find(([one]) => one === name)?.[1];
const tagOf = (answer: Answer) => header(answer, 'SIP-ETag') ?? assert.fail(`no SIP-ETag in ${answer.status}`);

test('RFC 3903 s.4.1: initial, refresh, modify, remove; each 200 has Expires and a SIP-ETag of its own', async () => {
  const { publish, states, changes } = site();
  const initial = await publish({ body: pidf('open'), expires: 600 });
  assert.deepEqual([initial.status, header(initial, 'Expires'), states()], [200, '600', ['t1 open']]);
  const refreshed = await publish({ etag: tagOf(initial), expires: 900 });
  assert.deepEqual([refreshed.status, header(refreshed, 'Expires'), states()], [200, '900', ['t1 open']]);
  const modified = await publish({ etag: tagOf(refreshed), body: pidf('closed') });
  assert.deepEqual([modified.status, header(modified, 'Expires'), states()], [200, '3600', ['t1 closed']]);
  const removed = await publish({ etag: tagOf(modified), expires: 0 });
  assert.deepEqual([removed.status, header(removed, 'Expires'), states()], [200, '0', []]);
  const tags = [initial, refreshed, modified, removed].map(tagOf);
  assert.equal(new Set(tags).size, 4);
  // A refresh is no news.
  assert.equal(changes.length, 3);
});

test('RFC 3903 s.6 step 3: a SIP-ETag that was replaced, has expired or was never given is 412', async () => {
  const { publish, advance } = site();
  const initial = await publish({ body: pidf('open'), expires: 600 });
  const refreshed = await publish({ etag: tagOf(initial), expires: 600 });
  assert.equal((await publish({ etag: tagOf(initial), body: pidf('closed') })).status, 412);
  assert.equal((await publish({ etag: 'never', expires: 0 })).status, 412);
  advance(600_000);
  assert.equal((await publish({ etag: tagOf(refreshed), expires: 600 })).status, 412);
});

test('RFC 3903 s.6 step 3: more than one SIP-If-Match is 400', async () => {
  const { publish } = site();
  for (const more of [['SIP-If-Match: b, c'], ['SIP-If-Match: b', 'SIP-If-Match: c']]) {
    await assert.rejects(
      publish({ etag: 'a', body: pidf('open'), more }),
      (error: unknown) => error instanceof SipParseError && error.status === 400,
    );
  }
});

test('RFC 3903 s.6 step 1: somebody who is not ours is 404', async () => {
  const { publish } = site();
  for (const uri of ['sip:bob@other.example', 'sip:native.example']) {
    assert.equal((await publish({ uri, from: `<${uri}>;tag=1`, body: pidf('open') })).status, 404, uri);
  }
});

test('RFC 3903 s.6 step 2: another event package, or none, is 489 with Allow-Events', async () => {
  const { publish } = site();
  for (const event of ['dialog', '']) {
    const answer = await publish({ event, body: pidf('open') });
    assert.deepEqual([answer.status, header(answer, 'Allow-Events')], [489, 'presence']);
  }
});

test('RFC 3903 s.14.1: whoever publishes must be who it is about, and have proved it', async () => {
  const { publish, states } = site();
  assert.equal((await publish({ from: '<sip:eve@native.example>;tag=1', body: pidf('open') })).status, 403);
  assert.equal((await publish({ body: pidf('open') }, 'eve')).status, 403);
  assert.equal((await publish({ body: pidf('open') }, 'bob@other.example')).status, 403);
  assert.deepEqual(states(), []);
  assert.equal((await publish({ body: pidf('open') }, 'bob')).status, 200);
});

test('RFC 3903 s.6 step 4: too brief is 423 with Min-Expires, an hour never is, too long is shortened', async () => {
  const { publish } = site();
  const brief = await publish({ body: pidf('open'), expires: 59 });
  assert.deepEqual([brief.status, header(brief, 'Min-Expires')], [423, '60']);
  assert.equal(header(await publish({ body: pidf('open'), expires: 60 }), 'Expires'), '60');
  assert.equal(header(await publish({ body: pidf('open'), expires: 86_400 }), 'Expires'), '3600');
});

test('RFC 3903 s.6 step 5: a body of another type is 415 with Accept; one that is broken is 400; too much is 413', async () => {
  const { publish, states } = site();
  const answer = await publish({ body: 'hello', type: 'text/plain' });
  assert.deepEqual([answer.status, header(answer, 'Accept')], [415, 'application/pidf+xml']);
  const status = (body: string) =>
    publish({ body }).then(
      ({ status: given }) => given,
      ({ status: given }: SipParseError) => given,
    );
  assert.equal(await status('<presence'), 400);
  assert.equal(await status(pidf('open', 't', '<tuple/>'.repeat(64))), 413);
  assert.deepEqual(states(), []);
});

test('RFC 3903 s.6 step 5: a PUBLISH without body and without SIP-If-Match publishes nothing: 400', async () => {
  assert.equal((await site().publish({ expires: 600 })).status, 400);
});

test('RFC 3903 s.6 step 5: an initial PUBLISH that ends at once is taken and leaves nothing', async () => {
  const { publish, states } = site();
  const answer = await publish({ body: pidf('open'), expires: 0 });
  assert.deepEqual([answer.status, header(answer, 'Expires'), states()], [200, '0', []]);
});

test('RFC 3903 s.6: requests about one person are done in the order in which they came, each whole', async () => {
  const { publish, hub, states } = site();
  let open: () => void = () => {};
  const set = hub.state.set.bind(hub.state);
  hub.state.set = async (...args: Parameters<typeof set>) => {
    await new Promise<void>((resolve) => {
      open = resolve;
    });
    return set(...args);
  };
  const first = publish({ body: pidf('open', 'a') });
  const second = publish({ body: pidf('open', 'b') });
  await new Promise(setImmediate);
  // Nothing counts before it is durable.
  assert.deepEqual(states(), []);
  open();
  assert.equal((await first).status, 200);
  await new Promise(setImmediate);
  assert.deepEqual(states(), ['a open']);
  open();
  assert.equal((await second).status, 200);
  assert.deepEqual(states(), ['a open', 'b open']);
});

test('RFC 3903 s.6: two modifications race for one SIP-ETag, and exactly one wins', async () => {
  const { publish, states } = site();
  const etag = tagOf(await publish({ body: pidf('open') }));
  const answers = await Promise.all([publish({ etag, body: pidf('closed') }), publish({ etag, body: pidf('open') })]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 412],
  );
  assert.deepEqual(states(), ['t1 closed']);
});

test('RFC 3903 s.6 step 5: a store that is away is 503 with Retry-After, and nothing has changed', async () => {
  const { publish, hub, states } = site();
  const initial = await publish({ body: pidf('open') });
  hub.state.set = () => Promise.reject(new Error('away'));
  const answer = await publish({ etag: tagOf(initial), body: pidf('closed') });
  assert.deepEqual([answer.status, header(answer, 'Retry-After'), states()], [503, '30', ['t1 open']]);
});

test('RFC 3903 s.14.2: the publications of one person are limited', async () => {
  const { publish } = site();
  for (const sentBy of ['a:1', 'b:1', 'c:1']) assert.equal((await publish({ sentBy, body: pidf('open') })).status, 200);
  assert.equal((await publish({ sentBy: 'd:1', body: pidf('open') })).status, 503);
});

test('RFC 3903 s.10.3: several publications of one person are one document, whose ids are unique and stay', async () => {
  const { publish, states } = site();
  const desk = await publish({ sentBy: 'desk:5060', body: pidf('open', 'bs35r9f') });
  const phone = await publish({ sentBy: 'phone:5060', body: pidf('closed', 'bs35r9f') });
  assert.deepEqual(states(), ['bs35r9f open', 'bs35r9f.2 closed']);
  await publish({ etag: tagOf(phone), body: pidf('open', 'bs35r9f') });
  assert.deepEqual(states(), ['bs35r9f open', 'bs35r9f.2 open']);
  await publish({ etag: tagOf(desk), expires: 0 });
  assert.deepEqual(states(), ['bs35r9f.2 open']);
});

test('RFC 4479 s.3.5: the person is who was published last', async () => {
  const { publish, shelf } = site();
  const person = (doing: string) =>
    `<person xmlns="urn:ietf:params:xml:ns:pidf:data-model" id="p"><activities xmlns="urn:ietf:params:xml:ns:pidf:rpid"><${doing}/></activities></person>`;
  await publish({ sentBy: 'a:1', body: pidf('open', 'a', person('meal')) });
  await publish({ sentBy: 'b:1', body: pidf('open', 'b', person('travel')) });
  assert.deepEqual(shelf.document(bob).person?.activities, ['travel']);
});

test('reference sip 2: a phone that starts again leaves no ghost of its old state', async () => {
  const { publish, states } = site();
  await publish({ sentBy: 'phone:5060', body: pidf('open', 't1') });
  await publish({ sentBy: 'phone:5060', body: pidf('open', 't1') });
  assert.deepEqual(states(), ['t1 open']);
  // Another publication of the same machine is another one.
  await publish({ sentBy: 'phone:5060', body: pidf('open', 't2') });
  assert.deepEqual(states(), ['t1 open', 't2 open']);
});

test('RFC 3903 s.6: what is not refreshed expires, and is news', async () => {
  const { publish, advance, states, changes } = site();
  await publish({ body: pidf('open'), expires: 60 });
  advance(59_000);
  assert.deepEqual(states(), ['t1 open']);
  advance(1_100);
  assert.deepEqual([states(), changes.length], [[], 2]);
});

test('RFC 3903 s.8.3: publications and their tags outlive a restart; a copy of the last request has the same answer', async () => {
  const before = site();
  const initial = await before.publish({ body: pidf('open'), expires: 600, callId: 'c1', from: `<${bob}>;tag=1` });
  const after = site(before.hub);
  await after.shelf.read();
  after.shelf.start();
  assert.deepEqual(after.states(), ['t1 open']);
  const copy = await after.publish({ body: pidf('open'), expires: 600, callId: 'c1', from: `<${bob}>;tag=1` });
  assert.equal(tagOf(copy), tagOf(initial));
  assert.equal((await after.publish({ etag: tagOf(initial), expires: 600 })).status, 200);
});

test('reference sip 3.6: what expired while nobody was there is noticed after the start', async () => {
  const before = site();
  await before.publish({ body: pidf('open'), expires: 60 });
  before.hub.clock = before.hub.now() + 120_000;
  const after = site(before.hub);
  await after.shelf.read();
  after.shelf.start();
  after.advance(50);
  assert.deepEqual([after.states(), after.changes], [[], [bob]]);
});
