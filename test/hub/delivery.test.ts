// The way out: order, back-off, circuit breaker, bulkhead, expiry, dead letters. A fake clock and a scripted adapter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Adapter,
  type Delivery as Delivered,
  GatewayError,
  type GatewayEvent,
  type Message,
  parseAddress,
} from '../../src/contract/index.ts';
import { Delivery } from '../../src/hub/delivery.ts';
import type { DeliveryLimits } from '../../src/hub/destinations.ts';
import type { DeadLetter } from '../../src/queue/queue.ts';
import { MemoryConsumer } from '../peers/consumer.ts';

const limits: DeliveryLimits = {
  firstMs: 1000,
  maxMs: 60_000,
  attemptTimeoutMs: 5000,
  perDestination: 4,
  backlogPerDestination: 8,
  breakerFailures: 3,
  internalTries: 3,
};

type Script = (event: GatewayEvent, signal: AbortSignal) => Promise<Delivered> | Delivered;

async function setUp(
  script: Script,
  consumer = new MemoryConsumer(),
  early: readonly GatewayEvent[] = [],
  destination?: Adapter['destination'],
) {
  let now = Date.UTC(2026, 0, 1);
  const tried: string[] = [];
  const ended: string[] = [];
  const buried: DeadLetter[] = [];
  const rerouted: string[] = [];
  const unanswered = new Map<string, boolean>();
  const adapter: Adapter = {
    accepts: new Set(['message', 'presence']),
    ...(destination && { destination }),
    start: async () => {},
    stop: async () => {},
    deliver: async (event, signal) => {
      tried.push(event.id);
      return script(event, signal);
    },
  };
  const silent = () => {};
  const lines: string[] = [];
  const line = (_: object, text: string) => void lines.push(text);
  const delivery = new Delivery(
    {
      instance: 'out',
      adapter,
      log: { debug: silent, info: line, warn: line, error: line },
      metrics: { count: silent, gauge: silent, observe: silent },
      now: () => now,
      random: () => 1,
      conclude: async (event, state, { reason } = {}) => {
        ended.push(`${event.id} ${state}${reason ? ` ${reason}` : ''}`);
      },
      unanswered,
      toNativeIds: async (event) => event,
      named: async () => {},
      reroute: async (event) => {
        if (!event.via?.length) return false;
        rerouted.push(event.id);
        return true;
      },
      bury: async (letter) => {
        buried.push(letter);
      },
    },
    limits,
  );
  const started = delivery.start(consumer);
  delivery.setUp(true);
  const settled = new Set<string>();
  const send = (event: GatewayEvent) => {
    void delivery.accept({ event, isRedelivered: false }).then(
      () => settled.add(event.id),
      () => {},
    );
  };
  for (const event of early) {
    send(event);
    await Promise.resolve();
  }
  await started;
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 250) {
      now += Math.min(250, left);
      delivery.tick();
      await idle();
    }
  };
  return { delivery, consumer, tried, ended, buried, rerouted, unanswered, settled, lines, send, pass, now: () => now };
}

/** Lets every promise that can move move. */
async function idle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

let number = 0;
function message(to: string, more: Partial<Message> = {}): Message {
  number++;
  const people = { from: parseAddress('sip:bob@gw.example'), to: parseAddress(`xmpp:${to}`) };
  return {
    v: 1,
    id: `e${String(number).padStart(9, '0')}`,
    type: 'message',
    origin: 'in',
    trace: 't',
    at: '2026-01-01T00:00:00.000Z',
    ...people,
    source: people,
    conversation: `bob|${to}`,
    hops: 1,
    expiresAt: '2026-01-02T00:00:00.000Z',
    text: { '': 'hello' },
    wants: ['sent'],
    ...more,
  };
}

const unreachable = () => {
  throw new GatewayError('unreachable', 'connection refused');
};

