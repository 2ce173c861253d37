// The component session: handshake, ping barrier, spoofed answers, stream errors, reconnecting, poison. Time is the test's.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Session, type SessionOptions } from '../../../adapters/xmpp/session.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { type XmlElement, xml } from '../../../src/formats/xml.ts';
import {
  type FakeXmppServer,
  isPing,
  pong,
  type Script,
  startFakeXmppServer,
  streamError,
} from '../../peers/xmpp-server.ts';
import { until } from '../../servers/process.ts';
import { FakeClock } from './fake-clock.ts';

interface Under {
  session: Session;
  server: FakeXmppServer;
  clock: FakeClock;
  states: string[];
  stanzas: XmlElement[];
}

const domain = 'sms.xmpp.example';
const sentence = (id: string, text = 'x') =>
  `<message from='1@${domain}' to='alice@xmpp.example' id='${id}'><body>${text}</body></message>`;

async function open(t: TestContext, script: Partial<Script> = {}, more: Partial<SessionOptions> = {}): Promise<Under> {
  const server = await startFakeXmppServer(script);
  t.after(() => server.stop());
  const clock = new FakeClock();
  const states: string[] = [];
  const stanzas: XmlElement[] = [];
  const options: SessionOptions = {
    host: '127.0.0.1',
    port: server.port,
    tls: false,
    domain,
    secret: 'secret',
    connectTimeoutMs: 10_000,
    limits: { maxLength: 262_144, maxDepth: 64, maxAttributes: 64 },
    barrierPeer: 'xmpp.example',
    barrierTimeoutMs: 15_000,
    keepaliveMs: 60_000,
    window: 100,
    reconnect: { firstMs: 500, maxMs: 60_000 },
    ...more,
  };
  const events = {
    onStanza: (stanza: XmlElement) => void stanzas.push(stanza),
    onSkipped: () => {},
    onState: (state: string, why?: string) => void states.push(why === undefined ? state : `${state}: ${why}`),
  };
  const session = new Session(options, events, clock, () => 0.5);
  t.after(() => session.stop());
  session.start();
  return { session, server, clock, states, stanzas };
}

/** What has become of it by the next turn of the event loop. */
async function settled(promise: Promise<unknown>): Promise<string> {
  let state = 'pending';
  promise.then(
    () => {
      state = 'resolved';
    },
    (error: GatewayError) => {
      state = error.reason;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}
const up = ({ states }: Under) => until(() => states.at(-1) === 'up', 'up');

test('XEP-0114 s.3: the handshake is the SHA-1 of stream id and secret as UTF-8', async (t) => {
  const under = await open(t, { secret: 'gehëim 😀' }, { secret: 'gehëim 😀' });
  await up(under);
});

test('a delivery is taken only when a later ping is answered, and many share one ping', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  const { session, server } = under;
  const sent = Array.from({ length: 50 }, (_, i) => session.send(`m${i}`, sentence(`m${i}`)));
  const ping = await server.hears(isPing, 'a ping');
  assert.equal(server.heard.indexOf(ping), 50, 'the ping comes after them');
  assert.equal(await settled(sent[49] as Promise<void>), 'pending');
  const next = session.send('later', sentence('later'));
  await server.hears(({ attrs }) => attrs.id === 'later', 'the next message');
  assert.equal(server.heard.filter(isPing).length, 1, 'one ping at a time');
  server.write(pong(ping));
  await Promise.all(sent);
  assert.equal(await settled(next), 'pending', 'it was written after the ping');
  await until(() => server.heard.filter(isPing).length === 2, 'the second ping');
  server.write(pong(server.heard.findLast(isPing)!));
  await next;
});

test('RFC 6120 s.8.1.3: an answer from somebody else, or to another question, proves nothing', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  const sent = under.session.send('m1', sentence('m1'));
  const ping = await under.server.hears(isPing, 'a ping');
  under.server.write(pong(ping, 'evil@attacker.example'));
  under.server.write(`<iq type='result' id='other' from='xmpp.example' to='${domain}'/><presence id='mark'/>`);
  await until(() => under.stanzas.some(({ name }) => name === 'presence'), 'the mark');
  assert.equal(await settled(sent), 'pending');
  under.server.write(pong(ping).replace("type='result'", "type='error'"));
  await sent;
});

test('a stanza that comes back before its proof rejects the delivery, afterwards it is news', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  const sent = under.session.send('m1', sentence('m1'));
  assert.ok(under.session.refused('m1', new GatewayError('not-found', 'nobody')));
  await assert.rejects(sent, { reason: 'not-found' });
  assert.ok(!under.session.refused('m1', new GatewayError('not-found', 'nobody')));
});

