// The SMPP adapter against an SMSC of Net::SMPP, which shares no line with us or with npm smpp.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { adapter } from '../../adapters/smpp/index.ts';
import { parseAddress } from '../../src/contract/index.ts';
import { message, ours, theirs } from '../adapters/smpp/event.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { startPerlCarrier } from '../servers/net-smpp-carrier.ts';
import { freePorts, startServer, until } from '../servers/process.ts';

const { signal } = new AbortController();
const script = join(import.meta.dirname, '../servers/net-smpp.pl');

async function open(t: TestContext, more: Record<string, unknown> = {}, throttled = 0) {
  const [port = 0] = await freePorts(1);
  const args = [script, String(port), String(throttled)];
  const server = await startServer('/usr/bin/perl', { args, readyLine: /listening/ });
  t.after(() => server.stop());
  const hub = fakeHub();
  const settings = adapter.options.parse({
    port,
    systemId: 'me',
    password: 'secret',
    reconnect: { firstMs: 20, maxMs: 50 },
    throttle: { firstMs: 20, maxMs: 100 },
    ...more,
  });
  const smpp = adapter.create('carrier', settings);
  t.after(() => smpp.stop());
  await smpp.start(hub);
  const lines = (start: string) =>
    server
      .output()
      .split('\n')
      .filter((line) => line.startsWith(start));
  return { server, hub, smpp, lines };
}

for (const bind of ['transceiver', 'transmitter', 'receiver', 'pair']) {
  test(`reference smpp 1.1: bind TX/RX/TRX: Net::SMPP: bound as ${bind} with version 3.4, and unbound`, async (t) => {
    if (!needs(t, 'net-smpp')) return;
    const { hub, smpp, lines } = await open(t, { bind });
    await hub.untilStatus('up');
    await until(() => lines('bind').length === (bind === 'pair' ? 2 : 1), 'the binds');
    assert.ok(lines('bind').every((line) => line.endsWith('version=34 system_id=me status=0')));
    if (bind === 'receiver' || bind === 'pair') {
      await hub.untilDraft();
      assert.deepEqual([hub.drafts[0]?.from, hub.drafts[0]?.to], [theirs, ours]);
    }
    await smpp.stop();
    await until(() => lines('unbind').length === (bind === 'pair' ? 2 : 1), 'unbind');
  });
}

test('reference smpp 1.1: DLR id radix: Net::SMPP: receipts with a decimal id for a padded hexadecimal one: late, early, in a data_sm, bad', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { hub, smpp } = await open(t);
  const events = ['hello', 'early bird', 'data please', 'fail please'].map((text) => message(text));
  for (const event of events) await smpp.deliver(event, signal);
  await until(() => hub.drafts.length === 4, 'four receipts');
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ of, state }) => [of, state]),
    events.map(({ id }, at) => [id, at === 3 ? 'failed' : 'delivered']),
  );
});

test('reference smpp 1.1: concat out: Net::SMPP: a long message with emoji goes out in parts, and is delivered when all are', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { hub, smpp, lines } = await open(t);
  const text = `${'я'.repeat(66)}👩‍👩‍👧${'я'.repeat(60)}`;
  const event = message(text);
  await smpp.deliver(event, signal);
  await until(() => lines('submit').length === 3, 'three parts');
  const sent = lines('submit').map((line) => /dcs=8 esm=40 registered=1 sm=0500030([0-9a-f]*)/.exec(line)?.[1] ?? '');
  const whole = sent.map((hex) => Buffer.from(hex.slice(5), 'hex').swap16().toString('utf16le'));
  assert.equal(whole.join(''), text);
  assert.ok(whole[1]?.startsWith('👩‍👩‍👧'));
  await until(() => hub.drafts.length === 1, 'the receipt');
  assert.equal(hub.draftsOf('receipt')[0]?.state, 'delivered');
});

test('reference smpp 1.1: concat in: Net::SMPP: a message from a phone in two parts, the second first', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { hub, smpp } = await open(t);
  await smpp.deliver(message('echo [this] €'), signal);
  await hub.untilDraft(({ type }) => type === 'message');
  assert.deepEqual(
    hub.draftsOf('message').map(({ text }) => text['']),
    ['echo [this] €'],
  );
});

test('reference smpp 0, fact 8: Net::SMPP: the first two submits are throttled, and the order stays 1 to n', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { smpp, lines } = await open(t, {}, 2);
  await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => smpp.deliver(message(`${n}`), signal)));
  await until(() => lines('submit').length === 10, 'ten submits');
  const order = lines('submit').map((line) => Buffer.from(/ sm=(\w+)/.exec(line)?.[1] ?? '', 'hex').toString());
  assert.deepEqual(order, ['1', '1', '1', '2', '3', '4', '5', '6', '7', '8']);
});

