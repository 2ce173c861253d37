// The HTTP doors as the programs behind them use them: Kannel's URL and JSON, to Alice on Prosody and to a carrier of Net::SMPP, with
// reports, callbacks and signed webhooks, and a web server that is away for a while.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { type TestContext, test } from 'node:test';
import { aliceNumber, atEnd } from '../scenarios/site.ts';
import { textOf } from '../servers/net-smpp-carrier.ts';
import { freePorts } from '../servers/process.ts';
import { happens, openSmsSite, phoneJid } from './smpp-site.ts';

const shop = '+447700900200';
const phone = '+447700900120';
const secret = 'a secret of sixteen or more';
const token = 'a-token-of-sixteen-or-more';

interface Call {
  url: string;
  body: string;
  event: string;
  signature: string;
}

/** A web server that can go away and come back on the same port. */
async function webServer(t: TestContext) {
  const [port = 0] = await freePorts(1);
  const calls: Call[] = [];
  let server: Server | undefined;
  const web = {
    url: `http://127.0.0.1:${port}`,
    calls,
    params: (path: string) =>
      calls.filter(({ url }) => url.startsWith(path)).map(({ url }) => new URL(url, web.url).searchParams),
    async start() {
      server = createServer(async (request, response) => {
        let body = '';
        for await (const chunk of request.setEncoding('utf8')) body += chunk;
        const header = (name: string) => String(request.headers[name] ?? '');
        calls.push({
          url: request.url ?? '',
          body,
          event: header('dragoman-event'),
          signature: header('dragoman-signature'),
        });
        response.end();
      });
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
    },
    async stop() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
    },
  };
  await web.start();
  atEnd(t, () => web.stop());
  return web;
}

async function open(t: TestContext, webhook: boolean) {
  const web = await webServer(t);
  const [port = 0] = await freePorts(1);
  const inbound = webhook
    ? { webhook: { url: `${web.url}/hook`, secret } }
    : { getUrl: `${web.url}/in?from=%p&to=%P&text=%a`, replies: true };
  const site = await openSmsSite(t, {
    settings: () => ({
      routes: [
        { to: `tel:${shop}`, via: 'apps' },
        { to: 'tel:*', via: 'carrier-1' },
        { to: 'xmpp:*', via: 'jabber' },
      ],
      delivery: { retryFirst: '100ms', retryMax: '500ms' },
      instances: {
        apps: {
          protocol: 'http',
          port,
          accounts: { shop: { password: 'correct horse', token, senders: [shop, '88222', 'SHOP'], ...inbound } },
        },
      },
    }),
  });
  if (!site) return undefined;
  const sendsms = async (parameters: Record<string, string>) => {
    const query = new URLSearchParams({ username: 'shop', password: 'correct horse', from: shop, ...parameters });
    const response = await fetch(`http://127.0.0.1:${port}/cgi-bin/sendsms?${query}`);
    return { status: response.status, text: await response.text() };
  };
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    });
  return { web, site, sendsms, ask, perl: site.carriers[0] };
}

test('reference smpp 7.9: a Kannel URL reaches Alice on Prosody and a phone on a carrier, its dlr-url is called, and answers come by get-url', async (t) => {
  const opened = await open(t, false);
  if (!opened) return;
  const { web, site, sendsms, perl } = opened;
  const dlr = (n: number) => ({ 'dlr-mask': '31', 'dlr-url': `${web.url}/dlr?n=${n}&state=%d&from=%p&to=%P&text=%A` });
  const accepted = { status: 202, text: '0: Accepted for delivery' };
  assert.deepEqual(
    await sendsms({ to: aliceNumber, text: 'Grüße 5€', charset: 'UTF-8', coding: '0', ...dlr(0) }),
    accepted,
  );
  assert.deepEqual(await sendsms({ to: phone, text: 'Привет', charset: 'UTF-8', coding: '2', ...dlr(1) }), accepted);
  assert.deepEqual(await sendsms({ to: '+447700900128', text: 'nobody there', ...dlr(2) }), accepted);
  const reports = () => web.params('/dlr').map((one) => `${one.get('n')}:${one.get('state')}`);
  const wanted = ['0:8', '0:1', '1:8', '1:1', '2:8', '2:2'];
  await happens(site, () => wanted.every((one) => reports().includes(one)), 'every report');
  assert.deepEqual(reports().sort(), [...wanted].sort(), 'each once');
  assert.deepEqual(site.heard, [{ from: phoneJid(shop), text: 'Grüße 5€' }]);
  assert.deepEqual(perl?.submits.map(textOf), ['Привет', 'nobody there']);
  assert.equal(perl?.submits[0]?.data_coding, 8);
  await site.alice.send(phoneJid(shop), 'thank you');
  perl?.say(phone, shop, 'me too');
  await happens(site, () => web.params('/in').length === 2, 'both answers');
  assert.deepEqual(
    web
      .params('/in')
      .map((one) => [one.get('from'), one.get('to'), one.get('text')])
      .sort(),
    [
      [aliceNumber, shop, 'thank you'],
      [phone, shop, 'me too'],
    ].sort(),
  );
});

