// The light registrar: bindings, their rules, and messages that find the phone.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { requestText, responseTo, startSipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { message, type Opened, open, signal } from './adapter-fixtures.ts';

const native = { nativeDomains: ['native.example'] };
const bob = 'sip:bob@native.example';

let cseq = 0;

function register(
  { ask, peer }: Opened,
  contact: string,
  parts: { expires?: string; callId?: string; cseq?: number; aor?: string; more?: string[] } = {},
) {
  cseq++;
  const { expires = '600', callId = `register-${cseq}`, aor = bob } = parts;
  const more = [...(contact === '' ? [] : [`Contact: ${contact}`]), `Expires: ${expires}`, ...(parts.more ?? [])];
  return ask({
    method: 'REGISTER',
    uri: 'sip:native.example',
    from: `<${aor}>;tag=r`,
    to: `<${aor}>`,
    body: '',
    callId,
    cseq: parts.cseq ?? cseq,
    more,
    port: peer.port,
  });
}

async function reasonOf(delivery: Promise<unknown>): Promise<string> {
  const error = await delivery.catch((thrown: unknown) => thrown);
  assert.ok(error instanceof GatewayError, String(error));
  return error.reason;
}

test('RFC 3261 s.20.10: an expires of a Contact that makes no sense counts as an hour', async (t) => {
  const opened = await open(t, native);
  opened.hub.clock = Date.parse('2026-07-01T12:00:00Z');
  for (const [expires, seconds] of [
    ['soon', 3600],
    ['-1', 3600],
    ['99999999999', 7200],
  ] as const) {
    const listed = await register(opened, `<sip:bob@192.0.2.7>;expires=${expires}`);
    assert.equal(listed.header('Contact'), `<sip:bob@192.0.2.7>;expires=${seconds}`);
  }
});

test('reference sip 2: what waits for a phone that was away need not wait for its next try: the hub hears of the phone, and of no refresh', async (t) => {
  const opened = await open(t, native);
  const { hub } = opened;
  for (const contact of ['<sip:bob@192.0.2.7>', '<sip:bob@192.0.2.7>', '<sip:bob@192.0.2.8>'])
    await register(opened, contact);
  assert.deepEqual(hub.returned, [bob, bob]);
  await register(opened, '*', { expires: '0' });
  assert.equal(hub.returned.length, 2);
});

test('RFC 3261 s.10.3: a binding is made, listed, replaced, expires and is taken back', async (t) => {
  const opened = await open(t, native);
  const { hub, peer, sip } = opened;
  hub.clock = Date.parse('2026-07-01T12:00:00Z');
  const contact = `<sip:bob@127.0.0.1:${peer.port}>`;
  const made = await register(opened, contact);
  assert.equal(made.first, 'SIP/2.0 200 OK');
  assert.equal(made.header('Contact'), `${contact};expires=600`);
  await register(opened, `${contact};expires=120`);
  assert.equal((await register(opened, '')).header('Contact'), `${contact};expires=120`);
  await sip.deliver(message(bob), signal);
  assert.equal(peer.heard.at(-1)?.first, `MESSAGE sip:bob@127.0.0.1:${peer.port} SIP/2.0`);
  assert.equal(peer.heard.at(-1)?.header('To'), `<${bob}>`);
  hub.clock += 121_000;
  assert.equal(await reasonOf(sip.deliver(message(bob), signal)), 'unavailable');
  await register(opened, contact);
  assert.equal((await register(opened, '*', { expires: '0' })).header('Contact'), '');
  assert.equal(await reasonOf(sip.deliver(message(bob), signal)), 'unavailable');
});

test('RFC 3261 s.10.3: too brief is 423 with Min-Expires, an older request 500, a foreign domain 404, a bad * 400', async (t) => {
  const opened = await open(t, native);
  const contact = `<sip:bob@127.0.0.1:${opened.peer.port}>`;
  const brief = await register(opened, contact, { expires: '10' });
  assert.deepEqual([brief.first, brief.header('Min-Expires')], ['SIP/2.0 423 Interval Too Brief', '60']);
  await register(opened, contact, { callId: 'same', cseq: 7 });
  const older = requestText({
    port: opened.peer.port,
    method: 'REGISTER',
    uri: 'sip:native.example',
    from: `<${bob}>;tag=r`,
    to: `<${bob}>`,
    body: '',
    callId: 'same',
    cseq: 6,
    more: [`Contact: ${contact}`],
  });
  opened.peer.sendUdp(older, opened.port);
  await opened.peer.until(({ first }) => first.startsWith('SIP/2.0 500'));
  assert.match((await register(opened, contact, { aor: 'sip:bob@elsewhere.example' })).first, /404/);
  assert.match((await register(opened, '*', { expires: '60' })).first, /400/);
});

test('RFC 3261 s.10.3: without domains of our own REGISTER is 405', async (t) => {
  const opened = await open(t);
  assert.match((await register(opened, '<sip:bob@127.0.0.1>')).first, /405/);
});

