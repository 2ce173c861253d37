// From the name of a protocol to its adapter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadAdapter } from '../../src/loader.ts';

test('a protocol that is not there is named with what was meant, or with what there is', async () => {
  await assert.rejects(loadAdapter('smppp'), { message: 'no adapter for protocol "smppp"; did you mean "smpp"?' });
  await assert.rejects(loadAdapter('carrier-pigeon'), ({ message }: Error) => {
    assert.match(message, /^no adapter for protocol "carrier-pigeon"; known are .*smpp, smpp\/server, .*npm/);
    return true;
  });
});
