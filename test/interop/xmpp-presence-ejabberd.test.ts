// Presence and subscriptions of the XMPP adapter on Debian's ejabberd.
import { test } from 'node:test';
import { needs } from '../servers/debian.ts';
import { startEjabberd } from '../servers/ejabberd.ts';
import { runPresenceSuite } from './xmpp-presence-suite.ts';
import { serverOptions } from './xmpp-suite.ts';

test('presence on ejabberd', async (t) => {
  if (!needs(t, 'ejabberd')) return;
  const server = await startEjabberd(serverOptions);
  t.after(() => server.stop());
  await runPresenceSuite(t, server);
});
