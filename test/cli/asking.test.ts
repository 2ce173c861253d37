// The commands that ask a running gateway: bin/dragoman as a process, the real admin server, a scripted gateway behind it.
import assert from 'node:assert/strict';
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type AdminOptions, serveAdmin } from '../../src/admin/server.ts';
import { GatewayError } from '../../src/contract/index.ts';
import { encodeIpPacket, type PacketEnd } from '../../src/formats/ip-packets.ts';
import { encodeCaptureHeader, encodePacket } from '../../src/formats/pcapng.ts';
import { MetricsRegistry } from '../../src/metrics.ts';
import { keptLog, ScriptedGateway } from '../admin/scripted-gateway.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';
import { dragoman, program, type RunOptions } from './dragoman.ts';

const token = 'correct-horse-battery';

async function serve(t: TestContext, options: Partial<AdminOptions> = {}) {
  const gateway = new ScriptedGateway();
  const admin = { host: '127.0.0.1', port: 0, ...options };
  const { url, close } = await serveAdmin(gateway, new MetricsRegistry(), admin, keptLog());
  t.after(close);
  const ask = (...args: string[]) => dragoman([...args, '--url', url]);
  return { gateway, url, ask };
}

function configured(t: TestContext, text: string, env: Record<string, string> = {}) {
  const folder = temporaryFolder('cli');
  t.after(folder.remove);
  const file = join(folder.path, 'dragoman.yaml');
  writeFileSync(file, text);
  return (args: string[], options: RunOptions = {}) => dragoman(['-c', file, ...args], { env, ...options });
}

test('status is a table, and JSON when asked for', async (t) => {
  const { gateway, ask } = await serve(t);
  const { code, out } = await ask('status');
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), [
    'dragoman 9.9.9, up 1 h 2 min; store ok; 2 dead letters',
    'instance  protocol  state  waiting  held  in flight  why',
    `--------  --------  -----  -------  ----  ---------  ${'-'.repeat(40)}`,
    'jabber    xmpp      up     3        0     0',
    'carrier   smpp      down   0        0     0          connection refused; resting: example.org',
    '',
  ]);
  assert.deepEqual(JSON.parse((await ask('status', '--json')).out), await gateway.status());
});

test('route explains each step; a refusal ends with 1', async (t) => {
  const { gateway, ask } = await serve(t);
  const explain = () => ask('route', 'xmpp:alice@example.org', 'xmpp:+447700900123@sms.example.org');
  assert.deepEqual(await explain(), {
    code: 0,
    out: '1. tel:+447700900123 is meant\n2. rule "tel:*" names carrier (failover)\ngoes by carrier from tel:+447700900001 to tel:+447700900123\n',
    err: '',
  });
  gateway.explanation = { steps: ['x'], instances: [], refusal: { reason: 'not-found', text: 'no route' } };
  const refused = await explain();
  assert.equal(refused.code, 1);
  assert.match(refused.out, /refused, not-found: no route\n$/);
});

test('send says the id and how to follow it', async (t) => {
  const { gateway, ask } = await serve(t);
  const { code, out } = await ask('send', 'xmpp:a@b.example', 'tel:+447700900123', 'hello 👋');
  assert.equal(code, 0);
  assert.equal(out, 'e12345678\nfollow it with: dragoman trace e12345678\n');
  const wants = { wants: ['sent', 'delivered'] };
  assert.deepEqual(gateway.asked, [['send', 'xmpp:a@b.example', 'tel:+447700900123', 'hello 👋', wants]]);
});

test('trace draws a ladder, shows bytes with --wire and what people wrote with --bodies only', async (t) => {
  const { gateway, ask } = await serve(t);
  const { code, out } = await ask('trace', 'e12345678');
  assert.equal(code, 0);
  assert.match(
    out,
    /jabber +dragoman +carrier\n +\+0 ms {2}│── message ─+▶│ +│\n +\+12 ms {2}│ +│── submit_sm ─+▶│\n$/,
  );
  assert.match((await ask('trace', 'e12345678', '--wire')).out, /┊ <body>\[5 hidden\]<\/body>/);
  await ask('trace', 'e12345678', '--bodies');
  assert.deepEqual(
    gateway.asked.map(([, , showsBodies]) => showsBodies),
    [false, false, true],
  );
  const unknown = await ask('trace', 'e99999999');
  assert.deepEqual([unknown.code, unknown.out], [1, '']);
  assert.match(unknown.err, /^no trace of that id/);
});