test('what the network told before it answered is not told again, and nothing is remembered of it', async () => {
  const site = await setUp((event) => {
    assert.equal(site.unanswered.get(event.id), false);
    if (event.conversation.includes('early')) site.unanswered.set(event.id, true);
    return {};
  });
  const [early, usual] = [message('early@a'), message('usual@a')];
  for (const event of [early, usual]) site.send(event);
  await idle();
  assert.deepEqual(site.ended, [`${usual.id} sent`]);
  assert.equal(site.unanswered.size, 0);
});

test('one conversation goes one after the other, others beside it', async () => {
  const open: Array<() => void> = [];
  const { tried, send, settled } = await setUp((event) =>
    event.conversation.includes('slow') ? new Promise((resolve) => open.push(() => resolve({}))) : {},
  );
  const [first, second] = [message('slow@a'), message('slow@a')];
  const other = message('quick@a');
  for (const event of [first, second, other]) send(event);
  await idle();
  assert.deepEqual(tried, [first.id, other.id]);
  assert.ok(settled.has(other.id) && !settled.has(first.id));
  open[0]?.();
  await idle();
  assert.deepEqual(tried, [first.id, other.id, second.id]);
});

test('who is there again is tried at once, with the back-off begun anew; nobody else is', async () => {
  let isAway = true;
  const { delivery, tried, send, pass } = await setUp(() => (isAway ? unreachable() : {}));
  const [carol, dave] = [message('carol@a'), message('dave@b')];
  for (const event of [carol, dave]) send(event);
  await pass(1000);
  await pass(250);
  assert.equal(tried.length, 4);
  isAway = false;
  // By whichever of their devices.
  delivery.returned.note(parseAddress('xmpp:carol@a/phone'));
  await pass(250);
  assert.deepEqual(tried.slice(4), [carol.id]);
  // Said of somebody for whom nothing waits it means nothing.
  delivery.returned.note(parseAddress('xmpp:erin@c'));
  await pass(250);
  assert.equal(tried.length, 5);
});

test('a circuit that is open for one person alone is tried when that person is there again', async () => {
  let isAway = true;
  const isTheirs = ({ to }: GatewayEvent) => to;
  const parts = [() => (isAway ? unreachable() : {}), new MemoryConsumer(), [], isTheirs] as const;
  const { delivery, tried, send, settled, pass } = await setUp(...parts);
  const [carol, dave] = [message('carol@a'), message('dave@a')];
  for (const event of [carol, dave]) send(event);
  for (let n = 0; n < 40 && delivery.view().breakers.length < 2; n++) await pass(1000);
  assert.deepEqual(delivery.view().breakers.sort(), [carol.to, dave.to]);
  isAway = false;
  const before = tried.length;
  delivery.returned.note(carol.to);
  await pass(1);
  assert.deepEqual(tried.slice(before), [carol.id]);
  assert.deepEqual(delivery.view().breakers, [dave.to]);
  assert.ok(settled.has(carol.id));
});

test('a failed head holds its own conversation, durably and in order, and nobody else', async () => {
  let isDown = true;
  const { tried, send, settled, consumer, pass } = await setUp((event) =>
    isDown && event.to.includes('carol') ? unreachable() : {},
  );
  const carol = Array.from({ length: 5 }, () => message('carol@a'));
  const dave = message('dave@b');
  for (const event of [...carol, dave]) send(event);
  await idle();
  assert.equal(tried.filter((id) => id === carol[0]?.id).length, 1);
  assert.ok(settled.has(dave.id));
  assert.equal(consumer.lanes.get('bob|carol@a')?.length, 5, 'held in the store, so that the queue moves on');
  assert.ok(carol.every(({ id }) => settled.has(id)));
  isDown = false;
  const late = message('carol@a');
  send(late);
  await pass(1500);
  assert.deepEqual(
    tried.filter((id) => id !== dave.id).slice(1),
    [...carol, late].map(({ id }) => id),
  );
  assert.equal(consumer.lanes.size, 0);
});