test('a link that is lost before the proof rejects what is under way as unavailable', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  const sent = under.session.send('m1', sentence('m1'));
  const outcome = assert.rejects(
    sent,
    (error: unknown) => error instanceof GatewayError && error.reason === 'unavailable',
  );
  await under.server.hears(isPing, 'a ping');
  under.server.drop();
  await outcome;
  await assert.rejects(under.session.send('m2', sentence('m2')), /not connected/);
});

test('a ping without an answer is a dead link, and so is silence', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  under.clock.move(60_000);
  await under.server.hears(isPing, 'a ping into the silence');
  under.clock.move(15_000);
  await until(() => under.states.at(-1)?.includes('no answer to a ping') === true, 'down');
});

test('while our own socket is paused no answer means nothing', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  const sent = under.session.send('m1', sentence('m1'));
  const ping = await under.server.hears(isPing, 'a ping');
  under.session.pause();
  under.clock.move(15_000);
  under.server.write(pong(ping));
  assert.equal(under.states.at(-1), 'up');
  under.session.resume();
  await sent;
});

test('a server that accepts and says nothing is given up after connectTimeoutMs', async (t) => {
  const under = await open(t, { onHeader: undefined });
  await until(() => under.server.connections === 1, 'a connection');
  under.clock.move(10_000);
  await until(() => under.states.at(-1)?.startsWith('down: no accepted handshake') === true, 'down');
});

for (const condition of ['conflict', 'host-unknown', 'not-authorized']) {
  test(`RFC 6120 s.4.9.3: after ${condition} it waits long before it tries again, and says why meanwhile`, async (t) => {
    const under = await open(t, {
      onHeader: (to) =>
        `<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='${to}'>${streamError(condition)}`,
    });
    await until(() => under.states.at(-1) === `down: ${condition}`, 'down');
    assert.deepEqual(
      [...under.clock.timers]
        .map(({ due }) => due - under.clock.time)
        .sort((a, b) => a - b)
        .at(-1),
      45_000,
    );
    under.clock.move(44_999);
    assert.equal(under.states.at(-1), `down: ${condition}`);
    const before = under.server.connections;
    under.clock.move(1);
    await until(() => under.server.connections === before + 1, 'another try');
  });
}

test('reconnecting backs off at random between firstMs and three times the last pause, up to maxMs', async (t) => {
  const under = await open(
    t,
    { onHeader: () => streamError('system-shutdown') },
    { reconnect: { firstMs: 500, maxMs: 3000 } },
  );
  const pauses: number[] = [];
  for (let i = 1; i <= 6; i++) {
    await until(() => under.states.length === i + 1, `loss ${i}`);
    const retry = [...under.clock.timers].map(({ due }) => due - under.clock.time).filter((ms) => ms !== 2000);
    pauses.push(retry.at(-1) as number);
    under.clock.move(retry.at(-1) as number);
  }
  assert.deepEqual(pauses.map(Math.round), [1000, 1750, 2875, 3000, 3000, 3000]);
});

test('a server that restarts is found again', async (t) => {
  const under = await open(t);
  await up(under);
  under.server.drop();
  await until(() => under.states.at(-1)?.startsWith('down') === true, 'down');
  under.clock.move(60_000);
  await up(under);
  await under.session.send('m1', sentence('m1'));
});

test('an answer that somebody is owed is written after the reconnect when the link was lost before its proof', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  under.session.owe(
    xml('message', 'jabber:component:accept', { from: domain, to: 'alice@xmpp.example', type: 'error', id: 'c1' }),
  );
  await under.server.hears(({ attrs }) => attrs.id === 'c1', 'the error');
  under.server.drop();
  await until(() => under.states.at(-1)?.startsWith('down') === true, 'down');
  under.server.heard.length = 0;
  under.server.script.answersPings = true;
  under.clock.move(60_000);
  await under.server.hears(({ attrs }) => attrs.id === 'c1', 'the error again');
});

test('window: more stanzas than that wait for room, and get it in order', async (t) => {
  const under = await open(t, { answersPings: false }, { window: 10 });
  await up(under);
  const sent = Array.from({ length: 25 }, (_, i) => under.session.send(`m${i}`, sentence(`m${i}`)));
  const first = await under.server.hears(isPing, 'a ping');
  assert.equal(under.server.heard.filter(({ name }) => name === 'message').length, 10);
  under.server.script.answersPings = true;
  under.server.write(pong(first));
  await Promise.all(sent);
  const ids = under.server.heard.filter(({ name }) => name === 'message').map(({ attrs }) => attrs.id);
  assert.deepEqual(
    ids,
    Array.from({ length: 25 }, (_, i) => `m${i}`),
  );
});

