// Our SMS centre passes the contract's suite with an ESME that answers everything.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { adapter, SmppServer } from '../../../../adapters/smpp/server/index.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { testAdapter } from '../../../contract/adapter.ts';
import { freePorts } from '../../../servers/process.ts';
import { Esme } from './esme.ts';

testAdapter('smpp/server', async (t, hub) => {
  const [port = 0] = await freePorts(1);
  const accounts = { me: { password: 'secret', numbers: ['+4477009001*'] } };
  const server = adapter.create('esme', adapter.options.parse({ listen: [{ port }], accounts }));
  assert.ok(server instanceof SmppServer);
  const esmes: Esme[] = [];
  // The ESME comes as soon as there is somewhere to come to.
  const { start } = server;
  server.start = async (given) => {
    await start.call(server, given);
    const socket = connect({ port, host: '127.0.0.1' });
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    const esme = new Esme(socket);
    await esme.bind();
    esme.onPdu = (pdu) => {
      if (pdu.command === 'deliver_sm' || pdu.command === 'unbind') esme.answer(pdu);
    };
    esmes.push(esme);
  };
  return {
    adapter: server,
    hub,
    from: parseAddress('tel:+447700900001'),
    to: parseAddress('tel:+447700900123'),
    dropPeer: async () => {
      for (const esme of esmes) esme.drop();
    },
  };
});
