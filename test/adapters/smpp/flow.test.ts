// What an SMSC says and how long it takes, and what window and rate follow from it, by a clock that the test moves.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Flow } from '../../../adapters/smpp/binds/flow.ts';
import { intTlv, type ResponsePdu } from '../../../adapters/smpp/codec/index.ts';
import { isThrottling } from '../../../adapters/smpp/errors.ts';

const answer = (command_status = 0, congestion_state?: number): ResponsePdu => ({
  command: 'submit_sm_resp',
  command_status,
  sequence_number: 1,
  body: { message_id: '1' },
  tlvs: congestion_state === undefined ? [] : [intTlv('congestion_state', congestion_state)],
});

function open(more: { window?: number; ratePerSecond?: number } = {}) {
  const clock = { now: 10_000 };
  const flow = new Flow({ window: 32, throttle: { firstMs: 500, maxMs: 4000 }, isThrottling, ...more }, clock.now);
  flow.restart();
  const say = (times: number, response = answer(), tookMs = 10) => {
    for (let count = 0; count < times; count++) flow.answered(response, tookMs, flow.epoch, clock.now);
  };
  /** So many parts a second, for so many seconds, each taken. */
  const run = (perSecond: number, seconds: number, tookMs = 10) => {
    for (let ms = 0; ms < seconds * 1000; ms += 1000 / perSecond) {
      clock.now += 1000 / perSecond;
      say(1, answer(), tookMs);
    }
  };
  return { flow, clock, say, run };
}

describe('window', () => {
  test('reference smpp 7.3: it begins at 1, grows by one with each acceptance, and stops at the configured one', () => {
    const { flow, say } = open();
    assert.equal(flow.window, 1);
    say(3);
    assert.equal(flow.window, 4);
    say(100);
    assert.equal(flow.window, 32);
  });
  for (const [name, status] of [
    ['ESME_RTHROTTLED', 0x58],
    ['ESME_RMSGQFUL', 0x14],
  ] as const) {
    test(`reference smpp 7.3: ${name} halves it and pauses; then it grows by one a window`, () => {
      const { flow, clock, say } = open();
      say(100);
      say(1, answer(status));
      assert.equal(flow.window, 16);
      assert.equal(flow.mayNow(clock.now + 499), false);
      assert.equal(flow.mayNow(clock.now + 500), true);
      say(16);
      assert.equal(flow.window, 16);
      say(2);
      assert.equal(flow.window, 17);
      assert.equal(flow.pressure(clock.now), 'throttled');
    });
  }
  test('of a whole window refused together only the first counts', () => {
    const { flow, clock, say } = open();
    say(100);
    const { epoch } = flow;
    for (let count = 0; count < 32; count++) flow.answered(answer(0x58), 10, epoch, clock.now);
    assert.equal(flow.window, 16);
    assert.equal(flow.mayNow(clock.now + 500), true);
  });
  const states: Array<[congestion: number, window: number, what: string]> = [
    [0, 17, 'idle: it grows'],
    [79, 17, 'high load: it grows'],
    [80, 16, 'optimum load: it stays'],
    [90, 15, 'nearing congestion: one less'],
    [100, 8, 'congested: halved'],
  ];
  for (const [congestion, window, what] of states) {
    test(`SMPP 5.0 s.4.8.4.18: congestion_state ${congestion}, ${what}`, () => {
      const { flow, clock, say } = open();
      say(15);
      assert.equal(flow.window, 16);
      say(1, answer(0, congestion));
      assert.equal(flow.window, window);
      assert.equal(flow.mayNow(clock.now), true, 'no pause: everything was taken');
    });
  }
  test('reference smpp 7.3: a second in which all responses take much longer makes it smaller, and it grows again after', () => {
    const { flow, clock, run } = open();
    run(50, 3, 20);
    assert.equal(flow.window, 32);
    run(50, 3, 900);
    assert.equal(flow.window, 32, 'a little longer is no queue');
    run(50, 3, 9000);
    assert.ok(flow.window < 32, String(flow.window));
    assert.equal(flow.pressure(clock.now), 'slow');
    const least = flow.window;
    run(50, 10, 20);
    assert.ok(flow.window > least);
  });
  test('a stall of our own delays a batch of responses, which is no congestion of the SMSC', () => {
    const { flow, clock, say, run } = open();
    run(50, 1, 5);
    clock.now += 3000;
    say(30, answer(), 3000);
    run(50, 2, 5);
    assert.equal(flow.window, 32);
    assert.equal(flow.pressure(clock.now), 'none');
  });
  test('an SMSC that was slow from the beginning is not congested', () => {
    const { flow, run } = open();
    run(50, 3, 800);
    assert.equal(flow.window, 32);
  });
});

describe('rate', () => {
  test('reference smpp 7.3: throttled at a rate, it goes on a little below it and feels its way up', () => {
    const { flow, run, say } = open();
    assert.equal(flow.rate, undefined);
    run(50, 3);
    say(1, answer(0x58));
    assert.equal(flow.rate, 40);
    run(40, 2);
    assert.ok((flow.rate ?? 0) > 40 && (flow.rate ?? 0) < 50, String(flow.rate));
  });
  test('it is not limited any more when twice of what was refused is taken', () => {
    const { flow, run, say } = open();
    run(20, 3);
    say(1, answer(0x58));
    run(20, 60);
    assert.equal(flow.rate, undefined);
  });
  test('it never passes the configured one, and returns to it', () => {
    const { flow, run, say } = open({ ratePerSecond: 30 });
    assert.equal(flow.rate, 30);
    run(25, 3);
    say(1, answer(0x58));
    assert.equal(flow.rate, 20);
    run(20, 60);
    assert.equal(flow.rate, 30);
  });
  test('a refusal of the first few says nothing about a rate', () => {
    const { flow, say } = open();
    say(2);
    say(1, answer(0x58));
    assert.equal(flow.rate, undefined);
  });
});

test('reference smpp 7.6: hot reload: another window and rate hold at once, and what was learnt of the SMSC is not forgotten', () => {
  const limits = { window: 32, ratePerSecond: 100, throttle: { firstMs: 500, maxMs: 4000 }, isThrottling };
  const clock = 10_000;
  const flow = new Flow(limits, clock);
  for (let count = 0; count < 100; count++) flow.answered(answer(), 10, flow.epoch, clock);
  limits.window = 4;
  limits.ratePerSecond = 20;
  assert.deepEqual([flow.window, flow.rate], [4, 20]);
  limits.window = 40;
  assert.equal(flow.window, 32);
  for (let count = 0; count < 1000; count++) flow.answered(answer(), 10, flow.epoch, clock);
  assert.equal(flow.window, 40);
});
