// Disposition notifications and "is typing": the documents of the RFCs, those on the air, and bombs.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { SipParseError } from '../../../adapters/sip/codec/message.ts';
import { type Composing, formatComposing, parseComposing } from '../../../adapters/sip/composing.ts';
import {
  decodeContentEncoding,
  encodeNotification,
  formatImdn,
  formatImdnRequest,
  type Imdn,
  imdnType,
  parseImdn,
  readImdnRequest,
} from '../../../adapters/sip/imdn.ts';
import { cpimHeader, cpimHeaders, cpimValue, encodeCpim, parseCpim } from '../../../src/formats/cpim.ts';
import { headerOf, mediaTypeOf } from '../../../src/formats/mime.ts';
import { wireFolder } from './samples.ts';

const read = (file: string) => readFileSync(join(wireFolder, file));
const json = (file: string) => JSON.parse(read(file.replace(/\.\w+$/, '.json')).toString());

test('RFC 5438 s.11.1: every notification and status, read and written', () => {
  const files = globSync('rfc5438/*.xml', { cwd: wireFolder });
  assert.equal(files.length, 11);
  for (const file of files) {
    const expected = json(file) as Imdn;
    assert.deepEqual(parseImdn(read(file)), expected, file);
    assert.deepEqual(parseImdn(formatImdn(expected)), expected, file);
  }
});

test('RFC 5438 s.6: what a message asks for, under whatever prefix', () => {
  const request = readImdnRequest(parseCpim(read('rfc5438/request.cpim')));
  assert.deepEqual(request, {
    wants: new Set(['positive-delivery', 'negative-delivery']),
    messageId: '34jk324j',
    recordRoute: [],
  });
  const other = parseCpim(
    Buffer.from(
      [
        'imdn.Message-ID: not yet declared',
        'NS: x <urn:ietf:params:imdn>',
        'NS: imdn <urn:something:else>',
        'imdn.Message-ID: of something else',
        'x.Message-ID: m1',
        'x.Disposition-Notification: Display, unheard-of, processing;p=1',
        'x.Original-To: Bob <im:bob@example.com>',
        'x.IMDN-Record-Route: <sip:a.example>',
        'x.IMDN-Record-Route: broken',
        'x.IMDN-Record-Route: B <sip:b.example>',
        '',
        '',
        '',
      ].join('\r\n'),
    ),
  );
  assert.deepEqual(readImdnRequest(other), {
    wants: new Set(['display', 'processing']),
    messageId: 'm1',
    originalTo: 'im:bob@example.com',
    recordRoute: ['sip:a.example', 'sip:b.example'],
  });
});

test('RFC 5438 s.10: what we ask for is what is read', () => {
  const headers = [
    cpimHeader('From', '<im:a@h>'),
    cpimHeader('To', '<im:b@h>'),
    ...formatImdnRequest('id1', ['positive-delivery', 'display']),
  ];
  const message = parseCpim(encodeCpim({ headers, content: { headers: [], body: new Uint8Array() } }));
  assert.deepEqual(readImdnRequest(message), {
    wants: new Set(['positive-delivery', 'display']),
    messageId: 'id1',
    recordRoute: [],
  });
  assert.equal(cpimValue(message, 'imdn.Disposition-Notification'), 'positive-delivery, display');
});

test('RFC 5438 s.7.2.1: a notification has its own id, asks for none, and goes back along the record in its order', () => {
  const imdn: Imdn = { messageId: 'm1', notification: 'delivery', status: 'failed' };
  const envelope = { from: 'sip:b@h', to: 'sip:a@h', at: Date.UTC(2026, 0, 2), messageId: 'n1' };
  const request = { wants: new Set([]), recordRoute: ['sip:one.example', 'sip:two.example'] };
  const message = parseCpim(encodeNotification(imdn, envelope, request.recordRoute));
  assert.equal(cpimValue(message, 'imdn.Message-ID'), 'n1');
  assert.equal(cpimValue(message, 'imdn.Disposition-Notification'), undefined);
  assert.equal(cpimValue(message, 'DateTime'), '2026-01-02T00:00:00.000Z');
  assert.deepEqual(
    cpimHeaders(message, 'imdn.IMDN-Route').map(({ value }) => value),
    ['<sip:one.example>', '<sip:two.example>'],
  );
  assert.equal(headerOf(message.content, 'Content-Disposition'), 'notification');
  assert.equal(mediaTypeOf(message.content).type, imdnType);
  assert.deepEqual(parseImdn(message.content.body), imdn);
  assert.deepEqual(
    json('rfc5438/delivery-delivered.xml'),
    parseImdn(parseCpim(read('rfc5438/notification.cpim')).content.body),
  );
});

// As linphone 5.1 sends it: bare, unasked, deflated, the Call-ID for an id, a reason with a SIP status.
const linphone = `<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn" xmlns:imdn="http://www.linphone.org/xsds/imdn.xsd">
  <message-id>hJ3kQ~x2Yt</message-id>
  <datetime>2026-07-01T10:00:00Z</datetime>
  <delivery-notification><status><error/></status></delivery-notification>
  <imdn:reason code="488">Not acceptable here</imdn:reason>
</imdn>`;

