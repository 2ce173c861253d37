// The SMPP adapter against npm smpp over TLS with a test CA, and what doctor finds there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adapter } from '../../adapters/smpp/index.ts';
import { type Finding, parseAddress } from '../../src/contract/index.ts';
import { dlr, phone, service } from '../adapters/smpp/carrier.ts';
import { message } from '../adapters/smpp/event.ts';
import { fakeHub } from '../peers/hub.ts';
import { npmConnect, npmSmsc } from '../peers/smpp-npm.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, temporaryFolder } from '../servers/process.ts';

const { signal } = new AbortController();

/** A CA, a certificate for `localhost` and 127.0.0.1 under it and one for us; and another CA of the same name. */
function certificates(t: TestContext) {
  const folder = temporaryFolder('smpp-tls');
  t.after(() => folder.remove());
  const file = (name: string) => join(folder.path, name);
  const issue = (name: string, subject: string, ...more: string[]) => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file(`${name}.key`)];
    const args = ['req', '-x509', ...key, '-out', file(`${name}.pem`), '-subj', subject, '-days', '2', ...more];
    execFileSync('/usr/bin/openssl', args, { stdio: 'pipe' });
  };
  for (const ca of ['ca', 'other']) issue(ca, '/CN=Test CA');
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const byCa = ['-CA', file('ca.pem'), '-CAkey', file('ca.key')];
  issue('smsc', '/CN=localhost', ...byCa, '-addext', names);
  issue('gateway', '/CN=gateway', ...byCa);
  return {
    ca: file('ca.pem'),
    otherCa: file('other.pem'),
    own: { cert: file('gateway.pem'), key: file('gateway.key') },
    files: { cert: file('smsc.pem'), key: file('smsc.key') },
    tls: { key: readFileSync(file('smsc.key')), cert: readFileSync(file('smsc.pem')) },
  };
}

async function findings(options: Record<string, unknown>): Promise<Finding[]> {
  const found: Finding[] = [];
  const settings = adapter.options.parse({ systemId: 'me', password: 'secret', ...options });
  for await (const finding of adapter.diagnose?.(settings, signal) ?? []) found.push(finding);
  return found;
}

test('reference smpp 1.1: TLS: with the right CA a message goes through, by name and by address', async (t) => {
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

test('reference smpp 3: TLS: a certificate of another CA, for another name, or of nobody we know is refused before the password is sent', async (t) => {
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

test('reference smpp 1.1: TLS both ways: a carrier that wants our certificate gets it, and without one there is no bind', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { ca, own, tls } = certificates(t);
  const wanted = { ...tls, ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true };
  const smsc = await npmSmsc({ tls: wanted });
  t.after(() => smsc.close());
  for (const [option, state] of [
    [{ ca }, 'down'],
    [{ ca, ...own }, 'up'],
  ] as const) {
    const hub = fakeHub();
    const smpp = adapter.create('carrier', adapter.options.parse({ port: smsc.port, systemId: 'me', tls: option }));
    await smpp.start(hub);
    await hub.untilStatus(state);
    await smpp.stop();
  }
  assert.equal(smsc.binds.length, 1);
});

test('npm smpp over TLS: outbind to us, with its certificate checked', async (t) => {
  if (!needs(t, 'openssl')) return;
  const { ca, own, files } = certificates(t);
  const [port = 0] = await freePorts(1);
  const outbind = { listen: `127.0.0.1:${port}`, password: 'hush', tls: { ...files, ca } };
  const smpp = adapter.create('carrier', adapter.options.parse({ systemId: 'me', bind: 'none', outbind }));
  const hub = fakeHub();
  t.after(() => smpp.stop());
  await smpp.start(hub);
  const trusted = { ca: readFileSync(ca), servername: 'localhost' };
  const call = (more: Record<string, Buffer>) => {
    const session = npmConnect({ host: '127.0.0.1', port, tls: true, ...trusted, ...more });
    t.after(() => session.destroy());
    session.on('error', () => session.destroy());
    session.on('bind_receiver', (pdu) => {
      session.send(pdu.response({ system_id: 'npm' }));
      session.deliver_sm({ ...phone, ...service, short_message: Buffer.from('by outbind') });
    });
    session.on('secureConnect', () => session.outbind({ system_id: 'npm', password: 'hush' }));
    return session;
  };
  const stranger = call({});
  await new Promise((resolve) => stranger.socket.once('close', resolve));
  assert.equal(hub.drafts.length, 0);
  call({ cert: readFileSync(own.cert), key: readFileSync(own.key) });
  await hub.untilDraft();
  assert.equal(hub.draftsOf('message')[0]?.text[''], 'by outbind');
});

test('reference smpp 1.1: several binds: npm smpp: three binds of one account share the load, and receipts come on another bind than their submit', async (t) => {
  const smsc = await npmSmsc();
  t.after(() => smsc.close());
  const hub = fakeHub();
  const settings = adapter.options.parse({ port: smsc.port, systemId: 'me', binds: 3, window: 6 });
  const smpp = adapter.create('carrier', settings);
  t.after(() => smpp.stop());
  await smpp.start(hub);
  const taken = new Map<string, object>();
  smsc.onSubmit = (_, session) => {
    taken.set(`${taken.size + 16}`, session);
    return { message_id: (taken.size + 15).toString(16) };
  };
  const people = Array.from({ length: 30 }, (_, n) => parseAddress(`tel:+4477009001${10 + n}`));
  await Promise.all(people.map((to) => smpp.deliver(message('hi', { to }), signal)));
  assert.ok(new Set(taken.values()).size > 1);
  for (const submit of smsc.submits) {
    const at = smsc.submits.indexOf(submit);
    const fields = { ...dlr(at + 16), source_addr: submit.destination_addr };
    await new Promise((resolve) => smsc.sessions[at % 3]?.deliver_sm(fields, resolve));
  }
  assert.equal(hub.draftsOf('receipt').filter(({ state }) => state === 'delivered').length, 30);
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
