// MESSAGE on its way in: what becomes of it, and what its sender is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { GatewayError } from '../../../src/contract/index.ts';
import { requestText } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { open, receipt, type Settings, signal } from './adapter-fixtures.ts';

const cpim = (headers: readonly string[], body = 'hello') =>
  [
    'From: <sip:bob@other.example>',
    'To: <sip:alice%40xmpp.example@gw.example>',
    'DateTime: 2026-07-01T10:00:00Z',
    ...headers,
    '',
    'Content-Type: text/plain;charset=UTF-8',
    '',
    body,
  ].join('\r\n');
const imdn = ['NS: imdn <urn:ietf:params:imdn>', 'imdn.Message-ID: m1'];
const wantsAll = [...imdn, 'imdn.Disposition-Notification: positive-delivery, negative-delivery, display'];

test('RFC 3428 s.7: 202 while nobody has proved delivery, without a body and without Contact', async (t) => {
  const { ask, hub } = await open(t);
  const response = await ask({ callId: 'c1', more: ['Subject: lunch', 'Content-Language: fr', 'Priority: urgent'] });
  assert.equal(response.first, 'SIP/2.0 202 Accepted');
  assert.equal(response.body, '');
  assert.doesNotMatch(response.text, /^Contact:/im);
  assert.match(response.header('To'), /;tag=/);
  assert.deepEqual(hub.draftsOf('message'), [
    {
      type: 'message',
      from: 'sip:bob@other.example',
      to: 'sip:alice%40xmpp.example@gw.example',
      text: { fr: 'hello' },
      subject: { fr: 'lunch' },
      thread: 'c1',
      nativeId: 'c1',
      dedupeKey: `c1|b1|1||${crc32('hello').toString(36)}`,
      hops: 0,
      priority: 'urgent',
      wants: ['delivered'],
    },
  ]);
});

test('RFC 3428 s.7: 200 when the receipt comes while the answer is held', async (t) => {
  const { ask, hub, sip } = await open(t, { holdMs: 3000 });
  const answer = ask({ callId: 'c1' });
  await hub.untilDraft();
  await sip.deliver(receipt('sip:bob@other.example', { of: 'c1', state: 'delivered' }), signal);
  assert.equal((await answer).first, 'SIP/2.0 200 OK');
});

test('RFC 3428 s.7: of two messages with one Call-ID the second is 202, whatever is proved of the first meanwhile', async (t) => {
  const { ask, hub, sip, peer, port } = await open(t, { holdMs: 3000 });
  const delivered = receipt('sip:bob@other.example', { of: 'thread', state: 'delivered' });
  const from = '<sip:bob@other.example>;tag=same';
  const first = ask({ callId: 'thread', from });
  await hub.untilDraft();
  await sip.deliver(delivered, signal);
  assert.equal((await first).first, 'SIP/2.0 200 OK');
  hub.onPublish = async () => {
    await sip.deliver(delivered, signal);
    return undefined;
  };
  const second = requestText({ port: peer.port, callId: 'thread', cseq: 2, from, body: 'second' });
  peer.sendUdp(second, port);
  const answer = await peer.until(({ header, first }) => header('CSeq') === '2 MESSAGE' && /^SIP\S+ [2-6]/.test(first));
  assert.equal(answer.first, 'SIP/2.0 202 Accepted');
});

test('RFC 5438 s.12.1.3.1: the answer goes out before the notification that says the same', async (t) => {
  const { hub, sip, peer, port } = await open(t, { holdMs: 3000 });
  const bob = `sip:bob@127.0.0.1:${peer.port}`;
  peer.sendUdp(
    requestText({ port: peer.port, from: `<${bob}>;tag=1`, type: 'message/cpim', body: cpim(wantsAll) }),
    port,
  );
  await hub.untilDraft();
  await sip.deliver(receipt(bob, { of: 'm1', state: 'delivered' }), signal);
  assert.deepEqual(
    peer.heard.map(({ first }) => first),
    ['SIP/2.0 200 OK', `MESSAGE ${bob} SIP/2.0`],
  );
});

test('reference sip 1.3: a failure that comes while the answer is held is the answer, in the words of the far network', async (t) => {
  const { ask, hub, sip, peer } = await open(t, { holdMs: 3000 });
  const answer = ask({ callId: 'c1' });
  await hub.untilDraft();
  const failed = receipt('sip:bob@other.example', {
    of: 'c1',
    state: 'failed',
    reason: 'not-found',
    text: 'no such user',
  });
  await sip.deliver(failed, signal);
  assert.equal((await answer).first, 'SIP/2.0 404 no such user');
  assert.ok(!peer.heard.some(({ first }) => first.startsWith('MESSAGE')), 'and nobody is told twice');
});

