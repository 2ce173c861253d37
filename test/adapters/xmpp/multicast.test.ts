// XEP-0033: whom a stanza for the component is for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oneEach } from '../../../adapters/xmpp/mapping/multicast.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { xml } from '../../../src/formats/xml.ts';

const component = 'jabber:component:accept';
const addresses = 'http://jabber.org/protocol/address';
const gateway = { domain: 'sms.example', shows: ['tel'] as const };

type Attributes = Record<string, string>;
const to = (uri: string, more: Attributes = {}): Attributes => ({ type: 'to', uri, ...more });
function recipients(
  list: Attributes[],
  { most = 20, at = 'sms.example', shows = gateway.shows as readonly 'tel'[] } = {},
) {
  const children = list.map((attributes) => xml('address', addresses, attributes));
  const stanza = xml(
    'message',
    component,
    { from: 'a@b', to: at, id: '1' },
    xml('addresses', addresses, {}, ...children),
    xml('body', component, {}, 'hello'),
  );
  return oneEach(stanza, { ...gateway, shows }, most).map(({ attributes }) => attributes.to);
}
const fails = (condition: string | undefined, reason: string) => (error: unknown) =>
  error instanceof GatewayError && error.reason === reason && error.fault?.condition === condition;

test('XEP-0033 s.4: to, cc and bcc are recipients, by sms: and tel: URI, by xmpp: URI and by JID, each once', () => {
  const list = [
    to('sms:+447700900001'),
    to('tel:+44-7700-900002', { type: 'cc' }),
    to('smsto:+44.7700.(900003)?body=x', { type: 'bcc' }),
    to('xmpp:+447700900004@sms.example?message'),
    { type: 'to', jid: '+447700900005@SMS.example/x' },
    to('sms:+447700900001'),
    to('sms:88222;phone-context=carrier.invalid'),
  ];
  assert.deepEqual(recipients(list), [
    '+447700900001@sms.example',
    '+447700900002@sms.example',
    '+447700900003@sms.example',
    '+447700900004@sms.example',
    '+447700900005@SMS.example',
    '88222;phone-context=carrier.invalid@sms.example',
  ]);
});

test('XEP-0033 s.3.1: who has it already gets nothing, and where answers should go is no recipient', () => {
  const list = [to('sms:+447700900001', { delivered: 'true' }), { type: 'replyto', jid: 'x@y' }, { type: 'noreply' }];
  assert.deepEqual(recipients(list), []);
});

test('XEP-0033 s.7: what is no address, whoever is elsewhere, and too many of them are refused as a whole', () => {
  const good = to('sms:+447700900001');
  for (const bad of [to('fax:1'), to('sms:'), to('sms:abc'), to('sms:88222'), { type: 'to' }, to('sms:+1,+2')])
    assert.throws(() => recipients([good, bad]), fails('jid-malformed', 'malformed'), JSON.stringify(bad));
  for (const jid of ['alice@elsewhere.example', 'sms.example', '@sms.example', 'x'])
    assert.throws(() => recipients([good, { type: 'to', jid }]), fails(undefined, 'not-found'), jid);
  assert.throws(() => recipients([good, to('sms:+447700900002')], { most: 1 }), fails('not-acceptable', 'not-allowed'));
  assert.throws(() => recipients([good], { shows: [] }), fails('jid-malformed', 'malformed'));
});

test('XEP-0033: a stanza for one person is for that person, whatever list is in it', () => {
  const copy = recipients([to('sms:+447700900001')], { at: '+447700900002@sms.example' });
  assert.deepEqual(copy, ['+447700900002@sms.example']);
});
