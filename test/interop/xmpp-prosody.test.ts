// The XMPP adapter on Debian's Prosody.
import { test } from 'node:test';
import { needs } from '../servers/debian.ts';
import { startProsody } from '../servers/prosody.ts';
import { runSuite, serverOptions } from './xmpp-suite.ts';

test('XMPP on Prosody', async (t) => {
  if (!needs(t, 'prosody')) return;
  const server = await startProsody(serverOptions);
  t.after(() => server.stop());
  await runSuite(t, server);
});
