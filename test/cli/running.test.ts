// `check`, `config schema`, `doctor` and `start` as processes, on the embedded store with the loopback adapter.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePorts, type ServerProcess, startServer, temporaryFolder, until } from '../servers/process.ts';
import { dragoman, program } from './dragoman.ts';

async function site(t: TestContext, text = '') {
  const folder = temporaryFolder('run');
  t.after(folder.remove);
  const [port = 0] = await freePorts(1);
  const file = join(folder.path, 'dragoman.yaml');
  const write = (more: string) => writeFileSync(file, `data: ${folder.path}/data\nadmin: {port: ${port}}\n${more}`);
  write(text);
  const run = (...args: string[]) => dragoman(['-c', file, ...args]);
  const start = async (env: Record<string, string> = {}): Promise<ServerProcess> => {
    const server = await startServer(program, { args: ['-c', file, 'start'], env, readyLine: /"msg":"started"/ });
    t.after(() => server.stop());
    return server;
  };
  return { file, folder: folder.path, port, write, run, start };
}

const loopbacks = `instances:
  hill: {protocol: loopback, domain: hill.example, echo: true}
  dale: {protocol: loopback, domain: dale.example}
`;

const linesOf = (server: ServerProcess) =>
  server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

test('check says that all is right, or each fault with 2', async (t) => {
  const { file, write, run } = await site(t, loopbacks);
  assert.deepEqual(await run('check'), {
    code: 0,
    out: `${file} is right: hill (loopback), dale (loopback)\n`,
    err: '',
  });
  write(`${loopbacks}  third: {protocol: loopback, ecco: true}\nlgo: {}\n`);
  const { code, err } = await run('check');
  assert.equal(code, 2);
  assert.deepEqual(err.trimEnd().split('\n'), [
    `${file}:6:31 instances.third.ecco: unknown key; did you mean "echo"?`,
    `${file}:7:1 lgo: unknown key; did you mean "log"?`,
  ]);
  const json = await run('check', '--json');
  assert.equal(json.code, 2);
  assert.deepEqual(JSON.parse(json.out)[1], {
    line: 7,
    column: 1,
    path: 'lgo',
    text: 'unknown key; did you mean "log"?',
  });
});

test('config schema prints JSON Schema with the options of the built-in adapters', async () => {
  const { code, out } = await dragoman(['config', 'schema']);
  assert.equal(code, 0);
  const kinds = JSON.parse(out).properties.instances.additionalProperties.anyOf;
  assert.ok(kinds.some((kind: { properties: { protocol: object; echo?: object } }) => kind.properties.echo));
});

test('doctor looks at configuration and store; a store that another gateway has fails it', async (t) => {
  const { run, start, folder } = await site(t, loopbacks);
  const well = await run('doctor');
  assert.equal(well.code, 0);
  assert.match(well.out, /^✔ configuration: .*\n✔ store: the embedded store in .* answers\n/);
  await start();
  assert.match((await run('doctor')).out, /^✔ store: .* serves the gateway that runs with this configuration$/m);
  const other = join(folder, 'other.yaml');
  const [port] = await freePorts(1);
  writeFileSync(other, `data: ${folder}/data\nadmin: {port: ${port}}\n${loopbacks}`);
  const inUse = await dragoman(['-c', other, 'doctor', '--json']);
  assert.equal(inUse.code, 1);
  const failed = JSON.parse(inUse.out).filter(({ state }: { state: string }) => state === 'failed');
  assert.deepEqual(
    failed.map(({ instance, advice }: { instance: string; advice: string }) => [
      instance,
      /another gateway on the same folder/.test(advice),
    ]),
    [['store', true]],
  );
});

test('start runs, is ready, answers the other commands, and stops gracefully with 0', async (t) => {
  const { port, run, start } = await site(t, loopbacks);
  const server = await start();
  assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200);
  assert.match(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), /^dragoman_up\{instance="hill"\} 1$/m);
  assert.match((await run('status')).out, /\nhill +loopback +up /);
  await server.stop();
  assert.equal(server.child.exitCode, 0);
  assert.equal(linesOf(server).at(-1)?.msg, 'stopped');
  assert.equal((await run('status')).code, 3);
});

