// A trunk with several outbound proxies: scripted ones, on the test's clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponse, type SipRequest, type SipResponse } from '../../../adapters/sip/codec/message.ts';
import { options } from '../../../adapters/sip/config.ts';
import { Peers } from '../../../adapters/sip/peers.ts';
import type { Outgoing } from '../../../adapters/sip/requester.ts';
import { Trunk } from '../../../adapters/sip/trunk/trunk.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { FakeClock, FakeFlow } from './fixtures.ts';
import { settled } from './watcher-fixtures.ts';

class Edges {
  readonly hub = fakeHub();
  readonly clock = new FakeClock();
  readonly heard: Array<{ edge: string; request: SipRequest; flow: FakeFlow; at: number }> = [];
  readonly dead = new Set<string>();
  /** What a REGISTER through that edge is answered. */
  answer: (edge: string, request: SipRequest) => SipResponse = (_, request) => this.yes(request);
  readonly trunk: Trunk;

  constructor() {
    const send = async ({ request, route, prepare }: Outgoing): Promise<SipResponse> => {
      const edge = 'uri' in route ? route.uri.host : '';
      const flow = new FakeFlow(this.clock, 'TCP');
      prepare?.(request, flow);
      this.heard.push({ edge, request, flow, at: this.clock.now });
      if (this.dead.has(edge)) throw new GatewayError('unreachable', `${edge} is dead`);
      return this.answer(edge, request);
    };
    const { hub, clock } = this;
    const [trunk] = options.parse({
      trunks: [
        {
          ...{ aor: 'sip:gw@provider.example', password: 'x', watchRegistration: 'off' },
          outboundProxies: ['sip:one.example;lr', 'sip:two.example;lr'],
        },
      ],
    }).trunks;
    this.trunk = new Trunk(trunk!, {
      ...{ requester: { send }, wheel: clock.wheel, log: hub.log, t1Ms: 500, random: () => 1, changed: () => {} },
      peers: new Peers({ state: hub.state, now: () => clock.now, pins: [], rememberMs: 86_400_000 }),
      instanceId: async () => 'urn:uuid:1',
    });
  }

  yes(request: SipRequest, more: Record<string, string> = { Require: 'outbound' }): SipResponse {
    const response = createResponse(request, 200);
    for (const [name, value] of Object.entries(more)) response.headers.add(name, value);
    return response;
  }

  async start(): Promise<this> {
    this.trunk.start();
    await this.advance(20);
    return this;
  }

  async advance(ms: number): Promise<void> {
    await settled();
    this.clock.advance(ms);
    await settled();
  }

  /** `two 2`: through which proxy, as which flow; a goodbye is `two 2 bye`. */
  get said(): string[] {
    return this.heard.map(({ edge, request: { headers } }) => {
      const regId = /reg-id=(\d)/.exec(headers.get('Contact') ?? '')?.[1] ?? '-';
      return `${edge.split('.')[0]} ${regId}${headers.get('Expires') === '0' ? ' bye' : ''}`;
    });
  }

  get way(): string {
    const { route } = this.trunk.direction;
    return 'uri' in route ? route.uri.host : '';
  }
}

test('DESIGN 5: reconfigure: an account that was stopped while others said goodbye does not register after all', async () => {
  const edges = new Edges();
  await edges.trunk.stop();
  await edges.start();
  assert.deepEqual(edges.said, []);
});

test('RFC 5626 s.4.2.1: one registration by each outbound proxy, of one instance, with a reg-id and a Call-ID of its own', async () => {
  const edges = await new Edges().start();
  assert.deepEqual(edges.said, ['one 1', 'two 2']);
  const [one, two] = edges.heard.map(({ request }) => request.headers);
  assert.equal(one?.get('Route'), '<sip:one.example;lr>');
  assert.equal(two?.get('Route'), '<sip:two.example;lr>');
  assert.notEqual(one?.get('Call-ID'), two?.get('Call-ID'));
  assert.deepEqual(
    [one, two].map((headers) => /sip\.instance="([^"]+)"/.exec(headers?.get('Contact') ?? '')?.[1]),
    ['<urn:uuid:1>', '<urn:uuid:1>'],
  );
});

test('RFC 5626 s.4.3: messages go by a flow that lives', async () => {
  const edges = await new Edges().start();
  assert.deepEqual([edges.way, edges.trunk.direction.through], ['one.example', ['<sip:one.example;lr>']]);
  edges.dead.add('one.example');
  edges.trunk.closed(edges.heard[0]!.flow);
  await edges.advance(20);
  assert.ok(edges.trunk.isRegistered);
  assert.deepEqual([edges.way, edges.trunk.direction.through], ['two.example', ['<sip:two.example;lr>']]);
});

