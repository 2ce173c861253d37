// PUBLISH out: people of other networks at a presence server, against a scripted server on the test's clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipRequest, SipResponse } from '../../../../adapters/sip/codec/message.ts';
import { Peers } from '../../../../adapters/sip/peers.ts';
import { Agent } from '../../../../adapters/sip/presence/publication/agent.ts';
import { type EventOf, GatewayError, parseAddress } from '../../../../src/contract/index.ts';
import { decodePidf } from '../../../../src/formats/pidf/index.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { FakeClock } from '../fixtures.ts';
import { response, settled } from '../watcher-fixtures.ts';

const alice = parseAddress('sip:alice@gw.example');
const bob = parseAddress('sip:bob@pbx.example');
const { signal } = new AbortController();

class Server {
  readonly hub = fakeHub();
  readonly clock = new FakeClock();
  readonly peers = new Peers({ state: this.hub.state, now: () => this.hub.now(), pins: [], rememberMs: 3_600_000 });
  readonly heard: SipRequest[] = [];
  /** Undefined: as a presence server answers. */
  onPublish: (request: SipRequest) => SipResponse | Promise<SipResponse> | undefined = () => undefined;
  agent = this.#build();
  #etags = 0;

  constructor() {
    this.hub.clock = Date.parse('2026-05-01T12:00:00Z');
  }

  #build(): Agent {
    const directions = {
      find: async () => [{ peer: bob, route: { uri: undefined as never }, through: ['<sip:pa.example;lr>'] }],
    };
    const requester = { send: ({ request }: { request: SipRequest }) => this.#answer(request) };
    const { hub, peers } = this;
    const parts = { hub, peers, directions, requester, wheel: this.clock.wheel, random: () => 0.5 };
    return new Agent([{ domain: 'pbx.example', mode: 'publish', expires: 600, askPending: false }], 10, parts);
  }

  async #answer(request: SipRequest): Promise<SipResponse> {
    this.heard.push(request);
    return (await this.onPublish(request)) ?? this.taken(request);
  }

  taken({ headers }: SipRequest): SipResponse {
    this.#etags++;
    return response(200, [
      ['SIP-ETag', `etag-${this.#etags}`],
      ['Expires', headers.get('Expires') ?? ''],
    ]);
  }

  hear(said: Partial<EventOf<'presence'>> = {}, resource = 'phone'): Promise<void> {
    const from = resource === '' ? alice : parseAddress(`${alice};gr=${resource}`);
    const id = 'e000000000003';
    const at = new Date(this.hub.now()).toISOString();
    const event: EventOf<'presence'> = {
      ...{ v: 1, id, origin: 'x', trace: id, at, from, to: bob, source: { from, to: bob }, conversation: id, hops: 1 },
      ...{ type: 'presence', availability: 'available', ...said },
    };
    return this.agent.hear(event, signal);
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 10_000) {
      const step = Math.min(left, 10_000);
      this.hub.clock = this.hub.now() + step;
      this.clock.now += step;
      this.clock.wheel.advance();
      await settled();
    }
  }

  async restart(): Promise<void> {
    this.agent.stop();
    this.agent = this.#build();
    await this.agent.start();
  }

  /** What each PUBLISH was, in the words of RFC 3903 table 1. */
  get operations(): string[] {
    return this.heard.map(({ headers, body }) => {
      const etag = headers.get('SIP-If-Match');
      if (headers.get('Expires') === '0') return `remove ${etag}`;
      if (etag === undefined) return 'initial';
      return body.length === 0 ? `refresh ${etag}` : `modify ${etag}`;
    });
  }

  get last(): SipRequest {
    return this.heard.at(-1) ?? assert.fail('no PUBLISH');
  }
}

