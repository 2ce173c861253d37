// The state store's suite on the embedded file, and what only a file can do.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { it, mock } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import { openSqlite, SqliteState } from '../../src/state/sqlite.ts';
import { temporaryFolder, until } from '../servers/process.ts';
import { testStateStore } from './state.ts';

testStateStore('SQLite', async () => {
  const folder = temporaryFolder('state');
  return {
    open: async () => new SqliteState(openSqlite(folder.path)),
    another: async (store) => store,
    remove: async () => folder.remove(),
  };
});

it('time is the clock that was passed in, and expired rows are swept away', async () => {
  const folder = temporaryFolder('clock');
  let now = 1_000_000;
  const file = openSqlite(folder.path);
  const store = new SqliteState(file, () => now);
  const state = store.namespace('n');
  await state.set('k', 'v', 5000);
  now += 4999;
  assert.equal(await state.get('k'), 'v');
  now += 1;
  assert.equal(await state.get('k'), undefined);
  const rows = file.prepare('SELECT count(*) AS n FROM state');
  await until(() => rows.get()?.n === 0, 'the sweep');
  await store.close();
  folder.remove();
});

it('writes of one turn share one transaction', async () => {
  const folder = temporaryFolder('group');
  const file = openSqlite(folder.path);
  const store = new SqliteState(file);
  const state = store.namespace('n');
  const before = file.commits;
  await Promise.all(Array.from({ length: 1000 }, (_, index) => state.set(`k${index}`, 'v')));
  assert.equal(file.commits - before, 1);
  await store.close();
  folder.remove();
});

it('a store that is closed says unavailable', async () => {
  const folder = temporaryFolder('closed');
  const store = new SqliteState(openSqlite(folder.path));
  await store.close();
  const unavailable = (error: unknown) => error instanceof GatewayError && error.reason === 'unavailable';
  await assert.rejects(store.namespace('n').set('k', 'v'), unavailable);
  await assert.rejects(store.namespace('n').get('k'), unavailable);
  await assert.rejects(store.ping(), unavailable);
  folder.remove();
});

it('nobody is told before the log is on the disk, and a disk that refuses is unavailable', async () => {
  const folder = temporaryFolder('sync');
  const store = new SqliteState(openSqlite(folder.path));
  const state = store.namespace('n');
  await state.set('before', '1');
  const asked: Array<(error: Error | null) => void> = [];
  mock.method(fs, 'fdatasync', (_: number, told: (error: Error | null) => void) => void asked.push(told));
  syncBuiltinESMExports();
  try {
    let isTold = false;
    const set = state.set('a', '1').then(() => (isTold = true));
    const other = state.set('b', '1');
    await until(() => asked.length === 1, 'the disk is asked');
    assert.equal(isTold, false);
    const later = state.set('c', '1');
    asked[0]?.(null);
    await Promise.all([set, other]);
    await until(() => asked.length === 2, 'what came meanwhile is the next transaction');
    asked[1]?.(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
    await assert.rejects(later, (error) => error instanceof GatewayError && error.reason === 'unavailable');
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
  await state.set('d', '1');
  await store.close();
  folder.remove();
});
