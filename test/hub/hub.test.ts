// The way in: who is meant, how the sender is shown, repeats, receipts home, refusals. On a real embedded store.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type Draft,
  type DraftOf,
  type GatewayDomain,
  GatewayError,
  type GatewayEvent,
  parseAddress,
  type Receipt,
  type Scheme,
} from '../../src/contract/index.ts';
import { Addressing, type Network } from '../../src/hub/addressing.ts';
import { Correlation } from '../../src/hub/correlation.ts';
import { Directory } from '../../src/hub/directory.ts';
import { Hub } from '../../src/hub/hub.ts';
import { Policy } from '../../src/hub/policy.ts';
import { RouteTable } from '../../src/hub/router.ts';
import { TraceBook } from '../../src/hub/trace.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { openSqlite, SqliteState } from '../../src/state/sqlite.ts';
import { temporaryFolder } from '../servers/process.ts';

const hour = 3_600_000;
const expireAfterMs = {
  message: 24 * hour,
  receipt: 24 * hour,
  typing: 10_000,
  presence: hour,
  subscription: hour,
  membership: hour,
  registration: hour,
};

async function setUp(t: TestContext) {
  const folder = temporaryFolder('hub');
  const state = new SqliteState(await openSqlite(folder.path));
  t.after(async () => {
    await state.close();
    folder.remove();
  });
  const now = Date.UTC(2026, 0, 1);
  const pushed: Array<{ instance: string; event: GatewayEvent }> = [];
  const failing: Error[] = [];
  const queue = {
    push: async (instance: string, events: readonly GatewayEvent[]) => {
      const failure = failing.shift();
      if (failure) throw failure;
      for (const event of events) pushed.push({ instance, event });
    },
  } as unknown as Queue;
  const down = new Set<string>();
  const mute = new Set<string>();
  const phones = new Set<string>();
  const network = (
    instance: string,
    scheme: Scheme,
    gatewayDomains: GatewayDomain[],
    native: string[] = [],
  ): [string, Network] => [
    instance,
    {
      instance,
      scheme,
      gatewayDomains,
      nativeDomains: new Set(native),
      isSwitch: instance === 'centre',
      serves: async (address) => instance === 'sip' && phones.has(address),
      isUp: () => !down.has(instance),
      accepts: (type) => type === 'message' || !mute.has(instance),
    },
  ];
  const networks = new Map([
    network('xmpp', 'xmpp', [
      { domain: 'sms.example', shows: ['tel'] },
      { domain: 'sip.example', shows: ['sip'] },
    ]),
    network('sip', 'sip', [{ domain: 'gw.example', shows: ['xmpp', 'tel'] }], ['example.org']),
    network('carrier-a', 'tel', []),
    network('carrier-b', 'tel', []),
    network('centre', 'tel', []),
  ]);
  const directory = new Directory(state.namespace('directory'), () => now);
  directory.configure(
    [{ name: 'Alice', addresses: [parseAddress('xmpp:alice@example.org'), parseAddress('tel:+447700900001')] }],
    { pool: ['+447700900100', '+447700900101'], holdForMs: 30 * 24 * hour },
  );
  const routes = new RouteTable([
    { to: 'tel:*', via: ['carrier-a', 'carrier-b'], mode: 'failover' },
    { to: 'sip:*', via: ['sip'], mode: 'failover' },
    { to: 'xmpp:*', via: ['xmpp'], mode: 'failover' },
    { to: 'tel:+4477009002*', via: ['centre'], mode: 'failover' },
    { to: 'tel:88222', via: [], mode: 'failover', keyword: ['INFO'], as: parseAddress('xmpp:info@example.org') },
  ]);
  const correlation = new Correlation(state.namespace('hub'), 7 * 24 * hour);
  const policy = new Policy(state.namespace('policy'), () => now);
  const optOut = { stop: ['STOP'], start: ['START'], stopped: 'No more from {number}.', started: '' };
  policy.configure({ block: [], quotas: [], optOut });
  let depth = 0;
  const silent = () => {};
  const hub = new Hub(
    {
      queue,
      addressing: new Addressing(directory, networks, routes),
      policy,
      recordsOf: () => undefined,
      correlation,
      traces: new TraceBook(() => now),
      log: { debug: silent, info: silent, warn: silent, error: silent },
      metricsOf: () => ({ count: silent, gauge: silent, observe: silent }),
      depthOf: () => depth,
      namesItself: (instance) => instance.startsWith('carrier'),
      now: () => now,
    },
    { maxHops: 5, highWater: 100, expireAfterMs },
  );
  const say = (instance: string, from: string, to: string, more: Partial<DraftOf<'message'>> = {}) =>
    hub.publish(instance, {
      type: 'message',
      from: parseAddress(from),
      to: parseAddress(to),
      text: { '': 'hi' },
      wants: ['delivered'],
      ...more,
    } as Draft);
  const report = (instance: string, from: string, of: string, status: Receipt['state'], more: Partial<Receipt> = {}) =>
    hub.publish(instance, {
      ...more,
      type: 'receipt',
      from: parseAddress(from),
      to: parseAddress('xmpp:x@y'),
      of,
      state: status,
    });
  const last = () => {
    const entry = pushed.at(-1);
    assert.ok(entry);
    return entry;
  };
  return {
    hub,
    say,
    report,
    pushed,
    last,
    failing,
    down,
    mute,
    phones,
    correlation,
    directory,
    policy,
    setDepth: (value: number) => (depth = value),
  };
}