test('RFC 7572 s.4: several phones of one person get the message at once, and one that takes it is enough', async (t) => {
  const opened = await open(t, native);
  const other = await startSipPeer();
  t.after(() => other.stop());
  other.onRequest = (request) => responseTo(request, '486 Busy');
  await register(opened, `<sip:bob@127.0.0.1:${opened.peer.port}>`);
  const more = [`Contact: <sip:bob@127.0.0.1:${other.port}>`];
  const parts = {
    method: 'REGISTER',
    uri: 'sip:native.example',
    from: `<${bob}>;tag=r`,
    to: `<${bob}>`,
    body: '',
    more,
  };
  other.sendUdp(requestText({ port: other.port, callId: 'other', ...parts }), opened.port);
  await other.until(({ first }) => first === 'SIP/2.0 200 OK');
  await opened.sip.deliver(message(bob), signal);
  for (const phone of [opened.peer, other]) await phone.until(({ first }) => first.startsWith('MESSAGE'));
  opened.peer.onRequest = other.onRequest;
  assert.equal(await reasonOf(opened.sip.deliver(message(bob), signal)), 'unavailable');
});

test('RFC 5626 s.5.3: a phone behind a NAT is reached over the connection it opened, and gone with it', async (t) => {
  const opened = await open(t, native);
  const socket = connect(opened.sip.portOf('TCP'), '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
    const request = /^MESSAGE[\s\S]*?\r\n\r\n/m.exec(heard)?.[0];
    if (!request) return;
    heard = '';
    const copied = request.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
    socket.write(['SIP/2.0 200 OK', ...copied, 'Content-Length: 0', '', ''].join('\r\n'));
  });
  await once(socket, 'connect');
  const more = ['Contact: <sip:bob@10.9.9.9;transport=tcp>', 'Expires: 600'];
  const parts = {
    method: 'REGISTER',
    uri: 'sip:native.example',
    from: `<${bob}>;tag=r`,
    to: `<${bob}>`,
    body: '',
    more,
  };
  socket.write(requestText({ port: 5060, transport: 'TCP', ...parts }));
  await until(() => heard.includes('200 OK'), 'registered');
  heard = '';
  assert.deepEqual(await opened.sip.deliver(message(bob), signal), { state: 'sent' });
  socket.destroy();
  const kept = () => [...opened.hub.state.entries.values()].map(({ value }) => value);
  await until(() => kept().every((bindings) => bindings === '[]'), 'the binding goes with the connection');
  assert.equal(await reasonOf(opened.sip.deliver(message(bob), signal)), 'unavailable');
});

test('RFC 3327 s.5.3: a Path is kept and becomes the Route', async (t) => {
  const opened = await open(t, native);
  const path = `<sip:127.0.0.1:${opened.peer.port};lr>`;
  await register(opened, '<sip:bob@10.9.9.9>', { more: [`Path: ${path}`] });
  await opened.sip.deliver(message(bob), signal);
  assert.equal(opened.peer.heard.at(-1)?.header('Route'), path);
});

const instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"';

test('RFC 5626 s.6: the same instance and reg-id is the same way, whatever its address; without Outbound it is another phone', async (t) => {
  const opened = await open(t, native);
  const first = `<sip:bob@127.0.0.1:${opened.peer.port}>;${instance};reg-id=1`;
  const moved = `<sip:bob@127.0.0.1:${opened.peer.port};moved>;${instance};reg-id=1`;
  const supported = ['Supported: outbound, path'];
  const made = await register(opened, first, { more: supported });
  assert.equal(made.header('Require'), 'outbound');
  const again = await register(opened, moved, { more: supported });
  assert.match(again.header('Contact'), /;moved>.*reg-id=1/);
  assert.equal(again.text.match(/^Contact:/gm)?.length, 1);
  const plain = await register(opened, '<sip:bob@127.0.0.1:9;other>', {});
  assert.equal(plain.header('Require'), '');
  assert.equal(plain.text.match(/^Contact:/gm)?.length, 2);
});

test('RFC 5626 s.6: behind an edge proxy that keeps no flows (no ob in its Path) reg-id does not count', async (t) => {
  const opened = await open(t, native);
  const contact = `<sip:bob@127.0.0.1:${opened.peer.port}>;${instance};reg-id=1`;
  const without = await register(opened, contact, { more: ['Supported: outbound', 'Path: <sip:edge.example;lr>'] });
  assert.equal(without.header('Require'), '');
  const kept = await register(opened, contact, { more: ['Supported: outbound', 'Path: <sip:edge.example;lr;ob>'] });
  assert.equal(kept.header('Require'), 'outbound');
});