test('what is written in one turn crosses the socket in one piece', async (t) => {
  const under = await open(t);
  await up(under);
  const before = under.server.reads;
  await Promise.all(Array.from({ length: 50 }, (_, i) => under.session.send(`m${i}`, sentence(`m${i}`))));
  assert.ok(under.server.reads - before <= 2, `${under.server.reads - before} reads for 50 stanzas and a ping`);
});

test('a server that reads slowly is waited for: little is kept in memory, nothing is lost, answers are left out', async (t) => {
  const under = await open(t, {}, { window: 100_000 });
  await up(under);
  under.server.pause();
  let isWaiting = 0;
  const text = 'x'.repeat(10_000);
  const sent: Promise<void>[] = [];
  for (let i = 0; i < 3000; i++) {
    sent.push(under.session.send(`m${i}`, sentence(`m${i}`, text)));
    if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    if ((await settled(sent[i] as Promise<void>)) === 'pending') isWaiting++;
  }
  under.session.answer(xml('iq', 'jabber:component:accept', { id: 'left-out', type: 'result' }));
  assert.equal(isWaiting, 3000);
  assert.ok(under.session.unproven < 2500, `${under.session.unproven} of 3000 were taken on`);
  under.server.resume();
  await Promise.all(sent);
  assert.equal(under.server.heard.filter(({ name }) => name === 'message').length, 3000);
  assert.ok(!under.server.heard.some(({ attrs }) => attrs.id === 'left-out'));
});

test('nothing is written for a delivery whose signal was aborted while it waited', async (t) => {
  const under = await open(t, { answersPings: false }, { window: 1 });
  await up(under);
  const first = under.session.send('m1', sentence('m1'));
  const aborting = new AbortController();
  const second = under.session.send('m2', sentence('m2'), aborting.signal);
  const outcome = assert.rejects(second, { name: 'AbortError' });
  aborting.abort();
  under.server.write(pong(await under.server.hears(isPing, 'a ping')));
  await first;
  await outcome;
  assert.ok(!under.server.heard.some(({ attrs }) => attrs.id === 'm2'));
});

test('a stanza that ends the stream each time is found out and refused, and those around it get through', async (t) => {
  const under = await open(t, {
    onStanza: ({ attrs }) => (attrs.id === 'poison' ? streamError('not-well-formed') : undefined),
  });
  await up(under);
  const { session, server, clock, states } = under;
  let tries = 0;
  const wait = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    if (states.at(-1)?.startsWith('down') === true && tries !== server.connections) {
      tries = server.connections;
      clock.move(60_000);
    }
    await until(() => session.state === 'up', 'up');
  };
  // As the hub does it: again, until it is taken or refused for good.
  const outcome = async (id: string): Promise<string> => {
    for (;;) {
      try {
        await session.send(id, sentence(id));
        return 'taken';
      } catch (error) {
        if (error instanceof GatewayError && error.isFinal) return error.reason;
      }
      await wait();
    }
  };
  const ids = ['m1', 'm2', 'poison', 'm3', 'm4'];
  assert.deepEqual(await Promise.all(ids.map(outcome)), ['taken', 'taken', 'malformed', 'taken', 'taken']);
  assert.equal(states.filter((state) => state.startsWith('down')).length, 3);
});

test('a stream that we cannot read accuses nothing of what we wrote', async (t) => {
  const under = await open(t, { answersPings: false });
  await up(under);
  for (let i = 0; i < 4; i++) {
    const sent = under.session.send('m1', sentence('m1'));
    const lost = assert.rejects(sent, { reason: 'unavailable' });
    under.server.write('<!-- x -->');
    await lost;
    under.clock.move(60_000);
    await up(under);
  }
});

test('what is no component port is said to be none', async (t) => {
  const under = await open(t, {
    onHeader: () =>
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>",
  });
  await until(() => under.states.at(-1)?.includes('no component port') === true, 'down');
});

for (const [what, bytes] of [
  ['a comment', '<message><!-- x --></message>'],
  ['a processing instruction', '<?php x?>'],
  ['a document type', '<!DOCTYPE a [<!ENTITY lol "lol">]>'],
  ['an entity', '<message><body>&lol;</body></message>'],
  ['crossed tags', '<message><body></message></body>'],
] as const) {
  test(`RFC 6120 s.11.1: ${what} ends the stream, never the process, and it comes back`, async (t) => {
    const under = await open(t);
    await up(under);
    under.server.write(bytes);
    await until(() => under.states.at(-1)?.startsWith('down') === true, 'down');
    under.clock.move(60_000);
    await up(under);
  });
}

test('stop says goodbye and waits for what the server still says', async (t) => {
  const under = await open(t);
  await up(under);
  await under.session.stop();
  assert.equal(under.states.at(-1), 'down: stopped');
  await assert.rejects(under.session.send('m1', sentence('m1')), /not connected/);
});
