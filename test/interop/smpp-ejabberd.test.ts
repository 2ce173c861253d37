// SMS as a whole with ejabberd as the XMPP server: what the other scenarios show on Prosody holds here too.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceNumber } from '../scenarios/site.ts';
import { textOf } from '../servers/net-smpp-carrier.ts';
import { happens, openSmsSite, phoneJid } from './smpp-site.ts';

const phone = '+447700900120';

test('SMPP 3.4 Appendix B: ejabberd: SMS both ways with receipts: delivered to the handset, and refused by the network', async (t) => {
  const site = await openSmsSite(t, { xmpp: 'ejabberd' });
  if (!site) return;
  const [carrier = assert.fail()] = site.carriers;
  const delivered = await site.alice.send(phoneJid(phone), 'Grüße aus dem XMPP');
  await happens(site, () => site.told.some(({ of, state }) => of === delivered && state === 'delivered'), 'a tick');
  const [submit = assert.fail()] = carrier.submits;
  assert.equal(`+${submit.source_addr}`, aliceNumber);
  assert.equal(submit.destination_addr, phone.slice(1));
  const refused = await site.alice.send(phoneJid('+447700900128'), 'to nobody');
  await happens(site, () => site.told.some(({ of, state }) => of === refused && state === 'failed'), 'an error');
  carrier.say(phone, aliceNumber, 'hello from a phone');
  carrier.say(phone, aliceNumber, 'Привет с телефона');
  await happens(site, () => site.heard.length >= 2, 'both texts');
  const texts = site.heard.map(({ from, text }) => `${from} ${text}`);
  assert.ok(texts.includes(`${phoneJid(phone)} hello from a phone`));
  assert.ok(texts.includes(`${phoneJid(phone)} Привет с телефона`));
  assert.ok(carrier.answers.every((status) => status === 0));
});

test('reference smpp 1.1: concat out: ejabberd: a long text goes out in parts and has one receipt', async (t) => {
  const site = await openSmsSite(t, { xmpp: 'ejabberd' });
  if (!site) return;
  const [carrier = assert.fail()] = site.carriers;
  const text = 'Straße und Ελλάδα und 👋🏽, '.repeat(10);
  const id = await site.alice.send(phoneJid(phone), text);
  await happens(site, () => site.told.some(({ of, state }) => of === id && state === 'delivered'), 'a tick');
  assert.ok(carrier.submits.length > 1);
  assert.equal(carrier.submits.map(textOf).join(''), text);
  assert.equal(site.told.filter(({ of, state }) => of === id && state === 'delivered').length, 1);
});
