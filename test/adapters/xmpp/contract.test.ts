// The contract's suite, on the XMPP adapter against a server in process.
import { adapter } from '../../../adapters/xmpp/index.ts';
import { parseAddress } from '../../../src/contract/index.ts';
import { testAdapter } from '../../contract/adapter.ts';
import { startFakeXmppServer } from '../../peers/xmpp-server.ts';

testAdapter('xmpp', async (t, hub) => {
  const server = await startFakeXmppServer();
  t.after(() => server.stop());
  const domains = [{ domain: 'sip.xmpp.example', secret: 'secret', shows: ['sip'] }];
  return {
    adapter: adapter.create('jabber', adapter.options.parse({ port: server.port, domains })),
    hub,
    from: parseAddress('xmpp:bob\\40other.net@sip.xmpp.example'),
    to: parseAddress('xmpp:alice@xmpp.example'),
    dropPeer: () => server.stop(),
  };
});
