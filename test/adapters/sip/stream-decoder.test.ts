// Messages out of a byte stream, however it is cut, and what an impolite peer can make us hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultLimits,
  encodeMessage,
  type SipMessage,
  SipParseError,
  StreamDecoder,
} from '../../../adapters/sip/codec/message.ts';
import type { StreamItem } from '../../../adapters/sip/codec/stream-decoder.ts';
import { rawMessage } from './samples.ts';

const describe = (item: StreamItem): string => {
  if (typeof item === 'string') return item;
  return item instanceof SipParseError
    ? `${item.status}${item.isFatal ? ' fatal' : ''}`
    : encodeMessage(item).toString('latin1');
};
const feed = (decoder: StreamDecoder, chunks: Iterable<Uint8Array>) =>
  [...chunks].flatMap((chunk) => decoder.push(chunk));
const body = 'Ünïcödé 漢字 😀';
const first = rawMessage({}, body);
const second = rawMessage({ CSeq: '2 MESSAGE' }, '');

test('RFC 3261 s.18.3: cut at each position, a message is the same, its body whole', () => {
  const expected = [describe(new StreamDecoder().push(first)[0]!)];
  for (let at = 0; at <= first.length; at++) {
    const items = feed(new StreamDecoder(), [first.subarray(0, at), first.subarray(at)]);
    assert.deepEqual(items.map(describe), expected, `cut at ${at}`);
    assert.equal(Buffer.from((items[0] as SipMessage).body).toString(), body);
  }
});

test('RFC 3261 s.18.3: one byte at a time: two messages with keep-alives round them', () => {
  const stream = Buffer.concat([Buffer.from('\r\n\r\n'), first, second, Buffer.from('\r\n')]);
  const items = feed(
    new StreamDecoder(),
    [...stream].map((byte) => Buffer.of(byte)),
  );
  assert.deepEqual(items.map(describe), ['pong', 'ping', describe(items[2]!), describe(items[3]!), 'pong']);
  assert.equal((items[3] as SipMessage).headers.get('CSeq'), '2 MESSAGE');
});

test('RFC 3261 s.18.3: two messages in one chunk, and the start of a third that waits', () => {
  const decoder = new StreamDecoder();
  const items = decoder.push(Buffer.concat([first, second, first.subarray(0, 50)]));
  assert.equal(items.length, 2);
  assert.equal(decoder.pendingBytes, 50);
  assert.equal(decoder.push(first.subarray(50)).length, 1);
  assert.equal(decoder.pendingBytes, 0);
});

test('reference sip-stack acceptance 8: a body stays as it was while the next message arrives', () => {
  const decoder = new StreamDecoder();
  const [one] = decoder.push(Buffer.concat([first, second.subarray(0, 20)]));
  decoder.push(second.subarray(20));
  decoder.push(rawMessage({}, 'x'.repeat(Buffer.byteLength(body))));
  assert.equal(Buffer.from((one as SipMessage).body).toString(), body);
});

test('RFC 5626 s.3.5.1: CRLF CRLF is a ping, one CRLF a pong, however they are cut', () => {
  const keepAlives = (...chunks: string[]) =>
    feed(
      new StreamDecoder(),
      chunks.map((chunk) => Buffer.from(chunk)),
    );
  assert.deepEqual(keepAlives('\r\n\r\n'), ['ping']);
  assert.deepEqual(keepAlives('\r\n'), ['pong']);
  assert.deepEqual(keepAlives('\r', '\n'), ['pong']);
  // A lone CRLF cannot wait to see whether it is half a ping; a pong too many does no harm, a ping unanswered does.
  assert.deepEqual(keepAlives('\r\n', '\r\n'), ['pong', 'ping']);
  assert.deepEqual(keepAlives('\r\n\r', '\n'), ['pong', 'ping']);
  assert.deepEqual(keepAlives('\r\n\r\n'.repeat(1000)), ['ping'], 'a flood in one chunk is answered once');
});

test('DESIGN 8: zero bytes are nothing', () => {
  const decoder = new StreamDecoder();
  assert.deepEqual(decoder.push(new Uint8Array()), []);
  assert.equal(decoder.push(first).length, 1);
});

