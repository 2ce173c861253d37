// The admin side over real HTTP, with a scripted gateway behind it: health, token, strangers' pages, the API and its errors.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type AdminOptions, serveAdmin } from '../../src/admin/server.ts';
import { GatewayError } from '../../src/contract/index.ts';
import { MetricsRegistry } from '../../src/metrics.ts';
import { keptLog, ScriptedGateway } from './scripted-gateway.ts';

const token = 'correct-horse-battery';

async function serve(t: TestContext, options: Partial<AdminOptions> = {}) {
  const gateway = new ScriptedGateway();
  const metrics = new MetricsRegistry();
  const log = keptLog();
  const { url, close } = await serveAdmin(gateway, metrics, { host: '127.0.0.1', port: 0, ...options }, log);
  t.after(close);
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  return { gateway, metrics, log, url, ask };
}

const withToken = (given: string) => ({ headers: { authorization: `Bearer ${given}` } });

test('/healthz says that the process lives, whatever the gateway says', async (t) => {
  const { gateway, ask } = await serve(t, { token });
  gateway.failure = new Error('away');
  assert.equal((await ask('/healthz')).status, 200);
});

test('/readyz answers 503 with the reasons while an instance is down', async (t) => {
  const { gateway, ask } = await serve(t);
  assert.equal((await ask('/readyz')).status, 200);
  gateway.readiness = { ready: false, why: ['carrier is down: refused'] };
  const { status, json } = await ask('/readyz');
  assert.equal(status, 503);
  assert.deepEqual(json(), { ready: false, why: ['carrier is down: refused'] });
});

test('/readyz tells a stranger that it is not ready, and the bearer of the token also why', async (t) => {
  const { gateway, ask } = await serve(t, { token });
  gateway.readiness = { ready: false, why: ['carrier is down: refused'] };
  assert.deepEqual((await ask('/readyz')).json(), { ready: false });
  assert.deepEqual((await ask('/readyz', withToken(token))).json(), gateway.readiness);
});

test('RFC 6750 s.3: the API and the metrics answer 401 with a challenge to whoever has no token or a wrong one', async (t) => {
  const { gateway, ask } = await serve(t, { token });
  for (const path of ['/api/status', '/api/trace/e12345678', '/api/dead', '/metrics']) {
    for (const init of [{}, withToken(`${token}x`), withToken(''), { headers: { authorization: token } }]) {
      const { status, headers } = await ask(path, init);
      assert.equal(status, 401, path);
      assert.equal(headers.get('www-authenticate'), 'Bearer');
    }
    assert.equal((await ask(path, withToken(token))).status, 200, path);
  }
  assert.ok(!gateway.asked.some(([question]) => question === 'send'));
});

test('a page from another origin is refused, with the token or without', async (t) => {
  const { gateway, ask } = await serve(t);
  const { status } = await ask('/api/dead/e1/replay', { method: 'POST', headers: { origin: 'https://evil.example' } });
  assert.equal(status, 403);
  assert.equal(gateway.letters.length, 2);
});

