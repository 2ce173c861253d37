// Events on their way out: what is written, how the answer is understood, and one at a time to one target.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/contract/index.ts';
import { type PeerMessage, responseTo, startSipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { message, open, signal } from './adapter-fixtures.ts';

const isMessage = ({ first }: PeerMessage) => first.startsWith('MESSAGE');

async function failureOf(delivery: Promise<unknown>): Promise<GatewayError> {
  const error = await delivery.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
}

test('RFC 3428 s.4, RFC 7572 s.4: a text is text/plain, without Contact, its Call-ID is the event’s and its tag is new', async (t) => {
  const { sip, peer } = await open(t);
  const event = message(`${peer.uri};gr=desk`, {
    text: { fr: 'ça va? 👋' },
    subject: { '': 'lunch\r\nX-Evil: 1' },
    priority: 'low',
    expiresAt: '2026-07-01T13:00:00.000Z',
    thread: 'call-7@peer',
  });
  assert.deepEqual(await sip.deliver(event, signal), { state: 'sent' });
  await sip.deliver(event, signal);
  // A busy machine repeats itself: copies are no attempts.
  const attempts = new Map(peer.heard.map((heard) => [heard.header('Via'), heard]));
  const [first, second] = [...attempts.values()] as [PeerMessage, PeerMessage];
  assert.equal(first.first, `MESSAGE ${peer.uri};gr=desk SIP/2.0`);
  assert.equal(first.body, 'ça va? 👋');
  assert.equal(first.header('Content-Type'), 'text/plain;charset=UTF-8');
  assert.equal(first.header('Content-Language'), 'fr');
  assert.equal(first.header('Subject'), 'lunch X-Evil: 1');
  assert.equal(first.header('Priority'), 'non-urgent');
  assert.equal(first.header('Date'), 'Wed, 01 Jul 2026 12:00:00 GMT');
  assert.equal(first.header('Expires'), '3600');
  assert.equal(first.header('In-Reply-To'), 'call-7@peer');
  assert.equal(first.header('Max-Forwards'), '63');
  assert.equal(first.header('Call-ID'), event.id);
  assert.match(first.header('From'), /^<sip:alice%40xmpp\.example@gw\.example>;tag=/);
  assert.equal(first.header('To'), `<${peer.uri};gr=desk>`);
  assert.equal(first.header('Contact'), '');
  assert.notEqual(first.header('From'), second.header('From'), 'a second attempt is no merged request (s.8.2.2.2)');
});

test('RFC 3261 s.19.1.6: a number at a domain that shows numbers says that it is one', async (t) => {
  const { sip, peer } = await open(t);
  const event = message(peer.uri);
  event.from = 'sip:+447700900123@gw.example' as typeof event.from;
  await sip.deliver(event, signal);
  assert.match(peer.heard[0]?.header('From') ?? '', /^<sip:\+447700900123@gw\.example;user=phone>;tag=/);
});

test('RFC 5438 s.7.1.1: who wants receipts asks in CPIM, with a Message-ID that is the event’s id and says that the form may be refused', async (t) => {
  const { sip, peer } = await open(t);
  const event = message(peer.uri, { wants: ['delivered', 'displayed'], subject: { '': 'a', de: 'b' } });
  await sip.deliver(event, signal);
  const [{ header, body }] = peer.heard as [PeerMessage];
  assert.equal(header('Content-Type'), 'message/cpim');
  assert.match(body, new RegExp(`^imdn\\.Message-ID: ${event.id}\\.rich\r$`, 'm'));
  assert.match(body, /^imdn\.Disposition-Notification: positive-delivery, negative-delivery, display\r$/m);
  assert.match(body, /^DateTime: 2026-07-01T12:00:00\.000Z\r$/m);
  assert.match(body, /^Subject:;lang=de b\r$/m);
  assert.match(body, /\r\n\r\nContent-Type: text\/plain;charset=UTF-8\r\n\r\nhello$/);
});

test('RFC 7247 s.7.2: each refusal is a reason, with the status and what Retry-After asks', async (t) => {
  const { sip, peer } = await open(t);
  const expected: Record<string, string> = {
    400: 'malformed',
    403: 'not-allowed',
    404: 'not-found',
    405: 'unsupported',
    410: 'not-found',
    413: 'too-large',
    415: 'unsupported',
    429: 'throttled',
    480: 'unavailable',
    486: 'unavailable',
    500: 'internal',
    503: 'unavailable',
    504: 'unreachable',
    513: 'too-large',
    603: 'not-allowed',
    604: 'not-found',
    499: 'malformed',
    599: 'internal',
    699: 'not-allowed',
  };
  for (const [status, reason] of Object.entries(expected)) {
    peer.onRequest = (request) => responseTo(request, `${status} No`, ['Retry-After: 7 (busy)']);
    const error = await failureOf(sip.deliver(message(peer.uri), signal));
    assert.deepEqual(
      [error.reason, error.native, error.retryAfterMs, error.message],
      [reason, status, 7000, `${status} No`],
    );
  }
});

test('RFC 3261 s.22: a challenge is answered with a raised CSeq and a new branch, once', async (t) => {
  const { sip, peer } = await open(t, { credentials: [{ realm: 'pbx', user: 'gw', password: 'secret' }] });
  const challenge = ['Proxy-Authenticate: Digest realm="pbx", nonce="n1", algorithm=SHA-256, qop="auth"'];
  peer.onRequest = (request) =>
    request.header('Proxy-Authorization') === ''
      ? responseTo(request, '407 Who', challenge)
      : responseTo(request, '200 OK');
  await sip.deliver(message(peer.uri), signal);
  const [first, second] = peer.heard as [PeerMessage, PeerMessage];
  assert.match(
    second.header('Proxy-Authorization'),
    /^Digest username="gw", realm="pbx", nonce="n1".*algorithm=SHA-256/,
  );
  assert.deepEqual([first.header('CSeq'), second.header('CSeq')], ['1 MESSAGE', '2 MESSAGE']);
  assert.equal(first.header('From'), second.header('From'));
  assert.notEqual(first.header('Via'), second.header('Via'));
  peer.onRequest = (request) => responseTo(request, '407 Who', challenge);
  const error = await failureOf(sip.deliver(message(peer.uri), signal));
  assert.deepEqual([error.reason, error.native], ['not-allowed', '407']);
  assert.equal(peer.heard.length, 4);
});

test('RFC 3261 s.8.1.3.4: a redirection is followed, and to each place once', async (t) => {
  const { sip, peer } = await open(t);
  const elsewhere = peer.uri.replace('bob', 'bob2');
  peer.onRequest = (request) =>
    request.first.includes('bob2')
      ? responseTo(request, '202 OK')
      : responseTo(request, '302 Moved', [`Contact: <${elsewhere}>`]);
  await sip.deliver(message(peer.uri), signal);
  peer.onRequest = (request) => responseTo(request, '302 Moved', [`Contact: <${elsewhere}>`]);
  assert.equal((await failureOf(sip.deliver(message(peer.uri), signal))).reason, 'not-found');
  assert.equal(peer.heard.length, 4);
});

test('RFC 3261 s.8.1.3.4, s.22.3: who answers for another place is told no proof that was for the first', async (t) => {
  const elsewhere = await startSipPeer();
  t.after(() => elsewhere.stop());
  const { sip, peer } = await open(t, { credentials: [{ realm: 'pbx', user: 'gw', password: 'secret' }] });
  const challenge = ['Proxy-Authenticate: Digest realm="pbx", nonce="n1"'];
  peer.onRequest = (request) =>
    request.header('Proxy-Authorization') === ''
      ? responseTo(request, '407 Who', challenge)
      : responseTo(request, '302 Moved', [`Contact: <${elsewhere.uri}>`]);
  await sip.deliver(message(peer.uri), signal);
  assert.deepEqual(
    elsewhere.heard.map(({ header }) => header('Proxy-Authorization')),
    [''],
  );
});

test('RFC 3261 s.8.1.3.4, s.8.1.2: of several places the most wanted first, the next when that fails, through the same proxy', async (t) => {
  const proxy = await startSipPeer();
  t.after(() => proxy.stop());
  const { sip } = await open(t, { outboundProxy: `sip:127.0.0.1:${proxy.port};lr` });
  const places = ['<sip:c@far.example>;q=0.1', '<mailto:a@b>', '<sip:b@far.example>;q=0.9', '<sip:bob@far.example>'];
  proxy.onRequest = (request) => {
    if (request.first.startsWith('OPTIONS')) return responseTo(request, '200 OK');
    if (request.first.includes('sip:bob@')) return responseTo(request, '300 Choose', [`Contact: ${places.join(', ')}`]);
    return responseTo(request, request.first.includes('sip:c@') ? '202 OK' : '480 Away');
  };
  await sip.deliver(message('sip:bob@far.example'), signal);
  const asked = proxy.heard.filter(({ first }) => first.startsWith('MESSAGE'));
  assert.deepEqual(
    asked.map(({ first, header }) => [/sip:(\w+)@/.exec(first)?.[1], header('CSeq')]),
    [
      ['bob', '1 MESSAGE'],
      ['b', '2 MESSAGE'],
      ['c', '3 MESSAGE'],
    ],
  );
});

test('RFC 3261 s.18.1.1: over 1300 bytes a message goes over TCP', async (t) => {
  const { sip, peer } = await open(t);
  await sip.deliver(message(peer.uri, { text: { '': 'x'.repeat(700) } }), signal);
  await sip.deliver(message(peer.uri, { text: { '': 'x'.repeat(1300) } }), signal);
  assert.deepEqual(
    peer.heard.map(({ transport }) => transport),
    ['UDP', 'TCP'],
  );
});

test('RFC 3428 s.8: where TCP is refused a long MESSAGE is too large, and never put on UDP', async (t) => {
  const { sip, peer } = await open(t, {}, { takesTcp: false });
  const error = await failureOf(sip.deliver(message(peer.uri, { text: { '': 'x'.repeat(1300) } }), signal));
  assert.equal(error.reason, 'too-large');
  assert.equal(peer.heard.length, 0);
});

test('RFC 3428 s.8: no second MESSAGE to a target while one is pending, in order, and others do not wait', async (t) => {
  const { sip, peer } = await open(t);
  const held: PeerMessage[] = [];
  peer.onRequest = (request) => {
    if (request.first.includes('carol')) return responseTo(request, '200 OK');
    if (!held.some(({ text }) => text === request.text)) held.push(request);
    return undefined;
  };
  const sent = ['1', '2', '3'].map((text) => sip.deliver(message(peer.uri, { text: { '': text } }), signal));
  await sip.deliver(message(peer.uri.replace('bob', 'carol')), signal);
  for (let count = 1; count <= 3; count++) {
    await until(() => held.length === count, `the ${count}. arrives`);
    const request = held[count - 1]!;
    assert.equal(request.body, String(count));
    request.reply(responseTo(request, '200 OK'));
  }
  await Promise.all(sent);
});

test('RFC 3261 s.8.1.3.1, reference sip 1.3: nobody answers: the copies go out and the failure is worth a retry', async (t) => {
  const { sip, peer } = await open(t);
  peer.onRequest = () => undefined;
  const error = await failureOf(sip.deliver(message(peer.uri), signal));
  assert.deepEqual([error.reason, error.native], ['unreachable', '408']);
  assert.ok(peer.heard.length >= 8, `${peer.heard.length} copies`);
  assert.equal(new Set(peer.heard.map(({ text }) => text)).size, 1);
});

test('DESIGN 5: after the signal aborts nothing more is sent', async (t) => {
  const { sip, peer } = await open(t);
  peer.onRequest = () => undefined;
  const abort = new AbortController();
  const delivery = sip.deliver(message(peer.uri), abort.signal);
  await peer.until(isMessage);
  abort.abort();
  assert.equal((await failureOf(delivery)).isFinal, false);
  const before = peer.heard.length;
  await sip.deliver(message(peer.uri.replace('bob', 'carol')), AbortSignal.timeout(200)).catch(() => {});
  assert.equal(peer.heard.filter(({ first }) => first.includes('bob')).length, before);
});

test('DESIGN 4: what a MESSAGE cannot say is said in words', async (t) => {
  const { sip, peer } = await open(t);
  const cases: Array<[Parameters<typeof message>[1], string]> = [
    [{ text: { '': 'two' }, replaces: 'e1' }, 'edited: two'],
    [{ text: {}, reaction: { of: 'e1', emoji: ['👍'] } }, 'reacted with 👍'],
    [{ text: {}, retracts: 'e1' }, 'took a message back'],
    [
      { text: { '': 'see' }, attachments: [{ url: 'https://x.example/a.png', name: 'a.png' }] },
      'see\na.png: https://x.example/a.png',
    ],
    [{ text: {}, attachments: [{ url: 'data:text/vcard,N:Zo%C3%AB', name: 'vcard.vcf' }] }, 'vcard.vcf:\nN:Zoë'],
    [{ text: {}, attachments: [{ url: 'data:a/b;base64,AAAA', name: 'ring.rng' }] }, '[ring.rng, 3 bytes]'],
  ];
  for (const [more] of cases) await sip.deliver(message(peer.uri, more), signal);
  assert.deepEqual(
    peer.heard.map(({ body }) => body),
    cases.map(([, text]) => text),
  );
});

test('DESIGN 3: a number without a way is refused with what to do; with an outbound proxy it goes there as tel:', async (t) => {
  const { sip } = await open(t);
  const error = await failureOf(sip.deliver(message('tel:+447700900123'), signal));
  assert.match(error.message, /outboundProxy or a trunk/);
  const other = await open(t);
  const proxied = await open(t, { outboundProxy: `sip:127.0.0.1:${other.peer.port};lr` });
  await proxied.sip.deliver(message('tel:+447700900123'), signal);
  const [request] = other.peer.heard.filter(isMessage) as [PeerMessage];
  assert.equal(request.first, 'MESSAGE tel:+447700900123 SIP/2.0');
  assert.equal(request.header('Route'), `<sip:127.0.0.1:${other.peer.port};lr>`);
});

test('DESIGN 1: every request and response is in the trace, with the words hidden', async (t) => {
  const { sip, peer, hub, ask } = await open(t);
  const event = message(peer.uri, { text: { '': 'a secret' } });
  await sip.deliver(event, signal);
  const [request, response] = hub.hops as [(typeof hub.hops)[0], (typeof hub.hops)[0]];
  assert.deepEqual([request.event, request.hop.direction, request.hop.what], [event.id, 'outbound', 'MESSAGE']);
  assert.deepEqual([response.event, response.hop.direction, response.hop.what], [event.id, 'inbound', '200 OK']);
  const wire = Buffer.from(request.hop.wire as Uint8Array);
  const [[start, end]] = request.hop.hidden as [[number, number]];
  assert.equal(wire.subarray(start, end).toString(), 'a secret');
  await ask();
  assert.deepEqual(
    hub.hops.slice(2).map(({ hop }) => [hop.direction, hop.what]),
    [
      ['inbound', 'MESSAGE'],
      ['outbound', '202 Accepted'],
    ],
  );
  assert.equal(hub.counters.get('answers_total{method=MESSAGE,status=200}'), 1);
  assert.equal(hub.counters.get('requests_total{method=MESSAGE,status=202}'), 1);
});

test('RFC 3261 s.8.1.3.4: an answer that makes no sense is a failure with a reason', async (t) => {
  const { sip, peer } = await open(t);
  peer.onRequest = (request) => responseTo(request, '302 Moved', ['Contact: *']);
  assert.equal((await failureOf(sip.deliver(message(peer.uri), signal))).reason, 'not-found');
});
