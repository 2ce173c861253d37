// The XMPP adapter on Debian's ejabberd.
import { test } from 'node:test';
import { needs } from '../servers/debian.ts';
import { startEjabberd } from '../servers/ejabberd.ts';
import { runSuite, serverOptions } from './xmpp-suite.ts';

test('XMPP on ejabberd', async (t) => {
  if (!needs(t, 'ejabberd')) return;
  const server = await startEjabberd(serverOptions);
  t.after(() => server.stop());
  await runSuite(t, server);
});
