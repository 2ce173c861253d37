// A peer that fails a thousand times a second fills no disk with log lines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SparingLog } from '../../src/guards/sparing-log.ts';

test('ten lines a second of each kind are written, the rest are counted and told with the next', () => {
  const lines: Array<Record<string, unknown>> = [];
  let now = 0;
  const log = new SparingLog({ warn: (fields) => void lines.push(fields) }, () => now);
  for (let i = 0; i < 1000; i++) log.warn('a', { i }, 'refused');
  log.warn('b', { other: true }, 'refused');
  assert.equal(lines.length, 11);
  now = 1000;
  log.warn('a', { i: 1000 }, 'refused');
  assert.deepEqual(lines.at(-1), { i: 1000, alike: 990 });
});