test('retries back off exponentially up to the limit', async () => {
  const at: number[] = [];
  const { send, pass, now } = await setUp(() => {
    at.push(now());
    return unreachable();
  });
  send(message('carol@a'));
  await idle();
  await pass(40_000);
  const gaps = at.slice(1).map((time, i) => Math.round((time - (at[i] ?? 0)) / 1000));
  // The third failure in a row opens the circuit, whose own back-off begins again at one second.
  assert.deepEqual(gaps, [1, 2, 1, 2, 4, 8, 16]);
});

test('an open circuit asks one conversation for all; the first success lets everybody through in order', async () => {
  let isDown = true;
  const { tried, send, pass, consumer, settled } = await setUp(() => (isDown ? unreachable() : {}));
  const events = Array.from({ length: 20 }, (_, i) => message(`user${i % 10}@dead`));
  for (const event of events) send(event);
  await idle();
  const during = tried.length;
  assert.ok(during < 8, `${during} tries before the circuit opened`);
  await pass(30_000);
  assert.ok(tried.length - during <= 5, 'one probe a time while it is open');
  isDown = false;
  tried.length = 0;
  await pass(40_000);
  assert.equal(consumer.lanes.size, 0);
  assert.equal(settled.size, 20);
  for (let user = 0; user < 10; user++) {
    const order = tried.filter((id) => events.find((event) => event.id === id)?.to.includes(`user${user}@`));
    assert.deepEqual(
      order,
      events.filter((_, i) => i % 10 === user).map(({ id }) => id),
    );
  }
});

test('somebody who is away for long is told of once, and once more when back', async () => {
  let isDown = true;
  const { send, pass, lines } = await setUp(() => (isDown ? unreachable() : {}));
  send(message('carol@a'));
  await idle();
  await pass(3_600_000);
  isDown = false;
  await pass(120_000);
  assert.deepEqual(lines, ['not delivered', 'circuit open', 'circuit closed']);
});

test('a slow destination occupies no more than its share, and what waits for it is held in the store', async () => {
  const { tried, send, settled, consumer, pass } = await setUp((event) =>
    event.to.includes('slow') ? new Promise(() => {}) : {},
  );
  const slow = Array.from({ length: 40 }, (_, i) => message(`u${i}@slow`));
  const quick = Array.from({ length: 40 }, (_, i) => message(`u${i}@quick`));
  for (const event of slow) send(event);
  for (const event of quick) send(event);
  await idle();
  assert.equal(tried.filter((id) => slow.some((event) => event.id === id)).length, limits.perDestination);
  assert.ok(quick.every(({ id }) => settled.has(id)));
  assert.equal(consumer.lanes.size, 0, 'nothing is held before it proves slow');
  await pass(1250);
  assert.equal(consumer.lanes.size, 40 - limits.perDestination);
  const late = message('late@slow');
  send(late);
  await idle();
  assert.ok(settled.has(late.id), 'what comes for a stalled destination takes up no memory');
});

test('an adapter that never answers is given up after the deadline, and its signal is aborted', async () => {
  let signal: AbortSignal | undefined;
  const { send, pass, consumer } = await setUp((_, given) => {
    signal = given;
    return new Promise(() => {});
  });
  send(message('carol@a'));
  await pass(limits.attemptTimeoutMs + 250);
  assert.ok(signal?.aborted);
  await pass(2500);
  assert.equal(consumer.lanes.size, 1);
});

test('a final failure is told at once and the conversation goes on', async () => {
  let calls = 0;
  const { send, ended, settled } = await setUp(() => {
    if (calls++ === 0) throw new GatewayError('not-found', 'no such user');
    return {};
  });
  const [first, second] = [message('carol@a'), message('carol@a')];
  send(first);
  send(second);
  await idle();
  assert.deepEqual(ended, [`${first.id} failed not-found`, `${second.id} sent`]);
  assert.equal(settled.size, 2);
});