test('our port under a foreign name (DNS rebinding) is refused where no token stops it', async (t) => {
  const { url } = await serve(t);
  const statusFor = (host: string) =>
    new Promise((resolve, reject) => {
      request(`${url}/api/status`, { headers: { host } }, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
  assert.equal(await statusFor('evil.example:8080'), 403);
  assert.equal(await statusFor('localhost:8080'), 200);
  assert.equal(await statusFor('[::1]:8080'), 200);
});

test('the API carries what the gateway says', async (t) => {
  const { gateway, ask } = await serve(t);
  assert.deepEqual((await ask('/api/status')).json(), await gateway.status());
  assert.deepEqual((await ask('/api/route?from=xmpp:a@b&to=tel:%2B447700900123')).json(), gateway.explanation);
  assert.deepEqual(gateway.asked.at(-1), ['route', 'xmpp:a@b', 'tel:+447700900123']);
  assert.deepEqual((await ask('/api/traces?limit=5')).json(), ['e12345678']);
  assert.deepEqual((await ask('/api/trace/e12345678')).json(), { id: 'e12345678', hops: gateway.hops });
  assert.deepEqual((await ask('/api/views/peers?limit=1')).json(), gateway.tables.peers?.slice(0, 1));
  assert.deepEqual(gateway.asked.at(-1), ['view', 'peers', 1, undefined]);
  assert.equal((await ask('/api/views/nonsense')).status, 404);
  assert.equal((await ask('/api/views/peers?limit=1001')).status, 400);
  assert.deepEqual((await ask('/api/dead?instance=jabber')).json(), [gateway.letters[1]]);
  assert.deepEqual((await ask('/api/dead/e1')).json(), gateway.letters[0]);
});

test('bodies are shown only when asked for', async (t) => {
  const { gateway, ask } = await serve(t);
  await ask('/api/trace/e12345678');
  await ask('/api/trace/e12345678?bodies=true');
  assert.deepEqual(gateway.asked, [
    ['trace', 'e12345678', false],
    ['trace', 'e12345678', true],
  ]);
});

test('a message is sent with 202, and anything but its fields is refused', async (t) => {
  const { gateway, ask } = await serve(t);
  const post = (body: unknown, type = 'application/json') =>
    ask('/api/send', { method: 'POST', headers: { 'content-type': type }, body: JSON.stringify(body) });
  const message = { from: 'xmpp:a@b', to: 'tel:+447700900123', text: 'hello', wants: ['sent'] };
  const sent = await post(message);
  assert.equal(sent.status, 202);
  assert.deepEqual(sent.json(), { id: 'e12345678' });
  assert.deepEqual(gateway.asked, [['send', 'xmpp:a@b', 'tel:+447700900123', 'hello', { wants: ['sent'] }]]);
  for (const wrong of [{}, { ...message, txet: 'x' }, { ...message, wants: ['all'] }, [], 'text'])
    assert.equal((await post(wrong)).status, 400, JSON.stringify(wrong));
  assert.equal((await post(message, 'text/plain')).status, 400);
  assert.equal(gateway.asked.length, 1);
});

test('dead letters are replayed and discarded once', async (t) => {
  const { ask } = await serve(t);
  const replay = () => ask('/api/dead/e1/replay', { method: 'POST' });
  const discard = () => ask('/api/dead/e2', { method: 'DELETE' });
  assert.deepEqual([(await replay()).status, (await replay()).status], [200, 404]);
  assert.deepEqual([(await discard()).status, (await discard()).status], [200, 404]);
});

test('a refusal is answered with its reason in words and a fitting status', async (t) => {
  const { gateway, ask } = await serve(t);
  for (const [reason, status] of [
    ['malformed', 400],
    ['not-found', 404],
    ['not-allowed', 403],
    ['throttled', 429],
    ['unavailable', 503],
    ['unreachable', 503],
  ] as const) {
    gateway.failure = new GatewayError(reason, 'because');
    const answer = await ask('/api/status');
    assert.equal(answer.status, status);
    assert.deepEqual(answer.json(), { reason, text: 'because' });
  }
});

test('a fault of ours goes to the log with its stack, and nothing of it to the peer', async (t) => {
  const { gateway, log, ask } = await serve(t);
  gateway.failure = new Error('secret path /etc/thing');
  const { status, text } = await ask('/api/status');
  assert.equal(status, 500);
  assert.doesNotMatch(text, /secret|\.ts/);
  assert.match(String(log.lines[0]?.fields.error), /secret path.*\n\s+at /s);
});

test('what is too large, no JSON, out of range or nowhere is refused in JSON', async (t) => {
  const { ask } = await serve(t);
  const post = (body: string) =>
    ask('/api/send', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  assert.equal((await post('x'.repeat(3 * 1024 * 1024))).status, 413);
  assert.equal((await post('{')).status, 400);
  assert.equal((await ask('/api/dead?limit=100000')).status, 400);
  assert.equal((await ask('/api/route?from=xmpp:a@b')).status, 400);
  assert.deepEqual((await ask('/nowhere')).json(), { reason: 'not-found', text: 'no such page' });
  assert.equal(((await ask('/api/trace/%ff')).json() as { reason: string }).reason, 'malformed');
});

test('the page runs only its own script, by hash, and cannot be framed', async (t) => {
  const { ask } = await serve(t, { token });
  const { status, headers, text } = await ask('/');
  assert.equal(status, 200);
  assert.match(text, /<html lang="en">/);
  const policy = headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'; script-src 'sha256-[\w+/]+=*'; style-src 'sha256-[\w+/]+=*'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(text, /https?:\/\/|unsafe-inline|style="|onclick="/);
});

test('a port that is taken is said at once', async (t) => {
  const { url } = await serve(t);
  const again = serveAdmin(
    new ScriptedGateway(),
    new MetricsRegistry(),
    { host: '127.0.0.1', port: Number(new URL(url).port) },
    keptLog(),
  );
  await assert.rejects(again, /EADDRINUSE/);
});

test('RFC 9110 s.9.3.2: HEAD begins no capture, which would run until its time without a reader', async (t) => {
  const { gateway, ask } = await serve(t);
  assert.equal((await ask('/api/capture/carrier', { method: 'HEAD' })).status, 404);
  assert.deepEqual(gateway.asked, []);
});
