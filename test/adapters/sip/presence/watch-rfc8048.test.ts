// RFC 8048 s.6, s.6 and s.8 as a watcher on another network sees them: row by row of the reference's table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNameAddr } from '../../../../adapters/sip/codec/name-addr.ts';
import type { GatewayError } from '../../../../src/contract/index.ts';
import {
  bench,
  contact,
  dialogOf,
  pidf,
  refresh,
  rest,
  timerN,
  told,
  untilProbe,
  watched,
  watcher,
} from './subscriber-fixtures.ts';

const hourMs = 3_600_000;

test('RFC 8048 s.5.2.1: a request to watch is a SUBSCRIBE from the watcher for an hour of presence in PIDF', async (t) => {
  const { ask, last } = await bench(t);
  await ask('request', `${watcher};gr=balcony`);
  const { method, uri, headers } = last();
  assert.equal(method, 'SUBSCRIBE');
  assert.equal(uri, contact);
  assert.equal(parseNameAddr(headers.get('From') ?? '').uri, watcher);
  assert.equal(headers.get('To'), `<${contact}>`);
  assert.equal(headers.get('Event'), 'presence');
  assert.equal(headers.get('Expires'), '3600');
  assert.equal(headers.all('Accept')[0], 'application/pidf+xml');
});

test('RFC 8048 s.5.2.1: the Contact names the device with gr, a parameter of the URI and inside the brackets', async (t) => {
  const { ask, last } = await bench(t);
  await ask('request', `${watcher};gr=balcony`);
  assert.equal(last().headers.get('Contact'), '<sip:alice%40xmpp.example@192.0.2.1:5060;gr=balcony>');
});

test('RFC 8048 s.5.2.1: a 2xx is neutral: the watcher is told nothing', async (t) => {
  const { ask, hub } = await bench(t);
  await ask('request');
  assert.deepEqual(hub.drafts, []);
});

test('reference sip 1.3: a 2xx to SUBSCRIBE is not `subscribed`', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  assert.deepEqual(told(made.hub), []);
  await made.notify('active;expires=3600');
  assert.deepEqual(told(made.hub), ['approve', 'bob unknown']);
});

test('RFC 8048 s.5.2.1: NOTIFY pending is answered 200 and tells nothing of the contact, whatever it encloses', async (t) => {
  const { ask, notify, hub } = await bench(t);
  await ask('request');
  assert.equal(await notify('pending;expires=3600', { body: pidf({ a: 'open' }) }), 200);
  assert.deepEqual(hub.drafts, []);
});

test('RFC 8048 s.5.2.1: the first NOTIFY active is the approval, followed by the presence it encloses', async (t) => {
  const { ask, notify, hub } = await bench(t);
  await ask('request');
  await notify('pending;expires=3600');
  assert.equal(await notify('active;expires=3600', { body: pidf({ a: 'away' }) }), 200);
  assert.deepEqual(told(hub), ['approve', 'bob/a away']);
  assert.deepEqual(
    hub.drafts.map(({ from, to }) => [from, to]),
    [
      [contact, watcher],
      [`${contact};gr=a`, watcher],
    ],
  );
});

test('RFC 8048 s.5.2.1: an active NOTIFY with an empty body says that nothing is known yet', async (t) => {
  const { ask, notify, hub } = await bench(t);
  await ask('request');
  await notify('active;expires=3600');
  assert.deepEqual(told(hub), ['approve', 'bob unknown']);
});

test('RFC 8048 s.5.2.1: approval is told once, however often the contact is active', async (t) => {
  const { notify, hub } = await watched(t);
  await notify('active;expires=3000', { body: pidf({ a: 'away' }) });
  assert.deepEqual(told(hub), ['approve', 'bob/a available', 'bob/a away']);
});

for (const status of [403, 489, 603]) {
  test(`RFC 8048 s.5.2.1: ${status} to the first SUBSCRIBE cancels the authorisation for good`, async (t) => {
    const made = await bench(t);
    made.reply = () => ({ status });
    await made.ask('request');
    assert.deepEqual(told(made.hub), ['deny']);
    assert.equal(made.subscriber.size, 0);
  });

  test(`RFC 8048 s.5.2.1: ${status} to a refresh cancels the authorisation for good, and nothing is tried again`, async (t) => {
    const made = await watched(t);
    made.reply = () => ({ status });
    await refresh(made);
    assert.equal(told(made.hub).at(-1), 'deny');
    assert.equal(made.subscriber.size, 0);
    assert.deepEqual(await Array.fromAsync(made.hub.state.scan('watch/')), []);
    const { length } = made.sent;
    made.heard('available');
    await made.pass(hourMs);
    assert.equal(made.sent.length, length);
  });
}

