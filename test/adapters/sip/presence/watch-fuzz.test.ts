// Broken NOTIFY requests in a dialog of ours: whatever comes, it is answered or refused, and the next one is taken.
// DRAGOMAN_FUZZ sets how many.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeMessage,
  encodeMessage,
  SipParseError,
  type SipRequest,
} from '../../../../adapters/sip/codec/message.ts';
import { Mutator } from '../mutants.ts';
import { answered, notice, pidf, told, watched } from './subscriber-fixtures.ts';

const count = Number(process.env.DRAGOMAN_FUZZ ?? 20_000);

function decoded(bytes: Uint8Array): SipRequest | undefined {
  try {
    const message = decodeMessage(bytes);
    return message.kind === 'request' ? message : undefined;
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

test('reference sip 3.5: NOTIFY requests broken in every way are refused in SIP, and cost no more than was sent', async (t) => {
  const made = await watched(t);
  const subscribe = made.last();
  const rich = pidf({ a: 'open', b: 'away' }, '<note xml:lang="de">Grüße</note><dm:person xmlns:dm="x" id="p"/>');
  const samples = ['active;expires=3600', 'pending;expires=60', 'active'].map((state) =>
    Buffer.from(encodeMessage(notice(subscribe, state, { body: rich, cseq: 7 }))),
  );
  const mutator = new Mutator(samples, 8048);
  const statuses = new Map<number, number>();
  for (let index = 0; index < count; index++) {
    const request = decoded(mutator.next());
    if (!request) continue;
    // In order, so that more than the first is read.
    request.headers.set('CSeq', `${100 + index} NOTIFY`);
    const status = await answered(made.subscriber, request);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (made.subscriber.size === 0) assert.fail(`forgotten after ${status}`);
    made.hub.drafts.length = 0;
  }
  const seen = [...statuses.keys()].sort((a, b) => a - b);
  for (const status of seen) assert.ok([200, 400, 415, 481, 489].includes(status), `answered ${status}`);
  for (const status of [200, 400, 481]) assert.ok(seen.includes(status), `never answered ${status}`);
  assert.equal(made.sent.length, 1);
  const last = notice(subscribe, 'active;expires=3600', { body: pidf({ z: 'open' }), cseq: 10_000_000 });
  assert.equal(await answered(made.subscriber, last), 200);
  assert.ok(told(made.hub).includes('bob/z available'));
});

test('RFC 6665 s.4.1.3: a flood of NOTIFY to nobody leaves nothing behind', async (t) => {
  const made = await watched(t);
  const subscribe = made.last();
  for (let index = 0; index < 5000; index++) {
    const stray = notice(subscribe, 'active', { callId: `stray-${index}`, fromTag: `t${index}`, cseq: index + 1 });
    assert.equal(await answered(made.subscriber, stray), 481);
  }
  assert.equal(made.subscriber.size, 1);
  assert.equal(made.hub.state.entries.size, 1);
});

test('reference sip 3.12: a document that expands beyond 64 KiB is refused, and stays small in memory', async (t) => {
  const made = await watched(t);
  const { deflateSync } = await import('node:zlib');
  const bomb = deflateSync(Buffer.alloc(8 * 1024 * 1024, 32));
  const request = notice(made.last(), 'active', { body: 'x', cseq: 50, more: ['Content-Encoding: deflate'] });
  request.body = bomb;
  assert.equal(await answered(made.subscriber, request), 413);
});