const refusedAs = (reason: string) => (error: unknown) => error instanceof GatewayError && error.reason === reason;

test('an XMPP user writes to a SIP user at our domain, and is shown under her own name where the domain is ours', async (t) => {
  const { say, last } = await setUp(t);
  await say('xmpp', 'xmpp:alice@example.org/phone', 'xmpp:bob\\40other.net@sip.example', { nativeId: 'm1' });
  const { instance, event } = last();
  assert.equal(instance, 'sip');
  assert.equal(event.to, 'sip:bob@other.net');
  assert.equal(event.from, 'sip:alice@example.org;gr=phone');
  assert.equal(event.source.to, 'xmpp:bob\\40other.net@sip.example');
  assert.equal(event.expiresAt, '2026-01-02T00:00:00.000Z');
});

test('a switch gets back what its own people write to one another; any other network is refused that', async (t) => {
  const { hub, say, last, pushed } = await setUp(t);
  const { id } = await say('centre', 'tel:+447700900201', 'tel:+447700900202', { nativeId: 'a:1' });
  assert.equal(last().instance, 'centre');
  await hub.publish('centre', {
    type: 'receipt',
    from: parseAddress('tel:+447700900202'),
    to: parseAddress('tel:+447700900201'),
    of: id,
    state: 'delivered',
  });
  const { instance, event } = last();
  assert.deepEqual([instance, event.type, event.type === 'receipt' && event.of], ['centre', 'receipt', 'a:1']);
  const before = pushed.length;
  await assert.rejects(say('sip', 'sip:a@h', 'sip:b@h'), refusedAs('not-found'));
  assert.equal(pushed.length, before);
});

test('what is said to somebody who lives with the instance it came from waits there, and nothing else comes back', async (t) => {
  const { hub, say, last, phones, directory } = await setUp(t);
  const people = { from: parseAddress('sip:bob@example.org'), to: parseAddress('sip:carol@example.org') };
  await say('sip', people.from, people.to);
  assert.deepEqual(
    [last().instance, last().event.to],
    ['xmpp', 'xmpp:carol@example.org'],
    'nobody there has that name',
  );
  phones.add(people.to);
  await say('sip', people.from, people.to);
  assert.deepEqual([last().instance, last().event.to, last().event.via], ['sip', people.to, undefined]);
  await hub.publish('sip', { type: 'presence', ...people, availability: 'away' });
  assert.equal(last().instance, 'xmpp', 'only a message waits');
  await say('sip', people.from, people.to, { hops: 4 });
  await assert.rejects(say('sip', people.from, people.to, { hops: 5 }), refusedAs('not-allowed'));
  // Who is known under an address of another network is reached there, as before.
  await directory.enter({ addresses: [people.to, parseAddress('xmpp:carol@far.example')] });
  await say('sip', people.from, people.to);
  assert.deepEqual([last().instance, last().event.to], ['xmpp', 'xmpp:carol@far.example']);
});

