// What the READMEs of SMPP and HTTP print, run: the carrier bind with what the commands say of it, the ESME account with what Net::SMPP
// sees there, and the HTTP account with the request that is shown. Only ports, files and hosts are those of the test.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { startXmppUser } from '../../demo/xmpp-user.ts';
import { application } from '../adapters/http/fixtures.ts';
import { dlr } from '../adapters/smpp/carrier.ts';
import { npmSmsc } from '../peers/smpp-npm.ts';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { atEnd } from '../scenarios/site.ts';
import { makeCertificate } from '../servers/certificate.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, startServer, temporaryFolder, until } from '../servers/process.ts';
import { startProsody } from '../servers/prosody.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The code blocks under a heading, with what the test puts in the place of what is printed. */
function printed(protocol: string, heading: string, replaced: Record<string, string | number> = {}): string[] {
  const readme = readFileSync(join(root, 'adapters', protocol, 'README.md'), 'utf8');
  const section = readme.split('\n## ').find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const blocks = [...section.matchAll(/```\w*\n([^`]*)```/g)].map(([, block = '']) => block);
  const replace = (text: string) =>
    Object.entries(replaced).reduce((all, [from, to]) => all.replaceAll(from, String(to)), text);
  assert.ok(blocks.length > 0, heading);
  return blocks.map(replace);
}

type Settings = Record<string, unknown> & { instances: Record<string, object> };

async function start(t: TestContext, folder: string, settings: Settings): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.prepare(folder, { data: join(folder, 'data'), ...settings });
  atEnd(t, () => gateway.stop());
  await gateway.start();
  return gateway;
}

function folderOf(t: TestContext): string {
  const folder = temporaryFolder('smpp-readme');
  atEnd(t, () => folder.remove());
  return folder.path;
}

/** Columns without their widths; without what is another in each run. */
function plain(line: string): string {
  return line
    .replace(/\be[0-9a-z]{25}\b/g, 'ID')
    .replace(/\+\d+ (ms|s)/g, '+N ms')
    .replace(/\b\d{10}\b|\b\d{15}\+/g, 'NUMBER')
    .replace(/─+/g, '─')
    .replace(/ {2,}/g, '  ')
    .trim();
}

test('reference smpp 6: the carrier bind of the README is run, and the commands say what it prints', async (t) => {
  const folder = folderOf(t);
  const smsc = await npmSmsc();
  atEnd(t, () => smsc.close());
  smsc.onSubmit = () => {
    const id = 0xa00 + smsc.submits.length;
    setTimeout(() => void smsc.tell('deliver_sm', dlr(id)), 300);
    return { message_id: id.toString(16) };
  };
  const [yaml = '', session = ''] = printed('smpp', 'A carrier bind, as it was run', { 44691: smsc.port });
  const gateway = await start(t, folder, parse(yaml) as Settings);
  const dragoman = async (line: string) => {
    const args = [...line.split(/\s+/), '--config', gateway.configFile];
    return (await run(join(root, 'bin/dragoman'), args)).stdout;
  };
  const commands = session.split(/^\$ dragoman /m).slice(1);
  let id = '';
  for (const text of commands) {
    const [first = '', ...lines] = text.trimEnd().split('\n');
    const command = first.replace(/ {3,}\(.*/, '').replace(/^trace .*/, `trace ${id}`);
    const said = await dragoman(command);
    t.diagnostic(`${command}\n${said}`);
    if (command.startsWith('send')) {
      id = /^e\w+/.exec(said)?.[0] ?? '';
      await until(async () => (await dragoman(`trace ${id}`)).includes('DELIVRD'), 'the receipt');
    }
    const rows = said.split('\n').map(plain);
    for (const line of lines.map(plain))
      assert.ok(
        rows.some((row) => row.startsWith(line)),
        `${line}\n${said}`,
      );
  }
  assert.equal(commands.length, 4);
});

test('reference smpp 6: the ESME account of the README is run, and Net::SMPP sees what it prints', async (t) => {
  if (!needs(t, 'prosody', 'net-smpp', 'openssl')) return;
  const folder = folderOf(t);
  const [port = 0, tlsPort = 0] = await freePorts(2);
  makeCertificate(folder);
  const files = { 'smsc.pem': join(folder, 'cert.pem'), 'smsc-key.pem': join(folder, 'key.pem') };
  const ports = { 'port: 2775': `port: ${port}`, 'port: 3550': `port: ${tlsPort}` };
  const [yaml = '', seen = ''] = printed('smpp', 'An ESME account, as it was run', { ...ports, ...files });
  const domain = 'sms.example.org';
  const secret = 'readme-secret';
  const users = [{ username: 'alice', password: 'alice-secret' }];
  const prosody = await startProsody({ host: 'example.org', users, components: [{ domain, secret }] });
  atEnd(t, () => prosody.stop());
  const smsc = await npmSmsc();
  atEnd(t, () => smsc.close());
  const { instances, ...settings } = parse(yaml) as Settings;
  const jabber = { protocol: 'xmpp', host: '127.0.0.1', port: prosody.componentPort };
  await start(t, folder, {
    ...settings,
    instances: {
      ...instances,
      carrier: { protocol: 'smpp', port: smsc.port, systemId: 'dragoman' },
      jabber: { ...jabber, domains: [{ domain, secret, shows: ['tel'] }] },
    },
  });
  const alice = await startXmppUser({ port: prosody.c2sPort, jid: 'alice@example.org', password: 'alice-secret' });
  atEnd(t, () => alice.stop());
  alice.onMessage(({ from, text }) => void alice.send(from, text));
  const script = join(root, 'test/servers/net-smpp-esme.pl');
  const esme = await startServer('/usr/bin/perl', { args: [script, String(port), '34'], readyLine: /^unbound/m });
  atEnd(t, () => esme.stop());
  const lines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => plain(line.replace(/ {3,}\(.*/, '')))
      .sort();
  // She may answer `to both` as well before the ESME is gone.
  const others = new Set([plain('message to both tlvs=no')]);
  assert.deepEqual(
    lines(esme.output()).filter((line) => !others.has(line)),
    lines(seen),
  );
});

test('reference smpp 7.9: the HTTP account of the README is run, and its request is taken and told by webhook', async (t) => {
  const folder = folderOf(t);
  const [port = 0] = await freePorts(1);
  const app = await application(t);
  const own = { 13013: port, 'https://shop.example.org': app.url };
  const [yaml = ''] = printed('http', 'An account', own);
  const [curl = ''] = printed('http', 'The JSON door', own);
  const secrets = { SHOP_PASSWORD: 'correct horse', SHOP_TOKEN: 'a-token-of-sixteen-or-more' };
  Object.assign(process.env, secrets, { SHOP_WEBHOOK_SECRET: 'a secret of sixteen or more' });
  const smsc = await npmSmsc();
  atEnd(t, () => smsc.close());
  smsc.onSubmit = () => {
    setTimeout(() => void smsc.tell('deliver_sm', dlr('7')), 100);
    return { message_id: '7' };
  };
  const { instances, routes } = parse(yaml) as Settings & { routes: object[] };
  await start(t, folder, {
    routes: [...routes, { to: 'tel:*', via: 'carrier' }, { to: 'im:*', via: 'people' }],
    people: [{ addresses: ['xmpp:alice@example.org', 'im:alice@people.example'] }],
    instances: {
      ...instances,
      carrier: { protocol: 'smpp', port: smsc.port, systemId: 'dragoman' },
      people: { protocol: 'loopback', domain: 'people.example' },
    },
  });
  const { stdout } = await run('/bin/sh', ['-c', `${curl.trim()} -s`], { env: { ...process.env, ...secrets } });
  const { messages } = JSON.parse(stdout) as { messages: Array<{ to: string; id?: string }> };
  assert.equal(messages[0]?.to, '+447700900123');
  const told = () => app.calls.map(({ body }) => JSON.parse(body) as Record<string, string>);
  await until(() => told().some(({ of, state }) => of === messages[0]?.id && state === 'delivered'), 'the receipt');
  assert.equal(app.calls[0]?.url, '/sms');
  assert.equal(smsc.submits[0]?.short_message.toString(), 'Your parcel is here');
});
