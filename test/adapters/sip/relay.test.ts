// Phones of one domain of ours that write to each other: passed on as a proxy does, and never lost in between.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseAddress } from '../../../src/contract/index.ts';
import { type PeerMessage, requestText, responseTo, type SipPeer, startSipPeer } from '../../peers/sip-peer.ts';
import { message, open, type Settings, signal } from './adapter-fixtures.ts';

const bob = 'sip:bob@native.example';
const carol = 'sip:carol@native.example';

async function register(phone: SipPeer, aor: string, port: number, q = ''): Promise<void> {
  const parts = { method: 'REGISTER', uri: 'sip:native.example', from: `<${aor}>;tag=r`, to: `<${aor}>`, body: '' };
  const more = [`Contact: <${aor.replace(/@.*/, '')}@127.0.0.1:${phone.port}>${q}`, 'Expires: 600'];
  phone.sendUdp(requestText({ port: phone.port, callId: `reg-${aor}-${phone.port}${q}`, ...parts, more }), port);
  await phone.until(({ first, header }) => first === 'SIP/2.0 200 OK' && header('CSeq').endsWith('REGISTER'));
}

/** Bob's phone, and one or two of Carol's. */
async function site(t: TestContext, phones = 1, settings: Settings = {}) {
  const opened = await open(t, { nativeDomains: ['native.example'], ...settings });
  await register(opened.peer, bob, opened.port);
  const carols: SipPeer[] = [];
  for (let index = 0; index < phones; index++) {
    const phone = await startSipPeer();
    t.after(() => phone.stop());
    await register(phone, carol, opened.port);
    carols.push(phone);
  }
  const write = (more: Partial<Parameters<typeof requestText>[0]> = {}) =>
    opened.ask({ uri: carol, from: `<${bob}>;tag=b`, ...more });
  return { ...opened, carols, write };
}

const isMessage = ({ first }: PeerMessage) => first.startsWith('MESSAGE');

test('RFC 3261 s.16: a MESSAGE from phone to phone is passed on octet for octet, and its answer comes back', async (t) => {
  const { carols, write, hub } = await site(t);
  const [phone] = carols as [SipPeer];
  const body = 'From: <sip:bob@native.example>\r\nX-Odd:  spaces\r\n\r\nContent-Type: text/plain\r\n\r\nh\u00e9llo';
  phone.onRequest = (request) => responseTo(request, '202 Later');
  const more = [
    'Subject: lunch',
    'X-Unknown: kept',
    'Authorization: Digest username="bob"',
    'Route: <sip:127.0.0.1;lr>',
  ];
  const answer = await write({ type: 'message/cpim', body, callId: 'kept', more });
  assert.equal(answer.first, 'SIP/2.0 202 Later');
  const [passed] = phone.heard.filter(isMessage) as [PeerMessage];
  assert.equal(passed.first, `MESSAGE sip:carol@127.0.0.1:${phone.port} SIP/2.0`);
  assert.equal(passed.body, body);
  assert.deepEqual(
    ['Call-ID', 'From', 'CSeq', 'Subject', 'X-Unknown', 'Max-Forwards', 'Authorization', 'Route'].map(passed.header),
    ['kept', `<${bob}>;tag=b`, '1 MESSAGE', 'lunch', 'kept', '69', '', ''],
  );
  assert.equal(passed.text.match(/^Via:/gm)?.length, 2);
  assert.equal(hub.drafts.length, 0);
  assert.equal(hub.counters.get('relayed_total{status=202}'), 1);
});

test('RFC 3261 s.16.7: what the other phone refuses is refused with its own words, and what explains them', async (t) => {
  const { carols, write } = await site(t);
  carols[0]!.onRequest = (request) => responseTo(request, '415 Not That', ['Accept: text/plain', 'Contact: <sip:x@y>']);
  const answer = await write();
  assert.deepEqual(
    [answer.first, answer.header('Accept'), answer.header('Contact')],
    ['SIP/2.0 415 Not That', 'text/plain', ''],
  );
});

test('RFC 3261 s.16.7: of several phones the first 2xx counts, else the best refusal', async (t) => {
  const { carols, write } = await site(t, 2);
  const [one, two] = carols as [SipPeer, SipPeer];
  one.onRequest = (request) => responseTo(request, '486 Busy');
  assert.equal((await write({ callId: 'first' })).first, 'SIP/2.0 200 OK');
  two.onRequest = (request) => responseTo(request, '404 Nobody');
  assert.equal((await write({ callId: 'second' })).first, 'SIP/2.0 404 Nobody');
  two.onRequest = (request) => responseTo(request, '603 No');
  assert.equal((await write({ callId: 'third' })).first, 'SIP/2.0 603 No');
});

