// Messages to and from octets: what is read, what is refused, and that neither costs more than its length.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createResponse,
  decodeMessage,
  defaultLimits,
  encodeMessage,
  Headers,
  type Limits,
  SipParseError,
  type SipRequest,
} from '../../../adapters/sip/codec/message.ts';
import { formatNameAddr, parseNameAddr } from '../../../adapters/sip/codec/name-addr.ts';
import { rawMessage, wireFolder } from './samples.ts';

const decodeRequest = (bytes: Buffer, limits?: Limits): SipRequest => {
  const message = decodeMessage(bytes, limits);
  return message.kind === 'request' ? message : assert.fail('a response');
};

function refusal(bytes: Buffer, limits?: Limits): SipParseError {
  try {
    decodeMessage(bytes, limits);
  } catch (error) {
    return error instanceof SipParseError ? error : assert.fail(String(error));
  }
  return assert.fail(`accepted: ${bytes.toString().slice(0, 200)}`);
}

const golden = globSync('rfc{3428,5438}/*.sip', { cwd: wireFolder }).sort();

test('DESIGN 8: golden messages decode to what is written beside them and encode to the same octets', () => {
  assert.ok(golden.length >= 3);
  for (const file of golden) {
    const bytes = readFileSync(join(wireFolder, file));
    const expected = JSON.parse(readFileSync(join(wireFolder, file.replace('.sip', '.json')), 'utf8'));
    const { body, headers, wire = Buffer.alloc(0), ...line } = decodeMessage(bytes);
    assert.ok(bytes.equals(wire), 'the trace shows what came');
    assert.deepEqual({ ...line, headers: [...headers.entries()], body: Buffer.from(body).toString() }, expected, file);
    const message = { ...line, body: Buffer.from(expected.body), headers: new Headers() } as SipRequest;
    for (const [name, value] of expected.headers) message.headers.add(name, value);
    assert.equal(encodeMessage(message).toString(), bytes.toString(), file);
  }
});

test('RFC 3261 s.7.3.1: names match in any case', () => {
  const { headers } = decodeMessage(rawMessage({ 'x-UNKNOWN': 'Y', 'USER-agent': 'z' }));
  assert.equal(headers.get('call-id'), 'asd88asd77a@192.0.2.4');
  assert.equal(headers.get('X-Unknown'), 'Y');
  assert.equal(headers.get('User-Agent'), 'z');
});

test('RFC 3261 s.7.3.3: every compact form is understood, in either case, read and asked for', () => {
  const forms = {
    a: 'Accept-Contact',
    b: 'Referred-By',
    c: 'Content-Type',
    d: 'Request-Disposition',
    e: 'Content-Encoding',
    f: 'From',
    i: 'Call-ID',
    j: 'Reject-Contact',
    k: 'Supported',
    l: 'Content-Length',
    m: 'Contact',
    n: 'Identity-Info',
    o: 'Event',
    r: 'Refer-To',
    s: 'Subject',
    t: 'To',
    u: 'Allow-Events',
    v: 'Via',
    x: 'Session-Expires',
    y: 'Identity',
  };
  for (const [letter, name] of Object.entries(forms)) {
    assert.equal(new Headers().add(letter, '1').get(name), '1');
    assert.equal(new Headers().add(name, '1').get(letter.toUpperCase()), '1');
    assert.deepEqual([...new Headers().add(letter, '1').entries()], [[name, '1']]);
  }
});

test('RFC 3261 s.7.3.1: Headers: order is kept by add, set and remove', () => {
  const headers = new Headers().add('Via', 'a').add('Via', 'b').add('Subject', 's').add('v', 'c');
  assert.deepEqual(headers.all('Via'), ['a', 'b', 'c']);
  assert.equal(headers.count('Via'), 3);
  headers.set('via', 'only');
  assert.deepEqual(
    [...headers.entries()],
    [
      ['Via', 'only'],
      ['Subject', 's'],
    ],
  );
  headers.set('To', 't').remove('s').remove('absent');
  assert.deepEqual(
    [...headers.entries()],
    [
      ['Via', 'only'],
      ['To', 't'],
    ],
  );
  assert.equal(headers.has('Subject'), false);
  assert.equal(headers.size, 2);
});