test('RFC 3903 s.4.1: initial, modify, refresh, remove, each with the SIP-ETag of the answer before it', async () => {
  const server = new Server();
  await server.hear();
  await server.hear({ availability: 'away' });
  await server.advance(600_000);
  await server.hear({ availability: 'unavailable' });
  assert.deepEqual(server.operations, ['initial', 'modify etag-1', 'refresh etag-2', 'remove etag-3']);
  const [initial, , refresh, remove] = server.heard;
  assert.deepEqual(
    ['Event', 'Expires', 'Content-Type', 'Contact', 'Route'].map((name) => initial?.headers.get(name)),
    ['presence', '600', 'application/pidf+xml', undefined, '<sip:pa.example;lr>'],
  );
  assert.deepEqual([initial?.uri, initial?.headers.get('To')], [alice, `<${alice}>`]);
  assert.deepEqual([refresh?.body.length, remove?.body.length], [0, 0]);
  await server.advance(3_600_000);
  assert.equal(server.heard.length, 4);
});

test('RFC 3903 s.4: never more than one PUBLISH under way for one person, and the last state wins', async () => {
  const server = new Server();
  let answer: () => void = () => {};
  server.onPublish = (request) =>
    new Promise((resolve) => {
      answer = () => resolve(server.taken(request));
    });
  const first = server.hear();
  await settled();
  const later = [server.hear({ availability: 'away' }), server.hear({ availability: 'busy' })];
  await settled();
  assert.equal(server.heard.length, 1);
  answer();
  await first;
  await settled();
  assert.deepEqual(server.operations, ['initial', 'modify etag-1']);
  answer();
  await Promise.all(later);
  assert.equal(server.heard.length, 2);
  assert.equal(decodePidf(server.last.body).tuples[0]?.show, 'dnd');
});

test('RFC 3903 s.5: after 412 the SIP-ETag is thrown away and the whole state is published anew, once', async () => {
  const server = new Server();
  await server.hear();
  server.onPublish = ({ headers }) => (headers.has('SIP-If-Match') ? response(412) : undefined);
  await server.hear({ availability: 'away' });
  assert.deepEqual(server.operations, ['initial', 'modify etag-1', 'initial']);
  server.onPublish = () => response(412);
  await assert.rejects(server.hear({ availability: 'busy' }), GatewayError);
  assert.deepEqual(server.operations.slice(3), ['modify etag-2', 'initial']);
});

test('RFC 3903 s.5: a refresh that is 412 is followed by an initial one with the state', async () => {
  const server = new Server();
  await server.hear();
  server.onPublish = ({ headers }) => (headers.has('SIP-If-Match') ? response(412) : undefined);
  await server.advance(600_000);
  assert.deepEqual(server.operations.slice(0, 3), ['initial', 'refresh etag-1', 'initial']);
  assert.ok((server.heard[2]?.body.length ?? 0) > 0);
});

test('RFC 3903 s.5: 423 says how long it must be, and so it is from then on', async () => {
  const server = new Server();
  server.onPublish = ({ headers }) =>
    Number(headers.get('Expires')) < 1800 ? response(423, [['Min-Expires', '1800']]) : undefined;
  await server.hear();
  await server.hear({ availability: 'away' });
  assert.deepEqual(
    server.heard.map(({ headers }) => headers.get('Expires')),
    ['600', '1800', '1800'],
  );
});

test('RFC 3903 s.10.4: tuple ids stay the same within a publication, one for each device', async () => {
  const server = new Server();
  await server.hear({}, 'phone');
  await server.hear({}, 'desk');
  await server.hear({ availability: 'away' }, 'phone');
  const ids = server.heard.map(({ body }) => decodePidf(body).tuples.map(({ id }) => id));
  assert.deepEqual(ids, [['ID-phone'], ['ID-phone', 'ID-desk'], ['ID-phone', 'ID-desk']]);
  await server.hear({ availability: 'unavailable' }, 'phone');
  assert.deepEqual(
    decodePidf(server.last.body).tuples.map(({ id }) => id),
    ['ID-desk'],
  );
});

test('RFC 3863 s.4.1.7: no two documents have the same timestamp', async () => {
  const server = new Server();
  await server.hear();
  await server.hear({ availability: 'away' });
  const times = server.heard.map(({ body }) => decodePidf(body).tuples[0]?.timestamp);
  assert.equal(new Set(times).size, 2);
});

