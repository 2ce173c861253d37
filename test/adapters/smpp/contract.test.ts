// The SMPP adapter passes the contract's suite against the npm library `smpp` as SMSC.
import { adapter } from '../../../adapters/smpp/index.ts';
import { parseAddress } from '../../../src/contract/index.ts';
import { testAdapter } from '../../contract/adapter.ts';
import { npmSmsc } from '../../peers/smpp-npm.ts';

testAdapter('smpp', async (t, hub) => {
  const smsc = await npmSmsc();
  t.after(() => smsc.close());
  // With the default, `report`, an interrupted submit ends as a receipt `unknown`: session tests show that.
  const options = adapter.options.parse({ port: smsc.port, systemId: 'test', unknownOutcome: 'resend' });
  return {
    adapter: adapter.create('carrier', options),
    hub,
    from: parseAddress('tel:+447700900001'),
    to: parseAddress('tel:+447700900123'),
    dropPeer: () => smsc.close(),
  };
});
