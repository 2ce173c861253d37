// URIs, addresses, Via, CSeq and the rest: read, written, compared, refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCSeq, parseCSeq } from '../../../adapters/sip/codec/cseq.ts';
import { formatSipDate, parseSipDate } from '../../../adapters/sip/codec/date.ts';
import { bareHost, sipHost } from '../../../adapters/sip/codec/host.ts';
import { formatNameAddr, parseNameAddr, tagOf } from '../../../adapters/sip/codec/name-addr.ts';
import { formatParameterised, parseParameterised } from '../../../adapters/sip/codec/parameters.ts';
import { SipParseError } from '../../../adapters/sip/codec/parse-error.ts';
import { unquote } from '../../../adapters/sip/codec/scan.ts';
import { formatUri, parseUri, sameUri, unescapeUri } from '../../../adapters/sip/codec/uri.ts';
import { formatVia, parseVia } from '../../../adapters/sip/codec/via.ts';

const refuses = (read: (text: string) => unknown, ...texts: string[]) => {
  for (const text of texts) assert.throws(() => read(text), SipParseError, JSON.stringify(text));
};

test('RFC 3261 s.19.1.3: the URIs of its examples, taken apart and put together', () => {
  const uris = [
    'sip:alice@atlanta.com',
    'sip:alice:secretword@atlanta.com;transport=tcp',
    'sips:alice@atlanta.com?subject=project%20x&priority=urgent',
    'sip:+1-212-555-1212:1234@gateway.com;user=phone',
    'sips:1212@gateway.com',
    'sip:alice@192.0.2.4',
    'sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com',
    'sip:alice;day=tuesday@atlanta.com',
    'sip:[2001:db8::9:1]:5070;lr',
    'tel:+1-201-555-0123',
    'tel:7042;phone-context=example.com',
    'im:fred@example.com?subject=x',
    'pres:fred@example.com',
    'urn:service:sos',
    'http://www.example.com/a?b#c',
  ];
  for (const uri of uris) assert.equal(formatUri(parseUri(uri)), uri);
  const { parameters, ...rest } = parseUri('SIP:alice;day=tuesday:s@atlanta.com:5070;Transport=tcp;lr?a=b');
  assert.deepEqual(rest, {
    scheme: 'sip',
    user: 'alice;day=tuesday',
    password: 's',
    host: 'atlanta.com',
    port: 5070,
    headers: 'a=b',
  });
  assert.deepEqual(
    [...parameters],
    [
      ['transport', 'tcp'],
      ['lr', undefined],
    ],
  );
  assert.equal(parseUri('tel:7042;phone-context=example.com').parameters.get('phone-context'), 'example.com');
  assert.equal(parseUri('urn:service:sos').opaque, 'service:sos');
});

test('RFC 3261 s.25.1: a URI that is none is refused', () => {
  refuses(
    parseUri,
    '',
    'sip',
    'sip:',
    ':a@b',
    'sip:@b',
    'sip:a@',
    'sip:a@b@c',
    'sip::p@b',
    'sip:a@b:0',
    'sip:a@b:65536',
    'sip:a@b:x',
    'sip:a@b:',
    'sip:a@[::1',
    'sip:a@[zz]',
    'sip:a@[::1]x',
    'sip:a b@c',
    'sip:a@b;p;p',
    'sip:a@b;=x',
    'sip:a@b;;lr',
    'sip:%zz@h',
    'sip:%4@h',
    'sip:a@h;p=%',
    'sip:a@<h>',
    'sip:a@h"',
    'sip:é@h',
    'sip:a@h\r\n',
    'tel:',
    'tel:abc@h',
    'tel:;phone-context=x',
    '1sip:a@b',
  );
});

test('RFC 3261 s.19.1.4: URIs that are the same, and URIs that are not', () => {
  const same = [
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['tel:+1-201-555-0123', 'tel:+12015550123'],
    ['tel:7042;phone-context=Example.com', 'tel:70-42;phone-context=example.com'],
  ] as const;
  const different = [
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['sip:a@h', 'sips:a@h'],
    ['sip:a%40b@h', 'sip:a@h'],
    ['sip:a:x@h', 'sip:a@h'],
    ['tel:+12015550123', 'tel:2015550123'],
    ['tel:7042;phone-context=a.com', 'tel:7042'],
    ['urn:a', 'urn:b'],
    ['nonsense', 'other nonsense'],
  ] as const;
  for (const [one, other] of same) assert.ok(sameUri(one, other) && sameUri(other, one), `${one} = ${other}`);
  for (const [one, other] of different) assert.ok(!sameUri(one, other) && !sameUri(other, one), `${one} # ${other}`);
  assert.ok(sameUri('nonsense', 'nonsense'));
  assert.ok(sameUri(parseUri('sip:a@h'), 'sip:a@H'));
});

