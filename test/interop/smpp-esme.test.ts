// Net::SMPP and npm smpp as ESMEs of our own SMS centre, through a real gateway.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NpmPdu } from '../peers/smpp-npm.ts';
import { npmEsme } from '../peers/smpp-npm-esme.ts';
import { needs } from '../servers/debian.ts';
import { startServer, until } from '../servers/process.ts';
import { openCentre } from './smpp-centre.ts';

const from = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900400' };
const toAlice = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900001' };

/** Raw octets of a deliver_sm, as npm smpp hands them on. */
function textOf(pdu: NpmPdu | undefined): string {
  return String((pdu?.short_message as { message: unknown } | undefined)?.message);
}

for (const version of ['0x33', '0x34']) {
  test(`reference smpp 6: Net::SMPP as ESME, version ${version}: submit, receipt, answer, query, cancel, submit_multi, unbind`, async (t) => {
    if (!needs(t, 'net-smpp')) return;
    const centre = await openCentre(t);
    if (!centre) return;
    const script = join(import.meta.dirname, '../servers/net-smpp-esme.pl');
    const perl = await startServer('/usr/bin/perl', {
      args: [script, String(centre.port), version],
      readyLine: /bound/,
    });
    t.after(() => perl.stop());
    await until(() => /unbound/.test(perl.output()), 'the whole conversation', 15_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${perl.output()}\n${centre.gateway.log().slice(-3000)}`);
    });
    const said = perl.output();
    assert.match(said, /bound status=0 system_id=dragoman/);
    assert.match(said, /submitted status=0 id=1000000000/);
    assert.match(said, /message from perl/);
    const tlvs = version === '0x33' ? 'no' : 'yes';
    assert.match(said, new RegExp(`receipt id:1000000000 sub:001 dlvrd:001 .* stat:DELIVRD err:000 .* tlvs=${tlvs}`));
    assert.match(said, /queried status=0 state=2 date=\d{15}\+/);
    assert.match(said, /cancelled status=0/);
    assert.match(said, /multi status=0 unsuccessful=1/);
  });
}

test('reference smpp 6: npm smpp as ESME, plain and over TLS with a certificate; without one, or with a wrong password, not', async (t) => {
  const centre = await openCentre(t);
  if (!centre) return;
  const { port, tlsPort, ca, certificate } = centre;
  const { cert, key } = certificate;
  await assert.rejects(npmEsme({ port: tlsPort, tls: { ca } }));
  await assert.rejects(npmEsme({ port, password: 'wrong' }), /bind refused: 14/);
  for (const at of [{ port }, { port: tlsPort, tls: { ca, cert, key } }]) {
    const esme = await npmEsme(at);
    const text = { short_message: Buffer.from(`by port ${at.port}`), data_coding: 0, registered_delivery: 1 };
    const { message_id } = await esme.ask('submit_sm', { ...from, ...toAlice, ...text });
    await until(() => esme.heard.length === 2, 'the receipt and the answer');
    const texts = esme.heard.map(textOf);
    assert.ok(
      texts.some((one) => one.startsWith(`id:${message_id} `) && one.includes('stat:DELIVRD')),
      `${texts}`,
    );
    assert.ok(texts.includes(`by port ${at.port}`));
    assert.equal((await esme.ask('unbind')).command_status, 0);
    await until(() => esme.isClosed, 'the end');
  }
});

test('reference smpp 5: what an ESME is owed while it is away, also over a kill -9 of ours, it gets when it is back, in order', async (t) => {
  const centre = await openCentre(t);
  if (!centre) return;
  const { port, gateway } = centre;
  const sender = await npmEsme({ port, command: 'bind_transmitter' });
  const ids: unknown[] = [];
  for (let n = 0; n < 20; n++) {
    const text = { short_message: Buffer.from(`n${n}`), data_coding: 0, registered_delivery: 1 };
    ids.push((await sender.ask('submit_sm', { ...from, ...toAlice, ...text })).message_id);
  }
  await until(async () => {
    const { instances } = await gateway.status();
    return instances.some(({ name, held }) => name === 'centre' && held >= 40);
  }, 'twenty answers and twenty receipts wait');
  sender.destroy();
  await gateway.kill();
  await gateway.start();
  const receiver = await npmEsme({ port, command: 'bind_receiver' });
  // What was with an adapter when the process died comes again (at least once): each counts where it came first.
  const keyOf = (text: string) => /^id:\w+/.exec(text)?.[0] ?? text;
  const heard = () => [...new Map(receiver.heard.map(textOf).map((text) => [keyOf(text), text])).values()];
  await until(() => heard().length >= 40, 'all of it', 15_000);
  const texts = heard();
  const receipts = texts.filter((text) => text.startsWith('id:'));
  assert.deepEqual(
    receipts.map((text) => /^id:(\w+) .*stat:DELIVRD/.exec(text)?.[1]),
    ids,
  );
  assert.deepEqual(
    texts.filter((text) => text.startsWith('n')),
    ids.map((_, n) => `n${n}`),
  );
  receiver.destroy();
});

test('reference smpp 7.6: one ESME writes to another of the same centre, and gets its receipt', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const centre = await openCentre(t);
  if (!centre) return;
  const esme = await npmEsme({ port: centre.port });
  const other = await npmEsme({ port: centre.port, systemId: 'perl' });
  const text = { short_message: Buffer.from('next door'), data_coding: 0, registered_delivery: 1 };
  const to = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900300' };
  const name = { source_addr_ton: 5, source_addr_npi: 0, source_addr: 'My Shop' };
  const { message_id } = await esme.ask('submit_sm', { ...name, ...to, ...text });
  await until(() => other.heard.length === 1 && esme.heard.length === 1, 'message and receipt');
  assert.equal(textOf(other.heard[0]), 'next door');
  assert.deepEqual([other.heard[0]?.source_addr_ton, other.heard[0]?.source_addr], [5, 'My Shop']);
  const receipt = textOf(esme.heard[0]);
  assert.match(receipt, new RegExp(`^id:${message_id} .*stat:DELIVRD`));
  esme.destroy();
  other.destroy();
});
