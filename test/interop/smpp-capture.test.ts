// A capture of a running gateway, read by Wireshark's own dissectors, and played again to show the same thing once more.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dragoman, program } from '../cli/dragoman.ts';
import { npmEsme } from '../peers/smpp-npm-esme.ts';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { needs } from '../servers/debian.ts';
import { startPerlCarrier, textOf } from '../servers/net-smpp-carrier.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';

const from = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900200' };
const to = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900123' };

async function openSite(t: TestContext) {
  const folder = temporaryFolder('capture');
  t.after(() => folder.remove());
  const [centre = 0, phones = 0] = await freePorts(2);
  const carrier = await startPerlCarrier();
  t.after(() => carrier.stop());
  const settings = (password: string) => ({
    data: join(folder.path, 'data'),
    routes: [
      { to: 'tel:+4477009002*', via: 'centre' },
      { to: 'tel:*', via: 'carrier' },
    ],
    instances: {
      centre: {
        protocol: 'smpp/server',
        listen: [{ port: centre }],
        accounts: { npm: { password, numbers: ['+447700900200'] } },
      },
      carrier: {
        protocol: 'smpp',
        port: carrier.port,
        systemId: 'me',
        password: 'x',
        reconnect: { firstMs: 100, maxMs: 500 },
      },
      phones: {
        protocol: 'sip',
        listen: [{ transport: 'udp', host: '127.0.0.1', port: phones }],
        domains: [{ domain: 'gw.example', shows: ['xmpp'] }],
      },
    },
  });
  const gateway = await GatewayProcess.prepare(folder.path, settings('secret'));
  t.after(() => gateway.stop());
  await gateway.start();
  const file = (name: string) => join(folder.path, name);
  return { gateway, carrier, centre, phones, settings, file };
}

type Site = Awaited<ReturnType<typeof openSite>>;

interface Wanted {
  readonly instance: string;
  readonly flags?: readonly string[];
  /** The octets with which it is complete. */
  readonly last: Buffer;
}

/** Runs `dragoman capture` beside `work`. */
async function captured({ gateway, file }: Site, { instance, flags = [], last }: Wanted, work: () => Promise<void>) {
  const out = file(`${instance}.pcapng`);
  const args = ['capture', instance, '--out', out, '-c', gateway.configFile, ...flags];
  const running = spawn(program, args, { stdio: 'ignore' });
  const ended = once(running, 'exit');
  await until(() => (statSync(out, { throwIfNoEntry: false })?.size ?? 0) > 0, 'the capture has begun');
  await work();
  await until(() => readFileSync(out).includes(last), 'the last message is in the file');
  running.kill('SIGINT');
  assert.deepEqual(await ended, [0, null]);
  assert.equal(statSync(out).mode & 0o077, 0, 'nobody else may read it');
  return out;
}

