// The JSON door: POST /messages, asking and withdrawing, signed webhooks, limits.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { sampleEvent } from '../../peers/events.ts';
import { until } from '../../servers/process.ts';
import { open, password, secret } from './fixtures.ts';

const never = new AbortController().signal;
const phone = parseAddress('tel:+447700900123');
const ours = parseAddress('tel:+447700900200');
const said = { text: { '': 'hi' }, wants: [] };

test('a message to every network: a number, an XMPP and a SIP address, each with an id of its own', async (t) => {
  const { hub, post } = await open(t);
  const to = ['+44 7700 900123', 'xmpp:alice@example.org', 'sip:bob@example.net'];
  const response = await post({ to, text: 'hi 😀', wants: ['delivered'], subject: 'News', priority: 'urgent' });
  assert.equal(response.status, 202);
  const { messages } = (await response.json()) as { messages: Array<{ to: string; id: string }> };
  const drafts = hub.draftsOf('message');
  assert.deepEqual(
    drafts.map((draft) => draft.to),
    ['tel:+447700900123', 'xmpp:alice@example.org', 'sip:bob@example.net'],
  );
  assert.deepEqual(
    drafts.map(({ nativeId }) => nativeId),
    messages.map(({ id }) => id),
  );
  assert.equal(drafts[0]?.from, ours);
  assert.deepEqual(drafts[0]?.subject, { '': 'News' });
});

test('what is refused for one recipient is said of that one', async (t) => {
  const { hub, post } = await open(t);
  hub.onPublish = ({ to }) => {
    if (to === phone) throw new GatewayError('not-allowed', 'the quota is used up');
    return undefined;
  };
  const both = await post({ to: ['+447700900123', '+447700900124'], text: 'hi' });
  assert.equal(both.status, 207);
  const { messages } = (await both.json()) as { messages: Array<Record<string, string>> };
  assert.deepEqual(messages[0], { to: '+447700900123', reason: 'not-allowed', text: 'the quota is used up' });
  const one = await post({ to: '+447700900123', text: 'hi' });
  assert.equal(one.status, 403);
  assert.deepEqual(await one.json(), { reason: 'not-allowed', text: 'the quota is used up' });
});

test('each wrong member is named', async (t) => {
  const { post, ask } = await open(t);
  for (const [value, what] of [
    [{ text: 'hi' }, /^to: write a recipient, or a list of them$/],
    [{ to: '+447700900123' }, /^text: is missing/],
    [{ to: '+447700900123', text: 'x', txt: 'y' }, /txt/],
    [{ to: '+447700900123', text: 'x', expiresAt: 'soon' }, /^expiresAt: /],
    [{ to: '+447700900123', text: 'x', expiresAt: '2020-01-01T00:00:00Z' }, /^expiresAt: lies before/],
    [
      { to: '+447700900123', text: 'x', notBefore: '2099-01-02T00:00:00Z', expiresAt: '2099-01-01T00:00:00Z' },
      /^expiresAt: lies before/,
    ],
    [{ to: '+0', text: 'x' }, /no telephone number/],
    [[1], /^body: /],
  ] as const) {
    const response = await post(value);
    assert.equal(response.status, 400, JSON.stringify(value));
    assert.match(((await response.json()) as { text: string }).text, what);
  }
  const broken = await ask('/messages', { method: 'POST', body: '{"to":' });
  assert.equal(broken.status, 400);
});

test('RFC 6750, RFC 7617: a token or a password, and neither from elsewhere', async (t) => {
  const { ask } = await open(t);
  const status = async (authorization: string) => (await ask('/messages/none', { headers: { authorization } })).status;
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.equal(await status(basic(`shop:${password}`)), 404);
  assert.equal(await status(basic('shop:wrong')), 401);
  assert.equal(await status('Bearer of bad news'), 401);
  assert.equal(await status(''), 401);
  const { ask: elsewhere } = await open(t, { allowFrom: ['192.0.2.0/24'] });
  assert.equal((await elsewhere('/messages/none')).status, 401);
});

test('RFC 9110 s.15.5.2: who shows no credentials is asked for them, who is known and may not is refused', async (t) => {
  const { ask, post } = await open(t);
  const stranger = await ask('/messages/none', { headers: { authorization: '' } });
  assert.deepEqual(
    [stranger.status, stranger.headers.get('www-authenticate')],
    [401, 'Basic realm="dragoman", Bearer'],
  );
  const refused = await post({ from: '+15551234567', to: '+447700900123', text: 'hi' });
  assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [403, null]);
});

test('ten wrong passwords from one address, and it must wait', async (t) => {
  const { ask, hub } = await open(t);
  const wrong = { headers: { authorization: 'Bearer wrong' } };
  hub.clock = Date.UTC(2026, 0, 1);
  for (let i = 0; i < 10; i++) assert.equal((await ask('/messages/none', wrong)).status, 401);
  const waiting = await ask('/messages/none');
  assert.equal(waiting.status, 429);
  assert.equal(waiting.headers.get('retry-after'), '60');
  hub.clock += 60_000;
  assert.equal((await ask('/messages/none')).status, 404);
});

