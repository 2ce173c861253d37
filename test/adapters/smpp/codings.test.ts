// A carrier that refuses a data_coding: what else can carry the message goes out, is kept for a day, shown and can be pinned. The
// carrier is npm smpp.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ViewRow } from '../../../src/contract/index.ts';
import type { NpmSmsc } from '../../peers/smpp-npm.ts';
import { dlr, fails, open, signal } from './carrier.ts';
import { message } from './event.ts';

const invalidCoding = 0x104;
const day = 24 * 3_600_000;
const turkish = 'ş'.repeat(80);

function refuses(smsc: NpmSmsc, codings: readonly number[], status = invalidCoding) {
  let id = 0;
  smsc.onSubmit = ({ data_coding }) =>
    codings.includes(data_coding) ? { command_status: status } : { message_id: String(++id) };
}

async function adoptedBy(smpp: { views?: Readonly<Record<string, () => AsyncIterable<ViewRow>>> }) {
  const rows: string[] = [];
  for await (const { adopted } of smpp.views?.peers?.() ?? []) rows.push(String(adopted));
  return rows.join();
}

const codingsOf = (smsc: NpmSmsc) => smsc.submits.map(({ data_coding }) => data_coding);

describe('a refused data_coding', () => {
  test('reference smpp 7.4: alphabet: without UCS-2 the national tables carry the text, for a day, over a restart too', async (t) => {
    const national = { nationalLanguages: ['turkish'] };
    const { smsc, hub, smpp } = await open(t, national);
    refuses(smsc, [8]);
    hub.clock = hub.now();
    const { facts } = await smpp.deliver(message('ş', { id: 'e1' }), signal);
    assert.deepEqual([facts?.parts, codingsOf(smsc)], [1, [8, 0]]);
    await smsc.tell('deliver_sm', dlr('1'));
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [['e1', 'delivered']],
    );
    assert.equal(await adoptedBy(smpp), 'no UCS-2');
    await smpp.stop();
    const again = await open(t, national, { smsc, hub });
    await again.smpp.deliver(message('ş'), signal);
    hub.clock += day;
    await again.smpp.deliver(message('ş'), signal);
    assert.deepEqual(codingsOf(smsc).slice(2), [0, 8, 0]);
  });
  test('reference smpp 7.4: alphabet: what was taken is not sent again where the store cannot keep what was learnt', async (t) => {
    const { smsc, hub, smpp } = await open(t, { nationalLanguages: ['turkish'] });
    refuses(smsc, [8]);
    const set = hub.state.set.bind(hub.state);
    t.mock.method(hub.state, 'set', async (key: string, value: string, ttlMs?: number) => {
      if (value.includes('refusedCodings')) throw new Error('the store is away');
      return set(key, value, ttlMs);
    });
    await smpp.deliver(message('ş'), signal);
    await smpp.deliver(message('ş'), signal);
    assert.deepEqual(codingsOf(smsc), [8, 0, 0]);
  });
  test('reference smpp 7.4: alphabet: a long text is cut anew, and no part of the first cut is left', async (t) => {
    const { smsc, smpp } = await open(t, { nationalLanguages: ['turkish'] });
    refuses(smsc, [0]);
    const { facts } = await smpp.deliver(message(turkish), signal);
    assert.deepEqual([facts?.alphabet, facts?.parts], ['UCS-2', 2]);
    const wide = smsc.submits.filter(({ data_coding }) => data_coding === 8);
    assert.deepEqual(
      wide.map(({ short_message }) => short_message.subarray(4, 6).toString('hex')),
      ['0201', '0202'],
    );
    assert.equal(await adoptedBy(smpp), 'no national tables');
  });
  test('reference smpp 7.4: alphabet: a message class is dropped before its alphabet', async (t) => {
    const { smsc, smpp } = await open(t);
    refuses(smsc, [0xf0, 0x18]);
    await smpp.deliver(message('flash', { sms: { messageClass: 0 } }), signal);
    await smpp.deliver(message('я', { sms: { messageClass: 0 } }), signal);
    assert.deepEqual(codingsOf(smsc), [0xf0, 0, 8]);
    assert.equal(await adoptedBy(smpp), 'no message class');
  });
  test('reference smpp 7.4: alphabet: octets go as 0x04, then as class 1', async (t) => {
    const { smsc, smpp } = await open(t);
    refuses(smsc, [2, 4]);
    const binary = { data: Buffer.from([1, 2, 3]).toString('base64'), dataCoding: 2 };
    for (let times = 0; times < 2; times++) await smpp.deliver(message('', { sms: { binary } }), signal);
    assert.deepEqual(codingsOf(smsc), [2, 4, 0xf5, 0xf5]);
    assert.equal(await adoptedBy(smpp), 'no octets 0x02; no octets 0x04');
  });
  test('reference smpp 7.4: alphabet: where nothing else can carry it the refusal is the answer, and teaches nothing', async (t) => {
    const { smsc, smpp } = await open(t);
    refuses(smsc, [8, 0]);
    await assert.rejects(smpp.deliver(message('я'), signal), fails('unsupported', /alphabet/));
    await assert.rejects(smpp.deliver(message('a'), signal), fails('unsupported', /alphabet/));
    assert.deepEqual([codingsOf(smsc), await adoptedBy(smpp)], [[8, 0], '']);
  });
  test('reference smpp 7.4: alphabet: what was learnt never keeps from trying what has no other way', async (t) => {
    const { smsc, smpp } = await open(t, { nationalLanguages: ['turkish'] });
    refuses(smsc, [8]);
    await smpp.deliver(message('ş'), signal);
    smsc.onSubmit = () => ({ message_id: 'x' });
    await smpp.deliver(message('я'), signal);
    assert.deepEqual(codingsOf(smsc), [8, 0, 8]);
  });
  test('reference smpp 7.4: alphabet: a status of the carrier counts where it is configured', async (t) => {
    const { smsc, smpp } = await open(t, { nationalLanguages: ['turkish'], alphabetRefusals: ['0x8'] });
    refuses(smsc, [8], 8);
    await smpp.deliver(message('ş'), signal);
    assert.deepEqual([codingsOf(smsc), await adoptedBy(smpp)], [[8, 0], 'no UCS-2']);
  });
  test('pinned by adapt, and without a configured status: nothing else is tried', async (t) => {
    const pinned = await open(t, { nationalLanguages: ['turkish'], adapt: ['numbering'] });
    refuses(pinned.smsc, [8]);
    await assert.rejects(pinned.smpp.deliver(message('ş'), signal), fails('unsupported'));
    const plain = await open(t, { nationalLanguages: ['turkish'] });
    refuses(plain.smsc, [8], 8);
    await assert.rejects(plain.smpp.deliver(message('ş'), signal), fails('unavailable'));
    assert.deepEqual([codingsOf(pinned.smsc), codingsOf(plain.smsc)], [[8], [8]]);
  });
  test('reference smpp 7.5: parts that were taken stay as they were cut, whatever is learnt meanwhile', async (t) => {
    const { smsc, smpp } = await open(t, { nationalLanguages: ['turkish'] });
    const long = message(`${'я'.repeat(40)}${turkish}`);
    smsc.onSubmit = ({ short_message }) => (short_message[5] === 1 ? { message_id: 'a' } : { command_status: 0x0d });
    await assert.rejects(smpp.deliver(long, signal));
    refuses(smsc, [8]);
    await smpp.deliver(message('ş'), signal);
    smsc.submits.length = 0;
    smsc.onSubmit = () => ({ message_id: 'b' });
    await smpp.deliver(long, signal);
    assert.deepEqual(
      smsc.submits.map(({ data_coding, short_message }) => [data_coding, short_message[5]]),
      [[8, 2]],
    );
  });
});