test('RFC 5626 s.4.5: beside a flow that lives a failed one comes back after 90 s, doubling; where none lives, soon', async () => {
  const edges = await new Edges().start();
  edges.dead.add('one.example');
  edges.trunk.closed(edges.heard[0]!.flow);
  await edges.advance(20);
  const tried = () => edges.said.filter((one) => one === 'one 1').length;
  assert.equal(tried(), 2, 'at once');
  await edges.advance(89_000);
  assert.equal(tried(), 2);
  await edges.advance(1100);
  assert.equal(tried(), 3);
  await edges.advance(178_000);
  assert.equal(tried(), 3);
  edges.dead.delete('one.example');
  await edges.advance(2100);
  assert.equal(tried(), 4);
  assert.equal(edges.way, 'one.example');

  const none = new Edges();
  none.dead.add('one.example').add('two.example');
  await none.start();
  assert.deepEqual(none.said, ['one 1', 'two 2']);
  assert.ok(none.trunk.hasFailed);
  assert.match(none.trunk.why, /one\.example is dead; .*two\.example is dead/);
  await none.advance(5100);
  assert.equal(none.said.length, 4, 'decision 42');
});

test('RFC 5626 s.4.2.1: a registrar without Outbound has one flow; the second stands in while the first is dead', async () => {
  const edges = new Edges();
  edges.answer = (_, request) => edges.yes(request, {});
  await edges.start();
  assert.deepEqual(edges.said, ['one 1']);
  edges.dead.add('one.example');
  edges.trunk.closed(edges.heard[0]!.flow);
  await edges.advance(20);
  assert.deepEqual(edges.said, ['one 1', 'one 1', 'two 2']);
  assert.equal(edges.way, 'two.example');
  edges.dead.delete('one.example');
  await edges.advance(90_100);
  assert.deepEqual(edges.said.slice(3), ['one 1', 'two 2 bye']);
  assert.equal(edges.way, 'one.example');
});

test('RFC 5626 s.4.2.1: an edge without Outbound beside one that has it is no flow, and stands in when that is dead', async () => {
  const edges = new Edges();
  edges.answer = (edge, request) => edges.yes(request, edge === 'one.example' ? { Require: 'outbound' } : {});
  await edges.start();
  assert.deepEqual(edges.said, ['one 1', 'two 2', 'two 2 bye']);
  edges.dead.add('one.example');
  edges.trunk.closed(edges.heard[0]!.flow);
  await edges.advance(20);
  assert.deepEqual(edges.said.slice(3), ['one 1', 'two 2']);
  assert.equal(edges.way, 'two.example');
  edges.dead.delete('one.example');
  await edges.advance(90_100);
  assert.deepEqual(edges.said.slice(5), ['one 1', 'two 2 bye']);
});

test('RFC 5626 s.11.6: 439: the first hop knows no Outbound, so it registers without', async () => {
  const edges = new Edges();
  edges.answer = (_, request) =>
    /reg-id/.test(request.headers.get('Contact') ?? '') ? createResponse(request, 439) : edges.yes(request, {});
  await edges.start();
  assert.deepEqual(edges.said, ['one 1', 'one -']);
  assert.equal(edges.heard[1]?.request.headers.get('Supported'), 'path, gruu');
  assert.ok(edges.trunk.isRegistered);
});

test('RFC 5626 s.4.2.1: at the end every flow says goodbye', async () => {
  const edges = await new Edges().start();
  await edges.trunk.stop();
  assert.deepEqual(edges.said.slice(2).sort(), ['one 1 bye', 'two 2 bye']);
});

test('reference sip 5.9: operators see each flow: which way, how it is, and whether the provider tells', async () => {
  const edges = await new Edges().start();
  edges.dead.add('one.example');
  edges.trunk.closed(edges.heard[0]!.flow);
  await edges.advance(20);
  const account = 'sip:gw@provider.example';
  assert.deepEqual(
    [...edges.trunk.rows()],
    [
      {
        ...{ account, way: 'sip:one.example;lr', state: 'trying', outbound: true, isTold: false },
        why: `${account}: one.example is dead`,
      },
      { account, way: 'sip:two.example;lr', state: 'registered', outbound: true, isTold: false, why: '' },
    ],
  );
});

test('RFC 5626 s.4.3: a request that nobody answers casts doubt on its flow: the next goes by another, until it has proved itself', async () => {
  const edges = await new Edges().start();
  edges.trunk.direction.unanswered?.();
  assert.equal(edges.way, 'two.example');
  await edges.advance(20);
  assert.deepEqual(edges.said.slice(2), ['one 1'], 'it registers anew, to see');
  assert.equal(edges.way, 'one.example');
});