test('RFC 8048 s.5.2.1: 423 is passing: the notifier says how long it wants, and gets that', async (t) => {
  const made = await bench(t);
  made.reply = ({ headers }) =>
    headers.get('Expires') === '3600' ? { status: 423, headers: { 'Min-Expires': '7200' } } : { status: 200 };
  await made.ask('request');
  assert.deepEqual(
    made.sent.map(({ headers }) => headers.get('Expires')),
    ['3600', '7200'],
  );
  assert.deepEqual(
    made.sent.map(({ headers }) => headers.get('CSeq')),
    ['1 SUBSCRIBE', '2 SUBSCRIBE'],
  );
  await made.notify('active;expires=7200', { body: pidf({ a: 'open' }) });
  await refresh(made);
  assert.equal(made.last().headers.get('Expires'), '7200');
  assert.ok(!told(made.hub).includes('deny'));
});

test('RFC 8048 s.5.2.1: 423 without a Min-Expires that can be used is no reason to deny, nor to ask in a circle', async (t) => {
  const made = await bench(t);
  for (const least of ['', '3600', '999999999', 'soon']) {
    made.reply = () => ({ status: 423, headers: { 'Min-Expires': least } });
    await assert.rejects(made.ask('request'), { reason: 'internal' });
  }
  assert.equal(made.sent.length, 4);
  assert.deepEqual(told(made.hub), []);
});

test('RFC 8048 s.5.2.1: 481 to a refresh is passing: a new dialog, and the authorisation stays', async (t) => {
  const made = await watched(t);
  const before = made.last().headers.get('Call-ID');
  made.reply = ({ headers }) => ({ status: /tag=/.test(headers.get('To') ?? '') ? 481 : 200 });
  await refresh(made);
  const { headers } = made.last();
  assert.notEqual(headers.get('Call-ID'), before);
  assert.doesNotMatch(headers.get('To') ?? '', /tag=/);
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), fromTag: 'fresh', cseq: 1 });
  assert.deepEqual(told(made.hub), ['approve', 'bob/a available', 'fetch']);
});

test('RFC 8048 s.5.2.2: before a refresh the watcher is probed from the contact, and refreshed for when there', async (t) => {
  const made = await watched(t);
  await untilProbe(made);
  const probe = made.hub.drafts.at(-1);
  assert.deepEqual([probe?.type, probe?.from, probe?.to], ['subscription', contact, watcher]);
  assert.equal(made.sent.length, 1);
  made.heard('away');
  await rest();
  assert.equal(made.sent.length, 2);
  const { headers } = made.last();
  assert.match(headers.get('To') ?? '', /tag=remote/);
  assert.equal(headers.get('CSeq'), '2 SUBSCRIBE');
});

test('RFC 8048 s.8.1: for a watcher who is not there nothing is refreshed: the dialog lapses, the authorisation stays', async (t) => {
  const made = await watched(t);
  await untilProbe(made);
  made.heard('unavailable', watcher);
  await made.pass(hourMs);
  assert.equal(made.sent.length, 1);
  assert.deepEqual(told(made.hub), ['approve', 'bob/a available', 'fetch', 'bob unavailable']);
  made.heard('available');
  await rest();
  assert.equal(made.sent.length, 2);
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), cseq: 1 });
  assert.deepEqual(told(made.hub, 4), ['bob/a available']);
});

test('RFC 8048 s.8.1: where a network says nothing of the watcher, refreshes end half a day after the last sign', async (t) => {
  const made = await watched(t);
  made.reply = () => {
    setImmediate(() => void made.notify('active;expires=3600', { body: pidf({ a: 'open' }) }));
    return { status: 200, headers: { Expires: '3600' } };
  };
  for (let minutes = 0; minutes < 20 * 60; minutes++) await made.pass(60_000);
  assert.ok(made.sent.length > 10 && made.sent.length < 18, `${made.sent.length} SUBSCRIBE in 20 hours`);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'idle');
  assert.deepEqual(told(made.hub).slice(-2), ['bob unavailable', 'fetch']);
});

test('RFC 8048 s.8.1: a network that cannot tell is no answer to a probe', async (t) => {
  const made = await watched(t);
  await untilProbe(made);
  made.heard('unknown', watcher);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'probing');
});

test('RFC 8048 s.5.2.2: unavailable presence of the watcher lets the dialog lapse without a word to the contact', async (t) => {
  const made = await watched(t);
  made.heard('available');
  made.heard('unavailable');
  await made.pass(2 * hourMs);
  assert.equal(made.sent.length, 1);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'idle');
});

