// The event package `reg`: which phones of a person of our own domains are registered, told to that person alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binding } from '../../../../adapters/sip/registrar.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { childrenOf, parseDocument, textOf } from '../../../../src/formats/xml.ts';
import { Site } from '../watcher-fixtures.ts';

const bob = parseAddress('sip:bob@native.example');
const own = { from: `<${bob}>;tag=r1`, uri: bob, event: 'reg', accept: 'application/reginfo+xml', user: 'bob' };
const limits = { maxLength: 65_536, maxDepth: 8, maxAttributes: 16 };

function bindingOf(site: Site, host: string, seconds: number, more: Partial<Binding> = {}): Binding {
  const flow = { id: host, transport: 'UDP' as const, address: '192.0.2.1', port: 5060 };
  const expiresAt = site.hub.now() + seconds * 1000;
  return { uri: `sip:bob@${host}`, callId: `call@${host}`, cseq: 1, expiresAt, path: [], flow, ...more };
}

/** What the last NOTIFY says, in short. */
function said({ last }: Site): { version: string; state: string; contacts: string[] } {
  const root = parseDocument(last.body, limits);
  const [registration] = childrenOf(root, 'registration');
  assert.ok(registration);
  const contacts = childrenOf(registration, 'contact').map((contact) => {
    const { state, event, expires = '' } = contact.attributes;
    const uri = childrenOf(contact, 'uri').map(textOf).join();
    return [uri, state, event, expires].join(' ').trim();
  });
  return { version: root.attributes.version ?? '', state: registration.attributes.state ?? '', contacts };
}

test('RFC 3680 s.5.1: the first document is version 0 and whole: contacts, how they came about, how long they last', async () => {
  const site = new Site();
  site.bindings = [bindingOf(site, '192.0.2.1', 600), bindingOf(site, '192.0.2.2', 60)];
  assert.equal((await site.subscribe(own)).status, 200);
  assert.deepEqual(said(site), {
    version: '0',
    state: 'active',
    contacts: ['sip:bob@192.0.2.1 active registered 600', 'sip:bob@192.0.2.2 active registered 60'],
  });
});

test('RFC 3680 s.4.10: what changes is told, and at most every five seconds', async () => {
  const site = new Site();
  await site.subscribe(own);
  assert.deepEqual(said(site), { version: '0', state: 'init', contacts: [] });
  site.bindings = [bindingOf(site, '192.0.2.1', 600)];
  site.presence.registered(bob);
  site.bindings = [bindingOf(site, '192.0.2.1', 900)];
  site.presence.registered(bob);
  await site.advance(6000);
  assert.equal(site.notified.length, 2);
  assert.deepEqual(said(site).contacts, ['sip:bob@192.0.2.1 active refreshed 895']);
  site.bindings = [];
  site.presence.registered(bob);
  await site.advance(6000);
  assert.deepEqual(said(site), {
    version: '2',
    state: 'terminated',
    contacts: ['sip:bob@192.0.2.1 terminated unregistered'],
  });
});

test('RFC 3680 s.4.7.1: a phone that does not come back is told as expired, without anybody asking', async () => {
  const site = new Site();
  site.bindings = [bindingOf(site, '192.0.2.1', 600), bindingOf(site, '192.0.2.2', 60)];
  await site.subscribe(own);
  const [lasting] = site.bindings;
  site.bindings = lasting ? [lasting] : [];
  await site.advance(66_000);
  assert.deepEqual(said(site).contacts, [
    'sip:bob@192.0.2.1 active registered 534',
    'sip:bob@192.0.2.2 terminated expired',
  ]);
});

test('RFC 5628: the public GRUU of a phone stands beside it', async () => {
  const site = new Site();
  const instance = 'urn:uuid:00000000-0000-1000-8000-000a95a0e128';
  site.bindings = [bindingOf(site, '192.0.2.1', 600, { instance })];
  await site.subscribe(own);
  assert.match(site.last.body, /gruuinfo/);
  assert.match(site.last.body, new RegExp(`uri="${bob};gr=${instance}"`));
});

test('RFC 3680 s.4.6: nobody else may know, nor somebody who has not proved to be the one', async () => {
  const site = new Site();
  site.bindings = [bindingOf(site, '192.0.2.1', 600)];
  const { user: _, ...unproven } = own;
  const refused = [
    { ...own, from: '<sip:carol@native.example>;tag=c1', user: 'carol' },
    unproven,
    { ...own, from: '<sip:bob@other.example>;tag=b1', uri: 'sip:bob@other.example' },
  ];
  for (const asking of refused) assert.ok((await site.answered(asking)).status >= 400);
  assert.equal(site.notified.length, 0);
});

test('RFC 3680 s.4.7: after a restart the same dialog goes on and is told what holds now', async () => {
  const site = new Site();
  await site.subscribe(own);
  site.bindings = [bindingOf(site, '192.0.2.1', 600)];
  await site.restart();
  await site.advance(6000);
  assert.deepEqual(said(site).contacts.length, 1);
  site.bindings = [];
  site.presence.registered(bob);
  await site.advance(6000);
  assert.equal(said(site).state, 'terminated');
});

test('RFC 3680 s.4.7: a poll is answered from what is registered, and leaves nothing', async () => {
  const site = new Site();
  site.bindings = [bindingOf(site, '192.0.2.1', 600)];
  await site.subscribe({ ...own, expires: 0 });
  assert.match(site.last.state, /^terminated/);
  assert.equal(said(site).contacts.length, 1);
  assert.equal(site.clock.wheel.size, 0);
});
