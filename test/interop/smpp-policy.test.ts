// What may not be said, on a real carrier and a real XMPP server: STOP and START from a telephone, quotas, block lists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceJid, aliceNumber } from '../scenarios/site.ts';
import { textOf } from '../servers/net-smpp-carrier.ts';
import { happens, openSmsSite, phoneJid, type SmsSite } from './smpp-site.ts';

const phone = '+447700900120';

/** Alice writes, and is told how it went. */
async function write(site: SmsSite, to: string, text: string) {
  const of = await site.alice.send(to, text);
  await happens(site, () => site.told.some((told) => told.of === of), `the fate of "${text}"`);
  return site.told.find((told) => told.of === of);
}

const submitted = ({ carriers }: SmsSite) => carriers.flatMap(({ submits }) => submits.map(textOf));

for (const store of ['embedded', 'redis'] as const) {
  test(`reference smpp 1.1: opt-out: STOP is answered and holds over kill -9 until START (${store})`, async (t) => {
    const site = await openSmsSite(t, { store });
    if (!site) return;
    const [carrier] = site.carriers;
    assert.equal((await write(site, phoneJid(phone), 'before'))?.state, 'delivered');
    carrier?.say(phone, aliceNumber, 'Stop');
    await happens(site, () => submitted(site).length === 2 && site.heard.length === 1, 'the answer to STOP');
    const [, answer] = submitted(site);
    assert.equal(answer, `You will get no more messages from ${aliceNumber}. Send START to get them again.`);
    const { source_addr, destination_addr } = carrier?.submits[1] ?? {};
    assert.deepEqual([source_addr, destination_addr], [aliceNumber.slice(1), phone.slice(1)]);
    assert.equal(site.heard[0]?.text, 'Stop', 'she is told too');
    const refused = async () => {
      const { state, why } = (await write(site, phoneJid(phone), 'please')) ?? {};
      assert.equal(state, 'failed');
      assert.match(why ?? '', /^(not-allowed|forbidden): .*asked for no more messages from here \(STOP\)/);
    };
    await refused();
    assert.equal((await write(site, phoneJid('+447700900121'), 'somebody else'))?.state, 'delivered');
    await site.gateway.kill();
    await site.gateway.start();
    await refused();
    carrier?.say(phone, aliceNumber, 'START');
    await happens(site, () => submitted(site).length === 4, 'the answer to START');
    assert.equal(submitted(site)[3], `You will get messages from ${aliceNumber} again.`);
    assert.equal((await write(site, phoneJid(phone), 'after'))?.state, 'delivered');
    assert.deepEqual(submitted(site).at(-1), 'after');
  });
}

test('reference smpp 1.1: black list and quota: refused in words on XMPP, nothing reaches the carrier, also after a restart', async (t) => {
  const site = await openSmsSite(t, {
    settings: () => ({
      policy: {
        block: [{ to: 'tel:+1900*', why: 'premium numbers are not reached from here' }],
        quotas: [{ from: `xmpp:${aliceJid}`, to: 'tel:*', messages: 2, per: '365d' }],
      },
    }),
  });
  if (!site) return;
  const premium = await write(site, phoneJid('+19005550100'), 'premium');
  assert.match(premium?.why ?? '', /premium numbers are not reached from here/);
  for (const text of ['one', 'two']) assert.equal((await write(site, phoneJid(phone), text))?.state, 'delivered');
  const spent = await write(site, phoneJid(phone), 'three');
  assert.match(spent?.why ?? '', /your quota of 2 messages is used up; it begins anew at 20/);
  await site.gateway.kill();
  await site.gateway.start();
  assert.equal((await write(site, phoneJid(phone), 'four'))?.state, 'failed');
  assert.deepEqual(submitted(site), ['one', 'two']);
});
