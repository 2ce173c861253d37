// Routes: order, domain globs, longest number prefix, failover and sharing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/contract/index.ts';
import { candidates, parsePattern, type Route, RouteTable } from '../../src/hub/router.ts';

const route = (to: string, ...via: string[]): Route => ({ to, via, mode: 'failover' });
const found = (table: RouteTable, address: string) => table.find(parseAddress(address))?.via[0];

test('the first rule that fits wins, by scheme, name and domain glob', () => {
  const table = new RouteTable([
    route('sip:alice@example.net', 'vip'),
    route('sip:*@*.example.net', 'sub'),
    route('sip:*@example.net', 'main'),
    route('xmpp:*', 'xmpp'),
    route('sip:*', 'rest'),
  ]);
  assert.equal(found(table, 'sip:alice@example.net'), 'vip');
  assert.equal(found(table, 'sip:bob@example.net'), 'main');
  assert.equal(found(table, 'sip:bob@a.b.example.net'), 'sub');
  assert.equal(found(table, 'sip:bob@example.com'), 'rest');
  assert.equal(found(table, 'xmpp:bob@anywhere/phone'), 'xmpp');
  assert.equal(found(table, 'wv:bob@anywhere'), undefined);
});

test('a dot in a pattern is a dot', () => {
  const table = new RouteTable([route('sip:*@a.example', 'x')]);
  assert.equal(found(table, 'sip:b@aXexample'), undefined);
});

test('among number rules the longest prefix wins, wherever it stands', () => {
  const table = new RouteTable([
    route('tel:*', 'world'),
    route('tel:+44*', 'uk'),
    route('tel:+447700*', 'mobile'),
    route('tel:+447700900999', 'desk'),
  ]);
  assert.equal(found(table, 'tel:+12015550123'), 'world');
  assert.equal(found(table, 'tel:+442079460000'), 'uk');
  assert.equal(found(table, 'tel:+447700900123'), 'mobile');
  assert.equal(found(table, 'tel:+447700900999'), 'desk');
  assert.equal(found(table, 'tel:12345;phone-context=x.example'), 'world');
});

test('ten thousand prefixes cost no more look-ups than the digits of the number', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => route(`tel:+${10_000 + i}*`, `i${i}`));
  const table = new RouteTable(routes);
  assert.equal(found(table, 'tel:+1234512345'), 'i2345');
});

test('a wrong pattern is refused with an example of a right one', () => {
  for (const [text, hint] of [
    ['bob@example.net', /begin with/],
    ['tel:44*', /tel:\+44\*/],
    ['sip:*@exa mple', /sip:\*@example\.org/],
  ] as const) {
    assert.throws(() => parsePattern(text), hint);
  }
});

test('sharing gives each conversation its own favourite, evenly, and taking one instance away moves only its own', () => {
  const shared: Route = { to: 'tel:*', via: ['a', 'b', 'c'], mode: 'share' };
  const pairs = Array.from({ length: 3000 }, (_, i) => `tel:+44${i}|xmpp:alice${i % 7}@x`);
  const favourites = new Map(pairs.map((pair) => [pair, candidates(shared, pair)[0]]));
  for (const instance of shared.via) {
    const share = [...favourites.values()].filter((favourite) => favourite === instance).length;
    assert.ok(share > 850 && share < 1150, `${instance} has ${share} of 3000`);
  }
  const less: Route = { ...shared, via: ['a', 'b'] };
  for (const [pair, favourite] of favourites) {
    if (favourite !== 'c') assert.equal(candidates(less, pair)[0], favourite);
  }
});

test('failover keeps the configured order for everybody', () => {
  assert.deepEqual(candidates(route('tel:*', 'b', 'a'), 'anything'), ['b', 'a']);
});

test('a rule with a keyword goes before the others of its number, whatever the case of the word', () => {
  const table = new RouteTable([
    route('tel:88222', 'rest'),
    { ...route('tel:88222', 'info'), keyword: ['INFO', 'hilfe'] },
    route('tel:*', 'world'),
  ]);
  const short = parseAddress('tel:88222;phone-context=carrier.invalid');
  const via = (text?: string) => table.find(short, { text })?.via[0];
  assert.equal(table.readsText, true);
  assert.equal(via(' info please'), 'info');
  assert.equal(via('HILFE'), 'info');
  assert.equal(via('informal'), 'rest');
  assert.equal(via(), 'rest');
  assert.equal(found(table, 'tel:999;phone-context=carrier.invalid'), 'world');
});

test('a rule may ask who the sender is', () => {
  const table = new RouteTable([{ ...route('tel:+44*', 'vip'), from: 'xmpp:*@vip.example' }, route('tel:+44*', 'all')]);
  const to = parseAddress('tel:+447700900123');
  assert.equal(table.find(to, { from: parseAddress('xmpp:a@vip.example/x') })?.via[0], 'vip');
  assert.equal(table.find(to, { from: parseAddress('xmpp:a@other.example') })?.via[0], 'all');
  assert.equal(table.find(to)?.via[0], 'all');
});

test('the cheapest instance is tried first, those without a price last and in their order', () => {
  const priced: Route = { to: 'tel:*', via: ['x', 'a', 'b', 'y'], mode: 'cheapest', costs: { a: 0.03, b: 0.01 } };
  assert.deepEqual(candidates(priced, 'anything'), ['b', 'a', 'x', 'y']);
});
