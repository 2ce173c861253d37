// The contract of a back end of Cheogram (an SGX), kept by our component on Prosody: somebody registers for a number, writes and
// is written to under it, alone and to several, with a file; what fails is an error. An independent client plays Cheogram.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dragoman } from '../cli/dragoman.ts';
import { type Stanza, startXmppUser, type XmppUser, xml } from '../peers/xmpp-user.ts';
import { host } from '../scenarios/site.ts';
import { textOf } from '../servers/net-smpp-carrier.ts';
import { until } from '../servers/process.ts';
import { happens, openSmsSite, phoneJid, smsDomain } from './smpp-site.ts';

const own = '+447700900777';
const code = 'eight or more';
const [phone, another] = ['+447700900120', '+447700900121'];
const register = 'jabber:iq:register';
const addresses = 'http://jabber.org/protocol/address';

const ask = (carol: XmppUser, type: 'get' | 'set', ...children: Stanza[]) =>
  carol.ask(
    xml('iq', { type, to: smsDomain, id: crypto.randomUUID() }, xml('query', { xmlns: register }, ...children)),
  );
const fill = (carol: XmppUser, number: string, password: string) =>
  ask(carol, 'set', xml('phone', {}, number), xml('password', {}, password));
/** What an error stanza says. */
const condition = ({ condition }: { condition?: string }) => condition;
const text = (words: string) => xml('body', {}, words);
const say = (to: string, ...children: Stanza[]) =>
  xml('message', { to, type: 'chat', id: crypto.randomUUID() }, ...children);
const isErrorWith = (name: string) => (stanza: Stanza) =>
  stanza.attrs.type === 'error' && stanza.getChild('error')?.getChild(name) !== undefined;

