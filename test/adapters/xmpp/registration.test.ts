// XEP-0077 at a component, with a hub in memory: who may have a number, and who had it before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRegistration, registrationForm } from '../../../adapters/xmpp/codec/register.ts';
import { xmppOptions } from '../../../adapters/xmpp/config.ts';
import { Registrations } from '../../../adapters/xmpp/registration.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { childOf, childrenOf, textOf, type XmlElement, xml } from '../../../src/formats/xml.ts';
import { fakeHub } from '../../peers/hub.ts';

const component = 'jabber:component:accept';
const register = 'jabber:iq:register';
const form = 'jabber:x:data';
const domain = 'sms.example';
const [one, two] = ['+447700900001', '+447700900002'];
const numbers = { [one]: 'code of one', [two]: 'code of two' };

function opened(more: Record<string, unknown> = {}, hub = fakeHub()) {
  hub.clock ??= 1_000_000;
  const settings = { domain, secret: 'x', shows: ['tel'], registration: { numbers, ...more } };
  const [options] = xmppOptions.parse({ domains: [settings] }).domains;
  const registrations = new Registrations(domain, hub, () => options?.registration);
  const query = (type: string, from: string, ...children: XmlElement[]) =>
    registrations.answer(
      xml('iq', component, { type, from, to: domain, id: 'q' }, xml('query', register, {}, ...children)),
    );
  const fill = (from: string, phone: string, password: string) =>
    query('set', from, xml('phone', register, {}, phone), xml('password', register, {}, password));
  const rows = async () => (await Array.fromAsync(registrations.rows())).map(({ number, jid }) => `${number} ${jid}`);
  return { hub, registrations, query, fill, rows };
}

const fails = (condition: string) => (error: unknown) =>
  error instanceof GatewayError && error.fault?.condition === condition;
const alice = 'alice@cheogram.example';
const known = (jid: string, number: string) => `xmpp:${jid} tel:${number}`;

test('XEP-0077 s.3.1: who knows the code is in the directory under the number, until the same person leaves', async () => {
  const { hub, fill, query, rows } = opened();
  await fill(`${alice}/phone`, one, 'code of one');
  assert.deepEqual([...hub.entered], [known(alice, one)]);
  assert.deepEqual(await rows(), [`${one} ${alice}`]);
  await query('set', `${alice}/laptop`, xml('remove', register));
  assert.deepEqual([...hub.entered], []);
  assert.deepEqual(await rows(), []);
  await assert.rejects(query('set', alice, xml('remove', register)), fails('registration-required'));
});

test('XEP-0077 s.3.1: another number takes the place of the first, another person takes the number', async () => {
  const { hub, fill, rows } = opened();
  await fill(alice, one, 'code of one');
  await fill(alice, two, 'code of two');
  assert.deepEqual([...hub.entered], [known(alice, two)]);
  const bob = 'some\\40bob@cheogram.example';
  await fill(bob, two, 'code of two');
  assert.deepEqual([...hub.entered], [known(bob, two)]);
  assert.deepEqual(await rows(), [`${two} ${bob}`]);
});

test('XEP-0077 s.3.1: a registration that the directory refuses leaves everybody the number they had', async (t) => {
  const { hub, fill, rows } = opened();
  const bob = 'bob@cheogram.example';
  await fill(alice, one, 'code of one');
  await fill(bob, two, 'code of two');
  t.mock.method(hub.people, 'enter', async () => {
    throw new GatewayError('not-allowed', "somebody's in the configuration");
  });
  await assert.rejects(fill(alice, two, 'code of two'), { reason: 'not-allowed' });
  assert.deepEqual((await rows()).sort(), [`${one} ${alice}`, `${two} ${bob}`]);
  assert.deepEqual([...hub.entered].sort(), [known(alice, one), known(bob, two)]);
});

test('XEP-0077 s.3.1: a wrong code and an unknown number get the same answer, and guessing gets slow', async () => {
  const { hub, fill } = opened();
  for (let i = 0; i < 3; i++) await assert.rejects(fill(alice, one, `guess ${i}`), fails('not-authorized'));
  await assert.rejects(fill(alice, '+447700900009', ''), fails('not-acceptable'));
  for (const nobody of ['+447700900009', 'constructor'])
    await assert.rejects(fill(alice, nobody, 'code of one'), fails('not-authorized'));
  await assert.rejects(fill(alice, two, 'code of two'), fails('resource-constraint'), 'the guesser waits');
  // Whoever guesses under many names meets the number's own count.
  for (let i = 0; i < 2; i++) await assert.rejects(fill(`m${i}@x.example`, one, 'guess'), fails('not-authorized'));
  await assert.rejects(fill('m3@x.example', one, 'code of one'), fails('resource-constraint'));
  hub.clock = (hub.clock ?? 0) + 600_000;
  await fill(alice, one, 'code of one');
});

test('people of other domains than those named, and a domain as a whole, may not register', async () => {
  const { query } = opened({ from: ['cheogram.example'] });
  assert.ok(await query('get', alice));
  for (const stranger of ['eve@elsewhere.example', 'cheogram.example'])
    await assert.rejects(query('get', stranger), fails('forbidden'), stranger);
});

test('a number that the configuration gives to somebody is refused, and nothing is noted', async () => {
  const { hub, fill, rows } = opened();
  hub.people.enter = async () => {
    throw new GatewayError('not-allowed', "somebody's in the configuration");
  };
  await assert.rejects(fill(alice, one, 'code of one'), { reason: 'not-allowed' });
  assert.deepEqual(await rows(), []);
});

test('after a restart the directory knows again who is registered, and numbers that are no longer given out are free', async () => {
  const first = opened();
  await first.fill(alice, one, 'code of one');
  await first.fill('bob@x.example', two, 'code of two');
  first.hub.entered.clear();
  const second = opened({ numbers: { [one]: numbers[one] } }, first.hub);
  await second.registrations.open();
  assert.deepEqual([...first.hub.entered], [known(alice, one)]);
  assert.deepEqual(await second.rows(), [`${one} ${alice}`]);
});

test('XEP-0077 s.5, XEP-0004: the form as fields and as a data form, either filled in or given back', async () => {
  const empty = registrationForm();
  const fields = childrenOf(childOf(empty, 'x', form)!, 'field').map(({ attributes }) => attributes.var);
  assert.deepEqual(fields, ['FORM_TYPE', 'phone', 'password']);
  assert.equal(textOf(childOf(registrationForm(one), 'phone')), one);
  const submitted = (type: string, values: Record<string, string>) =>
    xml(
      'query',
      register,
      {},
      xml(
        'x',
        form,
        { type },
        ...Object.entries(values).map(([name, value]) =>
          xml('field', form, { var: name }, xml('value', form, {}, value)),
        ),
      ),
    );
  assert.deepEqual(readRegistration(submitted('submit', { phone: one, password: ' x ' })), {
    phone: one,
    password: 'x',
  });
  assert.equal(readRegistration(submitted('cancel', {})), 'cancel');
  assert.equal(readRegistration(submitted('submit', { phone: one })), undefined);
  assert.equal(readRegistration(xml('query', register)), undefined);
});

test('a number that is none and a code that is short are faults of the configuration', () => {
  const parse = (given: Record<string, string>) =>
    xmppOptions.safeParse({ domains: [{ domain, secret: 'x', shows: ['tel'], registration: { numbers: given } }] });
  assert.ok(parse(numbers).success);
  for (const wrong of [{ '447700900001': 'long enough' }, { [one]: 'short' }]) assert.ok(!parse(wrong).success);
});
