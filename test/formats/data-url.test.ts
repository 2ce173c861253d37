// Files inside a message: what is read of a data: URL, and what a person sees of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { enclosedInWords, readDataUrl } from '../../src/formats/data-url.ts';

const base64 = (text: string | Buffer) => Buffer.from(text as string).toString('base64');

test('RFC 2397 s.2: media type, parameters, base64 or escapes, and text/plain without a type', () => {
  assert.deepEqual(readDataUrl('data:,A%20brief%20note'), {
    mediaType: 'text/plain',
    octets: Buffer.from('A brief note'),
    text: 'A brief note',
  });
  assert.equal(readDataUrl(`data:text/vcard;charset=utf-8;base64,${base64('Zoë')}`)?.text, 'Zoë');
  assert.equal(readDataUrl(`DATA:Text/Plain;BASE64,${base64('hi')}`)?.mediaType, 'text/plain');
  assert.equal(readDataUrl('https://x.example/data:,'), undefined);
  assert.equal(readDataUrl('data:,%zz')?.text, '%zz');
});

test('text is shown behind its name, octets and what is too long are named and counted', () => {
  const card = 'BEGIN:VCARD\r\nN:Ñandù\r\nEND:VCARD\r\n';
  const words = enclosedInWords({ url: `data:text/vcard;base64,${base64(card)}`, name: 'vcard.vcf' });
  assert.equal(words, 'vcard.vcf:\nBEGIN:VCARD\nN:Ñandù\nEND:VCARD');
  const octets = base64(Buffer.from([0, 255, 7]));
  assert.equal(
    enclosedInWords({ url: `data:application/octet-stream;base64,${octets}`, name: 'a.bin' }),
    '[a.bin, 3 bytes]',
  );
  assert.equal(enclosedInWords({ url: `data:text/plain;base64,${octets}` }), '[text/plain, 3 bytes]');
  assert.equal(enclosedInWords({ url: `data:,${'x'.repeat(4001)}`, bytes: 4001 }), '[text/plain, 4001 bytes]');
  assert.equal(enclosedInWords({ url: 'https://x.example/a' }), undefined);
});

test('any octets at all are read without an exception, and never show control characters', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      const words = enclosedInWords({ url: `data:text/plain;base64,${base64(Buffer.from(octets))}` }) ?? '';
      assert.doesNotMatch(words, /[\0-\x08\x0b\x0c\x0e-\x1f]/);
    }),
  );
  fc.assert(fc.property(fc.string(), (rest) => void enclosedInWords({ url: `data:${rest}` })));
});