test('reference sip 3.12: Linphone: a bare document, deflated with and without zlib header or gzipped, with its reason', () => {
  const expected: Imdn = {
    messageId: 'hJ3kQ~x2Yt',
    dateTime: '2026-07-01T10:00:00Z',
    notification: 'delivery',
    status: 'error',
    reason: { code: 488, text: 'Not acceptable here' },
  };
  const encodings: [string[], Buffer][] = [
    [[], Buffer.from(linphone)],
    [['identity'], Buffer.from(linphone)],
    [['deflate'], deflateSync(linphone)],
    [['Deflate'], deflateRawSync(linphone)],
    [['gzip'], gzipSync(linphone)],
    [['x-gzip'], gzipSync(linphone)],
    [['deflate', 'gzip'], gzipSync(deflateSync(linphone))],
  ];
  for (const [names, body] of encodings) {
    assert.deepEqual(parseImdn(decodeContentEncoding(body, names)), expected, names.join());
  }
  assert.deepEqual(parseImdn(formatImdn(expected)), expected);
  const inside = linphone.replace(/ {2}<imdn:reason.*reason>\n/, '').replace('<error/>', '<error/><reason>no</reason>');
  assert.deepEqual(parseImdn(Buffer.from(inside)).reason, { text: 'no' });
});

test('reference sip 3.12: a body that inflates without end is refused at the cap, in the time of the cap', () => {
  const bomb = deflateSync(Buffer.alloc(16 * 1024 * 1024));
  const twice = gzipSync(bomb);
  for (const [names, body] of [
    [['deflate'], bomb],
    [['gzip'], gzipSync(Buffer.alloc(1_000_000))],
    [['deflate', 'gzip'], twice],
  ] as const) {
    const before = process.memoryUsage().arrayBuffers;
    assert.throws(() => decodeContentEncoding(body, names), { name: 'SipParseError', status: 413 });
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
  }
});

test('RFC 3261 s.21.4.13: an encoding nobody knows is 415, broken compression 400', () => {
  const attempt =
    (names: string[], body = 'x') =>
    () =>
      decodeContentEncoding(Buffer.from(body), names);
  assert.throws(attempt(['br']), { status: 415 });
  assert.throws(attempt(['gzip', 'gzip', 'gzip']), { status: 415 });
  assert.throws(attempt(['gzip']), { status: 400 });
  assert.throws(attempt(['deflate'], ''), { status: 400 });
  assert.throws(() => decodeContentEncoding(deflateSync(linphone).subarray(0, 40), ['deflate']), { status: 400 });
});

test('RFC 5438 s.11.1: what is no notification is refused', () => {
  const documents = [
    '',
    'text',
    '<imdn/>',
    '<imdn><message-id> </message-id></imdn>',
    '<imdn><message-id>a</message-id></imdn>',
    '<imdn><message-id>a</message-id><delivery-notification><status><displayed/></status></delivery-notification></imdn>',
    '<other><message-id>a</message-id><display-notification><status><displayed/></status></display-notification></other>',
    '<!DOCTYPE imdn [<!ENTITY a "b">]><imdn><message-id>&a;</message-id></imdn>',
    `<imdn>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</imdn>`,
    `<imdn><message-id>${'a'.repeat(20_000)}</message-id></imdn>`,
  ];
  for (const document of documents) assert.throws(() => parseImdn(Buffer.from(document)), SipParseError, document);
});

test('RFC 3994 s.6: its documents, read and written', () => {
  for (const file of ['rfc3994/active.xml', 'rfc3994/idle.xml']) {
    const expected = json(file) as Composing;
    assert.deepEqual(parseComposing(read(file)), expected);
    assert.deepEqual(parseComposing(formatComposing(expected)), expected);
  }
});

test('RFC 3994 s.3.5: a state nobody knows is idle; refresh that is no number is none', () => {
  const document = (inner: string) => Buffer.from(`\ufeff<isComposing xmlns="urn:x">${inner}</isComposing>\n`);
  assert.deepEqual(parseComposing(document('<state>dreaming</state>')), { state: 'idle' });
  assert.deepEqual(parseComposing(document('<state> active </state><refresh>-1</refresh><lastactive>x</lastactive>')), {
    state: 'active',
  });
  assert.throws(() => parseComposing(Buffer.from('<typing/>')), SipParseError);
  assert.throws(() => parseComposing(Buffer.from('<isComposing')), SipParseError);
});

test('RFC 3994 s.6: any composing state we write is read', () => {
  const composings = fc.record(
    {
      state: fc.constantFrom('active', 'idle'),
      contentType: fc.constantFrom('text/plain', 'a/b;c="<&>"'),
      refreshMs: fc.nat(10_000).map((seconds) => seconds * 1000),
      lastActiveAt: fc.nat(),
    },
    { requiredKeys: ['state'] },
  );
  fc.assert(
    fc.property(composings, (composing) => {
      const { contentType, refreshMs, lastActiveAt, state } = composing;
      const given: Composing = {
        state: state as Composing['state'],
        ...(contentType === undefined ? {} : { contentType }),
        ...(refreshMs === undefined ? {} : { refreshMs }),
        ...(lastActiveAt === undefined ? {} : { lastActiveAt }),
      };
      assert.deepEqual(parseComposing(formatComposing(given)), given);
    }),
  );
});
