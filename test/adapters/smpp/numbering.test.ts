// A carrier that refuses TON or NPI: the other ways are tried, and what it takes is kept, shown and can be pinned. The carrier is
// npm smpp.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Numbering } from '../../../adapters/smpp/numbering.ts';
import { Learnt } from '../../../adapters/smpp/receipts/learnt.ts';
import { parseAddress, type ViewRow } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { type NpmSmsc, npmSmsc, type Submit } from '../../peers/smpp-npm.ts';
import { dlr, fails, open, signal } from './carrier.ts';
import { message } from './event.ts';

const refused = { srcTon: 0x48, srcNpi: 0x49, dstTon: 0x50, dstNpi: 0x51 };
const typesOf = ({ dest_addr_ton, dest_addr_npi }: Submit) => `${dest_addr_ton}/${dest_addr_npi}`;
const sourceOf = ({ source_addr_ton, source_addr_npi }: Submit) => `${source_addr_ton}/${source_addr_npi}`;

/** Takes recipients of these types only. */
function takesTo(smsc: NpmSmsc, wanted: readonly string[], status = refused.dstTon) {
  let id = 0;
  smsc.onSubmit = (submit) => {
    return wanted.includes(typesOf(submit)) ? { message_id: String(++id) } : { command_status: status };
  };
}

async function adoptedBy(smpp: { views?: Readonly<Record<string, () => AsyncIterable<ViewRow>>> }) {
  const rows: string[] = [];
  for await (const { adopted } of smpp.views?.peers?.() ?? []) rows.push(String(adopted));
  return rows;
}

