// What a request is refused for before anybody reads it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { requestText } from '../../peers/sip-peer.ts';
import { open } from './adapter-fixtures.ts';

test('RFC 3261 s.11.2: OPTIONS is answered with Allow, Accept, Accept-Encoding', async (t) => {
  const { ask } = await open(t);
  const { first, header } = await ask({ method: 'OPTIONS', body: '' });
  assert.equal(first, 'SIP/2.0 200 OK');
  assert.equal(header('Allow'), 'MESSAGE, SUBSCRIBE, NOTIFY, OPTIONS, CANCEL');
  assert.match(header('Accept'), /message\/cpim/);
  assert.match(header('Accept-Encoding'), /deflate/);
});

test('RFC 3261 s.8.2: each refusal has its status and the header that explains it', async (t) => {
  const { ask, hub } = await open(t);
  const cases: Array<[Parameters<typeof ask>[0], RegExp, string, RegExp]> = [
    [{ method: 'INVITE' }, /405/, 'Allow', /MESSAGE/],
    [{ method: 'FROBNICATE' }, /501/, 'Allow', /MESSAGE/],
    [{ method: 'CANCEL' }, /481/, 'Allow', /^$/],
    [{ uri: 'urn:service:sos', to: '<sip:alice@gw.example>' }, /416/, 'Allow', /^$/],
    [{ more: ['Require: 100rel, nonsense'] }, /420/, 'Unsupported', /^100rel, nonsense$/],
    [{ to: '<sip:alice@gw.example>;tag=gone' }, /481/, 'Allow', /^$/],
    [{ method: 'PUBLISH' }, /405/, 'Allow', /SUBSCRIBE/],
  ];
  for (const [parts, status, name, value] of cases) {
    const response = await ask(parts);
    assert.match(response.first, status);
    assert.match(response.header(name), value);
  }
  assert.equal(hub.drafts.length, 0);
  assert.equal(hub.counters.get('requests_total{method=other,status=501}'), 1);
});

test('RFC 3261 s.9.2: a CANCEL that finds its request is 200, whatever the method was, and changes nothing', async (t) => {
  const { peer, port, hub } = await open(t);
  const message = requestText({ port: peer.port, branch: 'z9hG4bKwanted', callId: 'c1' });
  peer.sendUdp(message, port);
  await peer.until(({ first }) => first.startsWith('SIP/2.0 202'));
  const cancel = requestText({ port: peer.port, method: 'CANCEL', branch: 'z9hG4bKwanted', callId: 'c1', body: '' });
  peer.sendUdp(cancel, port);
  const answered = await peer.until(({ header }) => header('CSeq') === '1 CANCEL');
  assert.match(answered.first, /^SIP\/2\.0 200 /);
  peer.sendUdp(cancel.replace(/branch=[^;\r]+/, 'branch=z9hG4bKanother').replace('CSeq: 1', 'CSeq: 2'), port);
  const stray = await peer.until(({ header }) => header('CSeq') === '2 CANCEL');
  assert.match(stray.first, /^SIP\/2\.0 481 /);
  assert.equal(hub.drafts.length, 1);
});

test('RFC 3261 s.16.3: with no hops left it is 483, since we would pass it on', async (t) => {
  const { peer, port } = await open(t);
  peer.sendUdp(requestText({ port: peer.port }).replace('Max-Forwards: 70', 'Max-Forwards: 0'), port);
  await peer.until(({ first }) => first.startsWith('SIP/2.0 483'));
});

test('RFC 3261 s.8.2.2.1: a broken request is answered 400, another version 505, noise with silence', async (t) => {
  const { peer, port } = await open(t);
  peer.sendUdp('\r\n\r\n', port);
  peer.sendUdp('noise', port);
  peer.sendUdp('SIP/2.0 200 OK\r\nnonsense\r\n\r\n', port);
  peer.sendUdp(
    requestText({ port: peer.port, callId: 'bad' }).replace('CSeq: 1 MESSAGE', 'CSeq: 99999999999 MESSAGE'),
    port,
  );
  peer.sendUdp(requestText({ port: peer.port, callId: 'version' }).replace('SIP/2.0\r\n', 'SIP/7.0\r\n'), port);
  const bad = await peer.until(({ header }) => header('Call-ID') === 'bad');
  const version = await peer.until(({ header }) => header('Call-ID') === 'version');
  assert.match(bad.first, /^SIP\/2\.0 400 /);
  assert.match(version.first, /^SIP\/2\.0 505 /);
  assert.equal(peer.heard.length, 2);
});