test('RFC 3261 s.7.3.1: lists are cut at commas outside quotes and angle brackets, single values never', () => {
  const headers = new Headers()
    .add('Contact', '"a, \\"b" <sip:a,b@h>;q=1 , sip:c@h;x="1,2"')
    .add('Contact', '<sip:d@h>')
    .add('Subject', 'one, two')
    .add('X-Unknown', 'one, two');
  assert.deepEqual(headers.all('m'), ['"a, \\"b" <sip:a,b@h>;q=1', 'sip:c@h;x="1,2"', '<sip:d@h>']);
  assert.deepEqual(headers.all('Subject'), ['one, two']);
  assert.deepEqual(headers.all('X-Unknown'), ['one, two']);
  assert.throws(() => new Headers().add('Contact', '"a, b').all('Contact'), SipParseError);
});

test('RFC 3261 s.7.5: CRLF before the start line is ignored', () => {
  assert.equal(decodeRequest(Buffer.concat([Buffer.from('\r\n\r\n'), rawMessage()])).method, 'MESSAGE');
});

test('RFC 3261 s.18.3: a datagram longer than Content-Length is cut, a shorter one refused, none means all of it', () => {
  assert.equal(Buffer.from(decodeMessage(rawMessage({ 'Content-Length': '6' })).body).toString(), 'Watson');
  assert.equal(refusal(rawMessage({ 'Content-Length': '19' })).status, 400);
  assert.equal(decodeMessage(rawMessage({ 'Content-Length': '' })).body.length, 18);
});

test('RFC 3261 s.18.3: Content-Length that frames the same octets twice is refused: unequal, equal, compact, listed, signed, hexadecimal', () => {
  for (const extra of [
    'Content-Length: 5\r\nContent-Length: 18',
    'l: 18\r\nContent-Length: 18',
    'Content-Length: 18, 5',
  ]) {
    const bytes = Buffer.from(
      rawMessage({ 'Content-Length': '' }).toString().replace('\r\n\r\n', `\r\n${extra}\r\n\r\n`),
    );
    assert.equal(refusal(bytes).status, 400, extra);
  }
  for (const value of ['+18', '0x12', '18a', '1e1', ' ', '-0', '99999999999']) {
    assert.equal(refusal(rawMessage({ 'Content-Length': value })).status, 400, value);
  }
});

test('RFC 3261 s.8.1.1: a request without one of the mandatory headers, or with two, is refused and can be answered', () => {
  for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq']) {
    const missing = refusal(rawMessage({ [name]: '' }));
    assert.equal(missing.status, 400);
    assert.ok(missing.partial, name);
    if (name === 'Via') continue;
    const text = rawMessage().toString();
    const line = text.split('\r\n').find((header) => header.startsWith(name))!;
    const twice = refusal(Buffer.from(text.replace(line, `${line}\r\n${line}`)));
    assert.match(twice.message, new RegExp(`${name} 2 times`));
    assert.equal(twice.partial?.headers.get('Via'), 'SIP/2.0/UDP host.example.org;branch=z9hG4bK776sgdkse;rport');
  }
});

test('RFC 3261 s.20.16: CSeq is a number of 32 bits and the method of the request', () => {
  assert.equal(decodeMessage(rawMessage({ CSeq: '4294967295 MESSAGE' })).kind, 'request');
  for (const value of [
    '4294967296 MESSAGE',
    '-1 MESSAGE',
    '1',
    'MESSAGE',
    '1 OPTIONS',
    '1 message',
    '1 MESSAGE x',
    '0x1 MESSAGE',
  ]) {
    assert.equal(refusal(rawMessage({ CSeq: value })).status, 400, value);
  }
});

test('RFC 3261 s.20.22: Max-Forwards is 0 to 255, once', () => {
  for (const value of ['256', '-1', 'x', '1, 2'])
    assert.equal(refusal(rawMessage({ 'Max-Forwards': value })).status, 400);
  assert.equal(decodeMessage(rawMessage({ 'Max-Forwards': '0' })).headers.get('Max-Forwards'), '0');
  assert.equal(decodeMessage(rawMessage({ 'Max-Forwards': '' })).headers.has('Max-Forwards'), false);
});

test('RFC 3261 s.21.5.6: another version is 505, another protocol 400', () => {
  const line = (version: string) => refusal(rawMessage({}, '', `MESSAGE sip:bob@example.net ${version}`)).status;
  assert.equal(line('SIP/3.0'), 505);
  assert.equal(line('SIP/2.01'), 505);
  assert.equal(line('HTTP/1.1'), 400);
  assert.equal(decodeMessage(rawMessage({}, '', 'MESSAGE sip:bob@example.net sip/2.0')).kind, 'request');
});

