// Kannel as a client of our sendsms door (its `smsc = http`, `system-type = kannel`), the way a site moves over step by step:
// what its programs send goes through us, delivery reports and inbound messages come back to it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Application, application } from '../adapters/http/fixtures.ts';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { needs } from '../servers/debian.ts';
import { type Kannel, startKannel } from '../servers/kannel.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';

const number = '+447700900200';
const alice = '+447700900001';
const password = 'correct horse';

interface Bridge {
  kannel: Kannel;
  app: Application;
  gateway: GatewayProcess;
}

/** Kannel -> our door -> gateway -> a network in memory on which everybody answers with what they were told. */
async function open(t: TestContext): Promise<Bridge | undefined> {
  if (!needs(t, 'kannel')) return undefined;
  const folder = temporaryFolder('http-kannel');
  t.after(() => folder.remove());
  const app = await application(t);
  const [port = 0] = await freePorts(1);
  let kannelPort = 0;
  const kannel = await startKannel({
    smsc: (own) => {
      kannelPort = own;
      return {
        smsc: 'http',
        'smsc-id': 'dragoman',
        'system-type': 'kannel',
        port: own,
        'connect-allow-ip': '127.0.0.1',
        'smsc-username': 'shop',
        'smsc-password': password,
        'send-url': `http://127.0.0.1:${port}/cgi-bin/sendsms`,
        // Kannel goes on with `&dlr-mid=...` and wants its own user name back.
        'dlr-url': `http://127.0.0.1:${own}/dlr?username=shop&password=${encodeURIComponent(password)}`,
      };
    },
    getUrl: `${app.url}/in?from=%p&to=%P&text=%a`,
  });
  t.after(() => kannel.stop());
  const getUrl = `http://127.0.0.1:${kannelPort}/sms?username=shop&password=${encodeURIComponent(password)}&from=%q&to=%Q&text=%a&charset=UTF-8`;
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    people: [{ addresses: ['im:alice@echo.example', `tel:${alice}`] }],
    routes: [
      { to: `tel:${number}`, via: 'apps' },
      { to: 'im:*', via: 'echo' },
    ],
    instances: {
      apps: { protocol: 'http', port, accounts: { shop: { password, senders: [number], getUrl } } },
      echo: { protocol: 'loopback', domain: 'echo.example', echo: true },
    },
  });
  await gateway.start();
  t.after(() => gateway.stop());
  return { kannel, app, gateway };
}

test('Kannel sendsms: what Kannel hands on arrives, its delivery report and the answer come back to it', async (t) => {
  const bridge = await open(t);
  if (!bridge) return;
  const { kannel, app } = bridge;
  const text = 'Grüße & “quotes” + 100% 😀 Привет';
  const dlr = `${app.url}/dlr?id=1&state=%d`;
  const answer = await kannel.sendsms({
    from: number,
    to: alice,
    text,
    charset: 'UTF-8',
    coding: '2',
    'dlr-mask': '31',
    'dlr-url': dlr,
  });
  assert.equal(answer.status, 202);
  const seen = (path: string) => app.calls.filter(({ url }) => url.startsWith(path));
  await until(() => seen('/in').length > 0 && seen('/dlr?id=1&state=1').length > 0, 'report and answer', 15_000).catch(
    (error: Error) => {
      throw new Error(
        `${error.message}\n${JSON.stringify(app.calls.map(({ url }) => url))}\n${kannel.log().slice(-6000)}`,
      );
    },
  );
  const inbound = new URL(seen('/in')[0]?.url ?? '', app.url).searchParams;
  assert.equal(inbound.get('from'), alice);
  assert.equal(inbound.get('to'), number);
  assert.equal(inbound.get('text'), text);
});

test('Kannel sendsms: a hundred messages in flight, each arrives once', async (t) => {
  const bridge = await open(t);
  if (!bridge) return;
  const { kannel, app } = bridge;
  const texts = Array.from({ length: 100 }, (_, i) => `message ${i}`);
  await Promise.all(texts.map((text) => kannel.sendsms({ from: number, to: alice, text })));
  const arrived = () => app.calls.map(({ url }) => new URL(url, app.url).searchParams.get('text'));
  await until(() => arrived().length >= texts.length, 'a hundred answers', 20_000);
  assert.deepEqual(arrived().sort(), [...texts].sort());
});