test('reference smpp 5: reconnect: Net::SMPP: a wrong password is told in words, and not tried again at once', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { hub, lines } = await open(t, { password: 'wrong' });
  await hub.untilStatus('down');
  assert.match(hub.statuses.at(-1)?.why ?? '', /password is wrong \(ESME_RINVPASWD\)/);
  await until(() => lines('bind').length === 1, 'one bind');
});

test('reference smpp 1.1: enquire_link: Net::SMPP: silence is asked about, and the answer keeps the link', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { hub, lines } = await open(t, { enquireLinkMs: 100 });
  await until(() => lines('enquire_link').length >= 3, 'three enquire_link');
  assert.equal(hub.statuses.at(-1)?.state, 'up');
});

test('reference smpp 1.1: outbind: Net::SMPP: outbind: it connects to us, we bind as receiver there, and its message arrives', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const [port = 0] = await freePorts(1);
  const hub = fakeHub();
  const outbind = { listen: `127.0.0.1:${port}`, systemId: 'perl', password: 'hush' };
  const smpp = adapter.create('carrier', adapter.options.parse({ systemId: 'me', bind: 'none', outbind }));
  t.after(() => smpp.stop());
  await smpp.start(hub);
  const start = (password: string) => {
    const args = [join(import.meta.dirname, '../servers/net-smpp-outbind.pl'), String(port), password];
    return startServer('/usr/bin/perl', { args, readyLine: /outbind/ });
  };
  const stranger = await start('wrong');
  t.after(() => stranger.stop());
  await until(() => /end/.test(stranger.output()), 'the stranger is sent away');
  assert.ok(!/bind_receiver/.test(stranger.output()));
  const server = await start('hush');
  t.after(() => server.stop());
  await hub.untilDraft();
  assert.equal(hub.draftsOf('message')[0]?.text[''], 'you have mail');
  await until(() => /pdu 80000005 status=0/.test(server.output()), 'the response');
  assert.match(server.output(), /bind_receiver system_id=me/);
  await smpp.stop();
  await until(() => /unbind/.test(server.output()), 'unbind');
});

test('reference smpp 1.1: versions: Net::SMPP: version 3.3: padded hexadecimal ids and decimal receipts are learnt, long texts have a header', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const { hub, smpp, lines } = await open(t, { bind: 'pair', interfaceVersion: 0x33, concat: 'sar' });
  await hub.untilStatus('up');
  assert.ok(lines('bind').every((line) => /version=33/.test(line)));
  await smpp.deliver(message('hello'), signal);
  await smpp.deliver(message('x'.repeat(200)), signal);
  await until(() => hub.draftsOf('receipt').length === 2, 'two receipts');
  assert.ok(hub.draftsOf('receipt').every(({ state }) => state === 'delivered'));
  assert.deepEqual(
    lines('submit').map((line) => / esm=(\w+) /.exec(line)?.[1]),
    ['0', '40', '40'],
  );
  const rows: string[] = [];
  for await (const row of smpp.views?.peers?.() ?? []) rows.push(`${row.version} ${row.idRule}`);
  assert.deepEqual(rows, ['3.3 decimal-to-hex']);
});

test('reference smpp 5.1: two SMS centres of Net::SMPP that give the same ids: every message ends as its own centre says', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const [north, south] = [await startPerlCarrier(0), await startPerlCarrier(0)];
  t.after(() => Promise.all([north.stop(), south.stop()]));
  const hub = fakeHub();
  const two = { port: north.port, hosts: [`127.0.0.1:${south.port}`], hostUse: 'share', binds: 2 };
  const smpp = adapter.create('carrier', adapter.options.parse({ ...two, systemId: 'me', password: 'secret' }));
  t.after(() => smpp.stop());
  await smpp.start(hub);
  await hub.untilStatus('up');
  // The carrier ends what goes to 7 as expired, to 8 as undeliverable, and the rest as delivered.
  const events = [7, 8, 4, 4, 8, 7, 8, 4, 7, 4].map((digit) => {
    return message('hello', { to: parseAddress(`tel:+44770090012${digit}`) });
  });
  await Promise.all(events.map((event) => smpp.deliver(event, signal)));
  await until(() => hub.draftsOf('receipt').length === events.length, 'all receipts');
  for (const { submits } of [north, south]) assert.ok(submits.some(({ id }) => id === '00000001'));
  const ends = { 7: 'expired', 8: 'failed', 4: 'delivered' } as Readonly<Record<string, string>>;
  assert.deepEqual(
    new Map(hub.draftsOf('receipt').map(({ of, state }) => [of, state])),
    new Map(events.map(({ id, to }) => [id, ends[to.slice(-1)]])),
  );
});