test('RFC 8048 s.5.2.2: a watcher who comes back before the dialog has lapsed keeps it', async (t) => {
  const made = await watched(t);
  made.heard('unavailable', watcher);
  made.heard('available');
  await refresh(made);
  assert.equal(made.sent.length, 2);
  assert.match(made.last().headers.get('To') ?? '', /tag=remote/);
});

test('RFC 8048 s.5.2.2: one of two devices of the watcher goes, and the other still wants to know', async (t) => {
  const made = await watched(t);
  made.heard('available', `${watcher};gr=phone`);
  made.heard('available', `${watcher};gr=desk`);
  made.heard('unavailable', `${watcher};gr=phone`);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'live');
  made.heard('unavailable', `${watcher};gr=desk`);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'lapsing');
});

test('RFC 8048 s.5.2.2: initial presence of an authorised watcher without a dialog subscribes anew, and approves nothing anew', async (t) => {
  const made = await watched(t);
  await made.notify('terminated;reason=timeout');
  made.heard('unavailable', watcher);
  await made.pass(2 * hourMs);
  const { length } = made.hub.drafts;
  const before = made.sent.length;
  made.heard('available');
  await rest();
  assert.equal(made.sent.length, before + 1);
  assert.equal(made.last().headers.get('Expires'), '3600');
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), cseq: 1 });
  assert.deepEqual(told(made.hub, length), ['bob/a available']);
});

test('RFC 8048 s.5.2.2: a probe of an authorised watcher is answered at once with what is known, from the dialog that is there', async (t) => {
  const made = await watched(t);
  await made.notify('active;expires=3600', { body: pidf({ a: 'away', b: 'open' }) });
  const { length } = made.hub.drafts;
  await made.ask('fetch', `${watcher};gr=desk`);
  assert.deepEqual(told(made.hub, length), ['bob/a away', 'bob/b available']);
  assert.deepEqual(
    made.hub.drafts.slice(length).map(({ to }) => to),
    [`${watcher};gr=desk`, `${watcher};gr=desk`],
  );
  assert.equal(made.sent.length, 1);
});

test('reference sip 1.3: a probe is answered from what is known, and asks nobody', async (t) => {
  const made = await watched(t);
  for (let probes = 0; probes < 3; probes++) await made.ask('fetch');
  assert.equal(made.sent.length, 1);
  assert.equal(told(made.hub).filter((what) => what === 'bob/a available').length, 4);
});

test('RFC 8048 s.5.2.2: a probe of an authorised watcher without a dialog is a SUBSCRIBE that lasts', async (t) => {
  const made = await watched(t);
  made.heard('unavailable', watcher);
  await made.pass(hourMs);
  await made.ask('fetch');
  assert.equal(made.sent.length, 2);
  assert.equal(made.last().headers.get('Expires'), '3600');
});

test('RFC 8048 s.7.1: a probe without authorisation is a poll: SUBSCRIBE with Expires: 0, and its NOTIFY is the answer', async (t) => {
  const made = await bench(t);
  await made.ask('fetch');
  const { headers } = made.last();
  assert.equal(headers.get('Expires'), '0');
  assert.doesNotMatch(headers.get('To') ?? '', /tag=/);
  assert.equal(await made.notify('terminated;reason=timeout', { body: pidf({ a: 'away' }) }), 200);
  assert.deepEqual(told(made.hub), ['bob/a away']);
  assert.equal(made.subscriber.size, 0);
  assert.deepEqual(await Array.fromAsync(made.hub.state.scan('watch/')), []);
});

test('RFC 8048 s.7.1: a poll that is pending tells nothing, and one that nobody answers is forgotten', async (t) => {
  const made = await bench(t);
  await made.ask('fetch');
  await made.notify('pending;expires=0', { body: pidf({ a: 'away' }) });
  await made.pass(timerN + 1000);
  assert.deepEqual(told(made.hub), []);
  assert.equal(made.subscriber.size, 0);
});

test('RFC 8048 s.5.2.3: to stop watching is a SUBSCRIBE with Expires: 0 in the dialog, and its 2xx is told once', async (t) => {
  const made = await watched(t);
  await made.ask('cancel');
  const { headers } = made.last();
  assert.equal(headers.get('Expires'), '0');
  assert.match(headers.get('To') ?? '', /tag=remote/);
  assert.deepEqual(told(made.hub, 2), ['deny']);
  assert.equal(await made.notify('terminated;reason=timeout', { body: pidf({ a: 'closed' }) }), 200);
  assert.deepEqual(told(made.hub, 2), ['deny']);
  assert.equal(made.subscriber.size, 0);
});