test('RFC 3903 s.9: 503 is tried again when Retry-After says so, 4xx by the hub', async () => {
  const server = new Server();
  server.onPublish = () => response(503, [['Retry-After', '120']]);
  await assert.rejects(
    server.hear(),
    (error: unknown) => error instanceof GatewayError && error.retryAfterMs === 120_000,
  );
  server.onPublish = () => undefined;
  // The hub brings it again.
  await server.hear();
  assert.deepEqual(server.operations, ['initial', 'initial']);
});

test('reference sip 3.6: a refresh that fails is tried again, not before Retry-After', async () => {
  const server = new Server();
  await server.hear();
  server.onPublish = () => response(503, [['Retry-After', '200']]);
  await server.advance(550_000);
  const count = server.heard.length;
  assert.equal(server.operations.at(-1), 'refresh etag-1');
  await server.advance(100_000);
  assert.equal(server.heard.length, count);
  server.onPublish = () => undefined;
  await server.advance(150_000);
  assert.equal(server.heard.length, count + 1);
});

for (const status of [405, 489, 501]) {
  test(`reference sip 3.6: ${status} means that there is no presence server, which is remembered for a while`, async () => {
    const server = new Server();
    server.onPublish = () => response(status);
    await server.hear();
    await server.hear({ availability: 'away' });
    assert.equal(server.heard.length, 1);
    await server.advance(3_700_000);
    server.onPublish = () => undefined;
    await server.hear({ availability: 'busy' });
    assert.deepEqual(server.operations, ['initial', 'initial']);
  });
}

test('reference sip 3.6: what was said already is not said again, to whomever it was said', async () => {
  const server = new Server();
  await server.hear({ notes: { en: 'here' } });
  await server.hear({ notes: { en: 'here' } });
  await server.hear({ availability: 'unknown' }, '');
  assert.equal(server.heard.length, 1);
});

test('reference sip 3.6: a person who leaves altogether is removed, devices and all; one who was never there is not', async () => {
  const server = new Server();
  await server.hear({ availability: 'unavailable' }, '');
  assert.equal(server.heard.length, 0);
  await server.hear({}, 'phone');
  await server.hear({}, 'desk');
  await server.hear({ availability: 'unavailable' }, '');
  assert.deepEqual(server.operations.at(-1), 'remove etag-2');
});

test('reference sip 3.6: publications outlive a restart, and the person is asked whether that is still so', async () => {
  const server = new Server();
  await server.hear();
  await server.restart();
  await server.advance(60_000);
  assert.deepEqual(server.operations, ['initial', 'refresh etag-1']);
  assert.deepEqual(server.hub.draftsOf('subscription'), [
    { type: 'subscription', action: 'fetch', from: bob, to: alice },
  ]);
  await server.hear({ availability: 'unavailable' });
  assert.deepEqual(server.operations.at(-1), 'remove etag-2');
  await server.restart();
  await server.advance(600_000);
  assert.equal(server.heard.length, 3);
});

test('the number of people who are published is limited', async () => {
  const server = new Server();
  for (let index = 0; index < 10; index++) {
    const from = parseAddress(`sip:p${index}@gw.example`);
    await server.hear({ from });
  }
  await assert.rejects(server.hear(), GatewayError);
});

test('RFC 3903 s.4: PUBLISH makes no dialog: no Contact, no tag in To, and no Record-Route of an answer is followed', async () => {
  const server = new Server();
  server.onPublish = (request) => {
    const taken = server.taken(request);
    taken.headers.add('Record-Route', '<sip:elsewhere.example;lr>');
    return taken;
  };
  await server.hear();
  await server.advance(20_000);
  await server.hear({ availability: 'away' });
  await server.advance(20_000);
  assert.ok(server.heard.length >= 2);
  for (const { headers } of server.heard) {
    assert.deepEqual(headers.all('Route'), ['<sip:pa.example;lr>']);
    assert.equal(headers.get('Contact'), undefined);
    assert.doesNotMatch(headers.get('To') ?? '', /;tag=/);
  }
});
