// Addresses: RFC 7247 s.6.4/6.5, XEP-0106, RFC 3966, and the round trip of every legal address.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import {
  type Address,
  fromGatewayForm,
  GatewayError,
  gatewayForm,
  nativeForm,
  parseAddress,
  splitAddress,
  toE164,
} from '../../src/contract/index.ts';

const canonical = (text: string): string => parseAddress(text);

test('RFC 7247 s.6.4/6.5: the vectors hold in both directions', () => {
  const vectors = [
    ['sip:f%C3%BC@h', 'xmpp:fü@h'],
    ["sip:o'malley@h", 'xmpp:o\\27malley@h'],
    ['sip:foo@h;gr=bar', 'xmpp:foo@h/bar'],
    ['sip:m&m@h', 'xmpp:m\\26m@h'],
    ['sip:baz@h;gr=qux', 'xmpp:baz@h/qux'],
    ['sip:tsch%C3%BCss@h', 'xmpp:tschüss@h'],
    ['sip:a%23b@h', 'xmpp:a#b@h'],
    ['sip:a%40b@h', 'xmpp:a\\40b@h'],
    ['sip:a%22b%3A%3C%3E@h', 'xmpp:a\\22b\\3a\\3c\\3e@h'],
  ] as const;
  for (const [sip, xmpp] of vectors) {
    assert.equal(nativeForm(parseAddress(sip), 'xmpp'), xmpp);
    assert.equal(nativeForm(parseAddress(xmpp), 'sip'), sip);
  }
});

test('RFC 7247 s.6.4: the user part ends at the first @', () => {
  assert.throws(() => parseAddress('sip:a@b@c'), GatewayError);
  assert.equal(splitAddress(parseAddress('sip:a%40b@c')).local, 'a@b');
});

test('RFC 7247 s.6.2: each character of table 1 is left where its scheme allows it, and escaped as that scheme does where not', () => {
  const ascii = Array.from({ length: 0x7e - 0x20 }, (_, at) => String.fromCharCode(0x21 + at)).join('');
  const allowed = {
    sip: "!$&'()*+,-./;=?_~",
    im: "!#$%&'*+-/=?^_`{|}~",
    xmpp: '!#$%()*+,-.;=?[\\]^_`{|}~',
  };
  const isAllowed = (scheme: keyof typeof allowed, one: string) =>
    /[A-Za-z0-9]/.test(one) || allowed[scheme].includes(one);
  const hex = (one: string) => one.charCodeAt(0).toString(16);
  for (const one of ascii) {
    const sip = parseAddress(`sip:a${encodeURIComponent(one)}b@h`);
    const writtenSip = isAllowed('sip', one) ? one : `%${hex(one).toUpperCase()}`;
    assert.equal(sip, `sip:a${writtenSip}b@h`, one);
    // RFC 3986 s.2.1: a literal % would begin an escape, whatever table 1 says of it.
    const writtenIm = isAllowed('im', one) && one !== '%' ? one : `%${hex(one).toUpperCase()}`;
    assert.equal(nativeForm(sip, 'im'), `im:a${writtenIm}b@h`, one);
    assert.equal(nativeForm(sip, 'pres'), `pres:a${writtenIm}b@h`, one);
    const writtenXmpp = isAllowed('xmpp', one) ? one.toLowerCase() : `\\${hex(one)}`;
    assert.equal(nativeForm(sip, 'xmpp'), `xmpp:a${writtenXmpp}b@h`, one);
    const back = parseAddress(`xmpp:a${writtenXmpp}b@h`);
    assert.equal(nativeForm(back, 'sip'), `sip:a${isAllowed('sip', one) ? one.toLowerCase() : writtenSip}b@h`, one);
  }
});

test('RFC 3428 s.5: an im: or pres: address is written as sip: towards SIP, so that neither stands in Route', () => {
  for (const scheme of ['im', 'pres']) assert.equal(nativeForm(parseAddress(`${scheme}:bob@h`), 'sip'), 'sip:bob@h');
});

