// The site of docker-compose.yml without containers: each program runs on its own file of config/docker, with nothing changed
// but hosts, ports and folders. So the files are proved to fit together where no engine is at hand.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { startCarrier } from '../demo/carrier.ts';
import type { Heard } from '../demo/peer.ts';
import { startXmppUser } from '../demo/xmpp-user.ts';
import { needs } from './servers/debian.ts';
import { freePorts, startServer, temporaryFolder, until } from './servers/process.ts';
import { startRedis } from './servers/redis.ts';

const root = join(import.meta.dirname, '..');
const secrets = { COMPONENT_SECRET: 'component', ADMIN_TOKEN: 'a-token-of-some-length', ALICE_PASSWORD: 'wonderland' };

test('the files of config/docker fit together: bob behind Kamailio, alice on Prosody and a handset write to each other', async (t) => {
  if (!needs(t, 'prosody', 'kamailio', 'redis-server')) return;
  // Taken down in the opposite order.
  const ends: Array<() => unknown> = [];
  t.after(async () => {
    for (let end = ends.pop(); end; end = ends.pop()) await end();
  });
  const { sipPort, clientPort, carrier } = await startSite(ends);
  const alice = await startXmppUser({ port: clientPort, jid: 'alice@xmpp.example', password: secrets.ALICE_PASSWORD });
  ends.push(() => alice.stop());
  const bob = await Telephone.register(sipPort);
  ends.push(() => bob.close());
  const read: Record<string, Heard[]> = { alice: [], carol: [] };
  alice.onMessage((heard) => read.alice?.push(heard));
  carrier.onMessage('+447700900123', (heard) => read.carol?.push(heard));

  assert.match(await bob.say('sip:alice@gw.sip.example', 'Dobrý den 🐎'), /^SIP\/2\.0 20[02] /);
  await until(() => read.alice?.length === 1, 'alice hears bob');
  assert.deepEqual(read.alice?.[0], { from: 'bob\\40sip.example@sip.xmpp.example', text: 'Dobrý den 🐎' });

  await alice.send('bob@sip.xmpp.example', 'Ahoj 👩🏽‍🚀');
  await until(() => bob.heard.some((message) => message.includes('Ahoj 👩🏽‍🚀')), 'bob hears alice');

  assert.match(await bob.say('sip:+447700900123@gw.sip.example', 'to a mobile'), /^SIP\/2\.0 20[02] /);
  await until(() => read.carol?.length === 1, 'carol hears bob');
  assert.equal(read.carol?.[0]?.from, '+447700900002');
  await carrier.sendFrom('+447700900123', '+447700900002', 'from a mobile');
  await until(() => bob.heard.some((message) => message.includes('from a mobile')), 'bob hears carol');
});