test('RFC 4320 s.4.2: a phone that is silent is 480, never 408', async (t) => {
  const { carols, write } = await site(t);
  carols[0]!.onRequest = () => undefined;
  assert.match((await write()).first, /^SIP\/2\.0 480 /);
});

test('RFC 5393 s.5: Max-Breadth is shared among the phones, and none left is 440', async (t) => {
  const { carols, write } = await site(t, 2);
  assert.equal((await write({ callId: 'none', more: ['Max-Breadth: 0'] })).first, 'SIP/2.0 440 Max-Breadth Exceeded');
  await write({ callId: 'all' });
  const breadths = carols.map(({ heard }) => heard.find(isMessage)?.header('Max-Breadth'));
  assert.deepEqual(breadths, ['30', '30']);
  await write({ callId: 'one', more: ['Max-Breadth: 1'] });
  const reached = carols.filter(({ heard }) => heard.some((one) => isMessage(one) && one.header('Call-ID') === 'one'));
  assert.equal(reached.length, 1);
});

test('who has no phone registered is the hub’s to find or refuse', async (t) => {
  const { ask, hub } = await site(t, 0);
  await ask({ uri: carol, from: `<${bob}>;tag=b` });
  assert.equal(hub.drafts[0]?.to, carol);
});

test('RFC 3261 s.16.6: where Max-Breadth leaves one branch it goes to the phone with the highest q', async (t) => {
  const { carols, write, port } = await site(t, 2);
  const [one, two] = carols as [SipPeer, SipPeer];
  await register(one, carol, port, ';q=0.1');
  await register(two, carol, port, ';q=0.9');
  await write({ more: ['Max-Breadth: 1'] });
  assert.deepEqual([one.heard.some(isMessage), two.heard.some(isMessage)], [false, true]);
});

test('RFC 3428 s.8: what is written while an earlier message still waits for the phone is not relayed past it', async (t) => {
  const { sip, hub, carols, write } = await site(t);
  hub.clock = Date.now();
  const [phone] = carols as [SipPeer];
  const people = { from: parseAddress(bob), to: parseAddress(carol) };
  const waiting = { ...message(carol), ...people, origin: hub.instance };
  phone.onRequest = (request) => responseTo(request, '480 Asleep');
  await assert.rejects(sip.deliver(waiting, signal));
  phone.onRequest = (request) => responseTo(request, '200 OK');
  assert.equal((await write({ callId: 'second' })).first, 'SIP/2.0 202 Accepted');
  assert.equal(hub.draftsOf('message').length, 1);
  await sip.deliver(waiting, signal);
  hub.clock += 3000;
  assert.equal((await write({ callId: 'third' })).first, 'SIP/2.0 200 OK');
  assert.equal(hub.draftsOf('message').length, 1);
});

test('RFC 3428 s.8: nothing is relayed past a message that the hub has just taken, or past the second that waits behind a first', async (t) => {
  const { sip, hub, carols, write, port } = await site(t, 0);
  hub.clock = Date.parse('2026-07-01T12:00:00Z');
  await write({ callId: 'first' });
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  carols.push(phone);
  await register(phone, carol, port);
  await write({ callId: 'second' });
  assert.equal(hub.draftsOf('message').length, 2, 'the hub has not tried the first yet');
  const people = { from: parseAddress(bob), to: parseAddress(carol) };
  await sip.deliver({ ...message(carol), ...people, origin: hub.instance }, signal);
  await write({ callId: 'third' });
  assert.equal(hub.draftsOf('message').length, 3, 'the second has not come back yet');
  hub.clock += 3000;
  await write({ callId: 'fourth' });
  assert.equal(hub.draftsOf('message').length, 3);
});

test('reference sip 3.4: a notice of a message that we wrote goes to the hub, any other from phone to phone', async (t) => {
  const { carols, write, hub } = await site(t);
  const notice = (id: string) =>
    `<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>${id}</message-id><datetime>2026-07-01T12:00:00Z</datetime><delivery-notification><status><delivered/></status></delivery-notification></imdn>`;
  await write({ callId: 'ours', type: 'message/imdn+xml', body: notice('e1.rich') });
  await write({ callId: 'theirs', type: 'message/imdn+xml', body: notice('m1') });
  assert.deepEqual(
    hub.draftsOf('receipt').map(({ of }) => of),
    ['e1'],
  );
  assert.deepEqual(
    carols[0]!.heard.filter(isMessage).map(({ header }) => header('Call-ID')),
    ['theirs'],
  );
});

test('RFC 3325 s.5: what a stranger asserts is not passed on', async (t) => {
  const { carols, write } = await site(t);
  await write({ more: ['P-Asserted-Identity: <sip:boss@native.example>'] });
  assert.equal(carols[0]!.heard.find(isMessage)?.header('P-Asserted-Identity'), '');
});