test('reference smpp 7.9: the SGX contract of Cheogram: registration, numbers as JIDs, several recipients, files, errors', async (t) => {
  const site = await openSmsSite(t, {
    settings: () => ({ people: [] }),
    component: { registration: { numbers: { [own]: code }, from: [host] } },
  });
  if (!site) return;
  const [carrier = assert.fail()] = site.carriers;
  const carol = await startXmppUser({ port: site.xmppPort, host, username: 'carol', password: 'carol-secret' });
  t.after(() => carol.stop());

  await t.test('XEP-0030: the component says that one can register, and that it takes lists of addresses', async () => {
    const query = xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' });
    const answer = await carol.ask(xml('iq', { type: 'get', to: smsDomain, id: 'disco' }, query));
    const features = `${answer.getChild('query')}`;
    for (const feature of [register, addresses]) assert.ok(features.includes(`var="${feature}"`), feature);
  });

  await t.test('RFC 6120 s.8.3.3.15: whoever is not registered has no number, and is told so', async () => {
    await carol.say(say(phoneJid(phone), text('too early')));
    await carol.hears(isErrorWith('registration-required'), 'an error');
    assert.equal(carrier.submits.length, 0);
  });

  await t.test('XEP-0077 s.3: the form, what is wrong with an answer, and the registration', async () => {
    const form = (await ask(carol, 'get')).getChild('query');
    assert.ok(form?.getChild('phone') && form.getChild('password') && form.getChild('x', 'jabber:x:data'));
    assert.equal(form?.getChild('registered'), undefined);
    await assert.rejects(
      ask(carol, 'set', xml('phone', {}, own)),
      (error: object) => condition(error) === 'not-acceptable',
    );
    for (const [number, password] of [
      [own, 'something else'],
      ['+447700900778', code],
    ] as const) {
      await assert.rejects(fill(carol, number, password), (error: object) => condition(error) === 'not-authorized');
    }
    await assert.rejects(
      ask(carol, 'set', xml('remove')),
      (error: object) => condition(error) === 'registration-required',
    );
    assert.equal((await fill(carol, '+44 7700 900-777', code)).attrs.type, 'result');
    const filled = (await ask(carol, 'get')).getChild('query');
    assert.ok(filled?.getChild('registered'));
    assert.equal(filled?.getChildText('phone'), own);
    const view = await dragoman(['view', 'registrations', '-c', site.gateway.configFile]);
    assert.match(view.out, new RegExp(`\\${own} +carol@${host}`));
  });

  await t.test('reference xmpp 1.4: numbers are JIDs both ways', async () => {
    await carol.say(say(phoneJid(phone), text('hello')));
    await happens(site, () => carrier.submits.length === 1, 'the SMS');
    assert.equal(carrier.submits[0]?.source_addr, own.slice(1));
    carrier.say(phone, own, 'hello yourself');
    const heard = await carol.hears((stanza) => stanza.getChildText('body') === 'hello yourself', 'the answer');
    assert.deepEqual([heard.attrs.from, heard.attrs.type], [phoneJid(phone), 'chat']);
  });

  await t.test('XEP-0033: one stanza to the component for several numbers is one SMS each', async () => {
    const before = carrier.submits.length;
    const list = xml(
      'addresses',
      { xmlns: addresses },
      xml('address', { type: 'to', uri: `sms:${phone}` }),
      xml('address', { type: 'cc', jid: phoneJid(another) }),
      xml('address', { type: 'to', uri: 'sms:+447700900122', delivered: 'true' }),
    );
    await carol.say(say(smsDomain, list, text('hello, everyone')));
    await happens(site, () => carrier.submits.length === before + 2, 'two SMS');
    const sent = carrier.submits.slice(before).map((submit) => `${submit.destination_addr} ${textOf(submit)}`);
    assert.deepEqual(
      sent.sort(),
      [phone, another].map((number) => `${number.slice(1)} hello, everyone`),
    );
  });

  await t.test('XEP-0033: an address that is none is an error, and nobody gets anything', async () => {
    const before = carrier.submits.length;
    const list = xml(
      'addresses',
      { xmlns: addresses },
      xml('address', { type: 'to', uri: `sms:${phone}` }),
      xml('address', { type: 'to', uri: 'fax:12' }),
    );
    await carol.say(say(smsDomain, list, text('to whom?')));
    await carol.hears(isErrorWith('jid-malformed'), 'an error');
    assert.equal(carrier.submits.length, before);
  });

  await t.test('XEP-0077 s.5: the form filled in as Cheogram hands it on, and the same number once more', async () => {
    const field = (name: string, value: string) => xml('field', { var: name }, xml('value', {}, value));
    const form = xml('x', { xmlns: 'jabber:x:data', type: 'submit' }, field('phone', own), field('password', code));
    assert.equal((await ask(carol, 'set', form)).attrs.type, 'result');
  });

  await t.test('XEP-0066: a file goes as its link, once, though it is in the body too', async () => {
    const before = carrier.submits.length;
    const url = 'https://files.example/cat.png';
    const oob = xml('x', { xmlns: 'jabber:x:oob' }, xml('url', {}, url));
    await carol.say(say(phoneJid(phone), text(`look ${url}`), oob));
    await happens(site, () => carrier.submits.length === before + 1, 'the SMS');
    const [submit = assert.fail()] = carrier.submits.slice(before);
    assert.equal(textOf(submit).split(url).length, 2);
    assert.match(textOf(submit), /^look/);
  });

  await t.test('reference xmpp 1.4: a number that the network gives up is an error from that number', async () => {
    await carol.say(say(phoneJid('+447700900128'), text('to nobody')));
    const error = await carol.hears(({ attrs }) => attrs.from === phoneJid('+447700900128'), 'an error');
    assert.equal(error.attrs.type, 'error');
  });

  await t.test('a registration outlives the gateway', async () => {
    await site.gateway.kill();
    await site.gateway.start();
    carrier.say(phone, own, 'still there?');
    await carol.hears((stanza) => stanza.getChildText('body') === 'still there?', 'the SMS');
  });

  await t.test('XEP-0077 s.3.2: who leaves is no longer reached, and has no number', async () => {
    assert.equal((await ask(carol, 'set', xml('remove'))).attrs.type, 'result');
    const before = carrier.answers.length;
    carrier.say(phone, own, 'and now?');
    await until(() => carrier.answers.length > before, 'an answer to the carrier');
    assert.notEqual(carrier.answers.at(-1), 0);
    assert.equal((await ask(carol, 'get')).getChild('query')?.getChild('registered'), undefined);
  });
});
