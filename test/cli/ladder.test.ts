// The ladder of `dragoman trace`: columns, arrows, times, and that peers' words cannot steer the terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ladder } from '../../src/cli/ladder.ts';
import { table } from '../../src/cli/table.ts';
import type { HopView } from '../../src/hub/trace.ts';

const hop = (ms: number, instance: string, direction: HopView['direction'], what: string, wire?: string): HopView => {
  const at = new Date(Date.UTC(2026, 0, 2) + ms).toISOString();
  return { at, instance, direction, what, ...(wire === undefined ? {} : { wire }) };
};

test('the network that spoke first stands left of us, the others right; times count from the first hop', () => {
  const hops = [
    hop(0, 'jabber', 'inbound', 'message'),
    hop(12, 'sms', 'outbound', 'submit_sm'),
    hop(41, 'sms', 'inbound', 'submit_sm_resp'),
    hop(12_345, 'jabber', 'outbound', 'received'),
  ];
  assert.equal(
    ladder({ id: 'e1', hops }),
    `trace e1  2026-01-02T00:00:00.000Z

           jabber            dragoman               sms
    +0 ms  │── message ────────▶│                    │
   +12 ms  │                    │── submit_sm ──────▶│
   +41 ms  │                    │◀─ submit_sm_resp ──│
  +12.3 s  │◀─ received ────────│                    │
`,
  );
});

test('an arrow to a far column crosses the lines between, and stands beside its network', () => {
  const hops = [
    hop(0, 'a', 'inbound', 'one'),
    hop(1, 'b', 'outbound', 'two'),
    hop(2, 'c', 'outbound', 'three'),
    hop(3, 'c', 'inbound', 'four'),
  ];
  assert.deepEqual(ladder({ id: 'e1', hops }).split('\n').slice(-3, -1), [
    '    +2 ms  │                 │─────────────────┼── three ───────▶│',
    '    +3 ms  │                 │◀────────────────┼── four ─────────│',
  ]);
});

test('hops are put in the order of their time, and a message of ours begins on our own line', () => {
  const lines = ladder({ id: 'e1', hops: [hop(5, 'b', 'inbound', 'ok'), hop(0, 'b', 'outbound', 'go')] }).split('\n');
  assert.match(lines[2] ?? '', /^ +dragoman +b$/);
  assert.match(lines[3] ?? '', /go .*▶│$/);
});

test('the bytes on the wire stand below their rung only when asked for, long lines broken', () => {
  const hops = [hop(0, 'a', 'inbound', 'message', `<a>\r\n${'x'.repeat(150)}`)];
  assert.doesNotMatch(ladder({ id: 'e1', hops }), /xxx/);
  const lines = ladder({ id: 'e1', hops }, { wire: true }).split('\n').slice(4, -1);
  assert.deepEqual(lines, ['           ┊ <a>', `           ┊ ${'x'.repeat(100)}`, `           ┊ ${'x'.repeat(50)}`]);
});

test('words that are too long are cut, and colours change no column', () => {
  const hops = [hop(0, 'a', 'inbound', 'w'.repeat(200))];
  const plain = ladder({ id: 'e1', hops });
  assert.match(plain, /── w{26}… ─▶│\n$/);
  assert.equal(ladder({ id: 'e1', hops }, { colour: true }).replaceAll(/\x1b\[\d+m/g, ''), plain);
});

test('nothing that a peer wrote steers the terminal, in a ladder or a table', () => {
  const evil = '\x1b[2Jgone\x9b31m\u202egnp.exe\x07';
  const told = ladder({ id: 'e1', hops: [hop(0, 'a', 'inbound', evil, evil)] }, { wire: true });
  assert.doesNotMatch(told + table(['why'], [[`${evil}\nsecond line`]]), /[\x1b\x9b\x07\u202e]|\nsecond/);
});

test('a trace without a hop says so', () => {
  assert.equal(ladder({ id: 'e1', hops: [] }), 'trace e1: no hop yet\n');
});