test('the same Idempotency-Key is the same message', async (t) => {
  const { hub, post } = await open(t);
  const say = async (key: string) => {
    const response = await post({ to: '+447700900123', text: 'hi' }, { 'idempotency-key': key });
    return ((await response.json()) as { messages: Array<{ id: string }> }).messages[0]?.id;
  };
  const first = await say('order-1');
  assert.equal(await say('order-1'), first);
  assert.notEqual(await say('order-2'), first);
  const keys = hub.draftsOf('message').map(({ dedupeKey }) => dedupeKey);
  assert.equal(keys[0], first);
  assert.equal(new Set(keys).size, 2, 'the hub drops what has the same key');
});

test('an Idempotency-Key that had another message, or is empty, is refused: nothing vanishes', async (t) => {
  const { hub, post } = await open(t);
  const say = async (key: string, text: string) => {
    const response = await post({ to: '+447700900123', text }, { 'idempotency-key': key });
    return [response.status, ((await response.json()) as { text?: string }).text];
  };
  assert.deepEqual(await say('order-1', 'hi'), [202, undefined]);
  assert.deepEqual(await say('order-1', 'bye'), [422, 'Idempotency-Key: another message had this one']);
  assert.deepEqual(await say('', 'hi'), [400, 'Idempotency-Key: 1 to 200 characters']);
  assert.equal(hub.drafts.length, 1);
});

test('an Idempotency-Key for two messages at the same instant: one is sent, the other refused', async (t) => {
  const { hub, post } = await open(t);
  const get = hub.state.get.bind(hub.state);
  // Long enough for both to have asked before either is recorded.
  t.mock.method(hub.state, 'get', async (key: string) => {
    const kept = await get(key);
    for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate);
    return kept;
  });
  const say = async (text: string) =>
    (await post({ to: '+447700900123', text }, { 'idempotency-key': 'order-1' })).status;
  const statuses = await Promise.all([say('hi'), say('bye')]);
  assert.deepEqual(statuses.sort(), [202, 422]);
  assert.equal(hub.draftsOf('message').length, 1);
});

test('a request that is repeated after a crash between its record and its message is no repeat', async (t) => {
  const request = [{ to: '+447700900123', text: 'hi' }, { 'idempotency-key': 'order-1' }] as const;
  const whole = await open(t);
  const { messages } = (await (await whole.post(...request)).json()) as { messages: Array<{ id: string }> };
  const record = `sent/${messages[0]?.id}`;
  const crashed = await open(t);
  await crashed.hub.state.set(record, (await whole.hub.state.get(record)) ?? '');
  assert.equal((await crashed.post(...request)).status, 202);
  assert.equal(crashed.hub.draftsOf('message').length, 1);
});

test('of those who share a number each is a destination of its own', async (t) => {
  const shared = { password, senders: ['+447700900301'] };
  const { adapter } = await open(t, {}, { accounts: { shop: shared, bus: { ...shared, keywords: ['bus'] } } });
  const to = parseAddress('tel:+447700900301');
  const destinations = ['BUS 12', 'hello'].map((text) =>
    adapter.destination(sampleEvent('message', phone, to, { text: { '': text } })),
  );
  assert.deepEqual(destinations, ['bus', 'shop']);
});

test('an application asks how its message fares, and nobody else does', async (t) => {
  const { adapter, hub, post, ask } = await open(t);
  await post({ to: '+447700900123', text: 'hi', wants: ['delivered'] });
  const [draft] = hub.draftsOf('message');
  const of = draft?.nativeId ?? '';
  const stateOf = async () => ((await (await ask(`/messages/${of}`)).json()) as { state: string }).state;
  assert.equal(await stateOf(), 'queued');
  await adapter.deliver(sampleEvent('receipt', phone, ours, { of, state: 'delivered' }), never);
  assert.equal(await stateOf(), 'delivered');
  await adapter.deliver(sampleEvent('receipt', phone, ours, { of, state: 'failed', reason: 'expired' }), never);
  assert.equal(await stateOf(), 'delivered', 'the first ending stands');
});

test('a message that waits for its time is withdrawn once', async (t) => {
  const { hub, post, ask } = await open(t);
  const notBefore = new Date(hub.now() + 3_600_000).toISOString();
  const response = await post({ to: '+447700900123', text: 'later', notBefore });
  const { messages } = (await response.json()) as { messages: Array<{ id: string }> };
  const path = `/messages/${messages[0]?.id}`;
  assert.equal((await ask(path, { method: 'DELETE' })).status, 200);
  assert.equal((await ask(path, { method: 'DELETE' })).status, 404);
  assert.equal(((await (await ask(path)).json()) as { state: string }).state, 'withdrawn');
});