test('RFC 8048 s.5.2.3: what cannot be ended now stays, and is ended by the next attempt', async (t) => {
  const made = await watched(t);
  made.reply = () => undefined;
  await assert.rejects(made.ask('cancel'), { reason: 'unreachable' });
  assert.deepEqual(told(made.hub, 2), []);
  made.reply = () => ({ status: 481 });
  await made.ask('cancel');
  assert.deepEqual(told(made.hub, 2), ['deny']);
});

test('RFC 8048 s.5.2.3: to stop watching without a dialog needs no SUBSCRIBE', async (t) => {
  const made = await watched(t);
  made.heard('unavailable', watcher);
  await made.pass(hourMs);
  const { length } = made.hub.drafts;
  await made.ask('cancel');
  assert.equal(made.sent.length, 1);
  assert.deepEqual(told(made.hub, length), ['deny']);
});

test('RFC 8048 s.6.3: one event for each tuple, from the device that the tuple names', async (t) => {
  const made = await watched(t);
  await made.notify('active;expires=3600', { body: pidf({ a: 'dnd', 'ID-b_20c': 'xa' }) });
  assert.deepEqual(told(made.hub, 2), ['bob/a busy', 'bob/b%20c extended-away']);
});

test('RFC 3863 s.4.1.2: a tuple that is gone from the next full document is a device that is gone', async (t) => {
  const made = await watched(t);
  await made.notify('active;expires=3600', { body: pidf({ a: 'open', b: 'away' }) });
  await made.notify('active;expires=3600', { body: pidf({ b: 'away' }) });
  assert.deepEqual(told(made.hub, 2), ['bob/b away', 'bob/a unavailable']);
});

test('RFC 8048 s.8.2: a document goes to the watcher of its dialog and to nobody else', async (t) => {
  const made = await bench(t);
  const other = 'sip:carol%40xmpp.example@gw.example';
  await made.ask('request');
  const first = made.last();
  await made.ask('request', other);
  const second = made.last();
  assert.notEqual(first.headers.get('Call-ID'), second.headers.get('Call-ID'));
  await made.notify('active;expires=3600', { body: pidf({ a: 'away' }), ...dialogOf(first) });
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), ...dialogOf(second) });
  const seen = made.hub.draftsOf('presence').map(({ to, availability }) => [to, availability]);
  assert.deepEqual(seen, [
    [watcher, 'away'],
    [other, 'available'],
  ]);
  // A probe, too, gets what its own dialog has brought.
  await made.ask('fetch', watcher);
  assert.equal(made.hub.draftsOf('presence').at(-1)?.availability, 'away');
});

test("RFC 8048 s.5.2.1: a request that cannot be carried now is the hub's to repeat", async (t) => {
  const made = await bench(t);
  made.reply = () => ({ status: 503, headers: { 'Retry-After': '7' } });
  await assert.rejects(made.ask('request'), (error: GatewayError) => error.retryAfterMs === 7000);
  made.reply = () => undefined;
  await assert.rejects(made.ask('request'), { reason: 'unreachable' });
  assert.deepEqual(told(made.hub), []);
  assert.equal(made.subscriber.size, 1);
});

test('RFC 8048 s.5.2.1: a contact who does not exist is told as a refusal, for nobody else will say so', async (t) => {
  const made = await bench(t);
  made.reply = () => ({ status: 404 });
  await made.ask('request');
  assert.deepEqual(told(made.hub), ['deny']);
  assert.equal(made.subscriber.size, 0);
});

test('RFC 8048 s.5.2.1: a first SUBSCRIBE that fails otherwise is no refusal: nobody is told, and it is tried again', async (t) => {
  for (const status of [400, 401, 407, 408, 413, 480, 500, 503]) {
    const made = await bench(t);
    made.reply = () => ({ status });
    await made.ask('request').catch(() => {});
    await made.pass(60_000);
    assert.ok(made.sent.length >= 2, `${status}`);
    assert.deepEqual(told(made.hub), [], `${status}`);
    made.reply = () => ({ status: 200 });
    const { length } = made.sent;
    while (made.sent.length === length) await made.pass(5000);
    await made.notify('active;expires=3600');
    assert.equal(told(made.hub)[0], 'approve', `${status}`);
  }
});

test('reference sip 2: 405, 489 and 501 to a SUBSCRIBE are what is known of the peer from then on', async (t) => {
  for (const status of [405, 489, 501]) {
    const made = await bench(t);
    made.reply = () => ({ status, headers: status === 489 ? {} : { Allow: 'MESSAGE, OPTIONS' } });
    await made.ask('request');
    assert.ok(made.learnt.includes(`${contact} presence false ${status}`), made.learnt.join());
  }
});

