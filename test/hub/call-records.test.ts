// Call detail records: one a leg whatever order its news comes in, through restarts and full disks; and the files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Message } from '../../src/contract/index.ts';
import { type CallRecord, CallRecords } from '../../src/hub/call-records.ts';
import type { Remembered } from '../../src/hub/correlation.ts';
import { RecordFiles } from '../../src/record-files.ts';
import { sampleEvent } from '../contract/sample.ts';
import { MemoryState } from '../peers/hub.ts';
import { temporaryFolder } from '../servers/process.ts';

const day = 86_400_000;

function setUp() {
  const clock = { now: Date.UTC(2026, 0, 1) };
  const state = new MemoryState(() => clock.now);
  const written: CallRecord[] = [];
  const failing: Error[] = [];
  const write = async (record: CallRecord) => {
    const failure = failing.shift();
    if (failure) throw failure;
    written.push(record);
  };
  const parts = { state, write, costOf: () => 0.031, currency: 'EUR', closeAfterMs: 3 * day, now: () => clock.now };
  const event = sampleEvent(1) as Message;
  const message: Remembered = { ...event, instance: 'carrier' };
  return { clock, state, written, failing, event, message, create: () => new CallRecords('carrier', parts) };
}

const facts = { parts: 3, alphabet: 'UCS-2', messageId: 'A1', reason: 'because of U+2019' };
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('reference smpp 1.1: CDR: a leg is written when it ended, with parts, alphabet, price and times', async () => {
  const { clock, written, event, message, create, state } = setUp();
  const records = create();
  await records.sent(event, { facts });
  assert.equal(written.length, 0);
  clock.now += 5000;
  await records.ended(event.id, message, { state: 'delivered' });
  const [record] = written;
  assert.ok(record);
  assert.equal(written.length, 1);
  const { parts, alphabet, messageId, price, currency, leg, facts: others } = record;
  assert.deepEqual(
    { parts, alphabet, messageId, price, currency, leg, state: record.state },
    { parts: 3, alphabet: 'UCS-2', messageId: 'A1', price: 0.093, currency: 'EUR', leg: 'carrier', state: 'delivered' },
  );
  assert.equal(others.reason, 'because of U+2019');
  assert.equal(Date.parse(record.endedAt) - Date.parse(record.sentAt), 5000);
  assert.equal(state.entries.size, 0);
});

test('what is told before our own answer was through, or after "unknown", still gives one record', async () => {
  const { written, event, message, create } = setUp();
  const records = create();
  await records.ended(event.id, message, { state: 'delivered', isFromNetwork: true });
  assert.equal(written.length, 0);
  await records.sent(event, { facts });
  assert.deepEqual(
    written.map(({ state }) => state),
    ['delivered'],
  );
  const other = { ...event, id: 'e000000002other' };
  await records.sent(other, {});
  await records.ended(other.id, message, { state: 'unknown' });
  await records.ended(other.id, message, { state: 'failed', reason: 'not-found', text: 'absent' });
  assert.deepEqual(
    written.map(({ state }) => state),
    ['delivered', 'failed'],
  );
});

test('reference smpp 1.1: CDR: a failure that the network tells before our own answer is through has parts and price; without an answer it is told as it is', async () => {
  const { written, event, message, create } = setUp();
  const records = create();
  const ending = { state: 'failed', reason: 'not-found', text: 'UNDELIV', isFromNetwork: true } as const;
  await records.ended(event.id, message, ending);
  await records.sent(event, { facts });
  await records.notSent(event);
  const other = { ...event, id: 'e000000002other' };
  await records.ended(other.id, message, ending);
  await records.notSent(other);
  assert.deepEqual(
    written.map(({ state, parts, price, text }) => ({ state, parts, price, text })),
    [
      { state: 'failed', parts: 3, price: 0.093, text: 'UNDELIV' },
      { state: 'failed', parts: 0, price: undefined, text: 'UNDELIV' },
    ],
  );
});