test('RFC 3581 s.4: rport and received are filled in, and the answer goes there', async (t) => {
  const { peer, port } = await open(t);
  peer.sendUdp(requestText({ port: peer.port, sentBy: 'behind-nat.invalid:9' }), port);
  const { header } = await peer.until(({ first }) => first.startsWith('SIP/2.0 202'));
  assert.match(
    header('Via'),
    new RegExp(`^SIP/2\\.0/UDP behind-nat\\.invalid:9;.*received=127\\.0\\.0\\.1;rport=${peer.port}`),
  );
});

test('RFC 3261 s.22.1, RFC 7572 s.9: a stranger is challenged, and let in with the right answer, once for each count', async (t) => {
  const { ask, hub } = await open(t, {
    nativeDomains: ['native.example'],
    auth: { realm: 'native.example', users: { bob: { password: 'secret' } } },
  });
  const from = '<sip:bob@native.example>;tag=1';
  const challenge = await ask({ from });
  assert.match(challenge.first, /^SIP\/2\.0 401 /);
  const md5 = challenge.text.split('\r\n').find((line) => /algorithm=MD5/.test(line)) ?? '';
  const nonce = /nonce="([^"]+)"/.exec(md5)?.[1] ?? '';
  const uri = 'sip:alice%40xmpp.example@gw.example';
  const h = (text: string) => createHash('md5').update(text).digest('hex');
  const signed = (password: string, nc: string) => {
    const response = h(`${h(`bob:native.example:${password}`)}:${nonce}:${nc}:abc:auth:${h(`MESSAGE:${uri}`)}`);
    return `Authorization: Digest username="bob", realm="native.example", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, cnonce="abc", qop=auth, nc=${nc}`;
  };
  assert.match((await ask({ from, uri, more: [signed('wrong', '00000001')] })).first, /401/);
  assert.match((await ask({ from, uri, more: [signed('secret', '00000001')] })).first, /202/);
  assert.match((await ask({ from, uri, more: [signed('secret', '00000001')] })).first, /401/, 'the same count twice');
  const asOther = await ask({ uri, from: '<sip:carol@native.example>;tag=1', more: [signed('secret', '00000002')] });
  assert.match(asOther.first, /403/, 'who proved to be bob is not carol');
  assert.equal(hub.drafts.length, 1);
  assert.ok(!hub.hops.some(({ hop }) => String(hop.wire).includes('response=')), 'credentials are in no trace');
});

test('RFC 3261 s.26.3.2.4: beyond what one address may have under way it is 503 with Retry-After', async (t) => {
  const { ask, hub } = await open(t, { maxPendingPerSource: 1 });
  const { promise, resolve } = Promise.withResolvers<undefined>();
  hub.onPublish = () => promise;
  const first = ask();
  const second = await ask();
  assert.match(second.first, /^SIP\/2\.0 503 /);
  assert.notEqual(second.header('Retry-After'), '');
  resolve(undefined);
  assert.match((await first).first, /202/);
});

test('RFC 3261 s.18.3: over TCP a message may come byte by byte, two at once, and with keep-alives between', async (t) => {
  const { sip, hub } = await open(t);
  const socket = connect(sip.portOf('TCP'), '127.0.0.1');
  t.after(() => socket.destroy());
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
  });
  await once(socket, 'connect');
  socket.setNoDelay(true);
  const parts = { port: 5060, transport: 'TCP', body: 'héllo' };
  for (const byte of Buffer.from(requestText({ ...parts, callId: 'bytes' }))) socket.write(Buffer.of(byte));
  socket.write(`\r\n\r\n${requestText({ ...parts, callId: 'two' })}${requestText({ ...parts, callId: 'three' })}`);
  await hub.untilDraft((draft) => draft.type === 'message' && draft.nativeId === 'three');
  assert.deepEqual(
    hub.draftsOf('message').map(({ text }) => text['']),
    ['héllo', 'héllo', 'héllo'],
  );
  while ((heard.match(/^SIP\/2\.0 202/gm) ?? []).length < 3) await once(socket, 'data');
  assert.match(heard, /(^|\r\n)\r\n(?!\r\n)/, 'the ping was answered');
});