test('reference smpp 7.9: every parameter of a Kannel URL that has a meaning is on the wire of the carrier', async (t) => {
  const opened = await open(t, false);
  if (!opened) return;
  const { site, sendsms, perl } = opened;
  await sendsms({ to: phone, from: 'SHOP', text: 'flash', mclass: '0', priority: '3', validity: '10', pid: '64' });
  const query =
    'username=shop&password=correct+horse&from=88222&to=%2B447700900121&coding=1&udh=%06%05%04%0B%84%23%F0&text=%00%25%FF';
  const url = `/cgi-bin/sendsms?${query}`;
  assert.equal((await opened.ask(url)).status, 202);
  const later = Date.now();
  assert.match((await sendsms({ to: phone, text: 'tomorrow', deferred: '1440' })).text, /^3: Queued/);
  await sendsms({ to: `${phone} +447700900122`, text: 'caf\u00e9', charset: 'UTF-8' });
  await happens(site, () => perl?.submits.length === 4, 'all but the deferred one');
  assert.ok(Date.now() - later < 60_000);
  const [flash, octets, ...both] = perl?.submits ?? [];
  assert.deepEqual(
    [flash?.source_addr_ton, flash?.source_addr, flash?.data_coding, flash?.priority_flag, flash?.protocol_id],
    [5, 'SHOP', 0xf0, 3, 64],
  );
  assert.match(flash?.validity_period ?? '', /^00000000(10|09)\d\d000R$/);
  assert.deepEqual(
    [octets?.source_addr, octets?.data_coding, octets?.esm_class, octets?.short_message],
    ['88222', 4, 0x40, '0605040b8423f00025ff'],
  );
  assert.deepEqual(both.map(({ destination_addr }) => `+${destination_addr}`).sort(), [phone, '+447700900122'].sort());
  assert.ok(
    both.every(({ short_message }) => short_message === '63616605'),
    'é is 0x05 in the default alphabet',
  );
});

test('reference smpp 7.9: the JSON door to XMPP and SMS; signed webhooks wait for a web server that was away, in order and once', async (t) => {
  const opened = await open(t, true);
  if (!opened) return;
  const { web, site, ask, perl } = opened;
  const to = [aliceNumber, phone];
  const post = await ask('/messages', {
    method: 'POST',
    body: JSON.stringify({ to, text: 'hello', wants: ['delivered'] }),
  });
  assert.equal(post.status, 202);
  const { messages } = (await post.json()) as { messages: Array<{ id: string }> };
  await happens(site, () => web.calls.length === 2, 'two receipts');
  await web.stop();
  for (let n = 0; n < 5; n++) await site.alice.send(phoneJid(shop), `from Alice ${n}`);
  perl?.say(phone, shop, 'from a phone');
  const held = async () => (await site.gateway.status()).instances.find(({ name }) => name === 'apps')?.held ?? 0;
  await happens(site, async () => (await held()) >= 6, 'six messages wait');
  await site.gateway.kill();
  await site.gateway.start();
  await web.start();
  await happens(site, () => web.calls.length >= 8, 'all of it');
  const said = web.calls.map(({ body }) => JSON.parse(body) as Record<string, string>);
  const receipts = said.filter(({ type }) => type === 'receipt');
  assert.deepEqual(
    receipts.map(({ of, state }) => [of, state]).sort(),
    messages.map(({ id }) => [id, 'delivered']).sort(),
  );
  assert.deepEqual(
    said
      .filter(({ from }) => from === aliceNumber && said)
      .map(({ text }) => text)
      .filter(Boolean),
    ['from Alice 0', 'from Alice 1', 'from Alice 2', 'from Alice 3', 'from Alice 4'],
  );
  assert.ok(said.some(({ from, text }) => from === phone && text === 'from a phone'));
  for (const { body, signature } of web.calls) {
    const [, seconds = '', hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
    assert.equal(hex, createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
  }
  assert.equal(new Set(web.calls.map(({ event }) => event)).size, web.calls.length, 'each once');
  const asked = await ask(`/messages/${messages[1]?.id}`);
  assert.equal(((await asked.json()) as { state: string }).state, 'delivered');
});