test('of the presence of one device that waits for one watcher only the last word is delivered', async () => {
  let isDown = true;
  const { send, pass, tried, consumer } = await setUp(() => (isDown ? unreachable() : {}));
  const presence = (device: string): GatewayEvent => {
    const { text: _, wants: __, priority: ___, ...envelope } = message('carol@a');
    const from = parseAddress(`sip:bob@gw.example;gr=${device}`);
    return { ...envelope, from, type: 'presence', availability: 'away' };
  };
  const [old, desk, said, newer, newest] = ['phone', 'desk', 'none', 'phone', 'phone'].map((device) =>
    device === 'none' ? message('carol@a') : presence(device),
  ) as [GatewayEvent, GatewayEvent, GatewayEvent, GatewayEvent, GatewayEvent];
  for (const event of [old, desk, said, newer, newest]) send(event);
  await idle();
  isDown = false;
  tried.length = 0;
  await pass(2000);
  assert.deepEqual(tried, [desk.id, said.id, newest.id]);
  assert.equal(consumer.lanes.size, 0);
});

test('an event that expires while its destination is away is told, on time, though nobody is asked', async () => {
  const { send, ended, pass, tried } = await setUp(unreachable);
  const soon = message('carol@a', { expiresAt: '2026-01-01T00:01:00.000Z' });
  const later = message('carol@a', { expiresAt: '2026-01-01T10:00:00.000Z' });
  for (let i = 0; i < 3; i++) send(message(`other${i}@a`));
  send(soon);
  send(later);
  await idle();
  await pass(90_000);
  assert.ok(ended.includes(`${soon.id} expired expired`));
  assert.ok(!ended.some((end) => end.startsWith(later.id)));
  assert.ok(!tried.includes(later.id), 'the circuit is open: only its probe is tried');
});

test('a fault of ours is tried a few times, then buried and told', async () => {
  const { send, ended, buried, pass, consumer } = await setUp(() => {
    throw new TypeError('undefined is not a function');
  });
  const poison = message('carol@a');
  send(poison);
  await idle();
  await pass(20_000);
  assert.deepEqual(ended, [`${poison.id} failed internal`]);
  assert.equal(buried.length, 1);
  assert.equal(buried[0]?.id, poison.id);
  assert.equal(consumer.lanes.size, 0);
});

test('a throttled destination rests as long as it asked', async () => {
  let calls = 0;
  const { send, tried, pass } = await setUp(() => {
    if (calls++ === 0) throw new GatewayError('throttled', 'too many', { retryAfterMs: 7000 });
    return {};
  });
  send(message('a@x'));
  await idle();
  send(message('b@x'));
  await pass(6500);
  assert.equal(tried.length, 1);
  await pass(1000);
  assert.equal(tried.length, 3);
});

test('an unreachable instance hands over to the next one when the route names one', async () => {
  const { send, rerouted, settled } = await setUp(unreachable);
  const event = message('a@x', { via: ['other'] });
  send(event);
  await idle();
  assert.deepEqual(rerouted, [event.id]);
  assert.ok(settled.has(event.id));
});

test('while the link is down nothing is tried for half a minute, and all goes out in order when it is back', async () => {
  const { delivery, send, tried, pass } = await setUp(() => ({}));
  delivery.setUp(false);
  const events = [message('a@x'), message('b@x'), message('a@x')];
  for (const event of events) send(event);
  await pass(10_000);
  assert.deepEqual(tried, []);
  delivery.setUp(true);
  await idle();
  assert.deepEqual(new Set(tried), new Set(events.map(({ id }) => id)));
});

test('a store that is away holds an ending back but never loses it', async () => {
  const { send, consumer, settled, pass } = await setUp(unreachable);
  consumer.failure = new GatewayError('unavailable', 'store away');
  const event = message('a@x');
  send(event);
  await pass(500);
  assert.ok(!settled.has(event.id));
  consumer.failure = undefined;
  await new Promise((resolve) => setTimeout(resolve, 300));
  await idle();
  assert.ok(settled.has(event.id));
  assert.equal(consumer.lanes.size, 1);
});

test('lanes that an earlier process left held are taken up before anything newer', async () => {
  const consumer = new MemoryConsumer();
  const old = [message('a@x'), message('a@x')];
  for (const event of old) await consumer.hold(event.conversation, event);
  const { send, tried } = await setUp(() => ({}), consumer);
  const fresh = message('a@x');
  send(fresh);
  await idle();
  assert.deepEqual(
    tried,
    [...old, fresh].map(({ id }) => id),
  );
});