test('RFC 3261 s.19.1.2: %hh is UTF-8 or refused', () => {
  assert.equal(unescapeUri('f%C3%BC%40'), 'fü@');
  refuses(unescapeUri, '%FF', '%zz', '%');
});

test('RFC 3261 s.20.10: name-addr and addr-spec', () => {
  const read = (text: string) => {
    const { parameters, ...address } = parseNameAddr(text);
    return { ...address, parameters: Object.fromEntries(parameters) };
  };
  assert.deepEqual(read('"Mr. \\"W\\\\\\"" <sip:w@h;lr?x=y> ;Q = 0.7; expires=3600;+sip.instance="<urn:uuid:1>"'), {
    displayName: 'Mr. "W\\"',
    uri: 'sip:w@h;lr?x=y',
    parameters: { q: '0.7', expires: '3600', '+sip.instance': '"<urn:uuid:1>"' },
  });
  assert.deepEqual(read('sip:a@h;tag=1'), { uri: 'sip:a@h', parameters: { tag: '1' } });
  assert.deepEqual(read('sip:a@h;x="<a>"'), { uri: 'sip:a@h', parameters: { x: '"<a>"' } });
  assert.deepEqual(read('Two Words<sip:a@h>'), { displayName: 'Two Words', uri: 'sip:a@h', parameters: {} });
  assert.deepEqual(read('"" <sip:a@h>'), { uri: 'sip:a@h', parameters: {} });
  assert.deepEqual(read('<tel:+1-2;phone-context=x>;tag=1'), {
    uri: 'tel:+1-2;phone-context=x',
    parameters: { tag: '1' },
  });
  assert.equal(unquote('"<urn:uuid:1>"'), '<urn:uuid:1>');
  assert.equal(tagOf('<sip:a@h;tag=no>;Tag=yes'), 'yes');
  assert.equal(tagOf(undefined), undefined);
  refuses(
    parseNameAddr,
    '',
    'sip',
    '"a <sip:a@h>',
    '"a" sip:a@h',
    'a"b <sip:a@h>',
    '<sip:a@h',
    '<>',
    '< >',
    '<sip:a b@h>',
    '<sip:a@h>x',
    '<sip:a@h>;',
    '<sip:a@h>;;a',
    '<sip:a@h>;a;a=1',
    '<sip:a@h>;a="b',
    '<sip:a@h>;a=',
    '<sip:a@h>;a=b c',
    '<sip:a@h>;tag=1, <sip:b@h>;tag=2',
    'sip:a@h, sip:b@h',
    'sip:a@h?x=y',
    '<nothing>',
  );
});

test('RFC 3261 s.25.1: display names come back as they were given, and cannot leave their quotes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (displayName) => {
      const text = formatNameAddr({ displayName, uri: 'sip:a@h', parameters: new Map([['tag', '1']]) });
      assert.ok(!/[\r\n]/.test(text));
      const again = parseNameAddr(text);
      assert.equal(again.displayName ?? '', displayName.replace(/[\0-\x1f\x7f]/g, ' '));
      assert.deepEqual([again.uri, again.parameters.get('tag')], ['sip:a@h', '1']);
    }),
  );
  assert.equal(
    formatNameAddr({ displayName: 'a"\r\nVia: evil\\', uri: 'sip:a@h', parameters: new Map() }),
    '"a\\"  Via: evil\\\\" <sip:a@h>',
  );
});

test('RFC 3261 s.25.1: what cannot stand in an address, a parameter or a Via is refused when it is written', () => {
  const none = new Map();
  const uris = ['sip:a@h>', 'sip:a@h\r\nX: y', '', 'sip:a b'];
  for (const uri of uris) assert.throws(() => formatNameAddr({ uri, parameters: none }), SipParseError);
  for (const value of ['a;b', 'a\r\nb', 'a b', '"a', '', 'a,b']) {
    assert.throws(() => formatNameAddr({ uri: 'sip:a@h', parameters: new Map([['x', value]]) }), SipParseError, value);
  }
  assert.throws(() => formatVia({ transport: 'U P', host: 'h', parameters: none }), SipParseError);
  assert.throws(() => formatVia({ transport: 'UDP', host: 'h\r\n', parameters: none }), SipParseError);
  assert.throws(() => formatUri({ scheme: 'sip', user: 'a\r\n', host: 'h', parameters: none }), SipParseError);
  assert.throws(() => formatParameterised({ value: 'a\r\n', parameters: none }), SipParseError);
});

