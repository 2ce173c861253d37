// Kannel as an ESME of our own SMS centre: what its programs send arrives, reports and answers come back to them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Application, application } from '../adapters/http/fixtures.ts';
import { needs } from '../servers/debian.ts';
import { esmeGroup, startKannel } from '../servers/kannel.ts';
import { until } from '../servers/process.ts';
import { alice, type Centre, openCentre, shop } from './smpp-centre.ts';

function paramsOf({ url, calls }: Application, path: string): URLSearchParams[] {
  return calls.filter((call) => call.url.startsWith(path)).map((call) => new URL(call.url, url).searchParams);
}

/** Kannel hands UCS-2 on as it came. */
function textIn(params: URLSearchParams): string {
  const text = params.get('text') ?? '';
  return params.get('charset') === 'UTF-16BE' ? Buffer.from(text, 'latin1').swap16().toString('utf16le') : text;
}

async function kannelOn(t: TestContext, app: Application, smsc: Record<string, string | number>) {
  const kannel = await startKannel({
    smsc: () => ({ ...esmeGroup, 'enquire-link-interval': 2, ...smsc }),
    getUrl: `${app.url}/in?from=%p&to=%P&text=%b&charset=%C`,
  });
  t.after(() => kannel.stop());
  return kannel;
}

const binds: Array<[what: string, smsc: (centre: Centre) => Record<string, string | number>]> = [
  ['transceiver, 3.4', ({ port }) => ({ port, 'transceiver-mode': 'true', 'interface-version': 34 })],
  ['transceiver, 3.3', ({ port }) => ({ port, 'transceiver-mode': 'true', 'interface-version': 33 })],
  [
    'transceiver over TLS with a certificate',
    ({ tlsPort, certificate }) => ({
      port: tlsPort,
      'transceiver-mode': 'true',
      'use-ssl': 'true',
      'ssl-client-certkey-file': certificate.file,
    }),
  ],
];
for (const [what, smsc] of binds) {
  test(`reference smpp 6: Kannel as ESME (${what}): sendsms arrives, report and answer come back, long and in Cyrillic too`, async (t) => {
    if (!needs(t, 'kannel')) return;
    const centre = await openCentre(t);
    if (!centre) return;
    const app = await application(t);
    const kannel = await kannelOn(t, app, smsc(centre));
    const texts = ['Hello {Kannel} 5€', 'Привет '.repeat(30).trim(), 'a'.repeat(400)];
    for (const [index, text] of texts.entries()) {
      const coding = /[^ -~€]/.test(text) ? '2' : '0';
      const dlr = { 'dlr-mask': '3', 'dlr-url': `${app.url}/dlr?n=${index}&state=%d` };
      await kannel.sendsms({ from: shop, to: alice, text, charset: 'UTF-8', coding, ...dlr });
    }
    const reports = () => paramsOf(app, '/dlr').filter((one) => one.get('state') === '1');
    await until(() => paramsOf(app, '/in').length === 3 && reports().length >= 3, 'answers and reports', 20_000).catch(
      (error: Error) => {
        const urls = JSON.stringify(app.calls.map(({ url }) => url));
        throw new Error(
          `${error.message}\n${urls}\n${kannel.log().slice(-3000)}\n${centre.gateway.log().slice(-3000)}`,
        );
      },
    );
    const inbound = paramsOf(app, '/in');
    assert.deepEqual(inbound.map(textIn).sort(), [...texts].sort());
    assert.ok(inbound.every((one) => one.get('from') === alice && one.get('to') === shop));
    assert.deepEqual([...new Set(reports().map((one) => one.get('n')))].sort(), ['0', '1', '2']);
  });
}

test('reference smpp 6: Kannel sends fast: a hundred messages, each arrives once and is answered once', async (t) => {
  if (!needs(t, 'kannel')) return;
  const centre = await openCentre(t);
  if (!centre) return;
  const app = await application(t);
  const kannel = await kannelOn(t, app, { port: centre.port, 'transceiver-mode': 'true', 'max-pending-submits': 50 });
  const texts = Array.from({ length: 100 }, (_, n) => `message ${n}`);
  await Promise.all(texts.map((text) => kannel.sendsms({ from: shop, to: alice, text })));
  await until(() => paramsOf(app, '/in').length >= texts.length, 'a hundred answers', 20_000);
  assert.deepEqual(
    paramsOf(app, '/in')
      .map((one) => one.get('text'))
      .sort(),
    [...texts].sort(),
  );
});
