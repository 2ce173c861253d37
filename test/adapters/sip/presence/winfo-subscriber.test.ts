// Who waits at somebody else's presence server: presence.winfo read, against a scripted server on the test's clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type SipRequest, type SipResponse } from '../../../../adapters/sip/codec/message.ts';
import { parseUri } from '../../../../adapters/sip/codec/uri.ts';
import { Peers } from '../../../../adapters/sip/peers.ts';
import {
  formatWatcherInfo,
  type WatcherInfo,
  type WatcherStatus,
} from '../../../../adapters/sip/presence/winfo/watcher-info.ts';
import { WinfoSubscriber } from '../../../../adapters/sip/presence/winfo/winfo-subscriber.ts';
import type { Outgoing } from '../../../../adapters/sip/requester.ts';
import { GatewayError, parseAddress } from '../../../../src/contract/index.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { requestText } from '../../../peers/sip-peer.ts';
import { FakeClock, FakeFlow } from '../fixtures.ts';
import { response, settled } from '../watcher-fixtures.ts';

const alice = parseAddress('sip:alice%40xmpp.example@gw.example');
const bob = parseAddress('sip:bob@pbx.example');

class Server {
  readonly hub = fakeHub();
  readonly clock = new FakeClock();
  readonly peers = new Peers({ state: this.hub.state, now: () => this.hub.now(), pins: [], rememberMs: 86_400_000 });
  readonly heard: SipRequest[] = [];
  onSubscribe: (request: SipRequest) => SipResponse = () => response(200, [['Expires', '3600']]);
  winfo: WinfoSubscriber;
  readonly #askPending: boolean;
  #cseq = 0;

  constructor(askPending = true) {
    this.#askPending = askPending;
    this.hub.clock = Date.parse('2026-05-01T12:00:00Z');
    this.winfo = this.#build();
  }