test('a stranger is shown in the escaped form', async (t) => {
  const { say, last } = await setUp(t);
  await say('xmpp', 'xmpp:zoe@far.example', 'xmpp:bob\\40other.net@sip.example');
  assert.equal(last().event.from, 'sip:zoe%40far.example@gw.example');
  await say('sip', 'sip:bob@other.net', 'sip:zoe%40far.example@gw.example');
  assert.deepEqual(
    [last().instance, last().event.from, last().event.to],
    ['xmpp', 'xmpp:bob\\40other.net@sip.example', 'xmpp:zoe@far.example'],
  );
});

test('a person with a number keeps it; an answer to that number finds the person', async (t) => {
  const { say, last } = await setUp(t);
  await say('xmpp', 'xmpp:alice@example.org/phone', 'xmpp:+447700900123@sms.example');
  assert.deepEqual(
    [last().instance, last().event.from, last().event.to],
    ['carrier-a', 'tel:+447700900001', 'tel:+447700900123'],
  );
  await say('carrier-a', 'tel:+447700900123', 'tel:+447700900001');
  assert.deepEqual(
    [last().instance, last().event.from, last().event.to],
    ['xmpp', 'xmpp:+447700900123@sms.example', 'xmpp:alice@example.org'],
  );
});

test('people without a number are lent one per pair, so that each answer finds its way', async (t) => {
  const { say, last } = await setUp(t);
  const phone = 'tel:+447700900123';
  const lent: string[] = [];
  for (const user of ['zoe', 'yan']) {
    await say('xmpp', `xmpp:${user}@far.example/a`, 'xmpp:+447700900123@sms.example');
    lent.push(last().event.from);
  }
  assert.notEqual(lent[0], lent[1]);
  await say('xmpp', 'xmpp:zoe@far.example/b', 'xmpp:+447700900123@sms.example');
  assert.equal(last().event.from, lent[0], 'the same pair keeps its number');
  await say('carrier-b', phone, lent[1] as string);
  assert.equal(last().event.to, 'xmpp:yan@far.example');
  await assert.rejects(
    say('xmpp', 'xmpp:third@far.example', 'xmpp:+447700900123@sms.example'),
    /add numbers under "numbers"/,
  );
  await assert.rejects(say('carrier-a', 'tel:+447700900999', lent[0] as string), refusedAs('not-found'));
});

test('a SIP user writes to a telephone at our domain and the other way round', async (t) => {
  const { say, last } = await setUp(t);
  await say('sip', 'sip:bob@other.net', 'sip:+447700900123@gw.example');
  const { instance, event } = last();
  assert.equal(instance, 'carrier-a');
  assert.equal(event.to, 'tel:+447700900123');
  await say('carrier-a', 'tel:+447700900123', event.from);
  assert.deepEqual(
    [last().instance, last().event.from, last().event.to],
    ['sip', 'sip:+447700900123@gw.example', 'sip:bob@other.net'],
  );
});

test('an instance that is down is passed over when the route names another', async (t) => {
  const { say, last, down } = await setUp(t);
  down.add('carrier-a');
  await say('xmpp', 'xmpp:alice@example.org', 'xmpp:+447700900123@sms.example');
  assert.equal(last().instance, 'carrier-b');
  assert.deepEqual(last().event.via, ['carrier-a']);
});

test('what a network repeats goes through once, even when the copies come together', async (t) => {
  const { say, pushed } = await setUp(t);
  const again = { dedupeKey: 'call-1;tag;1' };
  const answers = await Promise.all(
    [1, 2, 3].map(() => say('sip', 'sip:bob@other.net', 'sip:zoe%40far.example@gw.example', again)),
  );
  answers.push(await say('sip', 'sip:bob@other.net', 'sip:zoe%40far.example@gw.example', again));
  assert.equal(pushed.length, 1);
  assert.deepEqual(new Set(answers.map(({ id }) => id)).size, 1);
  assert.deepEqual(
    answers.map(({ isRepeat }) => isRepeat),
    [false, true, true, true],
  );
});

test('a copy that could not be stored is no repeat when it comes again', async (t) => {
  const { say, pushed, failing } = await setUp(t);
  failing.push(new GatewayError('throttled', 'full'));
  const again = { dedupeKey: 'call-1;tag;1' };
  await assert.rejects(
    say('sip', 'sip:bob@other.net', 'sip:zoe%40far.example@gw.example', again),
    refusedAs('throttled'),
  );
  await say('sip', 'sip:bob@other.net', 'sip:zoe%40far.example@gw.example', again);
  assert.equal(pushed.length, 1);
});

