// Messages of several parts, and submits whose outcome nobody knows, against an SMSC (npm smpp).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAddress } from '../../../src/contract/index.ts';
import type { NpmSmsc } from '../../peers/smpp-npm.ts';
import { until } from '../../servers/process.ts';
import { dlr, fails, open, signal } from './carrier.ts';
import { message } from './event.ts';

describe('out, in parts', () => {
  const long = 'abcdefghi '.repeat(40);
  test('reference smpp 1.3: each text between two numbers has its own reference, also after a restart', async (t) => {
    const first = await open(t);
    await first.smpp.deliver(message(long), signal);
    await first.smpp.stop();
    const { smsc, smpp } = await open(t, {}, first);
    await smpp.deliver(message(long), signal);
    const references = smsc.submits.map((submit) => submit.short_message[3]);
    assert.deepEqual(references, [1, 1, 1, 2, 2, 2]);
    assert.ok(smsc.submits.every(({ esm_class }) => esm_class === 0x40));
  });
  test('a text that was taken whole is not sent again where its record cannot be removed', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    t.mock.method(hub.state, 'delete', async () => Promise.reject(new Error('the store is away')));
    assert.equal((await smpp.deliver(message(long), signal)).facts?.parts, 3);
    assert.equal(smsc.submits.length, 3);
  });
  test('reference smpp 7.1: delivered when all parts are', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    await smpp.deliver(message(long), signal);
    for (const id of [3, 1]) await smsc.tell('deliver_sm', dlr(id));
    assert.equal(hub.drafts.length, 0);
    await smsc.tell('deliver_sm', dlr(2));
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ state }) => state),
      ['delivered'],
    );
  });
  test('with one receipt a message, only the last part asks', async (t) => {
    const { smsc, hub, smpp } = await open(t, { receipts: 'last-part' });
    await smpp.deliver(message(long), signal);
    assert.deepEqual(
      smsc.submits.map(({ registered_delivery }) => registered_delivery),
      [0, 0, 1],
    );
    await smsc.tell('deliver_sm', dlr(3));
    assert.equal(hub.draftsOf('receipt')[0]?.state, 'delivered');
  });
  test('reference smpp 7.5: a retry sends only the parts that were not taken, under the same reference', async (t) => {
    const { smsc, smpp } = await open(t, { window: 1 });
    let count = 0;
    smsc.onSubmit = () => (++count === 2 ? { command_status: 0x08 } : { message_id: String(count) });
    const event = message(long);
    await assert.rejects(smpp.deliver(event, signal), fails('unavailable'));
    await smpp.deliver(event, signal);
    const seen = smsc.submits.map((submit) => [...submit.short_message.subarray(3, 6)]);
    assert.deepEqual(seen, [
      [1, 3, 1],
      [1, 3, 2],
      [1, 3, 3],
      [1, 3, 2],
    ]);
  });
  test('reference smpp 7.3: a part that is refused for good takes back the rest', async (t) => {
    const { smsc, smpp } = await open(t, { window: 1 });
    smsc.onSubmit = () => ({ command_status: 0x0b });
    await assert.rejects(smpp.deliver(message(long), signal), fails('not-found'));
    assert.equal(smsc.submits.length, 1);
  });
  for (const [concat, fields] of [
    ['sar', 'sar_msg_ref_num'],
    ['payload', 'message_payload'],
  ] as const) {
    test(`SMPP 3.4 s.5.3.2: ${concat} puts it into ${fields}`, async (t) => {
      const { smsc, smpp } = await open(t, { concat });
      const { facts } = await smpp.deliver(message(long), signal);
      assert.equal(facts?.parts, 3, 'one submit in message_payload is three messages on the bill');
      assert.equal(smsc.submits.length, concat === 'sar' ? 3 : 1);
      assert.ok(smsc.submits.every((submit) => submit[fields] !== undefined));
    });
  }
});

describe('outcome unknown', () => {
  const drop = (smsc: NpmSmsc) => {
    smsc.onSubmit = () => {
      smsc.drop();
      return undefined;
    };
  };
  test('reference smpp 7.5: report: the link drops before the response, and the sender is told that nobody knows', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    drop(smsc);
    const event = message('hi');
    await smpp.deliver(event, signal);
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [[event.id, 'unknown']],
    );
    assert.match(hub.draftsOf('receipt')[0]?.text ?? '', /may have arrived/);
  });
  test('reference smpp 7.5: resend: the link drops before the response, and the hub may send again', async (t) => {
    const { smsc, hub, smpp } = await open(t, { unknownOutcome: 'resend' });
    drop(smsc);
    await assert.rejects(smpp.deliver(message('hi'), signal), fails('unavailable'));
    assert.equal(hub.drafts.length, 0);
  });
  test('reference smpp 7.5: report: parts that were never sent still are, those of unknown fate are not, and the whole is unknown', async (t) => {
    const { smsc, hub, smpp } = await open(t, { window: 1 });
    drop(smsc);
    const event = message('abcdefghi '.repeat(40));
    await assert.rejects(smpp.deliver(event, signal), fails('unavailable'));
    smsc.onSubmit = () => ({ message_id: '9' });
    await hub.untilStatus('up');
    await smpp.deliver(event, signal);
    assert.deepEqual(
      smsc.submits.map((submit) => submit.short_message[5]),
      [1, 2, 3],
    );
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ state }) => state),
      ['unknown'],
    );
  });
  test('reference smpp 1.1: reconnect: a link that drops is bound again, and 100 in flight are each settled', async (t) => {
    const { smsc, hub, smpp } = await open(t, { window: 100 });
    const hi = (n: number) => smpp.deliver(message('hi', { to: parseAddress(`tel:+447700900${100 + n}`) }), signal);
    await Promise.all(Array.from({ length: 200 }, (_, n) => hi(n)));
    const before = smsc.submits.length;
    smsc.onSubmit = () => undefined;
    const deliveries = Array.from({ length: 150 }, (_, n) => hi(n));
    const settled = Promise.allSettled(deliveries);
    await until(() => smsc.submits.length === before + 100, '100 in flight');
    smsc.drop();
    const fates = await settled;
    const taken = fates.filter(({ status }) => status === 'fulfilled').length;
    assert.deepEqual([taken, hub.draftsOf('receipt').length], [100, 100]);
    await hub.untilStatus('up');
    smsc.onSubmit = () => ({ message_id: 'x' });
    await smpp.deliver(message('again'), signal);
  });
});