test('RFC 3261 s.18.3: a message that is wrong in itself is skipped with its body, and the stream goes on', () => {
  const noTo = rawMessage({ To: '' }, 'MESSAGE sip:smuggled@h SIP/2.0\r\n\r\n');
  const version = rawMessage({}, 'abc', 'MESSAGE sip:bob@example.net SIP/3.0');
  const items = new StreamDecoder().push(Buffer.concat([noTo, version, second]));
  assert.deepEqual(items.slice(0, 2).map(describe), ['400', '505']);
  assert.equal((items[0] as SipParseError).partial?.headers.get('Call-ID'), 'asd88asd77a@192.0.2.4');
  assert.equal((items[2] as SipMessage).headers.get('CSeq'), '2 MESSAGE');
});

test('RFC 3261 s.20.14: without one Content-Length that can be trusted the framing is lost, and nothing more is read', () => {
  const headers = rawMessage({ 'Content-Length': '' }).toString().split('\r\n\r\n')[0]!;
  const lost: Record<string, string> = {
    'no length': '',
    'two lengths': 'Content-Length: 0\r\nContent-Length: 18\r\n',
    'the same length twice': 'l: 0\r\nContent-Length: 0\r\n',
    'no number': 'Content-Length: x\r\n',
    negative: 'Content-Length: -1\r\n',
    'a line that is no header': 'Content-Length: 0\r\nfoo\r\n',
    'a lone LF': 'Content-Length: 0\r\nSubject: a\nContent-Length: 18\r\n',
  };
  for (const [what, lines] of Object.entries(lost)) {
    const decoder = new StreamDecoder();
    const items = decoder.push(Buffer.concat([Buffer.from(`${headers}\r\n${lines}\r\n`), second]));
    assert.deepEqual(items.map(describe), ['400 fatal'], what);
    assert.ok((items[0] as SipParseError).partial, what);
    assert.deepEqual(decoder.push(second), [], what);
  }
});

test('RFC 3261 s.18.3: what is no SIP at all is fatal', () => {
  for (const noise of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\x16\x03\x01\x02\0\r\n\r\n', 'SIP/2.0 99 x\r\n\r\n']) {
    const [item] = new StreamDecoder().push(Buffer.from(noise, 'latin1'));
    assert.ok(item instanceof SipParseError && item.isFatal, noise);
  }
});

test('RFC 3261 s.21.5.7: a message over the limit is refused from its headers, before its body', () => {
  const decoder = new StreamDecoder();
  const [item] = decoder.push(rawMessage({ 'Content-Length': String(defaultLimits.messageBytes + 1) }, ''));
  assert.equal(describe(item!), '513 fatal');
  assert.equal((item as SipParseError).partial?.method, 'MESSAGE');
});

test('RFC 3261 s.26.3.2.4: a peer that never ends its headers is bounded, whatever the size of its chunks', () => {
  for (const size of [1, 1000, 100_000]) {
    const decoder = new StreamDecoder();
    const chunk = Buffer.from('X-A: b\r\n'.repeat(Math.ceil(size / 8))).subarray(0, size);
    decoder.push(Buffer.from('MESSAGE sip:a@b SIP/2.0\r\n'));
    let held = 0;
    let fatal: StreamItem | undefined;
    for (let sent = 0; sent < 200_000 && !fatal; sent += size) {
      fatal = decoder.push(chunk).at(-1);
      held = Math.max(held, decoder.pendingBytes);
    }
    assert.ok(fatal instanceof SipParseError && fatal.isFatal, `${size}`);
    assert.ok(held <= defaultLimits.headBytes, `${held} bytes held`);
    assert.equal(decoder.pendingBytes, 0);
  }
});

test('reference sip-stack acceptance 9: a slow peer costs no more than its bytes: one at a time is linear', () => {
  const trickle = (bytes: number) => {
    const message = rawMessage({}, 'x'.repeat(bytes));
    const before = process.cpuUsage();
    const decoder = new StreamDecoder();
    let items = 0;
    for (let at = 0; at < message.length; at++) items += decoder.push(message.subarray(at, at + 1)).length;
    assert.equal(items, 1);
    return process.cpuUsage(before).user / 1000;
  };
  trickle(60_000);
  const small = Math.min(trickle(6_000), trickle(6_000), trickle(6_000));
  const large = Math.min(trickle(60_000), trickle(60_000), trickle(60_000));
  assert.ok(large < 35 * small + 20, `${small} ms for 6 kB, ${large} ms for 60 kB`);
});
