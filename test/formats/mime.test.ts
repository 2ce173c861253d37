// Media types, parts, multiparts to a bounded depth, and text out of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  contentOf,
  encodePart,
  formatMediaType,
  headerOf,
  MimeError,
  type MimePart,
  mediaTypeOf,
  parseMediaType,
  parsePart,
  partsByType,
  partsOfType,
  readMultipart,
  textContentOf,
} from '../../src/formats/mime.ts';

const part = (type: string, body: string | Buffer, ...headers: [string, string][]): MimePart => ({
  headers: [['Content-Type', type], ...headers],
  body: Buffer.from(body),
});
const multipart = (boundary: string, ...parts: MimePart[]) =>
  Buffer.concat([
    ...parts.flatMap((inner) => [Buffer.from(`--${boundary}\r\n`), encodePart(inner), Buffer.from('\r\n')]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);

test('RFC 2045 s.5.1: media types with their parameters, in any case, quoted or not', () => {
  const read = (text: string) => {
    const { type, parameters } = parseMediaType(text);
    return [type, Object.fromEntries(parameters)];
  };
  assert.deepEqual(read('Text/Plain; Charset = "utf-8" ;format=flowed'), [
    'text/plain',
    { charset: 'utf-8', format: 'flowed' },
  ]);
  assert.deepEqual(read('a/b;x="\\"\\\\;";x=2;'), ['a/b', { x: '"\\;' }]);
  assert.deepEqual(read(' message/cpim '), ['message/cpim', {}]);
  for (const none of ['', 'text', 'text/', '/plain', 'a/b c', 'a/b;x', 'a/b;x="', 'a/b;=1', 'a b/c']) {
    assert.throws(() => parseMediaType(none), MimeError, none);
  }
  for (const text of ['text/plain;charset=utf-8', 'a/b;x="a b\\"\\\\"'])
    assert.equal(formatMediaType(parseMediaType(text)), text);
});

test('RFC 2046 s.5.1: headers of parts in any case, folded, none at all; lone LF is forgiven', () => {
  const folded = parsePart(Buffer.from('Content-type: a/b;\n  c=d\nX : y\n\nbody\n'));
  assert.equal(headerOf(folded, 'CONTENT-TYPE'), 'a/b; c=d');
  assert.equal(headerOf(folded, 'x'), 'y');
  assert.equal(Buffer.from(folded.body).toString(), 'body\n');
  assert.deepEqual(mediaTypeOf(parsePart(Buffer.from('\r\nx'))).type, 'text/plain');
  assert.equal(mediaTypeOf(part('nonsense', '')).type, 'application/octet-stream');
  assert.throws(() => parsePart(Buffer.from('no header\r\n\r\n')), MimeError);
  assert.throws(() => parsePart(Buffer.from(`A: ${'b'.repeat(20_000)}\r\n\r\n`)), MimeError);
});

test('RFC 2046 s.5.1.1: delimiters stand at the start of a line, and their line ends are not the body’s', () => {
  const bytes = Buffer.from(
    [
      'preamble --b',
      '--b  ',
      '',
      'one --b',
      '--bx',
      '',
      '--b',
      'A: b',
      '',
      '',
      '--b--',
      'epilogue',
      '--b',
      '',
      'x',
    ].join('\r\n'),
  );
  const bodies = readMultipart(bytes, 'b').map(({ body }) => Buffer.from(body).toString());
  assert.deepEqual(bodies, ['one --b\r\n--bx\r\n', '']);
});

test('RFC 2046 s.5.1.2: a multipart without its last delimiter is read to its end; one without any has no parts', () => {
  assert.equal(readMultipart(Buffer.from('--b\r\n\r\nrest'), 'b').length, 1);
  assert.deepEqual(readMultipart(Buffer.from('nothing'), 'b'), []);
  assert.deepEqual(readMultipart(Buffer.from(''), 'b'), []);
  assert.throws(() => readMultipart(Buffer.from('--\r\n'), ''), MimeError);
});

test('RFC 2046 s.5.1.1: a boundary of octets that are no UTF-8 is a boundary as any other, and does not end the process', () => {
  for (const octets of [Buffer.of(0xff), Buffer.from('b\u00fc'), Buffer.of(0xed, 0xa0, 0x80), Buffer.of(0x62, 0xe9)]) {
    const type = Buffer.concat([
      Buffer.from('Content-Type: multipart/mixed;boundary="'),
      octets,
      Buffer.from('"\r\n\r\n'),
    ]);
    const body = ['--', octets, '\r\n\r\none\r\n--', octets, '\r\n\r\ntwo\r\n--', octets, '--'].map((one) =>
      Buffer.from(one),
    );
    const whole = parsePart(Buffer.concat([type, ...body]));
    assert.deepEqual(
      readMultipart(whole.body, mediaTypeOf(whole).parameters.get('boundary') ?? '').map((leaf) =>
        Buffer.from(leaf.body).toString(),
      ),
      ['one', 'two'],
    );
  }
});

test('RFC 2046 s.5.1.1: parts come out as they went in, octet for octet', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(bodies, (given) => {
      const bytes = multipart(
        'uncommon-boundary',
        ...given.map((body) => part('application/octet-stream', Buffer.from(body))),
      );
      const read = readMultipart(bytes, 'uncommon-boundary').map(({ body }) => Buffer.from(body).toString('hex'));
      assert.deepEqual(
        read,
        given.map((body) => Buffer.from(body).toString('hex')),
      );
    }),
  );
});

