// What each adapter hands to a capture: whole messages both ways, and where passwords and words are in them.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type SipAdapter, adapter as sip } from '../../adapters/sip/index.ts';
import type { Flow } from '../../adapters/sip/transport/flow.ts';
import { wireUnit } from '../../adapters/sip/wire-trace.ts';
import { encode, secretRanges } from '../../adapters/smpp/codec/index.ts';
import { wireUnit as xmppUnit } from '../../adapters/xmpp/trace.ts';
import type { WireUnit } from '../../src/contract/index.ts';
import { fakeHub } from '../peers/hub.ts';
import { until } from '../servers/process.ts';
import { open, signal } from './smpp/carrier.ts';
import { message } from './smpp/event.ts';

/** The octets with everything blotted out. */
function blotted({ bytes, secrets = [], hidden = [] }: WireUnit): string {
  const copy = Buffer.from(bytes);
  for (const [start, end] of [...secrets, ...hidden]) copy.fill('*', start, end);
  return copy.toString('latin1');
}

function tapped() {
  const units: WireUnit[] = [];
  const hub = fakeHub();
  Object.assign(hub.trace, { wire: (unit: WireUnit) => void units.push({ ...unit, bytes: Buffer.from(unit.bytes) }) });
  return { hub, units };
}

test('reference smpp 7.7: a capture has every PDU of a bind, the password and the text where they can be blotted out', async (t) => {
  const { hub, units } = tapped();
  const { smpp, smsc } = await open(t, {}, { hub });
  await smpp.deliver(message('secret words'), signal);
  await until(() => units.length >= 4, 'four PDUs');
  const [bind, , submit] = units;
  assert.deepEqual(
    units.slice(0, 4).map(({ direction, bytes }) => [direction, Buffer.from(bytes).readUInt32BE(4).toString(16)]),
    [
      ['outbound', '9'],
      ['inbound', '80000009'],
      ['outbound', '4'],
      ['inbound', '80000004'],
    ],
  );
  assert.ok(bind && submit && Buffer.from(bind.bytes).includes('secret\0'));
  assert.match(blotted(bind), /me\0\*{6}\0/);
  assert.doesNotMatch(blotted(submit), /secret words/);
  assert.equal(submit.remote.port, smsc.port);
});

test('reference smpp 7.7: a bind that breaks off keeps its password hidden to the end', () => {
  const bind = encode({ command: 'bind_receiver', sequence_number: 1, body: { system_id: 'me', password: 'secret' } });
  for (let length = 16; length <= bind.length; length++) {
    const cut = bind.subarray(0, length);
    const copy = Buffer.from(cut);
    for (const [start, end] of secretRanges(cut)) copy.fill('*', start, end);
    assert.doesNotMatch(copy.toString('latin1'), /s[e*]/, `after ${length} octets`);
  }
  assert.deepEqual(secretRanges(encode({ command: 'enquire_link', sequence_number: 1 })), []);
});

const flow = {
  transport: 'TCP',
  remote: { address: '192.0.2.1', port: 5060 },
  sentBy: { host: 'gw.example', port: 5060 },
};

test('reference smpp 7.7: digest credentials in a SIP message are secrets, folded ones too, and its body is hidden', () => {
  const text = [
    'MESSAGE sip:bob@example.net SIP/2.0',
    'AUTHORIZATION : Digest username="bob",',
    ' response="0123"',
    'Proxy-Authorization: Digest response=4567, opaque="o"',
    'Authorization: Bearer 89ab',
    'WWW-Authenticate: Digest nonce="n"',
    'Subject: Authorization: is no header here',
    '',
    'hello',
  ].join('\r\n');
  const shown = blotted(wireUnit(flow as Flow, 'inbound', Buffer.from(text)));
  assert.doesNotMatch(shown, /0123|4567|89ab|hello/);
  assert.match(shown, /nonce="n"\r\nSubject: Authorization: is no header here\r\n\r\n\*{5}$/);
});

test('reference smpp 7.7: digest credentials are secrets too where empty lines precede the start line (RFC 3261 s.7.5), and the body alone is hidden', () => {
  const text = '\r\n\r\nMESSAGE sip:bob@example.net SIP/2.0\r\nAuthorization: Digest response="0123"\r\n\r\nhello';
  const unit = wireUnit(flow as Flow, 'inbound', Buffer.from(text));
  assert.equal(unit.secrets?.length, 1);
  assert.match(
    blotted(unit),
    /MESSAGE sip:bob@example.net SIP\/2\.0\r\nAuthorization: Digest response="\*{4}"\r\n\r\n\*{5}$/,
  );
});

