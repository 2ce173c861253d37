// Capture files: blocks of pcapng and packets of IP, written and read back, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeIpPacket, encodeIpPacket, maxPayloadBytes, type Segment } from '../../src/formats/ip-packets.ts';
import { CaptureFileError, decodeCapture, encodeCaptureHeader, encodePacket } from '../../src/formats/pcapng.ts';

const at = 1_764_313_200_123.25;
const header = encodeCaptureHeader({ application: 'test', name: 'carrier', description: 'smpp' });
const packet = (direction: 'inbound' | 'outbound', bytes: Uint8Array) => encodePacket({ at, direction, bytes });

test('pcapng s.4: a section, an interface of raw IP, and packets that say their direction and their time', () => {
  const file = Buffer.concat([header, packet('inbound', Buffer.from('abc')), packet('outbound', Buffer.from('defgh'))]);
  assert.equal(file.readUInt32LE(0), 0x0a0d0d0a);
  assert.equal(file.length % 4, 0);
  const { description, packets } = decodeCapture(file);
  assert.equal(description, 'smpp');
  const read = packets.map(({ direction, bytes, ...more }) => [direction, Buffer.from(bytes).toString(), more.at]);
  assert.deepEqual(read, [
    ['inbound', 'abc', at],
    ['outbound', 'defgh', at],
  ]);
});

test('a file whose writer was stopped is read as far as it goes, and what is no such file is refused in words', () => {
  const file = Buffer.concat([header, packet('inbound', Buffer.from('abc'))]);
  for (let length = header.length; length < file.length; length++) {
    assert.deepEqual(decodeCapture(file.subarray(0, length)).packets, []);
  }
  for (const bad of [Buffer.alloc(0), Buffer.from('GET / HTTP/1.1\r\n\r\n'), header.subarray(0, 40)]) {
    assert.throws(() => decodeCapture(bad), CaptureFileError);
  }
});

test('a damaged file is read or refused, and nothing else', () => {
  const file = Buffer.concat([header, packet('inbound', Buffer.from('abc')), packet('outbound', Buffer.from('d'))]);
  const damage = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(damage, (places) => {
      const broken = Buffer.from(file);
      for (const [place, octet] of places) broken[place] = octet;
      try {
        for (const { bytes } of decodeCapture(broken).packets) decodeIpPacket(Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof CaptureFileError, String(error));
      }
    }),
    { numRuns: 20_000 },
  );
});

const end = (address: fc.Arbitrary<string>) => fc.record({ address, port: fc.nat(0xffff) }, { noNullPrototype: true });
const payload = fc.uint8Array({ maxLength: 200 });
const both = (address: fc.Arbitrary<string>) =>
  fc.record({ from: end(address), to: end(address), payload }, { noNullPrototype: true });
const canonical = fc.ipV6().map((text) => URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1) ?? '::');

test('RFC 9293 s.3.1: what is put into a packet is read out of it again, IPv4 and IPv6, TCP and UDP', () => {
  const family = fc.oneof(both(fc.ipV4()), both(canonical.filter((text) => !text.startsWith('::ffff:'))));
  const numbers = fc.record({ sequence: fc.nat(0xffffffff), acknowledged: fc.nat(0xffffffff) });
  const segments: fc.Arbitrary<Segment> = fc.oneof(
    fc.tuple(family, numbers).map(([ends, more]) => ({ transport: 'tcp', ...ends, ...more }) as const),
    family.map((ends) => ({ transport: 'udp', ...ends }) as const),
  );
  fc.assert(
    fc.property(segments, (segment) => {
      const read = decodeIpPacket(encodeIpPacket(segment));
      assert.deepEqual(read && { ...read, payload: new Uint8Array(read.payload) }, segment);
    }),
  );
});

test('RFC 791 s.3.1: a packet of known octets, checksums included', () => {
  const from = { address: '::ffff:127.0.0.1', port: 2775 };
  const to = { address: '127.0.0.1', port: 40_000 };
  const bytes = encodeIpPacket({ transport: 'udp', from, to, payload: Buffer.from('hi') });
  assert.equal(bytes.toString('hex'), '4500001e0000400040113ccd7f0000017f0000010ad79c40000af2566869');
});

test('what fits into no packet, and what is no address, throws', () => {
  const end = { address: '127.0.0.1', port: 1 };
  const payload = Buffer.alloc(maxPayloadBytes + 1);
  assert.throws(() => encodeIpPacket({ transport: 'tcp', from: end, to: end, payload }), RangeError);
  const nobody = { address: 'a name', port: 1 };
  const none = Buffer.alloc(0);
  assert.throws(() => encodeIpPacket({ transport: 'tcp', from: nobody, to: end, payload: none }), RangeError);
});