test('stopping lets what is under way end and gives the rest back to the queue', async () => {
  let finish = () => {};
  const { delivery, send, settled, tried } = await setUp(() => new Promise((resolve) => (finish = () => resolve({}))));
  const [first, second] = [message('a@x'), message('a@x')];
  send(first);
  send(second);
  await idle();
  const stopped = delivery.stop(2000);
  finish();
  await stopped;
  await idle();
  assert.deepEqual([...settled], [first.id]);
  assert.deepEqual(tried, [first.id]);
});

test('a copy of what was settled lately is not delivered again', async () => {
  const { send, tried, settled } = await setUp(() => ({}));
  const event = message('a@x');
  send(event);
  await idle();
  send({ ...event });
  await idle();
  assert.deepEqual(tried, [event.id]);
  assert.equal(settled.size, 1);
});

test('what comes in the very turn in which delivery begins does not overtake what came before', async () => {
  const events = Array.from({ length: 20 }, () => message('a@x'));
  const { tried } = await setUp(() => ({}), new MemoryConsumer(), events);
  await idle();
  assert.deepEqual(
    tried,
    events.map(({ id }) => id),
  );
});

test('a conversation that waits for its own next try is not forgotten when its destination has nothing else to do', async () => {
  let isRefused = true;
  const site = await setUp(({ to }) => (to === 'xmpp:ann@a' && isRefused ? unreachable() : {}));
  const waits = message('ann@a');
  site.send(waits);
  await idle();
  site.send(message('ben@a'));
  await idle();
  isRefused = false;
  site.delivery.setUp(false);
  await site.pass(2000);
  site.delivery.setUp(true);
  await site.pass(1000);
  assert.equal(site.tried.filter((id) => id === waits.id).length, 2);
});

test('who comes back while an attempt is under way is tried again after the first pause', async () => {
  const underWay = Promise.withResolvers<never>();
  const site = await setUp(() => (site.tried.length === 2 ? underWay.promise : unreachable()));
  site.send(message('carol@a'));
  await site.pass(1250);
  assert.equal(site.tried.length, 2);
  site.delivery.returned.note(parseAddress('xmpp:carol@a'));
  await site.pass(250);
  underWay.reject(new GatewayError('unreachable', 'the old flow is dead'));
  await idle();
  await site.pass(1000);
  assert.equal(site.tried.length, 3);
});

test('a store that is away until the stop leaves what expired to the next start', async () => {
  const consumer = new MemoryConsumer();
  const site = await setUp(() => {
    throw new GatewayError('throttled', 'later', { retryAfterMs: 600_000 });
  }, consumer);
  site.send(message('ann@a', { expiresAt: '2026-01-01T00:00:20.000Z' }));
  await site.pass(14_000);
  consumer.failure = new GatewayError('unavailable', 'store away');
  await site.pass(20_000);
  await site.delivery.stop(0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(site.ended, []);
});

test('a try that was put off anew because somebody came back and left is not made at the time of the former one', async () => {
  const pauses = [5000, 600_000];
  const site = await setUp(() => {
    throw new GatewayError('unreachable', 'away', { retryAfterMs: pauses[site.tried.length - 1] ?? 600_000 });
  });
  site.send(message('carol@a'));
  await site.pass(250);
  site.delivery.returned.note(parseAddress('xmpp:carol@a'));
  await site.pass(250);
  assert.equal(site.tried.length, 2);
  await site.pass(10_000);
  assert.equal(site.tried.length, 2);
});

test('a destination that asks for no pause at all gets one all the same', async () => {
  const site = await setUp(() => {
    if (site.tried.length > 20) return {};
    throw new GatewayError('throttled', 'again, please', { retryAfterMs: 0 });
  });
  site.send(message('carol@a'));
  await site.pass(500);
  assert.equal(site.tried.length, 1);
});
