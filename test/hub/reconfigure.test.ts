// Other options for an adapter that runs: what it takes over, what waits, and what the operator is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Adapter } from '../../src/contract/index.ts';
import { reconfigure } from '../../src/reconfigure.ts';

function running(reconfigurable: string[] | undefined, take: (options: unknown) => void = () => {}): Adapter {
  return {
    accepts: new Set(),
    start: async () => {},
    deliver: async () => ({}),
    stop: async () => {},
    ...(reconfigurable
      ? { reconfigurable: new Set(reconfigurable), reconfigure: async (options) => take(options) }
      : {}),
  };
}

const old = { port: 1, accounts: { a: { password: 'x' } }, note: 'kept' };

test('an adapter takes over what it can, with the old values of what it cannot', async () => {
  const taken: unknown[] = [];
  const adapter = running(['accounts'], (options) => taken.push(options));
  const wanted = { port: 2, accounts: { a: { password: 'y' } }, note: 'kept' };
  const { inForce, said } = await reconfigure('esme', adapter, old, wanted);
  const held = { ...wanted, port: 1 };
  assert.deepEqual([inForce, taken], [held, [held]]);
  assert.deepEqual(said, ['esme.port: needs a restart', 'esme.accounts: taken over']);
});

test('what was put back needs no restart', async () => {
  const adapter = running(['accounts']);
  const { inForce } = await reconfigure('esme', adapter, old, { ...old, port: 2 });
  assert.deepEqual((await reconfigure('esme', adapter, inForce, { ...old, accounts: { ...old.accounts } })).said, []);
});

test('options that come or go are changes too', async () => {
  const { said } = await reconfigure('esme', running(['note', 'more']), old, {
    port: 1,
    accounts: old.accounts,
    more: 1,
  });
  assert.deepEqual(said, ['esme.note: taken over', 'esme.more: taken over']);
});

test('an adapter that cannot is not asked, and one that is not there yet starts with all of them', async () => {
  const wanted = { ...old, port: 2 };
  assert.deepEqual((await reconfigure('a', running(undefined), old, wanted)).said, ['a.port: needs a restart']);
  assert.deepEqual(await reconfigure('a', undefined, old, wanted), { inForce: wanted, said: ['a.port: taken over'] });
});

test('what the adapter rejects is told to whoever asked', async () => {
  const adapter = running(['port'], () => {
    throw new Error('no such port');
  });
  await assert.rejects(reconfigure('a', adapter, old, { ...old, port: 2 }), /no such port/);
});
