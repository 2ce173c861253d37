// The suite that every adapter passes, against a peer over UDP.
import { parseAddress } from '../../../src/contract/index.ts';
import { testAdapter } from '../../contract/adapter.ts';
import { startSipPeer } from '../../peers/sip-peer.ts';
import { alice, create } from './adapter-fixtures.ts';

testAdapter('sip', async (t, hub) => {
  const peer = await startSipPeer();
  let isThere = true;
  const dropPeer = async () => {
    if (isThere) await peer.stop();
    isThere = false;
  };
  t.after(dropPeer);
  return { adapter: create(), hub, from: alice, to: parseAddress(peer.uri), dropPeer };
});
