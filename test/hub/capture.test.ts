// Captures: what is in the file, what is blotted out of it, and when it ends.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GatewayError, type WireUnit } from '../../src/contract/index.ts';
import { decodeIpPacket } from '../../src/formats/ip-packets.ts';
import { decodeCapture } from '../../src/formats/pcapng.ts';
import { type CaptureOptions, Captures } from '../../src/hub/capture.ts';

const local = { address: '127.0.0.1', port: 40_000 };
const remote = { address: '127.0.0.1', port: 2775 };
const unit = (text: string, more: Partial<WireUnit> = {}): WireUnit => ({
  direction: 'outbound',
  transport: 'tcp',
  local,
  remote,
  bytes: Buffer.from(text),
  ...more,
});

function started(t: TestContext, more: Partial<CaptureOptions> = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const captures = new Captures(() => 1000);
  const chunks: Uint8Array[] = [];
  const ends: true[] = [];
  const sink = { write: (bytes: Uint8Array) => void chunks.push(bytes), end: () => void ends.push(true) };
  const options = { forMs: 60_000, maxBytes: 10_000, showBodies: false, ...more };
  const start = () => captures.start('carrier', 'smpp', options, sink);
  const stop = start();
  const segments = () =>
    decodeCapture(Buffer.concat(chunks)).packets.map(({ bytes }) => {
      const segment = decodeIpPacket(Buffer.from(bytes)) ?? assert.fail('no packet');
      return { ...segment, text: Buffer.from(segment.payload).toString() };
    });
  return { captures, chunks, start, stop, ends, segments, say: (one: WireUnit) => captures.wireOf('carrier')?.(one) };
}

test('reference smpp 7.7: an instance that nobody captures has no tap at all', (t) => {
  const { captures, stop, ends } = started(t);
  assert.equal(captures.wireOf('another'), undefined);
  assert.ok(captures.wireOf('carrier'));
  stop();
  assert.equal(captures.wireOf('carrier'), undefined);
  assert.equal(ends.length, 1);
});

test('reference smpp 7.7: passwords are blotted out of a capture always, what people wrote unless asked for', (t) => {
  const secret = unit('name=me pass=secret text=hello', { secrets: [[13, 19]], hidden: [[25, 30]] });
  const hiding = started(t);
  hiding.say(secret);
  assert.equal(hiding.segments()[0]?.text, 'name=me pass=****** text=*****');
  assert.equal(Buffer.from(secret.bytes).toString(), 'name=me pass=secret text=hello', 'the wire has its own');
  t.mock.timers.reset();
  const showing = started(t, { showBodies: true });
  showing.say(secret);
  assert.equal(showing.segments()[0]?.text, 'name=me pass=****** text=hello');
});

test('the octets of a connection are numbered each way as TCP numbers them', (t) => {
  const { say, segments } = started(t);
  say(unit('12345'));
  say(unit('123', { direction: 'inbound' }));
  say(unit('67'));
  assert.deepEqual(
    segments().map(({ from, sequence, acknowledged }) => [from.port, sequence, acknowledged]),
    [
      [40_000, 1, 1],
      [2775, 1, 6],
      [40_000, 6, 4],
    ],
  );
});

test('a PDU that is longer than a packet takes two', (t) => {
  const { say, segments } = started(t, { maxBytes: 1_000_000 });
  say(unit('x'.repeat(66_000)));
  assert.deepEqual(
    segments().map(({ text }) => text.length),
    [65_000, 1000],
  );
});

test('reference smpp 7.7: a capture ends at its size, at its time, and only one runs at a time', (t) => {
  const { say, segments, ends, start, captures } = started(t, { maxBytes: 300 });
  assert.throws(start, (error: unknown) => error instanceof GatewayError && error.reason === 'not-allowed');
  for (let i = 0; i < 10; i++) say(unit('x'.repeat(50)));
  assert.equal(segments().length, 3);
  assert.equal(ends.length, 1);
  start();
  t.mock.timers.tick(59_999);
  assert.equal(ends.length, 1);
  t.mock.timers.tick(1);
  assert.equal(ends.length, 2);
  assert.equal(captures.wireOf('carrier'), undefined);
});

test('a capture in which nothing happens goes on being written, so that nobody takes it for dead', (t) => {
  const { chunks, segments, stop } = started(t);
  const before = chunks.length;
  t.mock.timers.tick(30_000);
  assert.equal(chunks.length, before + 1);
  assert.deepEqual(segments(), []);
  stop();
  t.mock.timers.tick(600_000);
  assert.equal(chunks.length, before + 1);
});

test('a socket that is gone hurts nobody', (t) => {
  const { say, segments } = started(t);
  say(unit('late', { remote: { address: '', port: 0 } }));
  assert.deepEqual(segments(), []);
});

test('nothing is written any more once the reader was too slow, in the middle of a message neither', () => {
  const captures = new Captures(() => 1000);
  const written: string[] = [];
  const sink = {
    write: (bytes: Uint8Array) => {
      written.push(bytes.length > 1000 ? 'packet' : 'header');
      if (bytes.length > 1000) stop();
    },
    end: () => void written.push('end'),
  };
  const options = { forMs: 60_000, maxBytes: 1_000_000, showBodies: false };
  const stop = captures.start('carrier', 'smpp', options, sink);
  captures.wireOf('carrier')?.(unit('x'.repeat(200_000)));
  assert.deepEqual(written, ['header', 'packet', 'end']);
});

test('a connection is numbered on while a thousand others come and go', (t) => {
  const { say, segments } = started(t, { maxBytes: 10_000_000 });
  say(unit('12345'));
  for (let port = 1; port < 1500; port++) {
    say(unit('x', { transport: 'udp', remote: { address: '192.0.2.1', port } }));
    say(unit('1'));
  }
  assert.equal(segments().at(-1)?.sequence, 6 + 1498);
});
