// The examples of RFC 7572, 7573, 8048 and 7702 hold errors (reference sip 3.14): none of them is copied here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNameAddr } from '../../../adapters/sip/codec/name-addr.ts';
import { bench, refresh, watched, watcher } from './presence/subscriber-fixtures.ts';
import { alice, bob, Site, watching } from './watcher-fixtures.ts';

test('reference sip 3.14: gr is a parameter of the URI, inside the brackets of Contact, From and To', async (t) => {
  const made = await bench(t);
  await made.ask('request', `${watcher};gr=phone`);
  const subscribe = made.last();
  for (const name of ['Contact', 'From', 'To']) {
    const { uri, parameters } = parseNameAddr(subscribe.headers.get(name) ?? '');
    assert.ok(!parameters.has('gr'), name);
    if (name === 'Contact') assert.match(uri, /;gr=phone$/);
  }
});

test('reference sip 3.14: to stop watching is a SUBSCRIBE: a watcher never sends NOTIFY', async (t) => {
  const made = await watched(t);
  await made.ask('cancel');
  assert.deepEqual(
    made.sent.map(({ method, headers }) => [method, headers.get('Expires')]),
    [
      ['SUBSCRIBE', '3600'],
      ['SUBSCRIBE', '0'],
    ],
  );
});

test('reference sip 3.14: NOTIFY goes from the presentity to the watcher, at the Contact that the watcher named', async () => {
  const { site, first } = await watching();
  await site.tell();
  const { uri, headers } = site.last.request;
  assert.equal(uri, 'sip:bob@192.0.2.9:5070');
  assert.equal(headers.get('From'), `<${alice}>;tag=${first.toTag}`);
  assert.equal(headers.get('To'), `<${bob}>;tag=b1`);
});

test('reference sip 3.14: Subscription-State active and pending say how long they last', async () => {
  const site = new Site();
  await site.subscribe();
  await site.approve();
  await site.tell();
  assert.ok(site.notified.length >= 2);
  for (const { state } of site.notified) assert.match(state, /^(active|pending);expires=\d+/);
});

test('reference sip 3.14: a refresh has the dialog of the first SUBSCRIBE, and a CSeq above it', async (t) => {
  const made = await watched(t);
  await refresh(made);
  const [first, second] = made.sent;
  const tags = [first, second].map((sent) => parseNameAddr(sent?.headers.get('From') ?? '').parameters.get('tag'));
  assert.equal(tags[0], tags[1]);
  assert.equal(first?.headers.get('Call-ID'), second?.headers.get('Call-ID'));
  assert.deepEqual([first?.headers.get('CSeq'), second?.headers.get('CSeq')], ['1 SUBSCRIBE', '2 SUBSCRIBE']);
});
