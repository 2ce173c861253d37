// What people answer their watchers, as rules of a presence server: the document, and its way there over HTTP.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { DigestServer } from '../../../../adapters/sip/digest/index.ts';
import { formatPresRules } from '../../../../adapters/sip/presence/rules/pres-rules.ts';
import { Rules } from '../../../../adapters/sip/presence/rules/rules.ts';
import { GatewayError } from '../../../../src/contract/index.ts';
import { childrenOf, parseDocument, serializeXml } from '../../../../src/formats/xml.ts';
import { sampleEvent } from '../../../peers/events.ts';
import { fakeHub } from '../../../peers/hub.ts';

const alice = 'sip:alice%40xmpp.example@gw.example';
const [bob, carol] = ['sip:bob@pbx.example', 'sip:carol@pbx.example'];
const { signal } = new AbortController();

interface Stored {
  url: string;
  type: string;
  body: string;
}

/** An XCAP server that answers each PUT with the next of `statuses`, 200 when there is none; and the rules that go there. */
async function site(t: TestContext, statuses: number[] = [], password?: string) {
  const stored: Stored[] = [];
  const digest = new DigestServer({ realm: 'xcap', users: () => ({ password: 'secret' }) });
  const server = createServer(async (request, reply) => {
    const body = await textOf(request);
    const { method = '', url = '', headers } = request;
    const answers = headers.authorization === undefined ? [] : [headers.authorization];
    const signed = { method, uri: url, body: Buffer.from(body) };
    if (password !== undefined && digest.verify(answers, signed, Date.now()).user === undefined) {
      reply.writeHead(401, { 'www-authenticate': digest.challenge(Date.now(), false).at(-1) ?? '' }).end();
      return;
    }
    stored.push({ url, type: headers['content-type'] ?? '', body });
    reply.writeHead(statuses.shift() ?? 200).end('told');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}/xcap-root/`;
  const credentials = password === undefined ? {} : { user: 'gw', password };
  const hub = fakeHub();
  const servers = [
    { domain: 'pbx.example', mode: 'publish', expires: 600, askPending: true, rules: { root, ...credentials } },
  ] as const;
  const rules = new Rules(servers, hub);
  const decide = (action: 'approve' | 'deny', to = bob) =>
    rules.decide(sampleEvent('subscription', alice, to, { action }), signal);
  return { stored, decide, hub, server, again: () => new Rules(servers, hub) };
}

async function textOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await Array.fromAsync(request)).toString();
}

/** Rule by rule: whom it is for, and what it does. */
function read(body: string): string[] {
  return childrenOf(parseDocument(body)).map((rule) => {
    const text = serializeXml(rule);
    const ids = [...text.matchAll(/<(one|except) id=['"]([^'"]*)['"]/g)].map(([, kind, id]) => `${kind} ${id}`);
    return [rule.attributes.id, ...ids, /<sub-handling[^>]*>([^<]*)/.exec(text)?.[1]].join(' ');
  });
}

test('RFC 5025 s.3.2: allowed, blocked, and of everybody else the person is asked', () => {
  assert.deepEqual(read(formatPresRules({ allow: [bob], block: [carol] })), [
    `allowed one ${bob} allow`,
    `blocked one ${carol} block`,
    `others except ${bob} except ${carol} confirm`,
  ]);
  assert.deepEqual(read(formatPresRules({ allow: [], block: [] })), ['others confirm']);
});

test('RFC 5025 s.3.3: whoever is allowed is shown everything', () => {
  const text = formatPresRules({ allow: [bob], block: [] });
  for (const name of ['all-services', 'all-persons', 'all-devices', 'provide-all-attributes'])
    assert.ok(text.includes(`<${name}`), name);
});

test('RFC 4825 s.7.1: an answer is a PUT of the whole document of that person, and the same answer none', async (t) => {
  const { stored, decide } = await site(t);
  await decide('approve');
  await decide('deny', carol);
  await decide('approve');
  assert.deepEqual(
    stored.map(({ url, type }) => [url, type]),
    Array(2).fill([
      '/xcap-root/pres-rules/users/sip:alice%2540xmpp.example@gw.example/index',
      'application/auth-policy+xml',
    ]),
  );
  assert.deepEqual(read(stored[1]?.body ?? ''), [
    `allowed one ${bob} allow`,
    `blocked one ${carol} block`,
    `others except ${bob} except ${carol} confirm`,
  ]);
});

test('RFC 4825 s.14.2: who asks for digest gets it', async (t) => {
  const { stored, decide } = await site(t, [], 'secret');
  await decide('approve');
  assert.equal(stored.length, 1);
  const wrong = await site(t, [], 'wrong');
  await assert.rejects(wrong.decide('approve'), (error: unknown) => error instanceof GatewayError && error.isFinal);
});

test('RFC 5025 s.3.2: an answer is taken back, and what was answered is known to the next process', async (t) => {
  const { stored, decide, again } = await site(t);
  await decide('approve');
  await again().decide(sampleEvent('subscription', alice, carol, { action: 'approve' }), signal);
  await again().decide(sampleEvent('subscription', alice, bob, { action: 'deny' }), signal);
  assert.deepEqual(read(stored.at(-1)?.body ?? ''), [
    `allowed one ${carol} allow`,
    `blocked one ${bob} block`,
    `others except ${carol} except ${bob} confirm`,
  ]);
});

test('a server that cannot take it now, or is not there, leaves it to be tried again; one that refuses it does not', async (t) => {
  const { decide, server, stored } = await site(t, [503, 409]);
  const fails = (reason: string) =>
    assert.rejects(decide('approve'), (error: unknown) => error instanceof GatewayError && error.reason === reason);
  await fails('unavailable');
  await fails('not-allowed');
  await decide('approve');
  assert.equal(stored.length, 3);
  server.close();
  server.closeAllConnections();
  await assert.rejects(
    decide('deny'),
    (error: unknown) => error instanceof GatewayError && error.reason === 'unreachable',
  );
});

test('answers to watchers of a domain without such a server go nowhere', async (t) => {
  const { stored, decide } = await site(t);
  await decide('approve', 'sip:x@else.example');
  assert.equal(stored.length, 0);
});
