// Two networks that we did not write, with us between them: Kannel's applications behind our SMS centre, Alice on Prosody.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Application, application } from '../adapters/http/fixtures.ts';
import { aliceNumber, atEnd } from '../scenarios/site.ts';
import { needs } from '../servers/debian.ts';
import { esmeGroup, startKannel } from '../servers/kannel.ts';
import { freePorts } from '../servers/process.ts';
import { happens, openSmsSite, phoneJid } from './smpp-site.ts';

const shop = '+447700900200';

type Mode = (port: number) => Record<string, string | number>;

async function open(t: TestContext, modes: readonly Mode[]) {
  if (!needs(t, 'kannel')) return undefined;
  const [port = 0] = await freePorts(1);
  const site = await openSmsSite(t, {
    carriers: 0,
    settings: () => ({
      routes: [
        { to: 'tel:*', via: 'centre' },
        { to: 'xmpp:*', via: 'jabber' },
      ],
      instances: {
        centre: {
          protocol: 'smpp/server',
          listen: [{ port }],
          accounts: { kannel: { password: 'secret', numbers: [shop], messageIds: 'hex' } },
        },
      },
    }),
  });
  if (!site) return undefined;
  const app = await application(t);
  const kannel = await startKannel({
    smsc: () => modes.map((mode) => ({ ...esmeGroup, ...mode(port) })),
    getUrl: `${app.url}/in?from=%p&to=%P&text=%a&charset=UTF-8&coding=%c`,
  });
  atEnd(t, () => kannel.stop());
  const say = (text: string, n: number) => {
    const dlr = { 'dlr-mask': '31', 'dlr-url': `${app.url}/dlr?n=${n}&state=%d` };
    return kannel.sendsms({
      from: shop,
      to: aliceNumber,
      text,
      charset: 'UTF-8',
      coding: /[^ -~]/.test(text) ? '2' : '0',
      ...dlr,
    });
  };
  return { site, app, kannel, say };
}

const called = ({ calls, url }: Application, path: string) =>
  calls.filter((call) => call.url.startsWith(path)).map((call) => new URL(call.url, url).searchParams);
const reports = (app: Application) => called(app, '/dlr').map((one) => `${one.get('n')}:${one.get('state')}`);

const kinds: Array<[what: string, modes: Mode[]]> = [
  ['transceiver', [(port) => ({ port, 'transceiver-mode': 'true' })]],
  ['transmitter and receiver', [(port) => ({ port }), (port) => ({ 'receive-port': port })]],
];
for (const [what, modes] of kinds) {
  test(`reference smpp 1.1: bind TX/RX/TRX: Kannel (${what}) and Alice on Prosody write to each other; reports wait while Kannel is away`, async (t) => {
    const opened = await open(t, modes);
    if (!opened) return;
    const { site, app, kannel, say } = opened;
    const { heard, told, gateway } = site;
    const texts = ['Hello Alice', 'Привет, Алиса! '.repeat(12).trim()];
    for (const [n, text] of texts.entries()) assert.equal((await say(text, n)).status, 202);
    await happens(site, () => heard.length === 2, 'both messages');
    assert.deepEqual(
      heard,
      texts.map((text) => ({ from: phoneJid(shop), text })),
    );
    await happens(site, () => ['0:1', '1:1'].every((one) => reports(app).includes(one)), 'both were delivered');
    const answer = await site.alice.send(phoneJid(shop), 'How much is it?');
    await happens(site, () => called(app, '/in').length === 1, 'her answer');
    const [inbound] = called(app, '/in');
    assert.deepEqual(
      ['from', 'to', 'text'].map((name) => inbound?.get(name)),
      [aliceNumber, shop, 'How much is it?'],
    );
    await happens(site, () => told.some(({ of, state }) => of === answer && state === 'delivered'), 'she is told');

    await site.alice.stop();
    await say('are you there', 2);
    await happens(site, () => reports(app).includes('2:8'), 'it was taken');
    await kannel.admin('stop-smsc?smsc=dragoman');
    await site.comeBack();
    await happens(site, () => heard.length === 3, 'she reads it while Kannel is away');
    const held = await site.alice.send(phoneJid(shop), 'I am back');
    const waiting = async () => (await gateway.status()).instances.find(({ name }) => name === 'centre')?.held ?? 0;
    await happens(site, async () => (await waiting()) >= 2, 'report and message wait');
    assert.ok(!reports(app).includes('2:1') && called(app, '/in').length === 1);
    await kannel.admin('start-smsc?smsc=dragoman');
    await happens(site, () => reports(app).includes('2:1') && called(app, '/in').length === 2, 'both are there');
    assert.equal(called(app, '/in')[1]?.get('text'), 'I am back');
    await happens(site, () => told.some(({ of, state }) => of === held && state === 'delivered'), 'she is told');
    assert.deepEqual(
      reports(app)
        .filter((one) => one.endsWith(':1'))
        .sort(),
      ['0:1', '1:1', '2:1'],
      'each once',
    );
  });
}
