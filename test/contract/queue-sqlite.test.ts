// The queue's suite on the embedded file, and what only a file can do: be locked, and be full.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { GatewayError } from '../../src/contract/index.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { SqliteQueue } from '../../src/queue/sqlite.ts';
import { openSqlite, type SqliteFile, SqliteState } from '../../src/state/sqlite.ts';
import { temporaryFolder, until } from '../servers/process.ts';
import { testQueue } from './queue.ts';
import { numberOf, sampleEvent, sampleEvents } from './sample.ts';

testQueue('SQLite', async () => {
  const folder = temporaryFolder('queue');
  let file: SqliteFile | undefined;
  let queue: SqliteQueue | undefined;
  return {
    async open() {
      file = openSqlite(folder.path);
      queue = new SqliteQueue(file);
      return queue;
    },
    another: async (same: Queue) => same,
    writes: async () => file?.commits ?? 0,
    async corrupt(instance: string, body: string) {
      await queue?.push(instance, sampleEvents(0, 1));
      file?.prepare('UPDATE queue SET body = ? WHERE seq = (SELECT max(seq) FROM queue)').run(body);
    },
    child: ['sqlite', folder.path],
    remove: async () => folder.remove(),
  };
});

function isThrottled(error: unknown): boolean {
  return error instanceof GatewayError && error.reason === 'throttled' && error.retryAfterMs !== undefined;
}

it('a second process is refused, in words that name the file, until the first is dead', async () => {
  const folder = temporaryFolder('lock');
  const script = new URL('queue-child.ts', import.meta.url).pathname;
  const holder = spawn(process.execPath, [script, 'sqlite', folder.path, 'push', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  assert.throws(
    () => openSqlite(folder.path),
    (error) =>
      error instanceof GatewayError &&
      error.reason === 'unavailable' &&
      error.message.includes(`${folder.path}/dragoman.sqlite`),
  );
  holder.kill('SIGKILL');
  await once(holder, 'close');
  const queue = new SqliteQueue(openSqlite(folder.path));
  assert.equal(await queue.depth('office'), 1);
  assert.throws(() => openSqlite(folder.path), GatewayError, 'nor may one process have it twice');
  await queue.close();
  folder.remove();
});

it('a file that is no database, and a folder that cannot be made, are unavailable', () => {
  const folder = temporaryFolder('bad');
  const isUnavailable = (error: unknown) => error instanceof GatewayError && error.reason === 'unavailable';
  writeFileSync(join(folder.path, 'dragoman.sqlite'), 'not a database, but text '.repeat(100));
  assert.throws(() => openSqlite(folder.path), isUnavailable);
  assert.throws(() => openSqlite(join(folder.path, 'dragoman.sqlite')), isUnavailable);
  rmSync(join(folder.path, 'dragoman.sqlite'));
  new SqliteQueue(openSqlite(folder.path)).close();
  folder.remove();
});

it('queue and state share one file, which stays open until both are closed', async () => {
  const folder = temporaryFolder('both');
  const file = openSqlite(folder.path);
  const queue = new SqliteQueue(file);
  const state = new SqliteState(file);
  const before = file.commits;
  await Promise.all([queue.push('office', sampleEvents(0, 5)), state.namespace('n').set('k', 'v')]);
  assert.equal(file.commits - before, 1, 'one transaction for both');
  await queue.close();
  await queue.close();
  assert.equal(await state.namespace('n').get('k'), 'v');
  await state.close();
  await new SqliteState(openSqlite(folder.path)).close();
  folder.remove();
});

it('a full file refuses as throttled, keeps nothing by halves, and takes more when there is room', async () => {
  const folder = temporaryFolder('full');
  const queue = new SqliteQueue(openSqlite(folder.path, { maxBytes: 1024 * 1024 }));
  let kept = 0;
  const fill = async () => {
    for (;;) {
      const batch = Array.from({ length: 10 }, (_, n) => sampleEvent(kept + n, 'x'.repeat(3000)));
      await queue.push('office', batch);
      kept += 10;
    }
  };
  await assert.rejects(fill, isThrottled);
  assert.ok(kept > 100 && kept < 400);
  assert.equal(await queue.depth('office'), kept);

  const seen: number[] = [];
  const handler = async ({ event }: { event: { id: string } }) => {
    seen.push(numberOf(event));
  };
  const consumer = await queue.consume('office', 1, handler, { prefetch: 10, onLost: () => undefined });
  await until(async () => (await queue.depth('office')) === 0, 'the full file drains');
  assert.deepEqual(
    seen,
    Array.from({ length: kept }, (_, n) => n),
  );
  await queue.push('office', sampleEvents(kept, kept + 10));
  await until(() => seen.length === kept + 10, 'and takes more');
  await consumer.stop();
  await queue.close();
  folder.remove();
});

it('a consumer far behind gets every event once and in order, and none of a push that did not fit', async () => {
  const folder = temporaryFolder('behind');
  const queue = new SqliteQueue(openSqlite(folder.path, { maxBytes: 2 * 1024 * 1024 }));
  const gate = Promise.withResolvers<void>();
  const seen: number[] = [];
  const handler = async ({ event }: { event: { id: string } }) => {
    seen.push(numberOf(event));
    await gate.promise;
  };
  const consumer = await queue.consume('office', 1, handler, { prefetch: 10, onLost: () => undefined });
  let kept = 0;
  const fill = async () => {
    for (; ; kept += 100) await queue.push('office', sampleEvents(kept, kept + 100));
  };
  await assert.rejects(fill, isThrottled);
  assert.ok(kept > 1500, 'more than is kept in memory');
  gate.resolve();
  await until(async () => (await queue.depth('office')) === 0, 'it drains');
  await queue.push('office', sampleEvents(kept, kept + 5));
  await until(() => seen.length >= kept + 5, 'and goes on');
  assert.deepEqual(seen, [...Array(kept + 5).keys()]);
  await consumer.stop();
  await queue.close();
  folder.remove();
});