test('a store that is away for a moment costs nobody a message', async (t) => {
  const { say, pushed, failing } = await setUp(t);
  failing.push(new GatewayError('unavailable', 'restarting'), new GatewayError('unavailable', 'restarting'));
  await say('sip', 'sip:bob@other.net', 'sip:zoe%40far.example@gw.example');
  assert.equal(pushed.length, 1);
});

test('an event that the chosen network can never say is refused at once, before a number is lent for it', async (t) => {
  const { hub, say, pushed, last, mute } = await setUp(t);
  const people = {
    from: parseAddress('xmpp:zoe@far.example'),
    to: parseAddress('xmpp:+447700900123@sms.example'),
  };
  const presence = () => hub.publish('xmpp', { type: 'presence', ...people, availability: 'away' });
  mute.add('carrier-a').add('carrier-b');
  await assert.rejects(presence(), (error: GatewayError) => {
    assert.equal(error.reason, 'unsupported');
    assert.match(error.message, /carrier-a, carrier-b cannot carry a presence/);
    return true;
  });
  assert.equal(pushed.length, 0);
  mute.delete('carrier-b');
  await presence();
  assert.deepEqual([last().instance, last().event.via], ['carrier-b', undefined]);
  await say('xmpp', people.from, people.to);
  assert.equal(last().instance, 'carrier-a');
});

test('a receipt goes home under the name the sender gave its message, once', async (t) => {
  const { say, report, pushed, last } = await setUp(t);
  const { id } = await say('xmpp', 'xmpp:alice@example.org/phone', 'xmpp:bob\\40other.net@sip.example', {
    nativeId: 'm1',
  });
  await report('sip', 'sip:bob@other.net', id, 'delivered');
  await report('sip', 'sip:bob@other.net', id, 'delivered');
  await report('sip', 'sip:bob@other.net', id, 'failed');
  assert.equal(pushed.length, 2);
  const { instance, event } = last();
  assert.equal(instance, 'xmpp');
  assert.ok(event.type === 'receipt');
  assert.deepEqual(
    [event.of, event.state, event.from, event.to, event.trace],
    ['m1', 'delivered', 'xmpp:bob\\40other.net@sip.example', 'xmpp:alice@example.org/phone', id],
  );
});

test('RFC 7247 s.7: what the far network calls a failure, and where the recipient has gone, go home with it', async (t) => {
  const { say, report, last } = await setUp(t);
  const { id } = await say('xmpp', 'xmpp:alice@example.org', 'xmpp:bob\\40other.net@sip.example', { wants: [] });
  const fault = { condition: 'gone', movedTo: 'sip:bob@new.example' } as const;
  await report('sip', 'sip:bob@other.net', id, 'failed', { reason: 'not-found', fault });
  assert.deepEqual((last().event as Receipt).fault, fault);
});

test('reference smpp 0, fact 6: what the network ends before it has answered was sent first; of an unknown fate nobody says that it was sent', async (t) => {
  const { hub, say, report, pushed } = await setUp(t);
  const bob = 'xmpp:bob\\40other.net@sip.example';
  for (const state of ['failed', 'unknown'] as const) {
    const { id } = await say('xmpp', 'xmpp:alice@example.org/a', bob, { wants: ['sent'] });
    hub.unanswered.set(id, false);
    await report('sip', 'sip:bob@other.net', id, state);
    assert.equal(hub.unanswered.get(id), true);
  }
  const told = pushed.flatMap(({ event }) => (event.type === 'receipt' ? [event.state] : []));
  assert.deepEqual(told, ['sent', 'failed', 'unknown']);
});

test('receipts nobody asked for stay away; failures are told unasked', async (t) => {
  const { say, report, pushed, last } = await setUp(t);
  const { id } = await say('xmpp', 'xmpp:alice@example.org', 'xmpp:bob\\40other.net@sip.example', { wants: [] });
  await report('sip', 'sip:bob@other.net', id, 'displayed');
  assert.equal(pushed.length, 1);
  await report('sip', 'sip:bob@other.net', id, 'failed');
  assert.equal((last().event as Receipt).state, 'failed');
});

test('"unknown" may be followed by what is known, and by nothing else', async (t) => {
  const { say, report, pushed } = await setUp(t);
  const { id } = await say('xmpp', 'xmpp:alice@example.org', 'xmpp:+447700900123@sms.example');
  for (const state of ['unknown', 'unknown', 'delivered', 'unknown'] as const) {
    await report('carrier-a', 'tel:+447700900123', id, state);
  }
  assert.deepEqual(
    pushed.slice(1).map(({ event }) => (event as Receipt).state),
    ['unknown', 'delivered'],
  );
});