test('RFC 2046 s.5.1.4: the first part of each type is found inside mixed and alternative', () => {
  const inner = multipart('in', part('text/html', '<b>x</b>'), part('text/plain;charset=iso-8859-1', Buffer.of(0xfc)));
  const outer = part(
    'multipart/mixed; boundary="out er"',
    multipart('out er', part('image/png', 'png'), part('multipart/alternative;boundary=in', inner)),
  );
  const found = partsByType(outer);
  assert.deepEqual([...found.keys()], ['image/png', 'text/html', 'text/plain']);
  assert.equal(textContentOf(found.get('text/plain')!), 'ü');
  assert.equal(partsByType(part('text/plain', 'alone')).get('text/plain')?.body.length, 5);
  const twice = multipart('b', part('text/plain', 'first'), part('text/plain', 'second'));
  assert.equal(textContentOf(partsByType(part('multipart/mixed;boundary=b', twice)).get('text/plain')!), 'first');
});

test('RFC 2046 s.5.1.3: all texts of a mixed are found in order, of an alternative those of one branch', () => {
  const inner = multipart('in', part('text/html', '<b>x</b>'), part('text/plain', 'b'), part('text/plain', 'c'));
  const outer = multipart('out', part('text/plain', 'a'), part('multipart/alternative;boundary=in', inner));
  const found = partsOfType(part('multipart/mixed;boundary=out', outer), 'text/plain');
  assert.deepEqual(found.map(textContentOf), ['a', 'b']);
  assert.deepEqual(partsOfType(part('text/html', ''), 'text/plain'), []);
});

test('RFC 2046 s.5.1.1: too deep, too many and no boundary are refused', () => {
  let nested = part('text/plain', 'core');
  for (let depth = 0; depth < 5; depth++)
    nested = part(`multipart/mixed;boundary=b${depth}`, multipart(`b${depth}`, nested));
  assert.throws(() => partsByType(nested), /nested over 4/);
  assert.throws(() => partsOfType(nested, 'text/plain'), /nested over 4/);
  const many = multipart('b', ...Array<MimePart>(33).fill(part('a/b', '')));
  assert.throws(() => readMultipart(many, 'b'), /more than 32/);
  assert.throws(() => partsByType(part('multipart/mixed', 'x')), MimeError);
  const broad = (name: string) =>
    part(`multipart/mixed;boundary=${name}`, multipart(name, ...Array<MimePart>(20).fill(part('a/b', ''))));
  assert.throws(
    () => partsByType(part('multipart/mixed;boundary=o', multipart('o', broad('x'), broad('y')))),
    /more than 32/,
  );
});

test('RFC 2045 s.6: transfer encodings are undone, charsets read, and strangers of both refused', () => {
  const encoded = (encoding: string, body: string) => part('text/plain', body, ['Content-Transfer-Encoding', encoding]);
  assert.equal(textContentOf(encoded('BASE64', 'R3LD\r\nvMOfZQ==')), 'Grüße');
  assert.equal(textContentOf(encoded('quoted-printable', 'Gr=C3=BC=\r\n=c3=9fe=zz')), 'Grüße=zz');
  assert.equal(contentOf(encoded('8bit', 'x')).toString(), 'x');
  assert.throws(() => contentOf(encoded('uuencode', 'x')), MimeError);
  assert.equal(textContentOf(part('text/plain', Buffer.of(0x61, 0xff))), 'a\ufffd');
  assert.throws(() => textContentOf(part('text/plain;charset=klingon', 'x')), MimeError);
});

test('RFC 2046 s.5.1: a multipart made of delimiters costs no more than its length', () => {
  const read = (bytes: number, unit: string) => {
    const body = Buffer.from(unit.repeat(bytes / unit.length));
    const before = process.cpuUsage();
    assert.deepEqual(readMultipart(body, 'b').length <= 32, true);
    return process.cpuUsage(before).user / 1000;
  };
  for (const unit of ['--b', '--b   ', '--bx\r\n', '\r\n --b\r\n']) {
    read(60_000, unit);
    const small = Math.min(read(60_000, unit), read(60_000, unit), read(60_000, unit));
    const large = Math.min(read(600_000, unit), read(600_000, unit), read(600_000, unit));
    assert.ok(large < 35 * small + 20, `${JSON.stringify(unit)}: ${small} ms for 60 kB, ${large} ms for 600 kB`);
  }
});
