import { options } from '../../../adapters/http/config.ts';
import { Http } from '../../../adapters/http/index.ts';
import { parseAddress } from '../../../src/contract/index.ts';
import { testAdapter } from '../../contract/adapter.ts';
import { open } from './fixtures.ts';

testAdapter('http', async (t, hub) => {
  const { app } = await open(t);
  const shop = { password: 'correct horse', senders: ['+447700900200'], getUrl: `${app.url}/in?text=%a` };
  return {
    adapter: new Http('apps', options.parse({ port: 0, accounts: { shop } })),
    hub,
    from: parseAddress('tel:+447700900123'),
    to: parseAddress('tel:+447700900200'),
    dropPeer: app.close,
  };
});
