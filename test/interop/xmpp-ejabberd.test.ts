// The XMPP adapter on Debian's ejabberd: the common suite, and what is ejabberd's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { startEjabberd } from '../servers/ejabberd.ts';
import { temporaryFolder } from '../servers/process.ts';
import { findings, runSuite, sayHello, secret, serverOptions } from './xmpp-suite.ts';

test('XMPP on ejabberd', async (t) => {
  if (!needs(t, 'ejabberd')) return;
  const server = await startEjabberd(serverOptions);
  t.after(() => server.stop());
  await runSuite(t, server);
  await t.test('doctor: an unknown domain looks like a bad secret there, and the advice says so', async () => {
    const [unknown] = await findings(server, { domains: [{ domain: 'nobody.example', secret, shows: ['tel'] }] });
    assert.equal(unknown?.state, 'failed');
    assert.match(`${unknown?.advice}`, /ejabberd says the same of a domain it does not know/);
  });
});

test('ejabberd `tls: true`: components over TLS', async (t) => {
  if (!needs(t, 'ejabberd', 'openssl')) return;
  const folder = temporaryFolder('xmpp-tls');
  t.after(() => folder.remove());
  const { cert, file } = makeCertificate(folder.path);
  const server = await startEjabberd({ ...serverOptions, componentCertificate: file });
  t.after(() => server.stop());
  await sayHello(t, server, { tls: { ca: cert } });
});