test('a message that never left has a record too, and so has a leg that was left for another', async () => {
  const { written, event, message, create } = setUp();
  const records = create();
  await records.ended(event.id, message, { state: 'expired', reason: 'expired' });
  await records.moved(event, 'the link is down');
  assert.deepEqual(
    written.map(({ state, sentAt, parts }) => ({ state, sentAt, parts })),
    [
      { state: 'expired', sentAt: '', parts: 0 },
      { state: 'rerouted', sentAt: '', parts: 0 },
    ],
  );
});

test('a leg whose end nobody tells is closed in time, after a restart as well', async () => {
  const { clock, written, event, create } = setUp();
  await create().sent(event, { facts });
  const next = create();
  await next.open();
  clock.now += 3 * day - 1;
  next.tick();
  await settled();
  assert.equal(written.length, 0);
  clock.now += 1;
  next.tick();
  await settled();
  assert.deepEqual(
    written.map(({ state, endedAt }) => ({ state, endedAt })),
    [{ state: 'sent', endedAt: '' }],
  );
});

test('a full disk holds nobody up, and the record is written when it can be', async () => {
  const { clock, written, failing, event, message, create } = setUp();
  const records = create();
  await records.sent(event, { facts });
  failing.push(new Error('ENOSPC'));
  await records.ended(event.id, message, { state: 'delivered' });
  assert.equal(written.length, 0);
  clock.now += 3 * day;
  records.tick();
  await settled();
  assert.equal(written[0]?.state, 'delivered');
});

async function files(t: TestContext, over: { maxBytes?: number } = {}) {
  const { event, create, written } = setUp();
  await create().moved(event, 'a "quoted", comma\nand line');
  const record = written[0];
  assert.ok(record);
  const folder = temporaryFolder('cdr');
  const clock = { now: Date.UTC(2026, 0, 1, 12) };
  const silent = () => {};
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const options = { formats: ['csv', 'jsonl'] as const, rotateMs: day, maxBytes: 1e6, keepMs: 2 * day, ...over };
  const writer = new RecordFiles({ folder: folder.path, ...options }, log, () => clock.now);
  t.after(async () => {
    await writer.close();
    folder.remove();
  });
  const read = (name: string) => readFileSync(join(folder.path, name), 'utf8');
  return { writer, record, clock, read, names: () => readdirSync(folder.path).sort() };
}

test('RFC 4180 s.2: CSV has a heading, quotes what needs it, and JSON lines say the same', async (t) => {
  const { writer, record, read, names } = await files(t);
  await Promise.all([writer.write(record), writer.write(record)]);
  assert.deepEqual(names(), ['cdr-2026-01-01T0000.csv', 'cdr-2026-01-01T0000.jsonl']);
  const csv = read('cdr-2026-01-01T0000.csv');
  assert.match(csv, /^id,origin,leg,from,to,/);
  assert.ok(csv.includes('"a ""quoted"", comma\nand line"'));
  assert.equal(csv.split('\r\n').length, 4);
  const lines = read('cdr-2026-01-01T0000.jsonl').trim().split('\n');
  assert.deepEqual(JSON.parse(lines[1] as string), JSON.parse(JSON.stringify(record)));
});

test('reference smpp 1.1: CDR: a new period and a large file begin a new one; old ones go', async (t) => {
  const { writer, record, clock, names } = await files(t, { maxBytes: 200 });
  await writer.write(record);
  await writer.write(record);
  assert.deepEqual(
    names().filter((name) => name.endsWith('.jsonl')),
    ['cdr-2026-01-01T0000-2.jsonl', 'cdr-2026-01-01T0000.jsonl'],
  );
  clock.now += 4 * day;
  await writer.write(record);
  assert.deepEqual(names(), ['cdr-2026-01-05T0000.csv', 'cdr-2026-01-05T0000.jsonl']);
});