test('RFC 3261 s.26.3.2.4: a peer that vanishes in the middle of a message, or stops in it, costs nothing', async (t) => {
  const { sip, hub } = await open(t, { messageMs: 80 });
  const gone = connect(sip.portOf('TCP'), '127.0.0.1');
  await once(gone, 'connect');
  gone.write('MESSAGE sip:alice@gw.example SIP/2.0\r\nVia:');
  gone.destroy();
  const slow = connect(sip.portOf('TCP'), '127.0.0.1');
  await once(slow, 'connect');
  slow.write('MESSAGE sip:alice@gw.example SIP/2.0\r\nVia:');
  const silent = connect(sip.portOf('TCP'), '127.0.0.1');
  await Promise.all([once(slow, 'close'), once(silent, 'close')]);
  assert.equal(hub.drafts.length, 0);
});

test('RFC 3261 s.20.14: two Content-Length values lose the framing: the answer is 400 and the connection is closed', async (t) => {
  const { sip, hub } = await open(t);
  const socket = connect(sip.portOf('TCP'), '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
  });
  socket.write(
    requestText({ port: 5060, transport: 'TCP' }).replace(
      'Content-Length: 5',
      'Content-Length: 5\r\nContent-Length: 500',
    ),
  );
  await once(socket, 'close');
  assert.match(heard, /^SIP\/2\.0 400 /);
  assert.equal(hub.drafts.length, 0);
});

test('RFC 3261 s.26.3.2.4: connections from one address are counted', async (t) => {
  const { sip } = await open(t, { maxConnectionsPerSource: 1 });
  const first = connect(sip.portOf('TCP'), '127.0.0.1');
  t.after(() => first.destroy());
  await once(first, 'connect');
  const second = connect(sip.portOf('TCP'), '127.0.0.1');
  second.on('error', () => {});
  await once(second, 'close');
  assert.ok(!first.destroyed);
});

test('RFC 3261 s.21.4.1: what the parser lets through and a closer look does not is 400, and nothing is thrown past the session', async (t) => {
  const { ask, sip, hub } = await open(t, { nativeDomains: ['native.example'] });
  const cases = [
    { more: ['Require: "open, ended never'] },
    { uri: 'tel:911' },
    { from: '<urn:service:sos>;tag=1' },
    { type: 'multipart/mixed', body: 'no boundary' },
    { type: 'message/cpim', body: 'no headers' },
    { type: 'message/imdn+xml', body: '<imdn' },
    { method: 'REGISTER', uri: 'sip:native.example', to: '<tel:911>', more: ['Contact: <sip:x@y>'] },
    {
      method: 'REGISTER',
      uri: 'sip:native.example',
      to: '<sip:x@native.example>',
      more: ['Contact: <sip:x@y>', 'Expires: soon'],
    },
  ];
  for (const parts of cases) assert.match((await ask(parts)).first, /^SIP\/2\.0 400 /, JSON.stringify(parts));
  const socket = connect(sip.portOf('TCP'), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write(
    'SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP x\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n',
  );
  socket.write(requestText({ port: 5060, transport: 'TCP', callId: 'after' }));
  await hub.untilDraft();
  assert.equal(hub.drafts.length, 1);
});

test('RFC 3261 s.18.2.1: a connection that was reset before we looked has no sender, and nothing is said of it', async (t) => {
  const { sip, hub } = await open(t, { listen: [{ transport: 'tcp', port: 0 }] });
  const text = requestText({ port: 9, transport: 'TCP' });
  const reset = `const socket = require('net').connect(${sip.portOf('TCP')}, '127.0.0.1', () =>
    socket.write(${JSON.stringify(text)}, () => socket.resetAndDestroy()));`;
  // Our own loop stands still meanwhile.
  execFileSync(process.execPath, ['-e', reset]);
  const socket = connect(sip.portOf('TCP'), '127.0.0.1');
  socket.write(requestText({ port: 9, transport: 'TCP', callId: 'second' }));
  await once(socket, 'data');
  socket.destroy();
  assert.equal(hub.drafts.length, 1);
  assert.deepEqual(
    hub.logs.filter(({ level }) => level === 'warn'),
    [],
  );
});
