// The import rule of the design: every arrow points down. Reads the import lines of the source and fails on a breach.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

interface Import {
  file: string;
  /** A path from the root for files of ours, a package or node: name otherwise. */
  target: string;
}

const imports: Import[] = globSync(['src/**/*.ts', 'adapters/**/*.ts'], { cwd: root }).flatMap((file) => {
  const source = readFileSync(join(root, file), 'utf8');
  return [
    ...source.matchAll(/^(?:import|export)\s[^;]*?from\s+'([^']+)'|\bimport\('([^']+)'\)|^import\s+'([^']+)'/gm),
  ].map((match) => {
    const named = match[1] ?? match[2] ?? match[3] ?? '';
    const target = named.startsWith('.') ? relative(root, normalize(join(root, dirname(file), named))) : named;
    return { file, target };
  });
});

const isOurs = (target: string) => target.startsWith('src/') || target.startsWith('adapters/');
const within = (path: string, folder: string) => path.startsWith(`${folder}/`);
const breaches = (isBreach: (line: Import) => boolean) =>
  imports.filter(isBreach).map(({ file, target }) => `${file} -> ${target}`);

test('the source has imports to look at', () => assert.ok(imports.length > 50));

test('the contract stands on nothing but its schema library and the library that knows telephone numbers', () => {
  const allowed = new Set(['zod', 'libphonenumber-js']);
  assert.deepEqual(
    breaches(
      ({ file, target }) => within(file, 'src/contract') && !within(target, 'src/contract') && !allowed.has(target),
    ),
    [],
  );
});

test('formats are pure codecs: no gateway, no node: module that does I/O', () => {
  const pure = /^(saxes|node:(buffer|string_decoder|zlib))$/;
  assert.deepEqual(
    breaches(
      ({ file, target }) =>
        within(file, 'src/formats') &&
        !within(target, 'src/formats') &&
        !within(target, 'src/contract') &&
        !pure.test(target),
    ),
    [],
  );
});

test('guards stand alone: no gateway, no network', () => {
  assert.deepEqual(
    breaches(
      ({ file, target }) =>
        within(file, 'src/guards') && !within(target, 'src/guards') && !/^(zod|node:(net|fs))$/.test(target),
    ),
    [],
  );
});

test('an adapter imports the contract, the formats, the guards, its own folder and its libraries, never a neighbour', () => {
  assert.deepEqual(
    breaches(({ file, target }) => {
      if (!within(file, 'adapters') || !isOurs(target)) return false;
      const own = file.split('/').slice(0, 2).join('/');
      const isShared = ['contract', 'formats', 'guards'].some((room) => within(target, `src/${room}`));
      return !within(target, own) && !isShared;
    }),
    [],
  );
});

test('nothing in src imports an adapter: the loader loads it by name', () => {
  assert.deepEqual(
    breaches(({ file, target }) => within(file, 'src') && within(target, 'adapters')),
    [],
  );
});

test('cli -> admin, gateway -> hub -> queue, state -> contract: never upwards', () => {
  const floors = ['contract', 'formats', 'guards', 'state', 'queue', 'hub'];
  assert.deepEqual(
    breaches(({ file, target }) => {
      const from = floors.findIndex((floor) => within(file, `src/${floor}`));
      if (from < 0 || !within(target, 'src')) return false;
      const to = floors.findIndex((floor) => within(target, `src/${floor}`));
      return to < 0 || to > from;
    }),
    [],
  );
  assert.deepEqual(
    breaches(({ file, target }) => within(target, 'src/cli') && !within(file, 'src/cli')),
    [],
  );
});

test('bullmq and ioredis have one importer each', () => {
  for (const [library, owner] of [
    ['bullmq', 'src/queue/bullmq.ts'],
    ['ioredis', 'src/state/redis.ts'],
  ]) {
    const others = imports.filter(({ file, target }) => target === library && file !== owner);
    assert.deepEqual(others, []);
  }
});

test('inside an adapter a codec knows no session, a session no event, a mapping no session', () => {
  const room = (path: string) => /^adapters\/[^/]+\/(codec|session|mapping)(?:[./])/.exec(path)?.[1];
  assert.deepEqual(
    breaches(({ file, target }) => {
      const from = room(file);
      if (from === 'codec') return isOurs(target) && room(target) !== 'codec' && !within(target, 'src/formats');
      if (from === 'session') return target.endsWith('contract/events.ts') || room(target) === 'mapping';
      return from === 'mapping' && room(target) === 'session';
    }),
    [],
  );
});
