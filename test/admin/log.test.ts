// The JSON log: its lines, its levels, and that a secret never gets into it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogLevel, openLog } from '../../src/log.ts';

function keeping(level: LogLevel = 'info', secrets: string[] = []) {
  const lines: string[] = [];
  const log = openLog(level, secrets, { write: (line) => void lines.push(line) });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line)) };
}

test('a line is JSON: level by name, time in ISO 8601, the fields, msg', () => {
  const { log, parsed } = keeping();
  log.warn({ instance: 'carrier', depth: 3 }, 'slow');
  const [{ time, ...rest }] = parsed();
  assert.deepEqual(rest, { level: 'warn', instance: 'carrier', depth: 3, msg: 'slow' });
  assert.equal(new Date(time).toISOString(), time);
});

test('a child adds its fields once, and a line may override them', () => {
  const { log, lines, parsed } = keeping();
  const child = log.child({ instance: 'carrier' });
  child.info({}, 'one');
  child.info({ instance: 'other' }, 'two');
  assert.deepEqual(
    parsed().map(({ instance }) => instance),
    ['carrier', 'other'],
  );
  assert.equal(lines[1]?.match(/"instance"/g)?.length, 1);
});

test('the level may change while it runs, for children too', () => {
  const { log, parsed } = keeping('warn');
  const child = log.child({ instance: 'carrier' });
  child.info({}, 'unheard');
  log.setLevel('debug');
  child.debug({}, 'heard');
  assert.deepEqual(
    parsed().map(({ msg }) => msg),
    ['heard'],
  );
});

test('a secret is blotted out of fields, keys, messages and stacks, however JSON spells it', () => {
  const awkward = 'pa"ss\\wörd\nend';
  const { log, lines, parsed } = keeping('info', ['hunter2hunter2', awkward]);
  log.info({ why: 'refused: hunter2hunter2', nested: { hunter2hunter2: [awkward] } }, 'used hunter2hunter2');
  log.child({ bound: awkward }).error({ error: new Error(`no: ${awkward}`).stack }, 'failed');
  assert.doesNotMatch(lines.join(''), /hunter2|wörd/);
  assert.equal(parsed()[0].why, 'refused: [secret]');
  assert.equal(parsed()[1].bound, '[secret]');
});

test('one secret inside another leaves nothing of either', () => {
  const { log, lines } = keeping('info', ['abcd', 'abcdefgh']);
  log.info({}, 'x abcdefgh y');
  assert.match(lines[0] ?? '', /"x \[secret\] y"/);
});

test('what a reload brings is blotted out from then on', () => {
  const { log, lines } = keeping();
  log.hide(['new-secret']);
  log.info({ what: 'new-secret' }, 'said');
  assert.doesNotMatch(lines.join(''), /new-secret/);
});
