// STOP as a question to the store: none for each message while nobody has said it, and right wherever it was said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/contract/index.ts';
import { Policy } from '../../src/hub/policy.ts';
import { MemoryState } from '../peers/hub.ts';

const shop = parseAddress('tel:88222;phone-context=example.net');
const phone = parseAddress('tel:+447700900123');
const optOut = { stop: ['STOP'], start: ['START'], stopped: '', started: '' };

class CountingState extends MemoryState {
  reads = 0;
  override get(key: string): Promise<string | undefined> {
    this.reads++;
    return super.get(key);
  }
}

function setUp() {
  const state = new CountingState(Date.now);
  const open = () => {
    const policy = new Policy(state, Date.now);
    policy.configure({ block: [], quotas: [], optOut });
    return policy;
  };
  const say = (policy: Policy, word: string) =>
    policy.heard({ type: 'message', from: phone, to: shop, text: { '': word }, wants: [] });
  const write = (policy: Policy) =>
    policy.admit({ from: shop, recipient: phone, network: 'tel', shown: { from: shop, to: phone } });
  return { state, open, say, write };
}

test('while nobody has said STOP the messages of one turn cost one read', async () => {
  const { state, open, write } = setUp();
  const policy = open();
  await Promise.all(Array.from({ length: 100 }, () => write(policy)));
  assert.equal(state.reads, 1);
  await new Promise((resolve) => setImmediate(resolve));
  await write(policy);
  assert.equal(state.reads, 2, 'asked anew in the next turn');
});

test('STOP that one process heard counts in every other at once, and after a restart', async () => {
  const { open, say, write } = setUp();
  const [one, other] = [open(), open()];
  await write(one);
  await new Promise((resolve) => setImmediate(resolve));
  await say(other, 'stop');
  for (const policy of [one, other, open()]) await assert.rejects(write(policy), { reason: 'not-allowed' });
  await say(one, 'START');
  for (const policy of [one, other, open()]) await write(policy);
  await say(one, 'Stop');
  for (const policy of [one, other, open()]) await assert.rejects(write(policy), { reason: 'not-allowed' });
});
