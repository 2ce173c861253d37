// Numbers and ways on carriers that we did not write: cost and failover, short codes, keywords, names as senders.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceJid, aliceNumber } from '../scenarios/site.ts';
import { textOf } from '../servers/net-smpp-carrier.ts';
import { freePorts } from '../servers/process.ts';
import { happens, openSmsSite, phoneJid } from './smpp-site.ts';

const phone = '+447700900120';

test('reference smpp 1.1: several carriers: the cheapest first, with it gone the next, and back', async (t) => {
  const costs = { 'carrier-1': 0.05, 'carrier-2': 0.01, 'carrier-3': 0.03 };
  const site = await openSmsSite(t, {
    carriers: 3,
    settings: () => ({
      routes: [
        { to: 'tel:*', via: Object.keys(costs), mode: 'cheapest', costs },
        { to: 'tel:+4477009005*', via: ['carrier-1'] },
        { to: 'xmpp:*', via: 'jabber' },
      ],
    }),
  });
  if (!site) return;
  const { carriers, alice, told, gateway } = site;
  const texts = () => carriers.map(({ submits }) => submits.map(textOf));
  const stateOf = async (name: string) =>
    (await gateway.status()).instances.find((instance) => instance.name === name)?.state;
  const say = async (text: string, number = phone) => {
    const of = await alice.send(phoneJid(number), text);
    await happens(site, () => told.some((one) => one.of === of && one.state === 'delivered'), `"${text}" is delivered`);
  };
  await say('cheapest');
  await say('longest prefix', '+447700900520');
  await carriers[1]?.stop();
  await happens(site, async () => (await stateOf('carrier-2')) !== 'up', 'the cheapest is gone');
  await say('next');
  await carriers[2]?.stop();
  await happens(site, async () => (await stateOf('carrier-3')) !== 'up', 'the next is gone');
  await say('dearest');
  await carriers[1]?.restart();
  await happens(site, async () => (await stateOf('carrier-2')) === 'up', 'the cheapest is back');
  await say('back');
  assert.deepEqual(texts(), [['longest prefix', 'dearest'], ['cheapest', 'back'], ['next']]);
});

test('reference smpp 1.1: MO routing: a keyword at a short code means a person', async (t) => {
  const site = await openSmsSite(t, {
    settings: () => ({
      routes: [
        { to: 'tel:88222', keyword: ['HELP', 'INFO'], as: `xmpp:${aliceJid}` },
        { to: 'tel:*', via: 'carrier-1' },
        { to: 'xmpp:*', via: 'jabber' },
      ],
    }),
  });
  if (!site) return;
  const { carriers, heard } = site;
  const [carrier] = carriers;
  carrier?.say(phone, '88222', 'Help me please');
  await happens(site, () => heard.length === 1 && carrier?.answers.length === 1, 'the message and its answer');
  assert.deepEqual(heard[0], { from: phoneJid(phone), text: 'Help me please' });
  carrier?.say(phone, '88222', 'something else');
  await happens(site, () => carrier?.answers.length === 2, 'the refusal');
  assert.deepEqual([heard.length, ...(carrier?.answers ?? [])], [1, 0, 0x0b]);
});

test('reference smpp 1.1: number rules: a name as sender is shown, and an answer to it is refused in words', async (t) => {
  const site = await openSmsSite(t);
  if (!site) return;
  const { carriers, heard, told, alice } = site;
  carriers[0]?.say('My_Bank', aliceNumber, 'your code is 4711');
  carriers[0]?.say('60777', aliceNumber, 'vote now');
  await happens(site, () => heard.length === 2, 'both messages');
  assert.deepEqual(
    heard.map(({ text }) => text),
    ['your code is 4711', 'vote now'],
  );
  const [bank = '', code = ''] = heard.map(({ from }) => from);
  assert.match(bank, /bank/i);
  const refused = await alice.send(bank, 'thank you');
  await happens(site, () => told.some(({ of }) => of === refused), 'the refusal');
  const { state, why } = told.find(({ of }) => of === refused) ?? {};
  assert.equal(state, 'failed');
  assert.match(why ?? '', /^forbidden: my bank is a name and no number/);
  await alice.send(code, 'seven');
  await happens(site, () => carriers[0]?.submits.length === 1, 'the answer to the short code');
  const [sent] = carriers[0]?.submits ?? [];
  assert.deepEqual([sent?.dest_addr_ton, sent?.destination_addr], [3, '60777']);
});

test('reference smpp 1.1: number rules: an application sends as a name and as a short code, TON and NPI as Perl reads them', async (t) => {
  const [port = 0] = await freePorts(1);
  const account = { password: 'correct horse', senders: ['My Shop', '88222', '+447700900200'] };
  const site = await openSmsSite(t, {
    settings: () => ({ instances: { apps: { protocol: 'http', port, accounts: { shop: account } } } }),
  });
  if (!site) return;
  const [carrier] = site.carriers;
  for (const from of account.senders) {
    const body = JSON.stringify({ from, to: phone, text: `from ${from}` });
    const authorization = `Basic ${Buffer.from('shop:correct horse').toString('base64')}`;
    const response = await fetch(`http://127.0.0.1:${port}/messages`, {
      method: 'POST',
      body,
      headers: { authorization },
    });
    assert.equal(response.status, 202, await response.text());
  }
  await happens(site, () => carrier?.submits.length === 3, 'three messages');
  assert.deepEqual(
    carrier?.submits.map((sent) => [textOf(sent), sent.source_addr_ton, sent.source_addr_npi, sent.source_addr]).sort(),
    [
      ['from +447700900200', 1, 1, '447700900200'],
      ['from 88222', 3, 0, '88222'],
      ['from My Shop', 5, 0, 'My Shop'],
    ],
  );
});