test('RFC 3261 s.25.1: addresses of every kind an IM gateway meets are accepted in Request-URI, From and To', () => {
  const uris = [
    'sips:bob@example.net',
    'tel:+1-201-555-0123;phone-context=example.com',
    'im:bob@example.net',
    'pres:bob@example.net',
    'sip:bob@[2001:db8::1]:5070;transport=tcp',
    'sip:[::1]',
    'urn:service:sos',
  ];
  for (const uri of uris) {
    const changes = { From: `"Ünï" <${uri}>;tag=1`, To: `<${uri}>` };
    const message = decodeRequest(rawMessage(changes, '', `MESSAGE ${uri} SIP/2.0`));
    assert.equal(message.uri, uri);
    assert.deepEqual(parseNameAddr(message.headers.get('From')!).displayName, 'Ünï');
    assert.equal(parseNameAddr(message.headers.get('To')!).uri, uri);
  }
});

test('RFC 3261 s.19.1.2: a broken escape in Request-URI, From or To is 400', () => {
  assert.equal(refusal(rawMessage({}, '', 'MESSAGE sip:%zz@h SIP/2.0')).status, 400);
  for (const name of ['From', 'To']) {
    const error = refusal(rawMessage({ [name]: '<sip:%zz@h>;tag=1' }));
    assert.equal(error.status, 400);
    assert.ok(encodeMessage(createResponse(error.partial!, 400)).includes('%zz'), 'the answer holds what was sent');
  }
});

test('RFC 3261 s.25.1: a lone CR or LF in a header, or in the start line, is refused: it would smuggle a header past somebody', () => {
  for (const broken of ['a\nVia: x', 'a\rVia: x', 'a\n b']) {
    assert.equal(refusal(rawMessage({ Subject: broken })).status, 400, JSON.stringify(broken));
  }
  assert.equal(refusal(Buffer.from('SIP/2.0 200 O\nK\r\n\r\n')).status, 400);
  assert.equal(refusal(rawMessage({}, '', 'MESSAGE sip:a@b\nX: y SIP/2.0')).status, 400);
});

test('RFC 3261 s.18.1.2: a broken response is refused with nobody to answer', () => {
  for (const line of ['SIP/2.0 20 OK', 'SIP/2.0 099 OK', 'SIP/2.0 700 OK', 'SIP/2.0 2000 OK', 'SIP/2.0 abc OK']) {
    assert.equal(refusal(rawMessage({}, '', line)).partial, undefined, line);
  }
  assert.equal(refusal(rawMessage({ To: '' }, '', 'SIP/2.0 200 OK')).partial, undefined);
});

test('DESIGN 8: limits: each has its own refusal', () => {
  const limits = {
    ...defaultLimits,
    headers: 12,
    headerLength: 200,
    uriLength: 40,
    headBytes: 2_000,
    messageBytes: 3_000,
  };
  assert.equal(decodeMessage(rawMessage(), limits).kind, 'request');
  const many = Object.fromEntries([...Array(5).keys()].map((n) => [`X-${n}`, '1']));
  assert.match(refusal(rawMessage(many), limits).message, /more than 12 headers/);
  assert.match(refusal(rawMessage({ Subject: 'x'.repeat(200) }), limits).message, /over 200 characters/);
  assert.equal(refusal(rawMessage({}, '', `MESSAGE sip:${'x'.repeat(40)}@h SIP/2.0`), limits).status, 414);
  const long = Object.fromEntries([...Array(4).keys()].map((n) => [`X-${n}`, 'x'.repeat(180)]));
  assert.equal(refusal(rawMessage(long), { ...limits, headBytes: 900 }).status, 513);
  const tooLong = refusal(rawMessage({}, 'x'.repeat(3_000)), limits);
  assert.equal(tooLong.status, 513);
  assert.equal(tooLong.partial?.headers.get('CSeq'), '1 MESSAGE');
});

test('RFC 3261 s.7: nothing, half a line and headers without an end are refused', () => {
  for (const text of ['', '\r\n', '\r\n\r\n', 'MESSAGE', 'MESSAGE sip:a@b SIP/2.0\r\nVia: x\r\n', '\0\0\0\0']) {
    assert.equal(refusal(Buffer.from(text)).status, 400, JSON.stringify(text));
  }
});