test('RFC 5626 s.4.3: a dialog through a registration says the Contact that the registrar knows a way to', async (t) => {
  const made = await bench(t);
  made.direction = { ...made.direction, contact: 'sip:gw@192.0.2.1:5060;ob' };
  await made.ask('request');
  assert.equal(made.last().headers.get('Contact'), '<sip:gw@192.0.2.1:5060;ob>');
});

test('reference sip 1.3: no SUBSCRIBE asks for a year', async (t) => {
  const made = await watched(t);
  await refresh(made);
  for (const { headers } of made.sent) assert.equal(headers.get('Expires'), '3600');
});

test('reference sip 1.3: each SUBSCRIBE is watched for its answer, and a failure is acted on', async (t) => {
  const made = await bench(t);
  made.reply = () => ({ status: 408 });
  await assert.rejects(made.ask('request'), { reason: 'unreachable', native: '408' });
});

test('reference sip 1.3: a full address may ask to watch, and devices keep their names both ways', async (t) => {
  const made = await bench(t);
  await made.ask('request', `${watcher};gr=balcony`);
  assert.match(made.last().headers.get('Contact') ?? '', /;gr=balcony>/);
  await made.notify('active;expires=3600', { body: pidf({ 'ID-orchard': 'open' }) });
  assert.deepEqual(told(made.hub), ['approve', 'bob/orchard available']);
});

test('reference sip 1.3: the words of a contact arrive by language, and the priority as a whole number', async (t) => {
  const made = await watched(t);
  const tuple =
    '<tuple id="t"><status><basic>open</basic></status><contact priority="0.5">sip:bob@192.0.2.9</contact>' +
    '<note>in the garden</note><note xml:lang="de">im Garten</note></tuple>';
  await made.notify('active', { body: pidf({}, tuple), more: ['Content-Language: en'] });
  const presence = made.hub.draftsOf('presence').find(({ from }) => from.endsWith('gr=t'));
  assert.deepEqual(presence?.notes, { en: 'in the garden', de: 'im Garten' });
  assert.equal(presence?.priority, 64);
});

test('RFC 8048 s.6.3: Content-Language is the language of words that name none, and no other', async (t) => {
  const made = await watched(t);
  const noted = (id: string, note: string) => `<tuple id="${id}"><status><basic>open</basic></status>${note}</tuple>`;
  const inside = noted('x', '<note xml:lang="fr">au jardin</note>') + noted('y', '<note>im Garten</note>');
  await made.notify('active', { body: pidf({}, inside), more: ['Content-Language: de'] });
  assert.deepEqual(
    made.hub.draftsOf('presence').map(({ notes }) => notes),
    [undefined, { fr: 'au jardin' }, { de: 'im Garten' }, undefined],
  );
});

test('reference sip 1.3: a NOTIFY that cannot be passed on is answered with why, never with silence', async (t) => {
  const made = await watched(t);
  made.hub.onPublish = () => {
    throw new Error('the disk is gone');
  };
  await assert.rejects(made.notify('active', { body: pidf({ a: 'away' }) }), /the disk is gone/);
  made.hub.onPublish = undefined;
  assert.equal(await made.notify('active', { body: pidf({ a: 'away' }) }), 200);
  assert.deepEqual(told(made.hub, 2), ['bob/a away']);
});

test('reference sip 2: operators see every subscription: who, whom, its standing, its phase and how long it lasts', async (t) => {
  const made = await watched(t);
  assert.deepEqual(
    [...made.subscriber.rows()],
    [
      {
        ...{ direction: 'outbound', watcher, contact, standing: 'granted', phase: 'live' },
        ...{ expiresInSeconds: 3600, devices: 1, watcherDevices: 1, failures: 0 },
      },
    ],
  );
});

test('RFC 8048 s.8.1: one watcher cannot have a subscription to everybody', async (t) => {
  const made = await bench(t, { options: { maxPerWatcher: 2 } });
  await made.ask('request', watcher, 'sip:one@sip.example');
  await made.ask('request', watcher, 'sip:two@sip.example');
  await assert.rejects(made.ask('request', watcher, 'sip:three@sip.example'), { reason: 'not-allowed' });
  await made.ask('cancel', watcher, 'sip:one@sip.example');
  await made.ask('request', watcher, 'sip:three@sip.example');
});

test('RFC 7247 s.8: how many gateways a wish has passed travels on as Max-Forwards', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  assert.equal(made.last().headers.get('Max-Forwards'), '63');
});