async function startSite(ends: Array<() => unknown>) {
  const folder = temporaryFolder('site');
  ends.push(() => folder.remove());
  const [sipPort = 0, gatewayPort = 0, adminPort = 0, clientPort = 0, componentPort = 0] = await freePorts(5);
  const [redis, carrier] = await Promise.all([startRedis({ maxmemoryPolicy: 'noeviction' }), startCarrier()]);
  ends.push(() => Promise.all([redis.stop(), carrier.stop()]));
  const adapt = (file: string, changes: ReadonlyArray<readonly [from: RegExp, to: string]>): string => {
    const text = changes.reduce(
      (before, [from, to]) => {
        assert.match(before, from, `${file} has no ${from}`);
        return before.replace(from, to);
      },
      readFileSync(join(root, 'config/docker', file), 'utf8'),
    );
    writeFileSync(join(folder.path, file), text);
    return join(folder.path, file);
  };
  const prosody = adapt('prosody.cfg.lua', [
    [/pidfile = .*\n/, `run_as_root = true\npidfile = "${folder.path}/prosody.pid"\nc2s_ports = { ${clientPort} }\n`],
    [/"\/var\/lib\/prosody"/, `"${folder.path}"`],
    [/component_ports = .*/, `component_ports = { ${componentPort} }`],
    [/component_interfaces = .*/, 'interfaces = { "127.0.0.1" }'],
  ]);
  const kamailio = adapt('kamailio.cfg', [
    [/listen=udp.*/, `listen=udp:127.0.0.1:${sipPort}`],
    [/listen=tcp.*/, `listen=tcp:127.0.0.1:${sipPort}`],
    [/sip:gateway:5060/, `sip:127.0.0.1:${gatewayPort}`],
  ]);
  const gateway = adapt('dragoman.yaml', [
    [/redis:\/\/redis:6379/, redis.url],
    [/0\.0\.0\.0, port: 8080/, `127.0.0.1, port: ${adminPort}`],
    [/host: prosody\s+port: 5347/, `host: 127.0.0.1\n    port: ${componentPort}`],
    [/0\.0\.0\.0, port: 5060, advertise: gateway/, `127.0.0.1, port: ${gatewayPort}`],
    [/0\.0\.0\.0, port: 5060, advertise: gateway/, `127.0.0.1, port: ${gatewayPort}`],
    [/sip:kamailio:5060/, `sip:127.0.0.1:${sipPort}`],
    [/host: carrier\s+port: 2775/, `host: 127.0.0.1\n    port: ${carrier.port}`],
  ]);
  const env = { ...process.env, ...secrets };
  const account = ['--root', '--config', prosody, 'register', 'alice', 'xmpp.example', secrets.ALICE_PASSWORD];
  execFileSync('/usr/bin/prosodyctl', account, { env, stdio: 'pipe' });
  const peers = await Promise.all([
    startServer('/usr/bin/prosody', {
      args: ['--config', prosody, '-F'],
      env: secrets,
      ports: [clientPort, componentPort],
    }),
    startServer('/usr/sbin/kamailio', { args: ['-DD', '-E', '-f', kamailio, '-Y', folder.path], ports: [sipPort] }),
  ]);
  ends.push(() => Promise.all(peers.map((peer) => peer.stop())));
  const args = [join(root, 'src/cli/main.ts'), 'start', '--config', gateway];
  const running = await startServer(process.execPath, { args, env: secrets, cwd: folder.path, ports: [adminPort] });
  ends.push(() => running.stop());
  const isReady = async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok;
  await until(isReady, `the gateway is ready\n${running.output()}`, 20_000);
  return { sipPort, clientPort, carrier };
}

/** A SIP phone over TCP, of as few words as it takes; written here so that it shares no code with the gateway. */
class Telephone {
  readonly heard: string[] = [];
  readonly #socket: Socket;
  readonly #answers = new Map<string, (response: string) => void>();
  #pending = Buffer.alloc(0);
  #sequence = 0;

  static async register(port: number): Promise<Telephone> {
    const phone = new Telephone(connect(port, '127.0.0.1'));
    const contact = 'Contact: <sip:bob@127.0.0.1;transport=tcp>\r\n';
    assert.match(
      await phone.#request('REGISTER', 'sip:sip.example', 'sip:bob@sip.example', contact, ''),
      /^SIP\/2\.0 200 /,
    );
    return phone;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#read(chunk));
  }

  /** Resolves with the final response. */
  say(to: string, text: string): Promise<string> {
    return this.#request('MESSAGE', to, to, 'Content-Type: text/plain;charset=utf-8\r\n', text);
  }

  close(): void {
    this.#socket.destroy();
  }

  #request(method: string, uri: string, to: string, headers: string, body: string): Promise<string> {
    const id = `call-${++this.#sequence}`;
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK${id}`,
      'Max-Forwards: 70',
      `From: <sip:bob@sip.example>;tag=${id}`,
      `To: <${to}>`,
      `Call-ID: ${id}`,
      `CSeq: 1 ${method}`,
    ];
    this.#socket.write(`${lines.join('\r\n')}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  #read(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (;;) {
      const headEnd = this.#pending.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const head = this.#pending.subarray(0, headEnd).toString();
      const end = headEnd + 4 + Number(/^(?:Content-Length|l)\s*:\s*(\d+)/im.exec(head)?.[1] ?? 0);
      if (this.#pending.length < end) return;
      this.#take(head, this.#pending.subarray(headEnd + 4, end).toString());
      this.#pending = this.#pending.subarray(end);
    }
  }

  #take(head: string, body: string): void {
    if (head.startsWith('SIP/2.0 1')) return;
    if (head.startsWith('SIP/2.0 ')) {
      this.#answers.get(/^Call-ID\s*:\s*(\S+)/im.exec(head)?.[1] ?? '')?.(head);
      return;
    }
    this.heard.push(body);
    const same = head.split('\r\n').filter((line) => /^(?:Via|From|To|Call-ID|CSeq)\s*:/i.test(line));
    this.#socket.write(`${['SIP/2.0 200 OK', ...same, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`);
  }
}
