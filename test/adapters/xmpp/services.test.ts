// What a component answers by itself: questions, presence, errors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorElement, readError } from '../../../adapters/xmpp/errors.ts';
import { answerPresence, answersForTheSilent } from '../../../adapters/xmpp/presence.ts';
import { errorReply } from '../../../adapters/xmpp/replies.ts';
import { answerIq, capsOf, verificationOf } from '../../../adapters/xmpp/services.ts';
import { failureConditions, failureReasons, finalReasons } from '../../../src/contract/index.ts';
import { childOf, childrenOf, serializeXml, textOf, xml } from '../../../src/formats/xml.ts';

const component = 'jabber:component:accept';
const stanzas = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const gateway = { domain: 'gw.example', shows: ['tel', 'sip', 'wv'] as const };

const ask = (to: string, query = xml('query', 'http://jabber.org/protocol/disco#info'), type = 'get') => {
  const answer = answerIq(xml('iq', component, { from: 'a@b/c', to, id: 'q', type }, query), { ...gateway }, 1.7e12);
  assert.ok(answer);
  return answer;
};

test('XEP-0030: the domain is a gateway of each kind that it shows, a person a client', () => {
  const types = (to: string) =>
    childrenOf(childOf(ask(to), 'query')!, 'identity').map(
      ({ attributes }) => `${attributes.category}/${attributes.type}`,
    );
  assert.deepEqual(types('gw.example'), ['gateway/sms', 'gateway/simple', 'gateway/imps']);
  assert.deepEqual(types('+447700900123@gw.example'), ['client/sms']);
  assert.deepEqual(types('bob\\40other.net@gw.example/x'), ['client/phone']);
});

test('XEP-0030 s.3.2: there are no nodes', () => {
  const answer = ask('gw.example', xml('query', 'http://jabber.org/protocol/disco#items', { node: 'x' }));
  assert.ok(childOf(childOf(answer, 'error')!, 'item-not-found', stanzas));
});

test('XEP-0115 s.5.2: the verification string of the specification', () => {
  const features = ['caps', 'disco#info', 'disco#items', 'muc'].map((name) => `http://jabber.org/protocol/${name}`);
  const exodus = { identities: [['client', 'pc'] as const], name: 'Exodus 0.9.1', features: features.reverse() };
  assert.equal(verificationOf(exodus), 'QgayPKawpkPSDYmwT/WM94uAlu0=');
});

test('XEP-0163 s.4.1: presence of a contact leads to features that ask for mood and activity, and telephones ask for nothing', () => {
  const featuresOf = (jid: string) => {
    const { node, ver } = capsOf(jid, gateway).attributes;
    const query = childOf(
      ask(jid, xml('query', 'http://jabber.org/protocol/disco#info', { node: `${node}#${ver}` })),
      'query',
    )!;
    assert.equal(query.attributes.node, `${node}#${ver}`);
    const [identity] = childrenOf(query, 'identity').map(
      ({ attributes }) => [attributes.category!, attributes.type!] as const,
    );
    const features = childrenOf(query, 'feature').map(({ attributes }) => attributes.var ?? '');
    assert.equal(verificationOf({ identities: [identity!], features }), ver);
    return features.filter((feature) => feature.endsWith('+notify'));
  };
  const both = ['mood', 'activity'].map((kind) => `http://jabber.org/protocol/${kind}+notify`);
  assert.deepEqual(featuresOf('bob\\40other.net@gw.example/desk'), both);
  assert.deepEqual(featuresOf('+447700900123@gw.example'), []);
  const other = { node: 'urn:dragoman:gateway#old' };
  const refused = ask('bob@gw.example', xml('query', 'http://jabber.org/protocol/disco#info', other));
  assert.ok(childOf(childOf(refused, 'error')!, 'item-not-found', stanzas));
});

test('XEP-0050 s.3.2: whoever asks for commands gets an empty list', () => {
  const node = 'http://jabber.org/protocol/commands';
  const answer = ask('gw.example', xml('query', 'http://jabber.org/protocol/disco#items', { node }));
  assert.equal(answer.attributes.type, 'result');
  assert.deepEqual(childrenOf(childOf(answer, 'query')!), []);
});

test('RFC 6120 s.8.4: what it does not understand is service-unavailable, whoever is asked', () => {
  for (const answer of [
    ask('gw.example', xml('constructor', 'urn:x')),
    ask('a@gw.example', xml('query', 'jabber:iq:version'), 'set'),
  ]) {
    assert.equal(answer.attributes.type, 'error');
    assert.ok(childOf(childOf(answer, 'error')!, 'service-unavailable', stanzas));
    assert.deepEqual([answer.attributes.from, answer.attributes.to, answer.attributes.id].slice(1), ['a@b/c', 'q']);
  }
});