test('RFC 7247 s.6.3: the resource is the gr, percent-encoded beyond ASCII, and comes back', () => {
  const sip = nativeForm(parseAddress('xmpp:juliet@h/Fön 1/2'), 'sip');
  assert.equal(sip, 'sip:juliet@h;gr=F%C3%B6n%201/2');
  assert.equal(nativeForm(sip, 'xmpp'), 'xmpp:juliet@h/Fön 1/2');
});

test('RFC 7247 s.6.1: international domain names are A-labels on SIP and the same domain on XMPP', () => {
  assert.equal(canonical('sip:bob@b\u00fccher.example'), 'sip:bob@xn--bcher-kva.example');
  assert.equal(nativeForm(parseAddress('xmpp:bob@B\u00dcCHER.example'), 'sip'), 'sip:bob@xn--bcher-kva.example');
});

test('XEP-0106 s.3: all ten escapes are undone and made', () => {
  const text = 'a "b&c\'d/e:f<g>h@i\\5cj';
  const address = gatewayForm(nativeForm(parseAddress(`sip:${encodeURIComponent(text)}@h`), 'xmpp'), 'sip', 'gw');
  const jid = nativeForm(parseAddress(`sip:${encodeURIComponent(text)}@h`), 'xmpp');
  assert.equal(jid, 'xmpp:a\\20\\22b\\26c\\27d\\2fe\\3af\\3cg\\3eh\\40i\\5c5cj@h');
  assert.equal(splitAddress(jid).local, text);
  assert.equal(fromGatewayForm(address, { domain: 'gw', shows: ['xmpp'] }), jid);
});

test('XEP-0106 s.4.1: a JID that would begin or end with a space is refused, as is one over 1023 bytes', () => {
  assert.throws(() => nativeForm(parseAddress('sip:%20a@h'), 'xmpp'), GatewayError);
  assert.throws(() => parseAddress(`xmpp:${'a'.repeat(1024)}@h`), GatewayError);
});

test('RFC 3966 s.3: visual separators say nothing, a local number needs its phone-context', () => {
  assert.equal(canonical('tel:+1-201-555-0123'), 'tel:+12015550123');
  assert.equal(canonical('TEL:+44.(7700).900123'), 'tel:+447700900123');
  assert.equal(canonical('tel:12345;phone-context=carrier.example'), 'tel:12345;phone-context=carrier.example');
  assert.throws(() => parseAddress('tel:12345'), GatewayError);
  assert.throws(() => parseAddress('tel:+1234567890123456'), GatewayError);
});

test('reference sip 3.1: national forms become E.164 with a country, and nonsense does not', () => {
  assert.equal(toE164('07700 900123', 'GB'), '+447700900123');
  assert.equal(toE164('(201) 555-0123', 'US'), '+12015550123');
  assert.equal(toE164('+49 30 901820'), '+4930901820');
  assert.equal(toE164('banana', 'GB'), undefined);
});

test('RFC 7247 s.8: a sips address is kept as it is and never translated away', () => {
  const sips = parseAddress('sips:bob@example.net');
  assert.equal(sips, 'sips:bob@example.net');
  for (const carry of [() => nativeForm(sips, 'xmpp'), () => gatewayForm(sips, 'xmpp', 'gw')]) {
    assert.throws(carry, (error: GatewayError) => error.reason === 'not-allowed');
  }
});

test('reference sip 3.1: numbers and strangers are shown at one gateway domain and found again', () => {
  const at = { domain: 'gw.example', shows: ['xmpp', 'tel'] as const, home: 'example.org' };
  const meant = (text: string): string => fromGatewayForm(parseAddress(text), at);
  assert.equal(meant('sip:+447700900123@gw.example;user=phone'), 'tel:+447700900123');
  assert.equal(meant('sip:alice%40example.org@gw.example;gr=x'), 'xmpp:alice@example.org/x');
  assert.equal(meant('sip:alice@gw.example'), 'xmpp:alice@example.org');
  assert.equal(meant('sip:alice%40b%C3%BCcher.example@gw.example'), 'xmpp:alice@xn--bcher-kva.example');
  assert.throws(() => meant('sip:alice%40not%20a%20host@gw.example'), GatewayError);
  assert.throws(
    () => fromGatewayForm(parseAddress('xmpp:sms.example'), { domain: 'sms.example', shows: ['tel'] }),
    /\+447700900123@/,
  );
});