test('RFC 3428 s.7: force200 answers 200 where 202 would be true', async (t) => {
  const { ask } = await open(t, { force200: true, holdMs: 0 });
  assert.equal((await ask()).first, 'SIP/2.0 200 OK');
});

test('RFC 3428 s.7: a receipt of somebody else does not end the wait', async (t) => {
  const { ask, hub, sip } = await open(t, { holdMs: 150, notices: false });
  const answer = ask({ callId: 'c1' });
  await hub.untilDraft();
  await sip.deliver(receipt('sip:mallory@other.example', { of: 'c1', state: 'delivered' }), signal);
  await sip.deliver(receipt('sip:bob@other.example', { of: 'c2', state: 'delivered' }), signal);
  assert.equal((await answer).first, 'SIP/2.0 202 Accepted');
});

test('RFC 4320 s.4.2: what the hub refuses is answered at once, in our words, and never with 408', async (t) => {
  const { ask, hub } = await open(t);
  const expected = {
    malformed: 400,
    unsupported: 488,
    'not-found': 404,
    'not-allowed': 403,
    'too-large': 513,
    expired: 480,
    throttled: 503,
    unreachable: 504,
    unavailable: 480,
    internal: 500,
  } as const;
  for (const [reason, status] of Object.entries(expected)) {
    hub.onPublish = () => {
      throw new GatewayError(reason as keyof typeof expected, `it is ${reason}`);
    };
    const { first, header } = await ask({ callId: reason });
    assert.equal(first, `SIP/2.0 ${status} it is ${reason}`);
    assert.equal(header('Retry-After'), status === 503 ? '5' : '');
  }
});

test('RFC 3261 s.17.2.2: a retransmission is published once, and gets the answer that the first got', async (t) => {
  const { peer, hub, port } = await open(t);
  const text = requestText({ port: peer.port, callId: 'same' });
  const answers = () => peer.heard.filter(({ first }) => first.startsWith('SIP/2.0 202'));
  peer.sendUdp(text, port);
  peer.sendUdp(text, port);
  await peer.until(() => answers().length > 0);
  peer.sendUdp(text, port);
  await until(() => answers().length > 1, 'the copy is answered');
  assert.equal(new Set(answers().map((message) => message.text)).size, 1);
  assert.equal(hub.drafts.length, 1);
});

test('reference sip 3.2: a copy that comes after the transaction is told apart by Call-ID, tag and CSeq', async (t) => {
  const { ask, hub } = await open(t);
  hub.onPublish = () => ({ id: 'efirst000000', isRepeat: true });
  assert.equal((await ask({ callId: 'c1', branch: 'z9hG4bKlater' })).first, 'SIP/2.0 202 Accepted');
  assert.equal(hub.drafts.length, 0);
});

test('RFC 3862, RFC 5438 s.7: CPIM is unwrapped, and what it asks for becomes wants and a Message-ID', async (t) => {
  const { ask, hub } = await open(t);
  hub.clock = Date.parse('2026-07-01T10:00:05Z');
  const body = cpim([...wantsAll, 'Subject: bonjour', 'Subject:;lang=en hello'], 'ça va? 👋');
  await ask({ type: 'message/cpim', body });
  const [draft] = hub.draftsOf('message');
  assert.deepEqual(draft?.text, { '': 'ça va? 👋' });
  assert.deepEqual(draft?.subject, { '': 'bonjour', en: 'hello' });
  assert.deepEqual(draft?.wants, ['delivered', 'displayed']);
  assert.equal(draft?.nativeId, 'm1');
  assert.equal(draft?.at, '2026-07-01T10:00:00.000Z');
});

test('RFC 7572 s.7: multipart, HTML and other charsets are read; the plain part is the text', async (t) => {
  const { ask, hub } = await open(t);
  const parts = [
    '--x',
    'Content-Type: text/plain',
    '',
    'plain',
    '--x',
    'Content-Type: text/html',
    '',
    '<b>rich</b>',
    '--x--',
    '',
  ];
  await ask({ type: 'multipart/alternative;boundary=x', body: parts.join('\r\n') });
  await ask({ type: 'text/html', body: '<p>a &lt; b</p><p>caf&#233;</p>' });
  await ask({ type: 'text/plain;charset=iso-8859-1', body: 'plain' });
  const [first, second] = hub.draftsOf('message');
  assert.deepEqual([first?.text, first?.html], [{ '': 'plain' }, '<b>rich</b>']);
  assert.deepEqual(second?.text, { '': 'a < b\ncafé' });
  assert.equal(hub.drafts.length, 3);
});