test("somebody else's receipt, or one from another network, is ignored", async (t) => {
  const { say, report, pushed } = await setUp(t);
  const { id } = await say('xmpp', 'xmpp:alice@example.org', 'xmpp:bob\\40other.net@sip.example');
  await report('sip', 'sip:mallory@evil.example', id, 'delivered');
  await report('carrier-a', 'tel:+447700900123', id, 'failed');
  await report('sip', 'sip:bob@other.net', 'e00000000000', 'delivered');
  assert.equal(pushed.length, 1);
});

test('a receipt that comes before the network named its message waits for the name', async (t) => {
  const { hub, say, report, pushed, last, correlation } = await setUp(t);
  await say('xmpp', 'xmpp:alice@example.org', 'xmpp:+447700900123@sms.example', { nativeId: 'm9' });
  const message = last().event;
  assert.ok(message.type === 'message');
  await report('carrier-a', 'tel:+447700900123', '00AF', 'delivered');
  assert.equal(pushed.length, 1);
  await correlation.link('carrier-a', '00AF', message);
  await hub.settleEarly('carrier-a', '00AF');
  assert.equal((last().event as Receipt).of, 'm9');
});

test('answers and corrections name messages in the words of the network they go to', async (t) => {
  const { say, last, correlation } = await setUp(t);
  const { id } = await say('xmpp', 'xmpp:alice@example.org/a', 'xmpp:bob\\40other.net@sip.example', { nativeId: 'm1' });
  await say('xmpp', 'xmpp:alice@example.org/b', 'xmpp:bob\\40other.net@sip.example', {
    nativeId: 'm2',
    replaces: 'm1',
  });
  const correction = last().event;
  assert.ok(correction.type === 'message');
  assert.equal(correction.replaces, id);
  assert.equal(await correlation.nativeId('sip', id), id, 'SIP took our id');
  assert.equal(await correlation.nativeId('xmpp', id), 'm1');
  await say('sip', 'sip:bob@other.net', 'sip:alice@example.org', { replyTo: id });
  const reply = last().event;
  assert.ok(reply.type === 'message');
  assert.equal(reply.replyTo, id);
});

test('loops, sips, full queues, huge texts and unknown people are refused in words', async (t) => {
  const { say, setDepth } = await setUp(t);
  const bob = 'xmpp:bob\\40other.net@sip.example';
  await assert.rejects(say('xmpp', 'xmpp:a@b', bob, { hops: 5 }), refusedAs('not-allowed'));
  await assert.rejects(say('sip', 'sip:bob@other.net', 'sips:zoe@far.example'), refusedAs('not-allowed'));
  await assert.rejects(say('sip', 'sip:bob@other.net', 'sip:carol@other.net'), refusedAs('not-found'));
  await assert.rejects(
    say('xmpp', 'xmpp:a@b', bob, { text: { '': 'x'.repeat(1024 * 1024 + 1) } }),
    refusedAs('too-large'),
  );
  await assert.rejects(say('xmpp', 'xmpp:a@b', 'xmpp:not-a-number@sms.example'), refusedAs('not-found'));
  setDepth(101);
  await assert.rejects(
    say('xmpp', 'xmpp:a@b', bob),
    (error: GatewayError) => error.reason === 'throttled' && error.retryAfterMs === 5000,
  );
});

test('people entered at run time are found, and are gone when removed', async (t) => {
  const { say, last, directory } = await setUp(t);
  const zoe = { addresses: [parseAddress('xmpp:zoe@far.example'), parseAddress('tel:+447700900077')] };
  await directory.enter(zoe);
  await say('xmpp', 'xmpp:zoe@far.example/x', 'xmpp:+447700900123@sms.example');
  assert.equal(last().event.from, 'tel:+447700900077');
  const entered = await Array.fromAsync(directory.entered());
  assert.equal(entered.length, 1);
  await directory.remove(zoe);
  await say('xmpp', 'xmpp:zoe@far.example/x', 'xmpp:+447700900123@sms.example');
  assert.match(last().event.from, /^tel:\+44770090010[01]$/);
});

