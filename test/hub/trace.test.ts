// The story of a message: what came first stands first, bodies are hidden, memory is bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TraceBook } from '../../src/hub/trace.ts';

test('what the origin heard stands first, though it is told last', () => {
  let now = 1000;
  const book = new TraceBook(() => now);
  book.begin('t1', 't1', 'in');
  now = 1005;
  book.hop('out', 't1', { direction: 'outbound', what: 'submit_sm' });
  now = 1006;
  book.hop('in', 't1', { direction: 'inbound', what: 'part 1' });
  book.hop('in', 't1', { direction: 'inbound', what: 'part 2' });
  book.begin('t1', 'receipt', 'in');
  book.hop('out', 't1', { direction: 'inbound', what: 'submit_sm_resp' });
  book.hop('in', 'receipt', { direction: 'outbound', what: 'received' });
  const hops = book.view('receipt', false)?.hops.map(({ what }) => what);
  assert.deepEqual(hops, ['part 1', 'part 2', 'submit_sm', 'submit_sm_resp', 'received']);
});

test('what people wrote is hidden unless asked for; what is no text is shown as hex', () => {
  const book = new TraceBook(() => 0);
  book.begin('t1', 't1', 'in');
  const text = 'MESSAGE\r\n\r\nsecret plans';
  book.hop('in', 't1', { direction: 'inbound', what: 'MESSAGE', wire: text, hidden: [[11, 23]] });
  book.hop('out', 't1', {
    direction: 'outbound',
    what: 'submit_sm',
    wire: Buffer.from([0, 1, 0x41, 0x42]),
    hidden: [[2, 4]],
  });
  assert.deepEqual(
    book.view('t1', false)?.hops.map(({ wire }) => wire),
    ['MESSAGE\r\n\r\n[12 hidden]', '0001[2 hidden]'],
  );
  assert.deepEqual(
    book.view('t1', true)?.hops.map(({ wire }) => wire),
    [text, '00014142'],
  );
});

test('the oldest stories go when there are too many or too many bytes', () => {
  const book = new TraceBook(() => 0, { maxStories: 3, maxBytes: 100 });
  for (let i = 0; i < 10; i++) book.begin(`t${i}`, `t${i}`, 'in');
  assert.deepEqual(book.latest(10), ['t9', 't8', 't7']);
  book.hop('in', 't8', { direction: 'inbound', what: '', wire: 'x'.repeat(90) });
  book.hop('in', 't9', { direction: 'inbound', what: '', wire: 'x'.repeat(90) });
  assert.deepEqual(book.latest(10), ['t9']);
  assert.equal(book.view('t7', true), undefined);
});

test('presence pushes out no message, goes first when bytes run short, and is no "latest" message', () => {
  const book = new TraceBook(() => 0, { maxStories: 5, maxBytes: 100 });
  book.begin('m1', 'm1', 'in');
  for (let i = 0; i < 50; i++) book.begin(`p${i}`, `p${i}`, 'in', false);
  assert.deepEqual(book.latest(10), ['m1']);
  assert.ok(book.view('p49', true) && !book.view('p48', true));
  book.hop('in', 'p49', { direction: 'inbound', what: '', wire: 'x'.repeat(60) });
  book.hop('in', 'm1', { direction: 'inbound', what: '', wire: 'x'.repeat(60) });
  assert.equal(book.view('p49', true), undefined);
  assert.equal(book.view('m1', true)?.hops.length, 1);
});
