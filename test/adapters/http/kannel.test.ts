// The Kannel door: sendsms as programs written for it call it, delivery reports by URL, inbound messages by get-url.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeForm } from '../../../adapters/http/codec.ts';
import { dlrOf, fillUrl, fromSendsms } from '../../../adapters/http/mapping/kannel.ts';
import { type EventOf, GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { sampleEvent } from '../../peers/events.ts';
import { open, password } from './fixtures.ts';

const now = Date.UTC(2026, 0, 1);
const login = `username=shop&password=${encodeURIComponent(password)}`;
const never = new AbortController().signal;
const submitted = (query: string) => fromSendsms(decodeForm(query), now);

test('Kannel sendsms: text is UTF-8 unless a charset is named, and UTF-16BE octets with coding 2', () => {
  const textOf = (query: string) => submitted(`to=1&${query}`).message.text[''];
  assert.equal(textOf('text=caf%C3%A9+%F0%9F%98%80'), 'café 😀');
  assert.equal(textOf('text=caf%E9&charset=ISO-8859-1'), 'café');
  assert.equal(textOf('coding=2&text=%04%1F%04%40%D8%3D%DE%00'), 'Пр😀');
  assert.equal(textOf('coding=2&charset=utf-8&text=%D0%9F'), 'П');
  assert.throws(() => textOf('text=caf%E9'), /text: is not in its charset/);
  assert.throws(() => textOf('text=x&charset=klingon'), /charset klingon is not known/);
});

test('Kannel sendsms: octets and a UDH stay what they are', () => {
  const { message } = submitted('to=1&coding=1&udh=%06%05%04%0B%84%23%F0&text=%00%25%FF&pid=127&mclass=1');
  assert.deepEqual(message.sms, {
    messageClass: 1,
    protocolId: 127,
    binary: { data: Buffer.from([0, 0x25, 0xff]).toString('base64'), dataCoding: 4, udh: '05040b8423f0' },
  });
  assert.deepEqual(message.text, {});
  assert.equal(message.attachments?.[0]?.url, 'data:application/octet-stream;base64,ACX/');
});

test('Kannel sendsms: validity and deferred are minutes from now, priority 0 to 3, mclass 0 is flash', () => {
  const { message } = submitted('to=1&text=x&validity=10&deferred=5&priority=2&mclass=0');
  assert.equal(message.notBefore, '2026-01-01T00:05:00.000Z');
  assert.equal(message.expiresAt, '2026-01-01T00:15:00.000Z');
  assert.equal(message.priority, 'urgent');
  assert.deepEqual(message.sms, { messageClass: 0 });
});

test('Kannel sendsms: each wrong parameter is named', () => {
  for (const [query, what] of [
    ['text=x', /^to: is missing/],
    ['to=1&text=x&coding=3', /^coding: a number from 0 to 2/],
    ['to=1&text=x&mclass=9', /^mclass:/],
    ['to=1&text=x&dlr-mask=64', /^dlr-mask:/],
    ['to=1&text=x&validity=soon', /^validity:/],
  ] as const) {
    assert.throws(
      () => submitted(query),
      (error: unknown) => error instanceof GatewayError && what.test(error.message),
      query,
    );
  }
});

test('Kannel table 6-9: escape codes are filled in and encoded, the URL keeps its own escapes', () => {
  const facts = {
    from: '+447700900123',
    to: '88222',
    text: 'Hi & bye',
    id: 'm1',
    account: 'shop',
    smsc: 'apps',
    at: now,
    dlr: 8,
  };
  assert.equal(
    fillUrl('http://a/%2Fx?p=%p&P=%P&t=%a&k=%k&r=%r&d=%d&T=%T&i=%i&I=%I&n=%n&pc=%%&z=%z', facts),
    'http://a/%2Fx?p=%2B447700900123&P=88222&t=Hi%20%26%20bye&k=Hi&r=%26%20bye&d=8&T=1767225600&i=apps&I=m1&n=shop&pc=%25&z=',
  );
});

test('Kannel dlr values: 1 delivered, 2 not delivered, 8 taken, 16 refused by the next network', () => {
  assert.equal(dlrOf({ state: 'sent' }, false), 8);
  assert.equal(dlrOf({ state: 'delivered' }, true), 1);
  assert.equal(dlrOf({ state: 'failed', reason: 'not-found' }, true), 2);
  assert.equal(dlrOf({ state: 'failed', reason: 'not-found' }, false), 16);
  assert.equal(dlrOf({ state: 'expired', reason: 'expired' }, false), 2);
  assert.equal(dlrOf({ state: 'unknown' }, true), undefined);
});

test('Kannel sendsms: a message is accepted once it is durable, with its report wishes', async (t) => {
  const { hub, sendsms } = await open(t);
  const answer = await sendsms(`${login}&from=88222&to=%2B447700900123+00447700900124&text=hi&dlr-mask=25`);
  assert.deepEqual(answer, { status: 202, text: '0: Accepted for delivery' });
  assert.deepEqual(
    hub.draftsOf('message').map(({ from, to, wants }) => ({ from, to, wants })),
    ['+447700900123', '+447700900124'].map((number) => ({
      from: 'tel:88222;phone-context=apps.invalid',
      to: `tel:${number}`,
      wants: ['sent', 'delivered'],
    })),
  );
});

test('Kannel sendsms: refusals have the status and the words that its clients know', async (t) => {
  const { hub, sendsms } = await open(t, { allowFrom: [] });
  const to = 'to=%2B447700900123&text=hi';
  assert.deepEqual(await sendsms(`username=shop&password=wrong&${to}`), {
    status: 403,
    text: 'Authorization failed for sendsms',
  });
  assert.equal((await sendsms(`${login}&text=hi`)).status, 400);
  assert.equal((await sendsms(`${login}&from=%2B15551234567&${to}`)).status, 403);
  assert.equal((await sendsms(`${login}&${to}&x=%zz`)).status, 400);
  hub.onPublish = () => {
    throw new GatewayError('unavailable', 'the store is away');
  };
  const { status, text } = await sendsms(`${login}&${to}`);
  assert.equal(status, 503);
  assert.match(text, /^Temporal failure, try again later\./);
  hub.onPublish = ({ to: recipient }) => {
    if (recipient.endsWith('124')) throw new GatewayError('not-found', 'no route');
    return undefined;
  };
  const partly = await sendsms(`${login}&to=%2B447700900123,%2B447700900124&text=hi`);
  assert.deepEqual(partly, { status: 202, text: '0: Accepted for delivery\nDenied receivers: +447700900124' });
  const later = await sendsms(`${login}&${to}&deferred=5`);
  assert.equal(later.text, '3: Queued for later delivery');
});

test('Kannel POST: the text is the body, the rest X-Kannel headers', async (t) => {
  const { hub, ask } = await open(t);
  const headers = {
    'x-kannel-username': 'shop',
    'x-kannel-password': password,
    'x-kannel-from': '88222',
    'x-kannel-to': '+447700900123',
    'x-kannel-udh': '06050415820000',
    'content-type': 'application/octet-stream',
  };
  const { status } = await ask('/cgi-bin/sendsms', { method: 'POST', headers, body: 'ring' });
  assert.equal(status, 202);
  assert.equal(hub.draftsOf('message')[0]?.sms?.binary?.udh, '050415820000');
});

test('Kannel POST: octets are octets without a coding, and text with one that says so', async (t) => {
  const { hub, ask } = await open(t);
  const headers = {
    'x-kannel-username': 'shop',
    'x-kannel-password': password,
    'x-kannel-to': '+447700900123',
    'content-type': 'application/octet-stream',
  };
  await ask('/cgi-bin/sendsms', { method: 'POST', headers, body: Buffer.from([1, 0xff]) });
  await ask('/cgi-bin/sendsms', { method: 'POST', headers: { ...headers, 'x-kannel-coding': '0' }, body: 'ring' });
  const [octets, text] = hub.draftsOf('message');
  assert.equal(octets?.sms?.binary?.data, 'Af8=');
  assert.deepEqual(text?.text, { '': 'ring' });
});

test('RFC 9110 s.9.2.1: HEAD sends nothing', async (t) => {
  const { hub, ask } = await open(t);
  const { status } = await ask(`/cgi-bin/sendsms?${login}&to=%2B447700900123&text=hi`, { method: 'HEAD' });
  assert.deepEqual([status, hub.drafts.length], [405, 0]);
});

async function reported(t: Parameters<typeof open>[0], mask: number, receipts: Array<Partial<EventOf<'receipt'>>>) {
  const { adapter, hub, app, sendsms } = await open(t, { getUrl: 'http://127.0.0.1:9/never' });
  const dlrUrl = encodeURIComponent(`${app.url}/dlr?d=%d&p=%p&P=%P&A=%A`);
  await sendsms(`${login}&to=%2B447700900123&text=hi&dlr-mask=${mask}&dlr-url=${dlrUrl}`);
  const [draft] = hub.draftsOf('message');
  assert.ok(draft);
  for (const receipt of receipts) {
    const event = sampleEvent('receipt', draft.to, draft.from, { of: draft.nativeId ?? '', ...receipt });
    await adapter.deliver(event, never);
  }
  return app.calls.map(({ url }) => url);
}

test('Kannel dlr-url: called for what the mask asks for, with who sent it and whom it was for', async (t) => {
  const calls = await reported(t, 31, [{ state: 'sent' }, { state: 'delivered', text: 'DELIVRD' }]);
  assert.deepEqual(calls, [
    '/dlr?d=8&p=%2B447700900200&P=%2B447700900123&A=',
    '/dlr?d=1&p=%2B447700900200&P=%2B447700900123&A=DELIVRD',
  ]);
});

test('Kannel dlr-url: not called for what nobody asked', async (t) => {
  assert.deepEqual(await reported(t, 2, [{ state: 'sent' }, { state: 'delivered' }]), []);
});

test('Kannel dlr-url: what the network refused is 16, what it took and lost is 2', async (t) => {
  assert.match((await reported(t, 18, [{ state: 'failed', reason: 'not-found' }]))[0] ?? '', /d=16/);
  assert.match((await reported(t, 18, [{ state: 'sent' }, { state: 'failed', reason: 'not-found' }]))[0] ?? '', /d=2&/);
});

test('a dlr-url may name only the hosts that the account allows', async (t) => {
  const { sendsms } = await open(t, { callbackHosts: ['shop.example.org'] });
  const ask = (url: string) => sendsms(`${login}&to=%2B447700900123&text=hi&dlr-url=${url}`);
  assert.equal((await ask('http://shop.example.org/dlr?%25d')).status, 202);
  const refused = await ask('http://127.0.0.1/dlr');
  assert.equal(refused.status, 403);
  assert.match(refused.text, /callbackHosts/);
  assert.equal((await ask('ftp://shop.example.org/')).status, 400);
});

test('Kannel get-url: an inbound message is one call, and its answer one message back however often it is tried', async (t) => {
  const door = await open(t);
  const { adapter, hub, app } = await open(t, { getUrl: `${door.app.url}/in?from=%p&to=%P&text=%a`, replies: true });
  assert.equal(app.calls.length, 0);
  door.app.answers.push({ status: 500 }, { status: 200, text: ' Thank you ' });
  const event = sampleEvent('message', parseAddress('tel:+447700900123'), parseAddress('tel:+447700900200'), {
    text: { '': 'Join now' },
  });
  await assert.rejects(adapter.deliver(event, never), { reason: 'unavailable' });
  assert.deepEqual(await adapter.deliver(event, never), { state: 'delivered' });
  assert.equal(door.app.calls[1]?.url, '/in?from=%2B447700900123&to=%2B447700900200&text=Join%20now');
  const [reply] = hub.draftsOf('message');
  assert.deepEqual(reply?.text, { '': 'Thank you' });
  assert.equal(reply?.to, 'tel:+447700900123');
  assert.equal(reply?.dedupeKey, `reply/${event.id}`);
});

test('Kannel get-url: octets are %b and %u with coding 1, a file is its address: nothing is lost in silence', async (t) => {
  const door = await open(t);
  const { adapter } = await open(t, { getUrl: `${door.app.url}/in?text=%a&b=%b&u=%u&c=%c` });
  const [from, to] = [parseAddress('tel:+447700900123'), parseAddress('tel:+447700900200')];
  const binary = { data: Buffer.from([1, 0, 255]).toString('base64'), dataCoding: 4, udh: '050415820000' };
  const octets = { url: `data:application/octet-stream;base64,${binary.data}` };
  await adapter.deliver(sampleEvent('message', from, to, { text: {}, attachments: [octets], sms: { binary } }), never);
  const photo = { url: 'https://example.org/a.jpg' };
  await adapter.deliver(sampleEvent('message', from, to, { text: { '': 'look' }, attachments: [photo] }), never);
  assert.deepEqual(
    door.app.calls.map(({ url }) => url),
    [
      '/in?text=&b=%01%00%ff&u=%06%05%04%15%82%00%00&c=1',
      '/in?text=look%20https%3A%2F%2Fexample.org%2Fa.jpg&b=look%20https%3A%2F%2Fexample.org%2Fa.jpg&u=&c=0',
    ],
  );
});