function tshark(file: string, filter: string, ...fields: string[]): string[] {
  const args = [
    '-r',
    file,
    '-Y',
    filter,
    '-T',
    'fields',
    '-E',
    'separator=|',
    ...fields.flatMap((name) => ['-e', name]),
  ];
  return execFileSync('/usr/bin/tshark', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    .toString()
    .split('\n')
    .filter((line) => line !== '');
}

const unbindResp = Buffer.from('80000006', 'hex');
const deliverSmResp = Buffer.from('80000005', 'hex');

async function handIn(centre: number, text: string) {
  const esme = await npmEsme({ port: centre });
  const answer = await esme.ask('submit_sm', { ...from, ...to, registered_delivery: 1, short_message: text });
  assert.equal(answer.command_status, 0);
  await until(() => esme.heard.length === 1, 'the receipt');
  await esme.ask('unbind');
  esme.destroy();
}

test('reference smpp 7.7: tshark reads a capture: every PDU of an ESME, the password and the text blotted out', async (t) => {
  if (!needs(t, 'tshark', 'net-smpp')) return;
  const site = await openSite(t);
  const out = await captured(site, { instance: 'centre', last: unbindResp }, () =>
    handIn(site.centre, 'a few secret words'),
  );
  const commands = tshark(out, 'smpp', 'smpp.command_id');
  // bind_transceiver, submit_sm, deliver_sm (the receipt), unbind, each with its response.
  for (const id of ['0x00000009', '0x80000009', '0x00000004', '0x80000004', '0x00000005', '0x80000005', '0x00000006'])
    assert.ok(commands.includes(id), `${id} in ${commands}`);
  assert.deepEqual(tshark(out, 'smpp.command_id == 9', 'smpp.system_id', 'smpp.password'), ['npm|******']);
  assert.deepEqual(tshark(out, 'smpp.command_id == 4', 'smpp.source_addr', 'smpp.destination_addr', 'tcp.dstport'), [
    `447700900200|447700900123|${site.centre}`,
  ]);
  assert.deepEqual(tshark(out, '_ws.malformed || tcp.analysis.flags || ip.checksum.status == 0', 'frame.number'), []);
  assert.deepEqual(tshark(out, 'frame contains "secret"', 'frame.number'), []);
});

test('reference smpp 7.7: tshark reads SIP in a capture, with what people wrote where asked for, never credentials; and it is said again', async (t) => {
  if (!needs(t, 'tshark', 'net-smpp')) return;
  const site = await openSite(t);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const request = [
    'MESSAGE sip:nobody@gw.example SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bKcapture`,
    'From: <sip:a@example.net>;tag=1',
    'To: <sip:nobody@gw.example>',
    'Call-ID: capture-1',
    'CSeq: 1 MESSAGE',
    'Max-Forwards: 70',
    'Authorization: Digest username="a", realm="r", nonce="n", uri="sip:gw.example", response="0badcafe"',
    'Content-Type: text/plain',
    'Content-Length: 5',
    '',
    'hello',
  ].join('\r\n');
  const out = await captured(
    site,
    { instance: 'phones', flags: ['--bodies'], last: Buffer.from('SIP/2.0 4') },
    async () => {
      const answered = once(socket, 'message');
      socket.send(request, site.phones, '127.0.0.1');
      await answered;
    },
  );
  assert.deepEqual(
    tshark(out, 'sip.Request-Line', 'sip.Method', 'sip.Call-ID', 'udp.dstport')[0],
    `MESSAGE|capture-1|${site.phones}`,
  );
  assert.match(tshark(out, 'sip.Status-Line', 'sip.Status-Code')[0] ?? '', /^[45]\d\d$/);
  assert.equal(tshark(out, 'frame contains "hello"', 'frame.number').length, 1);
  // Within half a minute it is the same transaction (RFC 3261 s.17.2.2).
  const heard = async () =>
    (await site.gateway.counter('requests_total')) + (await site.gateway.counter('retransmissions_total'));
  const before = await heard();
  assert.match((await dragoman(['replay', out, '--to', `127.0.0.1:${site.phones}`])).out, /^udp .*: said 1 of 1\n$/);
  await until(async () => (await heard()) > before, 'it is asked the same again');
  assert.deepEqual(tshark(out, 'frame contains "0badcafe" || _ws.malformed', 'frame.number'), []);
});

test('reference smpp 7.7: a captured ESME is played again, its words and password blotted out, and hands in the same once more', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const site = await openSite(t);
  const { gateway, carrier, settings, centre } = site;
  const out = await captured(site, { instance: 'centre', last: unbindResp }, () => handIn(centre, 'once'));
  assert.equal(carrier.submits.length, 1);
  // What the blotted password says is the password.
  await gateway.reload(settings('******'));
  const { code, out: said, err } = await dragoman(['replay', out, '--to', `127.0.0.1:${centre}`]);
  assert.equal(code, 0, err);
  assert.match(said, /^tcp 127\.0\.0\.1:\d+: said (\d) of \1\n$/);
  await until(() => carrier.submits.length === 2, 'the carrier has it again');
  assert.equal(carrier.submits[1] && textOf(carrier.submits[1]), '****');
});

test("reference smpp 7.7: a captured carrier is played again: its responses answer today's requests, and its receipt ends the message", async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const site = await openSite(t);
  const { carrier, centre } = site;
  // Begun while the bind was there already: its answer is nowhere in it.
  const out = await captured(site, { instance: 'carrier', flags: ['--bodies'], last: deliverSmResp }, () =>
    handIn(centre, 'once'),
  );
  await carrier.stop();
  const replayed = dragoman(['replay', out, '--listen', `127.0.0.1:${carrier.port}`]);
  await handIn(centre, 'again');
  const { code, out: said, err } = await replayed;
  assert.equal(code, 0, err);
  assert.match(said, /^tcp 127\.0\.0\.1:\d+: said (\d) of \1/);
  assert.equal(carrier.submits.length, 1, 'the carrier itself is away');
});
