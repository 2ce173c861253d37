// Accounts that change while the doors are open: as an operator does it, without a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { options } from '../../../adapters/http/config.ts';
import { sampleEvent } from '../../peers/events.ts';
import { open, password, token } from './fixtures.ts';

test('hot reload: accounts that come, go or change hold from the next request on', async (t) => {
  const { adapter, post, ask } = await open(t, { ratePerSecond: 1, burst: 1 });
  const say = async (headers = {}) => (await post({ to: ['+447700900123'], text: 'hi' }, headers)).status;
  assert.deepEqual([await say(), await say()], [202, 429]);
  const shop = { password, token, senders: ['+447700900200'], ratePerSecond: 1, burst: 1 };
  const fresh = { password, token: 'another-token-of-16', senders: ['88222'] };
  const asFresh = { authorization: 'Bearer another-token-of-16' };
  await adapter.reconfigure(options.parse({ accounts: { shop, fresh } }));
  assert.equal(await say(), 429, 'what was used up stays used up');
  assert.equal(await say(asFresh), 202);
  await adapter.reconfigure(options.parse({ accounts: { fresh }, maxRecipients: 1 }));
  assert.equal((await ask('/messages/x')).status, 401);
  assert.equal((await post({ to: ['+447700900123', '+447700900124'], text: 'hi' }, asFresh)).status, 413);
  const said = { text: { '': 'hi' }, wants: [] };
  const event = sampleEvent('message', 'tel:+447700900123', 'tel:88222;phone-context=apps.invalid', said);
  assert.equal(adapter.destination(event), 'fresh');
});

test('hot reload: accounts that cannot be leave all as it was', async (t) => {
  const { adapter, post } = await open(t);
  const wrong = { password, token: 'another-token-of-16', senders: ['+1'] };
  await assert.rejects(adapter.reconfigure(options.parse({ accounts: { wrong } })));
  assert.equal((await post({ to: ['+447700900123'], text: 'hi' })).status, 202);
});