describe('a refused TON or NPI', () => {
  test('reference smpp 7.4: TON/NPI: after ESME_RINVDSTTON the others are tried, what was taken is kept, shown, and used over a restart', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    takesTo(smsc, ['0/1']);
    assert.equal((await smpp.deliver(message('one'), signal)).facts?.messageId, '1');
    await smpp.deliver(message('two'), signal);
    assert.deepEqual(smsc.submits.map(typesOf), ['1/1', '0/1', '0/1']);
    assert.deepEqual(await adoptedBy(smpp), ['to number 0/1']);
    assert.ok(hub.logs.some(({ message: said }) => said.startsWith('adopted: TON and NPI')));
    await smpp.stop();
    const again = await open(t, {}, { smsc, hub });
    await again.smpp.deliver(message('three'), signal);
    assert.deepEqual(smsc.submits.map(typesOf).slice(3), ['0/1']);
  });
  test('reference smpp 7.4: TON/NPI: what goes to one SMS centre and then to another is recorded as the other was given it', async () => {
    const hub = fakeHub();
    const learnt = new Learnt(hub.state, { receiptIds: 'auto', partReceipts: 'auto' });
    await learnt.noteNumbering('a:1', 'to number', '0/0');
    const options = {
      adapt: ['numbering' as const],
      source: undefined,
      destination: undefined,
      defaultCountry: undefined,
    };
    const numbering = new Numbering({ options, learnt, log: hub.log, now: () => hub.now() });
    const own = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900123' };
    const writing = numbering.of(own);
    assert.equal(writing.at('a:1')?.dest_addr_ton, 0);
    assert.equal(writing.at('b:1'), undefined);
    assert.equal(writing.written.dest_addr_ton, 1);
  });
  test('reference smpp 7.4: TON/NPI: a message that is taken teaches nothing', async (t) => {
    const { smsc, smpp } = await open(t);
    await smpp.deliver(message('one'), signal);
    assert.deepEqual([smsc.submits.map(typesOf), await adoptedBy(smpp)], [['1/1'], ['']]);
  });
  test('reference smpp 7.4: TON/NPI: ESME_RINVSRCNPI of a name, and of a short code', async (t) => {
    const { smsc, smpp } = await open(t);
    smsc.onSubmit = (submit) =>
      ['5/1', '0/0'].includes(sourceOf(submit)) ? { message_id: 'a' } : { command_status: refused.srcNpi };
    const name = parseAddress('tel:Shop;phone-context=alphanumeric');
    await smpp.deliver(message('one', { from: name }), signal);
    await smpp.deliver(message('two', { from: parseAddress('tel:12345;phone-context=carrier.invalid') }), signal);
    assert.deepEqual(smsc.submits.map(sourceOf), ['5/0', '5/1', '3/0', '0/1', '0/0']);
    assert.deepEqual(await adoptedBy(smpp), ['from name 5/1; from short code 0/0']);
  });
  test('reference smpp 7.4: TON/NPI: sender and recipient are each found, and the receipt finds the message', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    smsc.onSubmit = (submit) => {
      if (typesOf(submit) !== '0/0') return { command_status: refused.dstNpi };
      return sourceOf(submit) === '0/1' ? { message_id: '1' } : { command_status: refused.srcTon };
    };
    await smpp.deliver(message('one', { id: 'e1' }), signal);
    await smsc.tell('deliver_sm', dlr('1'));
    assert.deepEqual(
      hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
      [['e1', 'delivered']],
    );
    assert.deepEqual(await adoptedBy(smpp), ['from number 0/1; to number 0/0']);
  });
  test('TS 23.040 s.9.1.2.5: the national form is tried last, for a number of the default country', async (t) => {
    const { smsc, smpp } = await open(t, { defaultCountry: 'GB' });
    takesTo(smsc, ['2/1']);
    await smpp.deliver(message('one', { to: parseAddress('tel:+442071838750') }), signal);
    await smpp.deliver(message('two', { to: parseAddress('tel:+442071838751') }), signal);
    assert.deepEqual(smsc.submits.map(typesOf), ['1/1', '0/1', '2/1', '2/1']);
    assert.deepEqual(smsc.submits.at(-1)?.destination_addr, '2071838751');
    await assert.rejects(
      smpp.deliver(message('three', { to: parseAddress('tel:+33142685300') }), signal),
      fails('not-found'),
    );
  });
  test('reference smpp 7.4: TON/NPI: when every way is refused the message fails, and the next is spared the attempts for ten minutes', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    takesTo(smsc, []);
    await assert.rejects(smpp.deliver(message('one'), signal), fails('not-found', /TON/));
    assert.deepEqual(smsc.submits.map(typesOf), ['1/1', '0/1', '0/0']);
    await assert.rejects(smpp.deliver(message('two'), signal), fails('not-found', /TON/));
    assert.equal(smsc.submits.length, 4);
    hub.clock = hub.now() + 600_001;
    takesTo(smsc, ['0/0']);
    await smpp.deliver(message('three'), signal);
    assert.deepEqual(await adoptedBy(smpp), ['to number 0/0']);
  });
  test('reference smpp 7.4: TON/NPI: another refusal of another way is the answer, and teaches nothing', async (t) => {
    const { smsc, smpp } = await open(t);
    smsc.onSubmit = (submit) => ({ command_status: typesOf(submit) === '1/1' ? refused.dstTon : 0x0b });
    await assert.rejects(smpp.deliver(message('one'), signal), fails('not-found', /RINVDSTADR/));
    assert.deepEqual([smsc.submits.length, await adoptedBy(smpp)], [2, ['']]);
  });
  for (const pin of [{ destination: { ton: 1, npi: 1 } }, { adapt: [] }]) {
    test(`pinned by ${Object.keys(pin)}: nothing else is tried`, async (t) => {
      const { smsc, smpp } = await open(t, pin);
      takesTo(smsc, ['0/1']);
      await assert.rejects(smpp.deliver(message('one'), signal), fails('not-found', /TON/));
      assert.equal(smsc.submits.length, 1);
    });
  }
  test('reference smpp 7.4: TON/NPI: the parts of a long message are each sent again, in order and once', async (t) => {
    const { smsc, smpp } = await open(t);
    takesTo(smsc, ['0/1']);
    await smpp.deliver(message('x'.repeat(400)), signal);
    const taken = smsc.submits.filter((submit) => typesOf(submit) === '0/1');
    assert.deepEqual(
      taken.map(({ short_message }) => short_message.subarray(4, 6).toString('hex')),
      ['0301', '0302', '0303'],
    );
    assert.equal(new Set(taken.map(({ short_message }) => short_message[3])).size, 1);
  });
  test('reference smpp 7.4: per bind: each SMS centre of an account has its own way', async (t) => {
    const [north, south] = [await npmSmsc(), await npmSmsc()];
    t.after(() => south.close());
    takesTo(north, ['0/1']);
    takesTo(south, ['1/1']);
    const two = { binds: 2, hostUse: 'share', hosts: [`127.0.0.1:${south.port}`] };
    const { smpp } = await open(t, two, { smsc: north });
    t.after(() => north.close());
    for (const text of ['one', 'two', 'three', 'four']) await smpp.deliver(message(text), signal);
    const taken = (smsc: NpmSmsc) => smsc.submits.map(typesOf);
    assert.deepEqual(
      [taken(north), taken(south)],
      [
        ['1/1', '0/1', '0/1'],
        ['1/1', '1/1'],
      ],
    );
    assert.deepEqual((await adoptedBy(smpp)).sort(), ['', 'to number 0/1']);
  });
});
