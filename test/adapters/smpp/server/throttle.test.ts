// The rate of an account, the times and numbers of the specification: the pure parts of the server, with a clock of the test's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTime, octetsTlv, parseTime, statusName } from '../../../../adapters/smpp/codec/index.ts';
import { Throttle } from '../../../../adapters/smpp/server/throttle.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { NumberTable } from '../../../../src/formats/number-table.ts';
import { open, part, submit } from './esme.ts';

test('reference smpp 7.6: over its rate an account is throttled, and not for ever', async (t) => {
  const { hub, bound } = await open(t, { ratePerSecond: 3 });
  hub.clock = 1_000_000;
  const esme = await bound();
  const say = async (text: string) => statusName((await esme.ask('submit_sm', submit(text))).command_status);
  assert.deepEqual(
    [await say('1'), await say('2'), await say('3'), await say('4')],
    ['ESME_ROK', 'ESME_ROK', 'ESME_ROK', 'ESME_RTHROTTLED'],
  );
  hub.clock += 334;
  assert.deepEqual([await say('4'), await say('5')], ['ESME_ROK', 'ESME_RTHROTTLED']);
  assert.equal(hub.counters.get('requests_total{command=submit_sm,status=ESME_RTHROTTLED}'), 2);
});

test('reference smpp 7.6: ESME_RTHROTTLED does not fire inside one long text, but its parts are paid for', async (t) => {
  const { hub, bound } = await open(t, { ratePerSecond: 2 });
  hub.clock = 1_000_000;
  const esme = await bound();
  for (let index = 1; index <= 5; index++) {
    assert.equal((await esme.ask('submit_sm', part(8, 5, index, 'x'))).command_status, 0);
  }
  hub.clock += 1500;
  assert.equal(statusName((await esme.ask('submit_sm', submit('next'))).command_status), 'ESME_RTHROTTLED');
  hub.clock += 500;
  assert.equal((await esme.ask('submit_sm', submit('next'))).command_status, 0);
});

test('reference smpp 7.6: a submit_multi to more than the rate is taken whole, and paid for', () => {
  let now = 0;
  const throttle = new Throttle(10, () => now);
  assert.equal(throttle.admits(undefined, 100), true);
  now += 8000;
  assert.equal(throttle.admits(), false);
  now += 1100;
  assert.equal(throttle.admits(), true);
});

test('reference smpp 5: a message_payload is paid for as the short messages that it is', async (t) => {
  const { hub, bound } = await open(t, { ratePerSecond: 4 });
  hub.clock = 1_000_000;
  const esme = await bound();
  const say = async (text: string, more = {}) => {
    const payload = [octetsTlv('message_payload', Buffer.from(text))];
    return statusName((await esme.ask('submit_sm', submit('', more), payload)).command_status);
  };
  assert.equal(await say('x'.repeat(160)), 'ESME_ROK');
  assert.equal(await say('x'.repeat(3 * 153)), 'ESME_ROK');
  assert.equal(await say('x'), 'ESME_RTHROTTLED', 'one and three of four a second');
  hub.clock += 1000;
  assert.equal(await say('\0x'.repeat(2 * 67), { data_coding: 8 }), 'ESME_ROK');
  assert.equal(await say('x'), 'ESME_ROK');
  assert.equal(await say('x'), 'ESME_ROK');
  assert.equal(await say('x'), 'ESME_RTHROTTLED', 'two of UCS-2, then two');
});

test('reference smpp 7.6: a second text under the same reference is a text of its own to the rate', () => {
  let now = 0;
  const throttle = new Throttle(1, () => now);
  const whole = { key: 'a', total: 2 };
  assert.deepEqual([throttle.admits(whole), throttle.admits(whole), throttle.admits(whole)], [true, true, false]);
  now += 2000;
  assert.equal(throttle.admits(whole), true);
});

test('reference smpp 7.6: texts that are never finished cost no memory without end', () => {
  const throttle = new Throttle(1_000_000, () => 0);
  for (let n = 0; n < 100_000; n++) throttle.admits({ key: `${n}`, total: 255 });
  assert.equal(throttle.admits({ key: 'one more', total: 2 }), true);
});

test('SMPP 3.4 s.7.1.1: times with a zone, relative times over the ends of months, and nonsense', () => {
  const now = Date.UTC(2026, 0, 31, 23, 59);
  const iso = (text: string) => {
    const ms = parseTime(text, now);
    return ms === undefined ? undefined : new Date(ms).toISOString();
  };
  assert.equal(iso('260201120000008+'), '2026-02-01T10:00:00.000Z');
  assert.equal(iso('260201120000522-'), '2026-02-01T17:30:00.500Z');
  assert.equal(iso('000000000100000R'), '2026-02-01T00:00:00.000Z');
  assert.equal(iso('010000000000000R'), '2027-01-31T23:59:00.000Z');
  const wrong = [
    '',
    'x',
    '260230120000000+',
    '260201240000000+',
    '260201120000049+',
    '26020112000000+',
    '261301120000000+',
  ];
  for (const text of wrong) assert.equal(iso(text), undefined, text);
  assert.equal(formatTime(now), '260131235900000+');
  assert.equal(parseTime(formatTime(now), 0), now);
});

test('numbers: an exact number before a prefix, a longer prefix before a shorter, * for the rest', () => {
  const table = new NumberTable<string>();
  for (const pattern of ['*', '+44*', '+4477*', '+447700900100', '12345', 'My Bank']) table.add(pattern, pattern);
  const find = (text: string) => table.find(parseAddress(text));
  assert.equal(find('tel:+447700900100'), '+447700900100');
  assert.equal(find('tel:+447700900101'), '+4477*');
  assert.equal(find('tel:+442079460000'), '+44*');
  assert.equal(find('tel:+12015550123'), '*');
  assert.equal(find('tel:12345;phone-context=x.invalid'), '12345');
  assert.equal(find('tel:My%20Bank;phone-context=alphanumeric'), 'My Bank');
  assert.equal(find('tel:Other;phone-context=alphanumeric'), '*');
});