test('whoever is entered takes the place of those whose addresses these were; the configuration is never overruled', async (t) => {
  const { directory } = await setUp(t);
  const [zoe, yan] = [parseAddress('xmpp:zoe@a.example'), parseAddress('xmpp:yan@a.example')];
  const [number, other] = [parseAddress('tel:+447700900077'), parseAddress('tel:+447700900078')];
  await directory.enter({ addresses: [zoe, number] });
  await directory.enter({ addresses: [yan, number] });
  assert.equal(await directory.personOf(zoe), undefined);
  assert.deepEqual((await directory.personOf(number))?.addresses, [yan, number]);
  await directory.enter({ addresses: [yan, other] });
  assert.equal(await directory.personOf(number), undefined);
  const taken = parseAddress('xmpp:alice@example.org');
  await assert.rejects(directory.enter({ addresses: [taken, number] }), refusedAs('not-allowed'));
});

test('reference smpp 1.1: MO routing: a keyword at a short code means the person that the rule names', async (t) => {
  const { say, last } = await setUp(t);
  await say('carrier-a', 'tel:+447700900123', 'tel:88222;phone-context=a.invalid', { text: { '': 'Info please' } });
  const { instance, event } = last();
  assert.equal(instance, 'xmpp');
  assert.equal(event.to, 'xmpp:info@example.org');
  assert.equal(event.from, 'xmpp:+447700900123@sms.example');
});

test('reference smpp 1.1: opt-out: a phone that says STOP gets no more from that number, whoever uses it, until it says START', async (t) => {
  const { say, pushed, last } = await setUp(t);
  const phone = 'tel:+447700900123';
  await say('xmpp', 'xmpp:alice@example.org/a', 'xmpp:+447700900123@sms.example');
  await say('carrier-a', phone, 'tel:+447700900001', { text: { '': ' stop ' } });
  const reply = pushed.at(-2);
  assert.equal(reply?.instance, 'carrier-a');
  assert.equal(reply?.event.to, phone);
  assert.deepEqual(reply?.event.type === 'message' && reply.event.text, { '': 'No more from +447700900001.' });
  assert.equal(last().instance, 'xmpp', 'she is told that the phone said so');
  await assert.rejects(say('xmpp', 'xmpp:alice@example.org/a', 'xmpp:+447700900123@sms.example'), {
    reason: 'not-allowed',
    message: /STOP/,
  });
  await say('xmpp', 'xmpp:alice@example.org/a', 'xmpp:+447700900124@sms.example');
  await say('carrier-a', phone, 'tel:+447700900001', { text: { '': 'Start' } });
  await say('xmpp', 'xmpp:alice@example.org/a', 'xmpp:+447700900123@sms.example');
});

test('reference smpp 1.1: opt-out: STOP counts where nobody is left to read it', async (t) => {
  const { say, policy } = await setUp(t);
  const phone = parseAddress('tel:+447700900123');
  await assert.rejects(say('carrier-a', phone, 'tel:+447700900100', { text: { '': 'STOP' } }), { reason: 'not-found' });
  const shown = { from: parseAddress('tel:+447700900100'), to: phone };
  const bob = parseAddress('xmpp:bob@example.org');
  await assert.rejects(policy.admit({ from: bob, recipient: phone, shown, network: 'tel' }), { reason: 'not-allowed' });
});

test('reference smpp 1.1: black list, quota: block lists and quotas refuse in words, each sender counted alone and each window anew', async (t) => {
  const { say, policy } = await setUp(t);
  const day = 24 * hour;
  policy.configure({
    block: [{ from: 'xmpp:*@spam.example', to: 'tel:*', why: 'not from there' }],
    quotas: [{ from: 'xmpp:*', to: 'tel:*', messages: 2, perMs: day }],
    optOut: undefined,
  });
  const sms = (from: string) => say('xmpp', from, 'xmpp:+447700900123@sms.example');
  await assert.rejects(sms('xmpp:x@spam.example/a'), { reason: 'not-allowed', message: 'not from there' });
  await sms('xmpp:alice@example.org/a');
  await sms('xmpp:alice@example.org/b');
  await assert.rejects(sms('xmpp:alice@example.org/c'), { message: /quota of 2 messages.*2026-01-02T00:00:00/ });
  await sms('xmpp:bob@example.org/a');
  await say('xmpp', 'xmpp:alice@example.org/a', 'xmpp:bob\\40other.net@sip.example');
});