test('RFC 5627 s.5.1: an instance gets a public GRUU, and a message to it reaches that phone alone', async (t) => {
  const opened = await open(t, native);
  const other = await startSipPeer();
  t.after(() => other.stop());
  const parts = { method: 'REGISTER', uri: 'sip:native.example', from: `<${bob}>;tag=r`, to: `<${bob}>`, body: '' };
  const more = [`Contact: <sip:bob@127.0.0.1:${other.port}>`];
  other.sendUdp(requestText({ port: other.port, callId: 'other', ...parts, more }), opened.port);
  await other.until(({ first }) => first === 'SIP/2.0 200 OK');
  const mine = `<sip:bob@127.0.0.1:${opened.peer.port}>;${instance}`;
  const made = await register(opened, mine, { more: ['Supported: gruu'] });
  const gruu = /pub-gruu="([^"]+)"/.exec(made.text)?.[1] ?? '';
  assert.equal(gruu, `${bob};gr=urn:uuid:00000000-0000-1000-8000-000a95a0e128`);
  await opened.sip.deliver(message(gruu), signal);
  assert.equal(other.heard.filter(({ first }) => first.startsWith('MESSAGE')).length, 0);
  await opened.sip.deliver(message(`${bob};gr=of-nobody`), signal);
  await other.until(({ first }) => first.startsWith('MESSAGE'));
});

test('DESIGN 6: one phone that is away holds back nobody else of its domain', async (t) => {
  const { sip } = await open(t, native);
  assert.equal(sip.destination(message(`${bob};gr=desk`)), bob);
  assert.equal(sip.destination(message('sip:x@far.example')), 'far.example');
});

test('reference sip 2: who has registered is served here for a week after, phone or no phone; a stranger is not', async (t) => {
  const opened = await open(t, { ...native, trusted: ['127.0.0.1'] });
  const { sip, hub } = opened;
  hub.clock = Date.parse('2026-07-01T12:00:00Z');
  const serves = (address: string) => sip.serves(parseAddress(address));
  assert.equal(await serves(bob), false);
  await register(opened, '<sip:bob@192.0.2.7>');
  await register(opened, '*', { expires: '0' });
  assert.equal(await serves(`${bob};gr=urn:uuid:1`), true);
  assert.equal(await serves('sip:carol@native.example'), false);
  assert.equal(await reasonOf(sip.deliver(message(bob), signal)), 'unavailable');
  hub.clock += 8 * 86_400_000;
  assert.equal(await serves(bob), false);
});

test('reference sip 2: a name that nobody has proved is kept as long as its binding would last, and unregistering it keeps nothing', async (t) => {
  const opened = await open(t, native);
  const { sip, hub } = opened;
  hub.clock = Date.parse('2026-07-01T12:00:00Z');
  await register(opened, '*', { expires: '0' });
  await register(opened, '<sip:bob@192.0.2.7>', { expires: '0' });
  assert.equal(hub.state.entries.size, 0);
  await register(opened, '<sip:bob@192.0.2.7>');
  await register(opened, '*', { expires: '0' });
  assert.equal(await sip.serves(parseAddress(bob)), true);
  hub.clock += 601_000;
  assert.equal(await sip.serves(parseAddress(bob)), false);
});

test('reference sip 2: a connection with as many people as it may have refreshes and ends them, and takes nobody else', async (t) => {
  const opened = await open(t, { ...native, trusted: ['127.0.0.1'] });
  const socket = connect(opened.sip.portOf('TCP'), '127.0.0.1');
  t.after(() => socket.destroy());
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
  });
  let asked = 0;
  const statusOf = async (user: string, expires: string) => {
    asked++;
    const aor = `sip:${user}@native.example`;
    const more = [`Contact: <sip:${user}@10.9.9.9;transport=tcp>`, `Expires: ${expires}`];
    const parts = { method: 'REGISTER', uri: 'sip:native.example', from: `<${aor}>;tag=r`, to: `<${aor}>`, body: '' };
    heard = '';
    socket.write(requestText({ port: 5060, transport: 'TCP', callId: `crowd-${asked}`, ...parts, more }));
    await until(() => heard.includes('\r\n\r\n'), 'answered');
    return /^SIP\/2\.0 (\d+)/.exec(heard)?.[1];
  };
  for (let user = 0; user < 100; user++) assert.equal(await statusOf(`u${user}`, '600'), '200');
  assert.equal(await statusOf('one-too-many', '600'), '403');
  assert.equal(await statusOf('u0', '600'), '200');
  assert.equal(await statusOf('u0', '0'), '200');
});

test('RFC 3261 s.10.3, s.16.6: the q of a Contact is kept and listed, and who is liked best comes first', async (t) => {
  const opened = await open(t, native);
  for (const contact of ['<sip:bob@192.0.2.7>;q=0.3', '<sip:bob@192.0.2.8>;q=0.75', '<sip:bob@192.0.2.9>;q=2'])
    await register(opened, contact);
  const listed = await register(opened, '');
  const said = [...listed.text.matchAll(/^Contact: <sip:bob@192\.0\.2\.(\d)>;expires=\d+(.*)\r$/gm)];
  assert.deepEqual(
    said.map(([, host, q]) => [host, q]),
    [
      ['9', ''],
      ['8', ';q=0.75'],
      ['7', ';q=0.3'],
    ],
  );
});
