// Whether the holder of a lease still lives, as far as this machine can tell.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { holderOf, isGone } from '../../src/state/holder.ts';

const isLinux = process.platform === 'linux';

test('a process is gone when it has ended, and not before', { skip: !isLinux }, async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const holder = holderOf(child.pid ?? 0);
  assert.equal(isGone(holder), false);
  assert.equal(isGone(holderOf(process.pid)), false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isGone(holder), true);
});

test('of a process elsewhere, or whose id somebody else has now, only the second is known to be gone', {
  skip: !isLinux,
}, () => {
  const [boot = '', namespace = '', pid = '', startedAt = ''] = holderOf(process.pid).split(' ');
  assert.equal(isGone(['another', namespace, pid, '1'].join(' ')), false, 'another machine, or before its last boot');
  assert.equal(isGone([boot, 'pid:[1]', pid, '1'].join(' ')), false, 'another container');
  assert.equal(isGone(''), false);
  assert.equal(isGone([boot, namespace, pid, `${startedAt}0`].join(' ')), true, 'its id was given away');
});