  #build(): WinfoSubscriber {
    const direction = { peer: bob, route: { uri: parseUri('sip:pa.example') }, through: ['<sip:pa.example;lr>'] };
    const send = async ({ request, prepare, onSent }: Outgoing): Promise<SipResponse> => {
      prepare?.(request, new FakeFlow(this.clock));
      onSent?.(request, new Uint8Array());
      this.heard.push(request);
      return this.onSubscribe(request);
    };
    const { hub, peers } = this;
    const servers = [{ domain: 'pbx.example', mode: 'publish', expires: 600, askPending: this.#askPending }] as const;
    return new WinfoSubscriber(
      { servers, max: 2, t1Ms: 500 },
      {
        hub,
        peers,
        directions: { find: async () => [direction] },
        requester: { send },
        wheel: this.clock.wheel,
        random: () => 0.5,
      },
    );
  }

  async restart(): Promise<void> {
    this.winfo.stop();
    this.winfo = this.#build();
    await this.winfo.start();
  }

  async look(presentity = alice): Promise<void> {
    await this.winfo.look(presentity, bob);
    await this.advance(100);
  }

  /** A NOTIFY in the dialog of the last SUBSCRIBE. */
  async notify(
    info: WatcherInfo | string,
    more: { state?: string; cseq?: number; event?: string; toTag?: string; type?: string } = {},
  ) {
    const headers = this.heard.at(-1)?.headers;
    const tag = more.toTag ?? /;tag=([^;]*)/.exec(headers?.get('From') ?? '')?.[1];
    this.#cseq++;
    const text = requestText({
      ...{ port: 5090, method: 'NOTIFY', uri: alice, from: `<${alice}>;tag=server`, to: `<${alice}>;tag=${tag}` },
      ...{ callId: headers?.get('Call-ID') ?? '', cseq: more.cseq ?? this.#cseq },
      type: more.type ?? 'application/watcherinfo+xml',
      body: typeof info === 'string' ? info : formatWatcherInfo(info),
      more: [
        `Event: ${more.event ?? 'presence.winfo'}`,
        `Subscription-State: ${more.state ?? 'active;expires=3600'}`,
        'Contact: <sip:pa@192.0.2.9>',
      ],
    });
    const answer = await this.winfo.handleNotify({ request: decodeMessage(Buffer.from(text)) as SipRequest });
    await settled();
    return answer?.status;
  }

  /** Whom it has asked about. */
  get asked(): string[] {
    return this.hub.draftsOf('subscription').map(({ action, from, to }) => `${action} ${from} ${to}`);
  }

  async advance(ms: number, most = 10_000): Promise<void> {
    for (let left = ms; left > 0; left -= most) {
      const step = Math.min(left, most);
      this.hub.clock = this.hub.now() + step;
      this.clock.now += step;
      this.clock.wheel.advance();
      await settled();
    }
  }
}

const info = (version: number, state: 'full' | 'partial', watchers: Record<string, WatcherStatus>): WatcherInfo => ({
  ...{ version, state },
  lists: [
    {
      ...{ resource: alice, package: 'presence' },
      watchers: Object.entries(watchers).map(([uri, status]) => ({ id: uri, uri, status, event: 'subscribe' })),
    },
  ],
});

test('RFC 3857 s.4.1: a person asks who watches that person, for an hour, once for each', async () => {
  const server = new Server();
  await server.look();
  await server.look();
  assert.equal(server.heard.length, 1);
  const [{ uri, headers } = {} as SipRequest] = server.heard;
  assert.equal(uri, alice);
  assert.equal(headers.get('To'), `<${alice}>`);
  assert.match(headers.get('From') ?? '', /alice/);
  assert.deepEqual(
    ['Event', 'Accept', 'Expires', 'Route'].map((name) => headers.get(name)),
    ['presence.winfo', 'application/watcherinfo+xml', '3600', '<sip:pa.example;lr>'],
  );
});

test('RFC 8048 s.5.3.1: who waits there is asked about once, whoever watches already and whoever is of another domain is not', async () => {
  const server = new Server();
  await server.look();
  const watchers = { [bob]: 'pending', 'sip:carol@pbx.example': 'waiting', 'sip:dave@pbx.example': 'active' } as const;
  assert.equal(
    await server.notify(info(0, 'full', { ...watchers, 'sip:x@else.example': 'pending', 'no uri': 'pending' })),
    200,
  );
  assert.deepEqual(server.asked, [`request ${bob} ${alice}`, `request sip:carol@pbx.example ${alice}`]);
  assert.equal(await server.notify(info(1, 'partial', { [bob]: 'pending' })), 200);
  await server.restart();
  await server.advance(60_000);
  await server.notify(info(0, 'full', watchers));
  assert.equal(server.asked.length, 2);
});

test('RFC 3858 s.4: after a gap the subscription is refreshed, and its answer, which is whole, counts', async () => {
  const server = new Server();
  await server.look();
  await server.notify(info(0, 'full', {}));
  await server.notify(info(4, 'partial', { [bob]: 'pending' }));
  assert.deepEqual(server.asked, []);
  await server.advance(100);
  assert.equal(server.heard.length, 2);
  assert.match(server.heard[1]?.headers.get('To') ?? '', /;tag=server$/);
  await server.notify(info(5, 'full', { [bob]: 'pending' }));
  assert.equal(server.asked.length, 1);
});

test('reference sip 2: operators see who watches and who waits at a presence server', async () => {
  const server = new Server();
  await server.look();
  await server.notify(info(0, 'full', { [bob]: 'pending', 'sip:dave@pbx.example': 'active' }));
  assert.deepEqual(
    [...server.winfo.rows()].map(({ watcher, presentity, state, server: at }) => [watcher, presentity, state, at]),
    [
      [bob, alice, 'pending', 'pbx.example'],
      ['sip:dave@pbx.example', alice, 'active', 'pbx.example'],
    ],
  );
});

test('DESIGN 6: a hub that cannot take it now is told to the server as 503, and the watcher is asked about with the next document', async () => {
  const server = new Server();
  await server.look();
  server.hub.onPublish = () => {
    throw new GatewayError('unavailable', 'not now');
  };
  assert.equal(await server.notify(info(0, 'full', { [bob]: 'pending' })), 503);
  server.hub.onPublish = undefined;
  await server.advance(10_000);
  assert.equal(server.heard.length, 2);
  assert.equal(await server.notify(info(1, 'full', { [bob]: 'pending' })), 200);
  assert.deepEqual(server.asked, [`request ${bob} ${alice}`]);
});

test('RFC 6665 s.4.1.2.2: it is refreshed before it ends, and begun anew when the server has lost it', async () => {
  const server = new Server();
  await server.look();
  await server.notify(info(0, 'full', {}));
  await server.advance(3_600_000 - 60_000);
  assert.equal(server.heard.length, 2);
  server.onSubscribe = () => response(481);
  await server.advance(3_600_000);
  server.onSubscribe = () => response(200);
  await server.advance(120_000);
  assert.notEqual(server.heard.at(-1)?.headers.get('Call-ID'), server.heard[0]?.headers.get('Call-ID'));
  assert.doesNotMatch(server.heard.at(-1)?.headers.get('To') ?? '', /tag=/);
});

test('RFC 6665 s.4.1.2.4: without a NOTIFY in 64 T1 there is no subscription, and a new one is tried later', async () => {
  const server = new Server();
  await server.look();
  await server.advance(31_000);
  assert.equal(server.heard.length, 1);
  await server.advance(10_000);
  assert.equal(server.heard.length, 2);
  assert.notEqual(server.heard[1]?.headers.get('Call-ID'), server.heard[0]?.headers.get('Call-ID'));
});

test('RFC 6665 s.4.1.3: an end is followed by a new subscription, after retry-after where that is said', async () => {
  const server = new Server();
  await server.look();
  await server.notify(info(0, 'full', {}));
  await server.notify(info(1, 'full', {}), { state: 'terminated;reason=giveup;retry-after=300' });
  await server.advance(290_000);
  assert.equal(server.heard.length, 1);
  await server.advance(20_000);
  assert.equal(server.heard.length, 2);
});

test('RFC 6665 s.4.1.3: a NOTIFY of no subscription, of another event, out of order or broken is told so and changes nothing', async () => {
  const server = new Server();
  await server.look();
  assert.equal(await server.notify(info(0, 'full', {}), { toTag: 'other' }), 481);
  for (const [body, event, status] of [
    ['', 'presence', 489],
    ['<watcherinfo/>', 'presence.winfo', 400],
  ] as const) {
    await assert.rejects(server.notify(body, { event }), { status });
  }
  for (const [type, status] of [
    ['watcherinfo', 400],
    ['text/plain', 415],
  ] as const) {
    await assert.rejects(server.notify(info(0, 'full', {}), { type }), { name: 'SipParseError', status });
  }
  assert.equal(await server.notify(info(0, 'full', {}), { cseq: 50 }), 200);
  assert.equal(await server.notify(info(1, 'full', { [bob]: 'pending' }), { cseq: 50 }), 500);
  assert.deepEqual(server.asked, []);
});

test('reference sip 2: a server that answers 405, 489 or 501 is not asked again, by nobody, and operators see it', async () => {
  for (const status of [405, 489, 501]) {
    const server = new Server();
    server.onSubscribe = () => response(status);
    await server.look();
    await server.look(parseAddress('sip:ed@gw.example'));
    await server.advance(3_600_000);
    assert.equal(server.heard.length, 1);
    const rows = await Array.fromAsync(server.peers.rows());
    assert.deepEqual(
      rows.map(({ peer, ability, verdict }) => [peer, ability, verdict]),
      [['pbx.example', 'winfo', 'refuses it']],
    );
  }
});

test('reference sip 3.5: nobody is asked where that is not configured, and no more people than may be published', async () => {
  const silent = new Server(false);
  await silent.look();
  assert.equal(silent.heard.length, 0);
  const server = new Server();
  for (const user of ['a', 'b', 'c', 'd']) await server.look(parseAddress(`sip:${user}@gw.example`));
  assert.equal(server.heard.length, 2);
});

test('whoever has given no sign for a month is looked after no more', async () => {
  const server = new Server();
  await server.look();
  await server.notify(info(0, 'full', {}));
  await server.advance(31 * 86_400_000, 900_000);
  assert.equal(server.heard.at(-1)?.headers.get('Expires'), '0');
  const { length } = server.heard;
  await server.advance(3_600_000);
  assert.equal(server.heard.length, length);
});