test('reference sip 3.1: what no network can say is malformed, never an exception of another kind', () => {
  for (const text of [
    '',
    'xmpp:',
    'xmpp:@h',
    'xmpp:a@',
    'xmpp:a@h/',
    'sip:',
    'sip:a@',
    'sip:%zz@h',
    'sip:%FF@h',
    'mailto:a@b',
    'sip:a@b c',
    'xmpp:a b@h',
    'tel:',
    'xmpp:a\0@h',
  ]) {
    assert.throws(
      () => parseAddress(text),
      (error: unknown) => error instanceof GatewayError && error.reason === 'malformed',
      text,
    );
  }
  fc.assert(
    fc.property(
      fc.constantFrom('xmpp:', 'sip:', 'tel:', 'im:', 'wv:'),
      fc.string({ unit: 'binary' }),
      (scheme, rest) => {
        try {
          const address = parseAddress(scheme + rest);
          assert.equal(parseAddress(address), address, 'canonical form is stable');
        } catch (error) {
          assert.ok(error instanceof GatewayError);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

const domain = fc.constantFrom('example.org', 'h', 'xn--bcher-kva.example', '[2001:db8::1]', '192.0.2.7');
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .map((text) => text.toLowerCase())
  .filter((text) => !/^ | $|[\0-\x1f\x7f]|[^\S ]/.test(text));
const resource = fc.option(name, { nil: undefined });

function address(scheme: string, local: string, host: string, device: string | undefined): Address {
  const gr = device === undefined ? '' : `;gr=${encodeURIComponent(device)}`;
  return parseAddress(`${scheme}:${encodeURIComponent(local)}@${host}${gr}`);
}

test('RFC 7247 s.6.4/6.5: every legal SIP address survives the way to XMPP and back, in native and in gateway form', () => {
  fc.assert(
    fc.property(name, domain, resource, (local, host, device) => {
      const sip = address('sip', local, host, device);
      assert.equal(nativeForm(nativeForm(sip, 'xmpp'), 'sip'), sip);
      const jid = gatewayForm(sip, 'xmpp', 'sip.gw.example');
      assert.equal(parseAddress(jid), jid);
      assert.equal(fromGatewayForm(jid, { domain: 'sip.gw.example', shows: ['sip'] }), sip);
    }),
    { numRuns: 2000 },
  );
});

test('RFC 7247 s.6.4/6.5: every JID in XEP-0106 form survives the way to SIP and back, in native and in gateway form', () => {
  fc.assert(
    fc.property(name, domain, resource, (local, host, device) => {
      const jid = nativeForm(address('sip', local, host, device), 'xmpp');
      assert.equal(nativeForm(nativeForm(jid, 'sip'), 'xmpp'), jid);
      const sip = gatewayForm(jid, 'sip', 'gw.example');
      assert.equal(parseAddress(sip), sip);
      assert.equal(fromGatewayForm(sip, { domain: 'gw.example', shows: ['tel', 'xmpp'] }), jid);
    }),
    { numRuns: 2000 },
  );
});

test('reference sip 3.1: every number survives the way to XMPP and SIP and back', () => {
  const number = fc.oneof(
    fc.stringMatching(/^\+[1-9]\d{5,14}$/).map((digits) => `tel:${digits}`),
    fc.stringMatching(/^[1-9]\d{2,5}$/).map((digits) => `tel:${digits};phone-context=carrier.example`),
  );
  fc.assert(
    fc.property(number, fc.constantFrom('xmpp' as const, 'sip' as const), (text, scheme) => {
      const tel = parseAddress(text);
      const shown = gatewayForm(tel, scheme, 'gw.example');
      assert.equal(fromGatewayForm(parseAddress(shown), { domain: 'gw.example', shows: ['tel'] }), tel);
    }),
  );
});

test('an address that was found in a large message does not keep the message', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let i = 0; i < 60; i++) {
    const wire = `sip:somebody-with-a-name-${i}@example.net${'x'.repeat(1_000_000)}`;
    const found = wire.slice(0, wire.indexOf('net') + 3);
    assert.equal(splitAddress(parseAddress(found)).domain, 'example.net');
  }
  assert.ok(used() - before < 20_000_000, 'sixty messages of a megabyte are gone');
});
