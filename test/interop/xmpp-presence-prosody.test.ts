// Presence and subscriptions of the XMPP adapter on Debian's Prosody.
import { test } from 'node:test';
import { needs } from '../servers/debian.ts';
import { startProsody } from '../servers/prosody.ts';
import { runPresenceSuite } from './xmpp-presence-suite.ts';
import { serverOptions } from './xmpp-suite.ts';

test('presence on Prosody', async (t) => {
  if (!needs(t, 'prosody')) return;
  const server = await startProsody(serverOptions);
  t.after(() => server.stop());
  await runPresenceSuite(t, server);
});