test('a webhook gets messages and receipts as JSON, signed, the same event for every try', async (t) => {
  const { adapter, app } = await open(t);
  app.answers.push({ status: 503, headers: { 'retry-after': '7' } });
  const event = sampleEvent('message', phone, ours, { text: { '': 'Grüße 😀' } });
  await assert.rejects(adapter.deliver(event, never), { reason: 'unavailable', retryAfterMs: 7000 });
  assert.deepEqual(await adapter.deliver(event, never), { state: 'delivered' });
  const [first, second] = app.calls;
  assert.equal(first?.headers['dragoman-event'], event.id);
  assert.equal(second?.headers['dragoman-event'], event.id);
  const [, seconds = '', signature] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(second?.headers['dragoman-signature'])) ?? [];
  assert.equal(signature, createHmac('sha256', secret).update(`${seconds}.${second?.body}`).digest('hex'));
  const said = JSON.parse(second?.body ?? '') as Record<string, unknown>;
  assert.deepEqual(
    { type: said.type, from: said.from, to: said.to, text: said.text },
    { type: 'message', from: '+447700900123', to: '+447700900200', text: 'Grüße 😀' },
  );
});

test('an application that answers 410 wants no more; one that is away holds only its own back', async (t) => {
  const { adapter, app } = await open(t);
  app.answers.push({ status: 410 });
  const event = sampleEvent('message', phone, ours, said);
  await assert.rejects(adapter.deliver(event, never), { reason: 'not-found' });
  assert.equal(adapter.destination(event), 'shop');
  await app.close();
  await assert.rejects(adapter.deliver(event, never), { reason: 'unreachable' });
});

test('a number that belongs to nobody is not found; a shared one goes by its keyword', async (t) => {
  const { adapter } = await open(t);
  const stranger = sampleEvent('message', phone, parseAddress('tel:+15551234567'), said);
  await assert.rejects(adapter.deliver(stranger, never), { reason: 'not-found' });
  const { app, adapter: shared } = await open(t, { keywords: ['JOIN'] }, {});
  const event = sampleEvent('message', phone, parseAddress('tel:+447700900301'), { text: { '': 'join us' } });
  await shared.deliver(event, never);
  assert.equal(app.calls.length, 1);
});

test('an account that sends too fast is told how long to wait', async (t) => {
  const { post } = await open(t, { ratePerSecond: 1, burst: 2 });
  assert.equal((await post({ to: ['+447700900123', '+447700900124'], text: 'hi' })).status, 202);
  const refused = await post({ to: '+447700900123', text: 'hi' });
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get('retry-after') ?? '', /^[12]$/);
});

test('requests that are too long, pages that are not there: an answer, and no message', async (t) => {
  const { hub, post, ask } = await open(t, {}, { maxBodyBytes: 1024 });
  assert.equal((await post({ to: '+447700900123', text: 'x'.repeat(2000) })).status, 413);
  assert.equal((await ask('/nowhere')).status, 404);
  const broken = await ask('/messages/%ff');
  assert.deepEqual([broken.status, Object.keys((await broken.json()) as object)], [400, ['reason', 'text']]);
  assert.equal(
    (await post({ to: Array.from({ length: 101 }, (_, i) => `+4477009${i}`.padEnd(13, '0')), text: '' })).status,
    413,
  );
  assert.equal(hub.drafts.length, 0);
});

test('RFC 9110 s.15.5.6: a page that is there says which methods it takes', async (t) => {
  const { hub, ask } = await open(t);
  const asked = async (path: string, method: string) => {
    const { status, headers } = await ask(path, { method });
    return [status, headers.get('allow')];
  };
  assert.deepEqual(await asked('/messages', 'GET'), [405, 'POST']);
  assert.deepEqual(await asked('/messages/m1', 'PUT'), [405, 'GET, DELETE']);
  assert.deepEqual(await asked('/cgi-bin/sendsms', 'DELETE'), [405, 'GET, POST']);
  assert.deepEqual(await asked('/nowhere', 'PUT'), [404, null]);
  assert.equal(hub.drafts.length, 0);
});

test('a request that is not complete in time ends with 408, its head or its body', async (t) => {
  const { adapter } = await open(t, {}, { requestTimeoutMs: 200 });
  for (const begun of [
    'POST /messages HTTP/1.1\r\nHost: x\r\n',
    'POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{',
  ]) {
    const socket = connect(adapter.port, '127.0.0.1').setEncoding('utf8');
    socket.write(begun);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    assert.match(answer, /^HTTP\/1\.1 408 /);
  }
});

test('a stop answers what was taken before it, and cuts off who is not done in two seconds', async (t) => {
  const { adapter, hub, post } = await open(t);
  const stuck = connect(adapter.port, '127.0.0.1').resume();
  stuck.write('POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{');
  const cut = once(stuck, 'close');
  let take: (() => void) | undefined;
  hub.onPublish = () =>
    new Promise((resolve) => {
      take = () => resolve(undefined);
    });
  const answer = post({ to: '+447700900123', text: 'hi' });
  await until(() => take !== undefined, 'it is with the hub');
  const stopped = adapter.stop();
  take?.();
  assert.equal((await answer).status, 202);
  await stopped;
  await cut;
});
