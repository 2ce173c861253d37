// What a message costs: the price of the rule that sent it where it went.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/contract/index.ts';
import { Addressing } from '../../src/hub/addressing.ts';
import { Directory } from '../../src/hub/directory.ts';
import { RouteTable } from '../../src/hub/router.ts';
import { MemoryState } from '../peers/hub.ts';

test('the price of a part is that of the rule that the sender and the text chose, not of the first for the number', () => {
  const routes = new RouteTable([
    { to: 'tel:*', via: ['north'], mode: 'failover', costs: { north: 0.05 }, from: 'xmpp:*@shop.example' },
    { to: 'tel:*', via: ['north'], mode: 'failover', costs: { north: 0.02 }, keyword: ['BULK'] },
    { to: 'tel:*', via: ['north', 'south'], mode: 'failover', costs: { north: 0.03, south: 0.01 } },
  ]);
  const directory = new Directory(new MemoryState(Date.now), Date.now);
  const addressing = new Addressing(directory, new Map(), routes);
  const to = parseAddress('tel:+447700900123');
  const said = (from: string, text: string) => ({ source: { from: parseAddress(from), to }, to, text: { '': text } });
  assert.equal(addressing.costOf('north', said('xmpp:till@shop.example/1', 'hi')), 0.05);
  assert.equal(addressing.costOf('north', said('xmpp:alice@example.org', 'hi')), 0.03);
  assert.equal(addressing.costOf('north', said('xmpp:alice@example.org', 'bulk hi')), 0.02);
  assert.equal(addressing.costOf('south', said('xmpp:alice@example.org', 'hi')), 0.01);
  assert.equal(addressing.costOf('south', said('xmpp:till@shop.example', 'hi')), undefined);
});