test('RFC 2046 s.5.1.3: texts that follow one another are one text, of an alternative its first', async (t) => {
  const { ask, hub } = await open(t);
  const text = (words: string) => `--x\r\nContent-Type: text/plain\r\n\r\n${words}\r\n`;
  const either = `--x\r\nContent-Type: multipart/alternative;boundary=y\r\n\r\n${text('or').replace('--x', '--y')}${text('else').replace('--x', '--y')}--y--\r\n`;
  await ask({ type: 'multipart/mixed;boundary=x', body: `${text('one')}${text('two')}${either}--x--` });
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'one\ntwo\nor' });
});

test('reference sip 3.2: of HTML the words that are shown, and no script, style, title or comment', async (t) => {
  const { ask, hub } = await open(t);
  const page =
    '<html><head><title>t</title><style>p{}</style></head><body><!-- <p>no --><p>yes</p><SCRIPT>x()</SCRIPT><style>end</body>';
  await ask({ type: 'text/html', body: page });
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': 'yes\nend' });
});

test('RFC 3261 s.8.2.3: a charset or transfer encoding that nobody knows is 415, so that the sender may try another', async (t) => {
  const { ask, hub } = await open(t);
  for (const parts of [{ type: 'text/plain;charset=klingon' }, { more: ['Content-Transfer-Encoding: x-uuencode'] }]) {
    const { first, header } = await ask({ ...parts, callId: parts.type ?? 'encoded' });
    assert.match(first, /^SIP\/2\.0 415 /);
    assert.match(header('Accept'), /text\/plain/);
  }
  assert.equal(hub.drafts.length, 0);
});

test('reference sip 1.3, RFC 3428 s.7: an unknown type is 415 with Accept, and never shown as text', async (t) => {
  const { ask, hub } = await open(t);
  const { first, header } = await ask({ type: 'application/vnd.unknown', body: '%PDF' });
  assert.match(first, /^SIP\/2\.0 415 /);
  assert.match(header('Accept'), /text\/plain.*message\/cpim/);
  const encoded = await ask({ more: ['Content-Encoding: br'] });
  assert.match(encoded.first, /^SIP\/2\.0 415 /);
  assert.match(encoded.header('Accept-Encoding'), /deflate/);
  assert.equal(hub.drafts.length, 0);
});

test('RFC 5438 s.7.1.2: a notification becomes a receipt, bare as Linphone writes it and in CPIM', async (t) => {
  const { ask, hub } = await open(t);
  const document = (status: string) =>
    `<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>e000000000001</message-id><datetime>x</datetime>${status}</imdn>`;
  const delivered = document('<delivery-notification><status><delivered/></status></delivery-notification>');
  assert.equal((await ask({ type: 'message/imdn+xml', body: delivered })).first, 'SIP/2.0 200 OK');
  const displayed = document('<display-notification><status><displayed/></status></display-notification>');
  await ask({
    type: 'message/cpim',
    body: cpim(imdn).replace('text/plain;charset=UTF-8\r\n\r\nhello', `message/imdn+xml\r\n\r\n${displayed}`),
  });
  const failed = document('<delivery-notification><status><failed/></status></delivery-notification>');
  await ask({ type: 'message/imdn+xml', body: failed });
  const stored = document('<processing-notification><status><stored/></status></processing-notification>');
  await ask({ type: 'message/imdn+xml', body: stored });
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ of, state, reason }) => [of, state, reason]),
    [
      ['e000000000001', 'delivered', undefined],
      ['e000000000001', 'displayed', undefined],
      ['e000000000001', 'failed', 'unavailable'],
    ],
  );
});

test('reference sip 3.12: Linphone: a bare notification deflated, whose message-id is the Call-ID we sent with', async (t) => {
  const { peer, port, hub } = await open(t);
  const document =
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>e000000000009</message-id><display-notification><status><displayed/></status></display-notification></imdn>';
  const body = deflateSync(document);
  const text = requestText({
    port: peer.port,
    type: 'message/imdn+xml',
    body: 'x',
    more: ['Content-Encoding: deflate'],
  });
  const head = text.slice(0, -1).replace('Content-Length: 1', `Content-Length: ${body.length}`);
  peer.sendUdp(Buffer.concat([Buffer.from(head), body]), port);
  const draft = await hub.untilDraft();
  assert.deepEqual(draft.type === 'receipt' && [draft.of, draft.state], ['e000000000009', 'displayed']);
});