test('view shows the tables that an adapter keeps, of the instances that run here', async (t) => {
  const { run, start } = await site(t, `${loopbacks}routes: [{to: 'im:*', via: [hill, dale]}]\n`);
  await start();
  assert.equal((await run('send', 'im:ann@hill.example', 'im:bob@dale.example', 'hello')).code, 0);
  const seen = async (instance: string) =>
    JSON.parse((await run('view', 'delivered', '--instance', instance, '--json')).out);
  await until(async () => (await seen('hill')).length === 1, 'the receipt');
  const rows = [...(await seen('hill')), ...(await seen('dale'))];
  assert.deepEqual(
    rows.map(({ instance, type, to }) => [instance, type, to]),
    [
      ['hill', 'receipt', 'im:ann@hill.example'],
      ['dale', 'message', 'im:bob@dale.example'],
    ],
  );
  assert.match((await run('view', 'delivered', '--limit', '1')).out, /the first 1; --limit shows more\n$/);
  const refusals = [
    [['peers'], 'there is no table "peers"; there are: delivered\n'],
    [['view', 'toString'], 'there is no table "toString"; there are: delivered\n'],
    [['view', 'delivered', '--instance', 'vale'], 'no instance is called vale\n'],
  ] as const;
  for (const [args, err] of refusals) assert.deepEqual(await run(...args), { code: 1, out: '', err });
});

test('SIGHUP takes over what it can, says what needs a restart, and keeps the old when the new is wrong', async (t) => {
  const { write, start } = await site(t, loopbacks);
  const server = await start();
  const said = async (msg: RegExp, since: number) => {
    await until(
      () =>
        linesOf(server)
          .slice(since)
          .some((line) => msg.test(line.msg)),
      String(msg),
    );
    return linesOf(server)
      .slice(since)
      .filter((line) => msg.test(line.msg));
  };
  const reload = async (text: string, msg: RegExp) => {
    const since = linesOf(server).length;
    write(text);
    server.child.kill('SIGHUP');
    return said(msg, since);
  };
  const [taken] = await reload(`${loopbacks}routes: [{to: 'im:*', via: hill}]\nlease: 20s\n`, /^reloaded/);
  assert.deepEqual(taken.changes, ['routes: taken over', 'lease: needs a restart']);
  const [kept] = await reload(`${loopbacks}routes: [{to: 'im:*', via: hil}]\n`, /^not reloaded/);
  assert.match(kept.fault, /:6:\d+ routes\.0\.via: no instance is called "hil"; did you mean "hill"\?$/);
  const [same] = await reload(`${loopbacks}routes: [{to: 'im:*', via: hill}]\nlease: 20s\n`, /^reloaded/);
  assert.equal(same.msg, 'reloaded: nothing had changed');
  await server.stop();
  assert.equal(server.child.exitCode, 0);
});

test('start with a wrong configuration ends with 2, and with a port that is taken with 1', async (t) => {
  const { file, port, write, run, start } = await site(t, loopbacks);
  await start();
  const other = await site(t);
  writeFileSync(other.file, `data: ${other.folder}/data\nadmin: {port: ${port}}\n`);
  const taken = await other.run('start');
  assert.equal(taken.code, 1);
  assert.match(taken.err, /the admin side cannot listen: .*EADDRINUSE/);
  write('lgo: {}');
  const wrong = await run('start');
  assert.deepEqual([wrong.code, wrong.out], [2, '']);
  assert.equal(wrong.err, `${file}:3:1 lgo: unknown key; did you mean "log"?\n`);
});

test('a secret from the environment is blotted out of the log of a running gateway', async (t) => {
  const { folder, start } = await site(t, `instances: {hill: {protocol: loopback, domain: '\${env:HUSH}.example'}}\n`);
  // The first line names the configuration's folder: that is the secret here, so that there is something to blot out.
  const secret = basename(folder);
  const server = await start({ HUSH: secret });
  await server.stop();
  assert.ok(!server.output().includes(secret));
  assert.match(server.output(), /"config":"[^"]*\[secret\]\/dragoman\.yaml"/);
});