test('RFC 3261 s.20.42, RFC 3581: Via with its white space, received and rport', () => {
  const read = (text: string) => {
    const { parameters, ...via } = parseVia(text);
    return { ...via, ...(parameters.size === 0 ? {} : { parameters: Object.fromEntries(parameters) }) };
  };
  assert.deepEqual(read('SIP/2.0/UDP first.example.com: 4000;ttl=16;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1'), {
    transport: 'UDP',
    host: 'first.example.com',
    port: 4000,
    branch: 'z9hG4bKa7c6a8dlze.1',
    parameters: { ttl: '16', maddr: '224.2.0.1' },
  });
  assert.deepEqual(read('sip / 2.0 / tls [2001:db8::1] : 5061 ; rport = 9 ; received=2001:db8::2'), {
    transport: 'TLS',
    host: '[2001:db8::1]',
    port: 5061,
    received: '2001:db8::2',
    rport: 9,
  });
  assert.deepEqual(read('SIP/2.0/WSS df7.invalid;rport'), { transport: 'WSS', host: 'df7.invalid', rport: true });
  refuses(
    parseVia,
    '',
    'SIP/2.0/UDP',
    'SIP/2.0/UDP ',
    'SIP/3.0/UDP h',
    'HTTP/2.0/UDP h',
    'SIP/2.0 UDP h',
    'SIP/2.0/UDP h x',
    'SIP/2.0/UDP h:0',
    'SIP/2.0/UDP h;rport=x',
    'SIP/2.0/UDP h;rport=99999',
    'SIP/2.0/UDP h;branch=a;branch=b',
    'SIP/2.0/UDP h;;',
    'SIP/2.0/UDP ::1',
  );
  for (const text of [
    'SIP/2.0/UDP h:5060;branch=z9hG4bK1;received=192.0.2.1;rport=5062;alias',
    'SIP/2.0/TCP [::1];rport',
    'SIP/2.0/X-Y h',
  ]) {
    assert.equal(formatVia(parseVia(text)), text);
  }
});

test('RFC 3261 s.8.1.1.5: we write no CSeq of 2^31 or more', () => {
  assert.deepEqual(parseCSeq(' 007 \t MESSAGE '.trim()), { number: 7, method: 'MESSAGE' });
  assert.equal(formatCSeq({ number: 2 ** 31 - 1, method: 'MESSAGE' }), '2147483647 MESSAGE');
  for (const number of [2 ** 31, -1, 1.5, Number.NaN]) {
    assert.throws(() => formatCSeq({ number, method: 'MESSAGE' }), SipParseError);
  }
  assert.throws(() => formatCSeq({ number: 1, method: 'A B' }), SipParseError);
});

test('RFC 6665 s.8.4: Event, Subscription-State, Reason: a token with parameters', () => {
  const text = 'active;expires=3600;reason="a;b"';
  const { value, parameters } = parseParameterised(text);
  assert.deepEqual([value, parameters.get('expires'), unquote(parameters.get('reason')!)], ['active', '3600', 'a;b']);
  assert.equal(formatParameterised({ value, parameters }), text);
  refuses(parseParameterised, '', ';a', 'a b', 'a;', 'a;=b');
});

test('RFC 3261 s.20.17: Date is RFC 1123 in GMT; what is not says nothing', () => {
  assert.equal(parseSipDate('Sat, 15 Oct 2005 04:44:56 GMT'), Date.UTC(2005, 9, 15, 4, 44, 56));
  assert.equal(formatSipDate(Date.UTC(2005, 9, 15, 4, 44, 56)), 'Sat, 15 Oct 2005 04:44:56 GMT');
  for (const text of [undefined, '', 'Fri, 01 Jan 2010 16:00:00 EST', '2010-01-01', 'Sat, 99 Oct 2005 04:44:56 GMT']) {
    assert.equal(parseSipDate(text), undefined);
  }
});

test('RFC 3261 s.25.1: IPv6 wears brackets in SIP and none at a socket', () => {
  assert.equal(bareHost('[::1]'), '::1');
  assert.equal(bareHost('h'), 'h');
  assert.equal(sipHost('::1'), '[::1]');
  assert.equal(sipHost('192.0.2.1'), '192.0.2.1');
});
