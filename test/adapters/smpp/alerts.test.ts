// A telephone that is there again (s.4.12), and how an SMS centre is asked to say so (set_dpf). The carrier is npm smpp.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../servers/process.ts';
import { open, signal } from './carrier.ts';
import { message } from './event.ts';

const phone = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900123' };

describe('alert_notification', () => {
  test('SMPP 3.4 s.4.12: a phone that can be reached again is told to the hub; one that cannot is not', async (t) => {
    const { smsc, hub } = await open(t);
    const [session] = smsc.sessions;
    session?.alert_notification({ ...phone, ms_availability_status: 2 });
    session?.alert_notification({ ...phone, source_addr: '' });
    session?.alert_notification({ ...phone, ms_availability_status: 0, source_addr: '447700900124' });
    session?.alert_notification(phone);
    await until(() => hub.returned.length === 2, 'two alerts');
    assert.deepEqual(hub.returned, ['tel:+447700900124', 'tel:+447700900123']);
    assert.equal(hub.counters.get('alerts_total{available="false"}') ?? 1, 1);
  });
  test('SMPP 3.4 s.5.3.2.29: set_dpf goes with each request for a receipt where it is configured, and nowhere else', async (t) => {
    for (const submitWith of ['submit_sm', 'data_sm']) {
      const asking = await open(t, { setDpf: true, submitWith });
      await asking.smpp.deliver(message('hi'), signal);
      assert.equal(asking.smsc.submits[0]?.set_dpf, 1);
    }
    const silent = await open(t, { setDpf: true, receipts: 'none' });
    const usual = await open(t);
    for (const { smpp } of [silent, usual]) await smpp.deliver(message('hi'), signal);
    assert.deepEqual([silent.smsc.submits[0]?.set_dpf, usual.smsc.submits[0]?.set_dpf], [undefined, undefined]);
  });
});