test('RFC 7572 s.7: markup without plain text arrives as words, its entities by name and by number as characters', async (t) => {
  const { ask, hub } = await open(t);
  const body =
    'caf&eacute; &Eacute;t&#233; &#xE9; &#X1F600; &#146; &euro;5 &frac12; &yuml;&szlig; a&#10;b &amp;eacute;';
  const unknown = ' &unknown; &valueOf; &#0; &#xD800; &#1114112;';
  await ask({ type: 'text/html', body: body + unknown });
  const text = `café Été é 😀 ’ €5 ½ ÿß a\nb &eacute;${unknown}`;
  assert.deepEqual(hub.draftsOf('message')[0]?.text, { '': text });
});

test('RFC 3325 s.5: P-Asserted-Identity counts only from a trusted address', async (t) => {
  const more = ['P-Asserted-Identity: "Bob" <sip:real@other.example>'];
  const stranger = await open(t);
  await stranger.ask({ more });
  const trusted = await open(t, { trusted: ['127.0.0.1'] });
  await trusted.ask({ more });
  assert.equal(stranger.hub.drafts[0]?.from, 'sip:bob@other.example');
  assert.equal(trusted.hub.drafts[0]?.from, 'sip:real@other.example');
});

test('RFC 3428 s.5: tel:, im: and pres: are taken as such, a telephone number in a SIP URI is told by its form', async (t) => {
  const { ask, hub } = await open(t, { trusted: ['127.0.0.1'] });
  await ask({ uri: 'tel:+44-7700-900123', from: '<tel:+447700900001>;tag=x' });
  await ask({ uri: 'im:alice@xmpp.example' });
  await ask({ uri: 'pres:alice@xmpp.example' });
  await ask({ uri: 'im:alice@gw.example', from: '<im:bob@other.example>;tag=x' });
  await ask({ uri: 'sip:+447700900123@gw.example;user=phone', from: '<sip:bob@other.example;gr=desk>;tag=x' });
  assert.deepEqual(
    hub.drafts.map(({ from, to }) => [from, to]),
    [
      ['tel:+447700900001', 'tel:+447700900123'],
      ['sip:bob@other.example', 'im:alice@xmpp.example'],
      ['sip:bob@other.example', 'pres:alice@xmpp.example'],
      ['sip:bob@other.example', 'sip:alice@gw.example'],
      ['sip:bob@other.example;gr=desk', 'sip:+447700900123@gw.example'],
    ],
  );
});

test('reference sip 2: who writes to our address in place of a domain is understood where that is a domain of ours too', async (t) => {
  const domains: Settings['domains'] = [
    { domain: 'gw.example', shows: ['xmpp'], home: 'xmpp.example' },
    { domain: '192.0.2.20', shows: ['xmpp'], home: 'xmpp.example' },
  ];
  const { ask, hub } = await open(t, { domains });
  assert.match((await ask({ uri: 'sip:alice@192.0.2.20:5060' })).first, /^SIP\/2\.0 202 /);
  assert.equal(hub.drafts[0]?.to, 'sip:alice@192.0.2.20:5060');
});

test('reference sip 2: the recipient stands in To where the Request-URI is our own Contact', async (t) => {
  const { ask, hub } = await open(t);
  await ask({ uri: 'sip:account@127.0.0.1:5060', to: '<sip:+447700900123@gw.example>' });
  assert.equal(hub.drafts[0]?.to, 'sip:+447700900123@gw.example');
});

test('RFC 3428 s.7: Expires counts from Date, Max-Forwards from seventy, a Date of 1970 is nobody’s', async (t) => {
  const { ask, hub } = await open(t);
  hub.clock = Date.parse('2026-07-01T10:00:05Z');
  await ask({ more: ['Date: Wed, 01 Jul 2026 10:00:00 GMT', 'Expires: 60'] });
  await ask({ more: ['Date: Thu, 01 Jan 1970 00:00:00 GMT', 'Expires: 60'] });
  const [dated, undated] = hub.draftsOf('message');
  assert.deepEqual([dated?.at, dated?.expiresAt], ['2026-07-01T10:00:00.000Z', '2026-07-01T10:01:00.000Z']);
  assert.deepEqual([undated?.at, undated?.expiresAt], [undefined, '2026-07-01T10:01:05.000Z']);
});
