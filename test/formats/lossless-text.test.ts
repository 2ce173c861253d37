// Text that keeps every octet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOf, textOf } from '../../src/formats/lossless-text.ts';

const pieces = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => Buffer.from(text)),
);

test('any octets, UTF-8 or not, become text and the same octets again', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const bytes = Buffer.concat(parts);
      assert.ok(bytesOf(textOf(bytes)).equals(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('RFC 3629 s.4: what is UTF-8 reads as it does everywhere, beside octets that are none', () => {
  const text = 'é 漢 😀 \u0000 \uffff';
  assert.equal(textOf(Buffer.from(text)), text);
  assert.equal(textOf(Buffer.concat([Buffer.from(text), Buffer.of(0xff), Buffer.from(text)])), `${text}\udcff${text}`);
  for (const hex of ['c080', 'eda080', 'f4908080', 'e282', 'c3', '80', 'fe']) {
    const bytes = Buffer.from(hex, 'hex');
    assert.equal(textOf(bytes).length, bytes.length, hex);
    assert.ok(bytesOf(textOf(bytes)).equals(bytes), hex);
  }
});
