// The SMPP adapter against npm smpp over TLS with a test CA, and what doctor finds there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adapter } from '../../adapters/smpp/index.ts';
import type { Finding } from '../../src/contract/index.ts';
import { message } from '../adapters/smpp/event.ts';
import { fakeHub } from '../peers/hub.ts';
import { npmSmsc } from '../peers/smpp-npm.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, temporaryFolder } from '../servers/process.ts';

const { signal } = new AbortController();

/** A CA and a certificate for `localhost` and 127.0.0.1 under it; and another CA of the same name. */
function certificates(t: TestContext) {
  const folder = temporaryFolder('smpp-tls');
  t.after(() => folder.remove());
  const file = (name: string) => join(folder.path, name);
  const openssl = (...args: string[]) => execFileSync('/usr/bin/openssl', args, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const ca of ['ca', 'other']) {
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      file(`${ca}.key`),
      '-out',
      file(`${ca}.pem`),
      '-subj',
      '/CN=Test CA',
      '-days',
      '2',
    );
  }
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const issued = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-addext', names];
  openssl(
    'req',
    '-x509',
    ...key,
    ...issued,
    '-keyout',
    file('smsc.key'),
    '-out',
    file('smsc.pem'),
    '-subj',
    '/CN=localhost',
    '-days',
    '2',
  );
  return {
    ca: file('ca.pem'),
    otherCa: file('other.pem'),
    tls: { key: readFileSync(file('smsc.key')), cert: readFileSync(file('smsc.pem')) },
  };
}

async function findings(options: Record<string, unknown>): Promise<Finding[]> {
  const found: Finding[] = [];
  const settings = adapter.options.parse({ systemId: 'me', password: 'secret', ...options });
  for await (const finding of adapter.diagnose?.(settings, signal) ?? []) found.push(finding);
  return found;
}

test('TLS: with the right CA a message goes through, by name and by address', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { ca, tls } = certificates(t);
  const smsc = await npmSmsc({ tls });
  t.after(() => smsc.close());
  for (const more of [
    { host: '127.0.0.1', tls: { ca } },
    { host: '127.0.0.1', tls: { ca, serverName: 'localhost' } },
  ]) {
    const hub = fakeHub();
    const smpp = adapter.create('carrier', adapter.options.parse({ port: smsc.port, systemId: 'me', ...more }));
    await smpp.start(hub);
    await hub.untilStatus('up');
    await smpp.deliver(message('over TLS'), signal);
    await smpp.stop();
  }
  assert.equal(smsc.submits.length, 2);
});

test('TLS: a certificate of another CA, for another name, or of nobody we know is refused before the password is sent', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { ca, otherCa, tls } = certificates(t);
  const smsc = await npmSmsc({ tls });
  t.after(() => smsc.close());
  const cases: Array<[options: unknown, words: RegExp]> = [
    [{ ca: otherCa }, /TLS with .*(CA|issuer)/],
    [true, /TLS with .*CA that is not trusted/],
    [{ ca, serverName: 'smsc.example.net' }, /TLS with .*another name/],
  ];
  for (const [option, words] of cases) {
    const hub = fakeHub();
    const smpp = adapter.create('carrier', adapter.options.parse({ port: smsc.port, systemId: 'me', tls: option }));
    await smpp.start(hub);
    assert.equal(hub.statuses.at(-1)?.state, 'down');
    assert.match(hub.statuses.at(-1)?.why ?? '', words);
    await smpp.stop();
  }
  assert.equal(smsc.binds.length, 0);
});

test('doctor: a bind that works', async (t) => {
  const smsc = await npmSmsc();
  t.after(() => smsc.close());
  assert.deepEqual(
    (await findings({ port: smsc.port, bind: 'pair' })).map(({ state }) => state),
    ['ok', 'ok'],
  );
});

test('doctor: a wrong password, a fault of TLS and a port that nobody listens on are told apart', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { otherCa, tls } = certificates(t);
  const secure = await npmSmsc({ tls });
  const plain = await npmSmsc();
  plain.onBind = () => ({ command_status: 0x0e });
  t.after(() => Promise.all([secure.close(), plain.close()]));
  const [closed] = await freePorts(1);
  const cases: Array<[options: Record<string, unknown>, what: RegExp, advice: RegExp]> = [
    [{ port: plain.port }, /password is wrong/, /password/],
    [{ port: secure.port, tls: { ca: otherCa } }, /TLS/, /tls\.ca/],
    [{ port: plain.port, tls: true }, /TLS/, /tls: false/],
    [{ port: closed }, /ECONNREFUSED/, /host and port/],
    [{ port: plain.port, tls: { ca: '/nonexistent' } }, /ENOENT/, /tls\.ca/],
  ];
  for (const [options, what, advice] of cases) {
    const last = (await findings(options)).at(-1);
    assert.equal(last?.state, 'failed');
    assert.match(last?.what ?? '', what);
    assert.match(last?.advice ?? '', advice);
  }
});

test('doctor: a host that takes the connection and says nothing', async (t) => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const [last] = await findings({ port, responseTimeoutMs: 100 });
  assert.match(last?.what ?? '', /no answer in time/);
});