test("XEP-0202: the time is the hub's, in UTC", () => {
  assert.match(
    serializeXml(ask('gw.example', xml('time', 'urn:xmpp:time'))),
    /<tzo>\+00:00<\/tzo><utc>2023-11-14T22:13:20Z</,
  );
});

test('RFC 6121 s.3.1: where the far network has no presence a subscription is granted from the bare JID, and a probe answered', () => {
  const answers = (type: string | undefined) =>
    answerPresence(xml('presence', component, { from: 'a@b', to: 'c@gw.example/x', type }), answersForTheSilent).map(
      ({ attributes }) => `${attributes.from} ${attributes.type}`,
    );
  assert.deepEqual(answers('subscribe'), ['c@gw.example subscribed', 'c@gw.example undefined']);
  assert.deepEqual(answers('probe'), ['c@gw.example undefined']);
  assert.deepEqual(answers('unsubscribe'), ['c@gw.example unsubscribed', 'c@gw.example unavailable']);
  for (const type of [undefined, 'unavailable', 'error', 'subscribed', 'constructor'])
    assert.deepEqual(answers(type), []);
});

test('RFC 6120 s.8.3.1: an error, an answer, and a stanza from nowhere are not answered with an error', () => {
  const reply = (attributes: Record<string, string>) => errorReply({ name: 'message', attributes }, 'not-found');
  assert.equal(reply({ from: 'a@b', to: 'c@d', type: 'error' }), undefined);
  assert.equal(reply({ from: 'a@b', to: 'c@d', type: 'result' }), undefined);
  assert.equal(reply({ to: 'c@d' }), undefined);
  assert.equal(reply({ from: 'a@b' }), undefined);
  assert.ok(reply({ from: 'a@b', to: 'c@d' }));
});

test('every failure has an XMPP condition, and reading it back is final or passing as before', () => {
  const final: readonly string[] = finalReasons;
  for (const reason of failureReasons) {
    const error = readError(xml('message', component, { type: 'error' }, errorElement(reason, 'why')));
    assert.equal(error.message, 'why');
    // What another server calls an internal error may pass; `expired` comes back as a far side that did not answer.
    if (reason !== 'expired')
      assert.equal(final.includes(error.reason), final.includes(reason), `${reason} -> ${error.reason}`);
  }
});

test('RFC 7247 s.7.1: every condition of RFC 6120 s.8.3.3 has a reason; type="wait" is always worth another try', () => {
  const conditions =
    'bad-request conflict feature-not-implemented forbidden gone internal-server-error item-not-found jid-malformed not-acceptable not-allowed not-authorized policy-violation recipient-unavailable redirect registration-required remote-server-not-found remote-server-timeout resource-constraint service-unavailable subscription-required undefined-condition unexpected-request'.split(
      ' ',
    );
  const read = (condition: string, type: string) =>
    readError(xml('message', component, {}, xml('error', component, { type }, xml(condition, stanzas))));
  for (const condition of [...conditions, 'never-heard-of', 'constructor']) {
    assert.ok(failureReasons.includes(read(condition, 'cancel').reason));
    assert.ok(!read(condition, 'wait').isFinal, condition);
    assert.equal(read(condition, 'cancel').native, condition);
  }
  assert.equal(read('item-not-found', 'cancel').reason, 'not-found');
  assert.equal(read('service-unavailable', 'cancel').reason, 'not-found');
  assert.equal(readError(xml('message', component, {})).reason, 'unsupported');
});

test('RFC 7247 s.7.2: a failure that has a condition is told by it, with the type of RFC 6120 s.8.3.3 and the new address', () => {
  const types: Readonly<Record<string, string>> = {
    'bad-request': 'modify',
    gone: 'cancel',
    'item-not-found': 'cancel',
    'not-acceptable': 'modify',
    'not-authorized': 'auth',
    'policy-violation': 'modify',
    'recipient-unavailable': 'wait',
    redirect: 'modify',
    'registration-required': 'auth',
    'remote-server-timeout': 'wait',
    'resource-constraint': 'wait',
  };
  for (const condition of failureConditions) {
    const element = errorElement('internal', 'No', { condition });
    assert.equal(element.attributes.type, types[condition] ?? element.attributes.type);
    const back = readError(xml('message', component, { type: 'error' }, element));
    assert.deepEqual([back.native, back.fault, back.message], [condition, { condition }, 'No']);
  }
  const fault = { condition: 'gone', movedTo: 'sip:bob@new.example?a=<b>' } as const;
  const gone = errorElement('not-found', undefined, fault);
  assert.equal(textOf(childOf(gone, 'gone', stanzas)), fault.movedTo);
  assert.deepEqual(readError(xml('message', component, { type: 'error' }, gone)).fault, fault);
});