test('RFC 3261 s.7: UTF-8 in headers is text, and octets that are none come out as they went in', () => {
  const latin1 = Buffer.from('"J\xfcrgen \xff\xc3\xa9" <sip:j@h>;tag=1', 'latin1');
  const [before, after] = rawMessage().toString('latin1').split('"Alice" <sip:alice@example.org>;tag=49583');
  const message = decodeRequest(Buffer.concat([Buffer.from(before!, 'latin1'), latin1, Buffer.from(after!, 'latin1')]));
  assert.equal(parseNameAddr(message.headers.get('From')!).displayName?.toWellFormed(), 'J\ufffdrgen \ufffdé');
  assert.ok(encodeMessage(message).includes(latin1));
  assert.ok(encodeMessage(createResponse(message, 200)).includes(latin1));
  const formatted = formatNameAddr(parseNameAddr(message.headers.get('From')!));
  assert.ok(encodeMessage({ ...message, headers: message.headers.set('From', formatted) }).includes(latin1));
});

test('DESIGN 8: any octets in a header but CR and LF survive reading and writing', () => {
  const octets = fc.uint8Array({ maxLength: 60 }).map((bytes) => bytes.filter((byte) => byte !== 13 && byte !== 10));
  fc.assert(
    fc.property(octets, (bytes) => {
      const line = Buffer.concat([Buffer.from('X-Octets: .'), bytes, Buffer.from('.\r\n')]);
      const text = rawMessage();
      const at = text.indexOf('Max-Forwards');
      const message = decodeMessage(Buffer.concat([text.subarray(0, at), line, text.subarray(at)]));
      assert.ok(encodeMessage(message).includes(line));
    }),
  );
});

test('RFC 3261 s.7.4: a body is octets: any of them, byte for byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
      const { headers, ...line } = decodeRequest(rawMessage());
      const again = decodeMessage(encodeMessage({ ...line, headers, body }));
      assert.ok(Buffer.from(again.body).equals(body));
    }),
  );
});

test('RFC 3261 s.7.3.1: CR and LF in what we send are refused wherever they are', () => {
  const { headers, ...request } = decodeRequest(rawMessage());
  const sends = (change: Partial<SipRequest>) => () => encodeMessage({ ...request, headers, ...change });
  for (const bad of ['a\r\nVia: evil', 'a\nb', 'a\rb']) {
    assert.throws(sends({ headers: new Headers().add('Subject', bad) }), SipParseError);
    assert.throws(sends({ headers: new Headers().add(bad, 'x') }), SipParseError);
    assert.throws(sends({ uri: `sip:${bad}@h` }), SipParseError);
    assert.throws(sends({ method: bad }), SipParseError);
    assert.throws(
      () => encodeMessage({ kind: 'response', status: 200, reason: bad, headers, body: new Uint8Array() }),
      SipParseError,
    );
  }
  assert.throws(sends({ uri: 'sip:a@b SIP/2.0' }), SipParseError);
  assert.doesNotThrow(sends({}));
});

test('RFC 3261 s.20.14: Content-Length is what the body has, whatever the headers claim', () => {
  const message = decodeRequest(rawMessage());
  message.headers.set('Content-Length', '3');
  const text = encodeMessage({ ...message, body: Buffer.from('héllo') }).toString();
  assert.deepEqual(text.match(/Content-Length: .*/g), ['Content-Length: 6']);
});

test('RFC 3261 s.8.2.6.2: a response copies Via, From, To, Call-ID and CSeq as they were written, and gives To a tag', () => {
  const request = decodeRequest(rawMessage({ Timestamp: '54', Subject: 'not copied' }));
  const response = createResponse(request, 202, { toTag: 'abc' });
  assert.deepEqual(
    [...response.headers.entries()].map(([name]) => name),
    ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Timestamp'],
  );
  assert.equal(response.headers.get('To'), '<sip:bob@example.net>;tag=abc');
  assert.equal(response.reason, 'Accepted');
  request.headers.set('To', '<sip:bob@example.net;tag=uri>; Tag = x');
  assert.equal(
    createResponse(request, 499, { toTag: 'y' }).headers.get('To'),
    '<sip:bob@example.net;tag=uri>; Tag = x',
  );
  request.headers.set('To', '<sip:bob@example.net;tag=uri>');
  assert.equal(createResponse(request, 499, { toTag: 'y' }).headers.get('To'), '<sip:bob@example.net;tag=uri>;tag=y');
});
