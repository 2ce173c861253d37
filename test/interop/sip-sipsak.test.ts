// sipsak, an old and simple client: pings, registers with the one algorithm it knows, writes, floods, and sends rubbish.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { create, type Settings } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { temporaryFolder, until } from '../servers/process.ts';

const auth = { realm: 'native.example', users: { bob: { password: 'secret' } } };

async function site(t: TestContext, more: Settings = {}) {
  const hub = fakeHub();
  const sip = create({ nativeDomains: ['native.example'], t1Ms: 500, t2Ms: 4000, ...more });
  t.after(() => sip.stop());
  await sip.start(hub);
  const way = (transport: 'UDP' | 'TCP') => ['-p', `127.0.0.1:${sip.portOf(transport)}`, '-E', transport.toLowerCase()];
  return { hub, sip, way };
}

/** Resolves when it exits, or was made to after `forMs`. */
async function sipsak(t: TestContext, args: readonly string[], forMs = 10_000) {
  const child = spawn('/usr/bin/sipsak', args);
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('latin1')).slice(-4000);
    });
  }
  const patience = setTimeout(() => child.kill('SIGKILL'), forMs);
  const [code] = await once(child, 'exit');
  clearTimeout(patience);
  return { code: code as number | null, output };
}

for (const transport of ['UDP', 'TCP'] as const) {
  test(`RFC 3261 s.11.2: sipsak over ${transport} asks with OPTIONS and is told what we allow`, async (t) => {
    if (!needs(t, 'sipsak')) return;
    const { way } = await site(t);
    const args = [...way(transport), '-vv', '-q', '^Allow: .*MESSAGE', '-s', 'sip:native.example'];
    const { code, output } = await sipsak(t, args);
    assert.equal(code, 0, output);
  });
}

test('RFC 8760 s.2.4: sipsak reads the first challenge alone: with MD5 first it registers, writes and leaves', async (t) => {
  if (!needs(t, 'sipsak')) return;
  const bob = ['-u', 'bob', '-a', 'secret', '-s', 'sip:bob@native.example'];
  const strong = await site(t, { auth });
  const refused = await sipsak(t, ['-U', '-x', '120', ...strong.way('UDP'), ...bob]);
  assert.match(refused.output, /unsupported authentication algorithm/);
  const { hub, way } = await site(t, { auth: { ...auth, algorithms: ['MD5', 'SHA-256'] } });
  assert.equal((await sipsak(t, ['-U', '-x', '120', ...way('UDP'), ...bob])).code, 0);
  const bindings = () => JSON.parse([...hub.state.entries.values()][0]?.value ?? '[]').length;
  assert.equal(bindings(), 1);
  const { path, remove } = temporaryFolder('sipsak');
  t.after(remove);
  const lines = ['MESSAGE sip:alice@gw.example SIP/2.0', 'From: <sip:bob@native.example>;tag=1'];
  const more = ['To: <sip:alice@gw.example>', 'Call-ID: of-a-file', 'CSeq: 1 MESSAGE', 'Max-Forwards: 70'];
  const file = join(path, 'message.sip');
  writeFileSync(file, [...lines, ...more, 'Content-Type: text/plain', 'Content-Length: 5', '', 'hello'].join('\n'));
  const written = await sipsak(t, ['-f', file, ...way('UDP'), ...bob]);
  assert.equal(written.code, 0, written.output);
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'hello' });
  assert.equal((await sipsak(t, ['-U', '-C', '*', '-x', '0', ...way('UDP'), ...bob])).code, 0);
  assert.equal(bindings(), 0);
});

test('reference sip 4: a flood of sipsak is answered to the last request', async (t) => {
  if (!needs(t, 'sipsak')) return;
  const { hub, way } = await site(t);
  const { code, output } = await sipsak(t, ['-F', '-e', '800', ...way('UDP'), '-s', 'sip:bob@native.example']);
  assert.equal(code, 0, output);
  const answered = () => hub.counters.get('requests_total{method=OPTIONS,status=200}');
  await until(() => answered() === 800, `800 answers, not ${answered()}`);
});

test('reference sip 4: requests that sipsak has trashed at random are answered or dropped, and nothing comes of them', async (t) => {
  if (!needs(t, 'sipsak')) return;
  const { hub, sip, way } = await site(t);
  // It goes on until three of one kind were met with silence.
  const runs = Array.from({ length: 6 }, () => sipsak(t, ['-R', ...way('UDP'), '-s', 'sip:bob@native.example'], 8000));
  await Promise.all(runs);
  const refused = hub.counters.get('malformed_total{transport=UDP}') ?? 0;
  assert.ok(refused > 10, `${refused}`);
  assert.deepEqual(
    hub.logs.filter(({ level }) => level === 'error'),
    [],
  );
  assert.equal(hub.drafts.length, 0);
  assert.equal((await sipsak(t, [...way('UDP'), '-s', 'sip:native.example'])).code, 0);
  assert.ok(sip.portOf('UDP') > 0);
});