test('reference smpp 7.7: the words of an XMPP stanza are hidden to the octet, whatever stands before them', () => {
  const socket = { remoteAddress: '127.0.0.1', remotePort: 5347 } as Socket;
  const text = "<message from='ü@x'><thread>😀</thread><body xml:lang='de'>Grüße</body></message>";
  assert.equal(
    Buffer.from(blotted(xmppUnit(socket, 'inbound', text)), 'latin1').toString(),
    "<message from='ü@x'><thread>😀</thread><body xml:lang='de'>*******</body></message>",
  );
});

test('reference smpp 7.7: the code with which somebody registers (XEP-0077) is a secret, as a plain field and in a form', () => {
  const socket = { remoteAddress: '127.0.0.1', remotePort: 5347 } as Socket;
  const field = (name: string, value: string) =>
    `<field type="text-private" var="${name}"><required/><value>${value}</value></field>`;
  const text =
    '<iq type="set"><query xmlns="jabber:iq:register"><phone>+447700900001</phone><password>0123</password>' +
    `<x xmlns="jabber:x:data" type="submit">${field('phone', '+447700900001')}${field('password', '4567')}</x></query></iq>`;
  const unit = xmppUnit(socket, 'inbound', text);
  const shown = blotted({ ...unit, hidden: [] });
  assert.doesNotMatch(shown, /0123|4567/);
  assert.equal(shown.match(/\+447700900001/g)?.length, 2);
});

async function phone(t: TestContext) {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

test('reference smpp 7.7: a capture has the messages of SIP both ways, datagrams as they were', async (t) => {
  const { hub, units } = tapped();
  const listen = ['udp', 'tcp'].map((transport) => ({ transport, host: '127.0.0.1', port: 0 }));
  const settings = sip.options.parse({ listen, domains: [{ domain: 'gw.example', shows: ['xmpp'] }] });
  const adapter = sip.create('phones', settings) as SipAdapter;
  await adapter.start(hub);
  t.after(() => adapter.stop());
  const socket = await phone(t);
  const request = [
    'OPTIONS sip:gw.example SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK1`,
    'From: <sip:a@example.net>;tag=1',
    'To: <sip:gw.example>',
    'Call-ID: 1',
    'CSeq: 1 OPTIONS',
    'Max-Forwards: 70',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
  const answered = once(socket, 'message');
  socket.send(request, adapter.portOf('UDP'), '127.0.0.1');
  const [answer] = (await answered) as [Buffer];
  assert.deepEqual(
    units.map(({ direction, bytes }) => [direction, Buffer.from(bytes).toString()]),
    [
      ['inbound', request],
      ['outbound', answer.toString()],
    ],
  );
  const stream = connect(adapter.portOf('TCP'), '127.0.0.1');
  t.after(() => stream.destroy());
  const overTcp = request
    .replace('SIP/2.0/UDP', 'SIP/2.0/TCP')
    .replace('z9hG4bK1', 'z9hG4bK2')
    .replace('Call-ID: 1', 'Call-ID: 2');
  stream.write(`\r\n\r\n${overTcp.slice(0, 100)}`);
  setImmediate(() => stream.write(overTcp.slice(100)));
  await until(() => units.length === 4, 'both messages');
  const [asked, reply] = units.slice(2).map(({ transport, bytes }) => `${transport} ${Buffer.from(bytes)}`);
  assert.equal(asked, `tcp ${overTcp}`);
  assert.match(`${reply}`, /^tcp SIP\/2\.0 200 /);
});

test('XEP-0071 s.3: what a person wrote with styles is hidden as their plain text is', () => {
  const socket = { localAddress: '127.0.0.1', localPort: 1, remoteAddress: '127.0.0.1', remotePort: 5347 } as Socket;
  const stanza =
    '<message to="a@b"><body>secret words</body><html xmlns="http://jabber.org/protocol/xhtml-im">' +
    '<body xmlns="http://www.w3.org/1999/xhtml">secret <p>secret <em>words</em>\nsecret</p></body></html>' +
    '<status>words</status><thread>kept</thread></message>';
  const left = blotted(xmppUnit(socket, 'inbound', stanza));
  assert.doesNotMatch(left, /secret|words/);
  assert.match(left, /<em>\*{5}<\/em>.*<thread>kept</s);
  assert.equal(left.length, stanza.length);
});
