// The demo as a newcomer starts it: `npm run demo -- --once`, with Redis and with the embedded queue.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { parseLine } from '../demo/prompt.ts';
import { ServersMissing, startServers } from '../demo/servers.ts';
import { cut, Joiner } from '../demo/sms-text.ts';
import { needs } from './servers/debian.ts';
import { until } from './servers/process.ts';

const root = join(import.meta.dirname, '..');
const directions = ['alice → bob', 'alice → carol', 'bob → alice', 'bob → carol', 'carol → alice', 'carol → bob'];

for (const { name, args, peers } of [
  { name: 'on Redis', args: [], peers: ['prosody', 'redis-server'] as const },
  { name: 'on the embedded queue', args: ['--embedded'], peers: ['prosody'] as const },
]) {
  test(`npm run demo -- --once ${name}: six directions and six replies arrive with their receipts`, async (t) => {
    if (!needs(t, ...peers)) return;
    const { code, output } = await demo('--once', ...args);
    assert.equal(code, 0, output);
    for (const direction of directions) {
      const rows = output.split('\n').filter((line) => line.includes(`✔  ${direction} `));
      // Once as the message of its own direction, once as the reply to the opposite one.
      assert.equal(rows.length, 2, `${direction}\n${output}`);
      const receipts = direction.startsWith('carol') ? /accepted/ : /delivered/;
      for (const line of rows) assert.match(line, receipts);
    }
    assert.match(output, /everything arrived and was confirmed/);
  });
}

test('npm run demo keeps running for people to play with, and SIGTERM takes everything down', async (t) => {
  if (!needs(t, 'prosody')) return;
  const child = spawn(process.execPath, ['demo/demo.ts', '--embedded'], { cwd: root, stdio: 'pipe' });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const shows = (pattern: RegExp) => until(() => pattern.test(output), `${pattern}\n${output}`, 60_000);
  await shows(/It keeps running[\s\S]*demo> /);
  const [, adminUrl = ''] = /console\s+(http:\S+)/.exec(output) ?? [];
  assert.equal((await fetch(`${adminUrl}/readyz`)).status, 200);
  child.stdin.write('bob +447700900123 from the prompt\n');
  await shows(/carol reads from the prompt from \+447700900002[\s\S]*bob is told ✓ delivered/);
  child.stdin.write('bob +447700900999 to nobody\n');
  await shows(/bob is told ✘/);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [143, null]);
  await assert.rejects(fetch(`${adminUrl}/healthz`));
});

test('the demo refuses an option that it does not know, and starts nothing', async () => {
  const { code, output } = await demo('--onec');
  assert.equal(code, 2);
  assert.match(output, /--onec/);
});

test('with neither packages nor a container engine the demo says what to install', async (t) => {
  const { PATH } = process.env;
  t.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = '';
  const refused = (error: Error) => error instanceof ServersMissing && /apt-get install .*prosody/.test(error.message);
  await assert.rejects(startServers(true, 'prosody is not here'), refused);
  await assert.rejects(startServers(true, 'prosody is not here'), /--embedded/);
});

test('a line at the prompt names who speaks, to whom, and the text', () => {
  assert.deepEqual(parseLine('alice bob  good day '), { who: 'alice', to: 'bob@sip.xmpp.example', text: 'good day' });
  assert.deepEqual(parseLine('carol> +447700900001 hello'), { who: 'carol', to: '+447700900001', text: 'hello' });
  assert.equal(parseLine('bob +447700900123 hello')?.to, 'sip:+447700900123@gw.sip.example');
  assert.equal(parseLine('alice x@y.example hello')?.to, 'x@y.example');
  for (const line of ['', 'dave bob hello', 'alice bob', 'alice alice hello', 'toString bob hello']) {
    assert.equal(parseLine(line), undefined, line);
  }
});

test("the carrier's handsets write and read long texts in any script, in whatever order the parts come", () => {
  for (const said of [
    'a'.repeat(161),
    `${'b'.repeat(152)}€${'c'.repeat(40)}`,
    'Grüße 👩🏽‍🚀 '.repeat(30),
    'Здравствуй',
    '',
  ]) {
    const segments = cut(said, 300);
    for (const { bytes } of segments) assert.ok(bytes.length <= 160, `${bytes.length} octets`);
    const joiner = new Joiner();
    const heard = segments.reverse().map((segment) => joiner.add('carol', segment));
    assert.equal(heard.at(-1), said);
    assert.ok(heard.slice(0, -1).every((part) => part === undefined));
  }
});

async function demo(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['demo/demo.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, output: output + errors };
}