test('peers, subscriptions and any other table are shown with a column for each thing that their instances say', async (t) => {
  const { gateway, ask } = await serve(t);
  const { code, out } = await ask('peers');
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), [
    'instance  peer         isUp',
    '--------  -----------  ----',
    'jabber    example.org  true',
    '',
    'instance  peer            window',
    '--------  --------------  ------',
    'carrier   192.0.2.1:2775  10',
    '',
  ]);
  assert.equal((await ask('subscriptions')).out, 'nothing to show\n');
  const limited = await ask('view', 'peers', '--limit', '1', '--instance', 'carrier', '--json');
  assert.deepEqual(JSON.parse(limited.out), gateway.tables.peers?.slice(1));
  assert.deepEqual(gateway.asked.at(-1), ['view', 'peers', 1, 'carrier']);
  assert.equal((await ask('view')).out, 'peers\nsubscriptions\n');
  const unknown = await ask('view', 'binds');
  assert.deepEqual([unknown.code, unknown.err], [1, 'there is no table "binds"; there are: peers, subscriptions\n']);
});

test('dead letters are listed, shown, replayed and discarded', async (t) => {
  const { ask } = await serve(t);
  const list = await ask('dead', 'list');
  assert.match(list.out, /\ne1 +carrier +2026-01-02T03:04:05\.678Z +internal +codec: ·\[31mboom\n/);
  assert.equal(JSON.parse((await ask('dead', 'list', '--instance', 'jabber', '--json')).out).length, 1);
  assert.equal(JSON.parse((await ask('dead', 'show', 'e2')).out).event, 'rubbish');
  assert.deepEqual(await ask('dead', 'replay', 'e1'), { code: 0, out: 'e1 is in its queue again\n', err: '' });
  assert.equal((await ask('dead', 'replay', 'e1')).code, 1);
  assert.deepEqual(JSON.parse((await ask('dead', 'discard', 'e2', '--json')).out), { id: 'e2' });
  assert.equal((await ask('dead', 'list')).out, 'no dead letters\n');
});

test('what the gateway refuses ends with 1, in its words and without a stack', async (t) => {
  const { gateway, ask } = await serve(t);
  gateway.failure = new GatewayError('malformed', 'address "alice": no scheme');
  assert.deepEqual(await ask('send', 'alice', 'bob', 'hi'), { code: 1, out: '', err: 'address "alice": no scheme\n' });
});

test('where and with which token to ask stands in the configuration', async (t) => {
  const { url } = await serve(t, { token });
  const { port } = new URL(url);
  const text = `admin: {port: ${port}, token: '\${env:ADMIN_TOKEN}'}
instances: {c: {protocol: smpp, password: '\${env:NOT_NEEDED_TO_ASK}'}}`;
  const withToken = configured(t, text, { ADMIN_TOKEN: token });
  assert.equal((await withToken(['status'])).code, 0);
  assert.equal((await withToken(['status', '--token', 'wrong'])).code, 1);
  const without = await configured(t, text, { ADMIN_TOKEN: '' })(['status']);
  assert.equal(without.code, 2);
  assert.match(without.err, /dragoman\.yaml:1:\d+ admin\.token: the environment has no ADMIN_TOKEN\n$/);
});

test('a gateway that listens everywhere is asked on loopback', async (t) => {
  const { url } = await serve(t, { token });
  const ask = configured(t, `admin: {host: 0.0.0.0, port: ${new URL(url).port}, token: ${token}}`);
  assert.equal((await ask(['status'])).code, 0);
});

test('3 when no gateway answers, and what to do', async (t) => {
  const [port = 0] = await freePorts(1);
  const { code, out, err } = await configured(t, `admin: {port: ${port}}`)(['status']);
  assert.deepEqual([code, out], [3, '']);
  assert.match(err, new RegExp(`^no gateway answers at http://127\\.0\\.0\\.1:${port} .*is it running`));
});

test('2 for wrong use: no command, an unknown one, a missing argument, a bad limit, a bad URL, no configuration', async () => {
  const cases: Array<[args: string[], said: RegExp]> = [
    [[], /Usage: dragoman/],
    [['sttaus'], /unknown command 'sttaus'\n?.*Did you mean status/s],
    [['trace'], /missing required argument 'id'/],
    [['status', '--jsno'], /unknown option '--jsno'/],
    [['dead', 'list', '--limit', 'many'], /write a number from 1 to 1000/],
    [['status', '--url', 'localhost'], /write it as http:/],
    [['-c', '/nowhere.yaml', 'status'], /nowhere\.yaml:1:1 cannot be read/],
  ];
  await Promise.all(
    cases.map(async ([args, said]) => {
      const { code, err } = await dragoman(args);
      assert.equal(code, 2, `${args.join(' ')}: ${err}`);
      assert.match(err, said);
    }),
  );
});

test('--help names every command and every exit code; each command has its own', async () => {
  const { code, out } = await dragoman(['--help']);
  assert.equal(code, 0);
  const commands = ['start', 'check', 'doctor', 'status', 'view', 'peers', 'route', 'send', 'trace', 'dead', 'config'];
  for (const command of commands) assert.match(out, new RegExp(`^ {2}${command}\\b`, 'm'));
  const helps = await Promise.all(commands.map((command) => dragoman([command, '--help'])));
  assert.ok(helps.every((help) => help.code === 0 && help.out.startsWith('Usage: dragoman ')));
  assert.match(out, /Exit codes: 0 done, 1 .*, 2 .*, 3 no gateway answers/);
  assert.match((await dragoman(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
});

test('it runs through a symbolic link, from any folder', async (t) => {
  const folder = temporaryFolder('bin');
  t.after(folder.remove);
  const link = join(folder.path, 'dragoman');
  symlinkSync(program, link);
  assert.equal((await dragoman(['--version'], { program: link, cwd: folder.path })).code, 0);
});

test('capture asks with its limits, and writes what comes to a file that is for its owner only', async (t) => {
  const { gateway, ask } = await serve(t);
  const folder = temporaryFolder('capture');
  t.after(folder.remove);
  const out = join(folder.path, 'x.pcapng');
  const { code, out: said } = await ask('capture', 'carrier', '--out', out, '--for', '5m', '--max', '0.5', '--bodies');
  assert.equal(code, 0);
  assert.equal(said, `${out}: 14 bytes\n`);
  assert.equal(readFileSync(out, 'utf8'), 'a capture file');
  assert.equal(statSync(out).mode & 0o777, 0o600);
  const limits = { forMs: 300_000, maxBytes: 500_000, showBodies: true };
  assert.deepEqual(gateway.asked, [['capture', 'carrier', limits]]);
  assert.equal((await ask('capture', 'carrier', '--out', '-')).out, 'a capture file');
  for (const wrong of [
    ['--for', '2h'],
    ['--for', 'long'],
    ['--max', '-1'],
    ['--max', 'all'],
  ])
    assert.equal((await ask('capture', 'carrier', '--out', out, ...wrong)).code, 2, wrong.join(' '));
  gateway.failure = new GatewayError('not-allowed', 'carrier is being captured already');
  assert.deepEqual(await ask('capture', 'carrier', '--out', out), {
    code: 1,
    out: '',
    err: 'carrier is being captured already\n',
  });
});

test('a capture is for its owner only, even where a file that everybody could read was before', async (t) => {
  const { ask } = await serve(t);
  const folder = temporaryFolder('capture');
  t.after(folder.remove);
  const out = join(folder.path, 'x.pcapng');
  writeFileSync(out, 'what was captured before, and longer', { mode: 0o644 });
  assert.equal((await ask('capture', 'carrier', '--out', out)).code, 0);
  assert.equal(readFileSync(out, 'utf8'), 'a capture file');
  assert.equal(statSync(out).mode & 0o777, 0o600);
});

test('a capture whose file cannot be written ends at once, in the gateway too', { timeout: 20_000 }, async (t) => {
  const { gateway, ask } = await serve(t);
  const stream = new Readable({ read: () => {} });
  stream.push('a capture file');
  gateway.capture = () => stream;
  const { code, err } = await ask('capture', 'carrier', '--out', '/dev/full');
  assert.equal(code, 1);
  assert.match(err, /ENOSPC/);
  await until(() => stream.destroyed, 'the end of the capture');
});

test('replay says what is wrong with its file and with its words', async (t) => {
  const folder = temporaryFolder('replay');
  t.after(folder.remove);
  const file = join(folder.path, 'x.pcapng');
  writeFileSync(file, 'no capture at all');
  assert.deepEqual(await dragoman(['replay', file, '--to', '127.0.0.1:1']), {
    code: 2,
    out: '',
    err: `${file}: no pcapng file, or one of the other byte order\n`,
  });
  assert.equal((await dragoman(['replay', file])).err, 'say either --to or --listen\n');
  assert.equal((await dragoman(['replay', join(folder.path, 'none'), '--to', '127.0.0.1:1'])).code, 2);
});

test('a replay over UDP to a host that does not exist says so and ends', { timeout: 20_000 }, async (t) => {
  const folder = temporaryFolder('replay');
  t.after(folder.remove);
  const file = join(folder.path, 'x.pcapng');
  const [from, to] = [1, 2].map((port) => ({ address: '192.0.2.1', port })) as [PacketEnd, PacketEnd];
  const bytes = encodeIpPacket({ transport: 'udp', from, to, payload: Buffer.from('hello') });
  const header = encodeCaptureHeader({ application: 'test', name: 'x', description: 'loopback' });
  writeFileSync(file, Buffer.concat([header, encodePacket({ at: 0, direction: 'inbound', bytes })]));
  const { code, err } = await dragoman(['replay', file, '--to', 'nobody.invalid:5060']);
  assert.equal(code, 3);
  assert.match(err, /^nobody\.invalid:5060: /);
});
