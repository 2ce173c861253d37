// Outbind from our SMS centre: an ESME that waits to be called is called when something waits for it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { statusName } from '../../../../adapters/smpp/codec/index.ts';
import { adapter } from '../../../../adapters/smpp/index.ts';
import { options } from '../../../../adapters/smpp/server/config.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { type WirePeer, wireSmsc } from '../../../peers/smpp-wire.ts';
import { makeCertificate } from '../../../servers/certificate.ts';
import { needs } from '../../../servers/debian.ts';
import { freePorts, temporaryFolder, until } from '../../../servers/process.ts';
import { message } from '../event.ts';
import { type Centre, me, open, signal } from './esme.ts';

const to = parseAddress('tel:+447700900100');
const secret = { system_id: 'me', password: 'secret', interface_version: 0x34 };

/** An ESME that listens, and our centre with its address. */
async function listening(t: TestContext, more: Record<string, unknown> = {}, settings: Record<string, unknown> = {}) {
  const esme = await wireSmsc();
  t.after(() => esme.close());
  const outbind = { host: '127.0.0.1', port: esme.port, password: 'wake up' };
  const centre = await open(t, { outbind, ...more }, { enquireLinkMs: 0, ...settings });
  return { esme, centre };
}

async function bindWhereCalled(
  peer: WirePeer,
  as = secret,
  command: 'bind_receiver' | 'bind_transceiver' = 'bind_receiver',
) {
  const outbind = await peer.next('outbind');
  peer.send({ command, sequence_number: 7, body: as });
  const { command_status } = await peer.next(`${command}_resp`);
  return { outbind, status: statusName(command_status) };
}

const away = ({ server }: Centre) =>
  assert.rejects(server.deliver(message('hi', { to }), signal), { reason: 'unavailable', retryAfterMs: 2000 });

test('SMPP 3.4 s.4.1.7: when a message waits the ESME is called, binds on that connection, and gets it', async (t) => {
  // It need not be among the addresses that the account binds from: we know where we called.
  const { esme, centre } = await listening(t, { allow: ['192.0.2.1'] });
  await away(centre);
  const peer = await esme.accepted();
  const { outbind, status } = await bindWhereCalled(peer);
  assert.deepEqual(outbind.body, { system_id: 'dragoman', password: 'wake up' });
  assert.equal(status, 'ESME_ROK');
  const delivering = centre.server.deliver(message('hi', { to }), signal);
  const delivered = await peer.next('deliver_sm');
  assert.equal(delivered.body.short_message.toString(), 'hi');
  peer.answer(delivered);
  assert.equal((await delivering).state, 'delivered');
  const [row] = await Array.fromAsync(centre.server.views.binds());
  assert.deepEqual([row?.account, row?.bind], ['me', 'receiver by outbind']);
  peer.onPdu = (pdu) => pdu.command === 'unbind' && peer.answer(pdu);
});

test('SMPP 3.4 s.4.1.7: nobody is called without need, nor while a call is under way, nor again at once when nobody answered', async (t) => {
  const { esme, centre } = await listening(t);
  centre.hub.clock = 1_000_000;
  await Promise.all([away(centre), away(centre), away(centre)]);
  const peer = await esme.accepted();
  await peer.next('outbind');
  await away(centre);
  peer.drop();
  await until(() => centre.hub.logs.some(({ message: said }) => said === 'outbind: over'), 'the call is over');
  await away(centre);
  assert.equal(esme.peers.length, 1);
  centre.hub.clock += 5000;
  await away(centre);
  await esme.accepted();
  assert.equal(esme.peers.length, 2);
});

test('SMPP 3.4 s.4.1.7: an ESME that took what waited is called again at once for what comes after its visit; one that took nothing is not', async (t) => {
  const { esme, centre } = await listening(t);
  centre.hub.clock = 1_000_000;
  const over = () => centre.hub.logs.filter(({ message: said }) => said === 'outbind: over').length;
  const visit = async (takes: boolean) => {
    const calls = esme.peers.length;
    await away(centre);
    const peer = await esme.accepted();
    assert.equal(esme.peers.length, calls + 1);
    assert.equal((await bindWhereCalled(peer)).status, 'ESME_ROK');
    const delivering = centre.server.deliver(message('hi', { to }), signal).catch(() => {});
    const pdu = await peer.next('deliver_sm');
    const before = over();
    if (takes) {
      peer.answer(pdu);
      await delivering;
    }
    peer.drop();
    await until(() => over() > before, 'the visit is over');
  };
  for (const takes of [true, true, false]) await visit(takes);
  await away(centre);
  assert.equal(esme.peers.length, 3);
  centre.hub.clock += 5000;
  await visit(true);
});

test('reference smpp 7.6: where one account was called no other binds, and whoever does not bind in time is cut off', async (t) => {
  const { esme, centre } = await listening(t, {}, { bindTimeoutMs: 5000 });
  const outbind = { host: '127.0.0.1', port: esme.port };
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const accounts = { me: { ...me, outbind }, other: { password: 'secret' } };
  await centre.server.reconfigure(options.parse({ listen, accounts, bindTimeoutMs: 5000, enquireLinkMs: 0 }));
  centre.hub.clock = 1_000_000;
  await away(centre);
  const other = await esme.accepted();
  const { status } = await bindWhereCalled(other, { ...secret, system_id: 'other' });
  assert.equal(status, 'ESME_RBINDFAIL');
  await other.ended();
  await until(() => centre.hub.logs.some(({ message: said }) => said === 'outbind: over'), 'the call is over');
  centre.hub.clock += 5000;
  await away(centre);
  const silent = await esme.accepted();
  await silent.next('outbind');
  centre.hub.clock += 5000;
  await silent.ended();
});

test('SMPP 3.4 s.4.1.7: an ESME of our own is called over TLS, its certificate is checked, and it hears what waited', async (t) => {
  if (!needs(t, 'openssl')) return;
  const folder = temporaryFolder('outbind');
  t.after(() => folder.remove());
  makeCertificate(folder.path);
  const [cert, key] = [join(folder.path, 'cert.pem'), join(folder.path, 'key.pem')];
  const [port = 0] = await freePorts(1);
  const hub = fakeHub();
  const outbind = { listen: `127.0.0.1:${port}`, password: 'wake up', tls: { cert, key } };
  const esme = adapter.create(
    'carrier',
    adapter.options.parse({ systemId: 'me', password: 'secret', bind: 'none', outbind }),
  );
  t.after(() => esme.stop());
  await esme.start(hub);
  const call = { host: '127.0.0.1', port, password: 'wake up', tls: { ca: cert, serverName: 'localhost' } };
  const centre = await open(t, { outbind: call });
  await away(centre);
  await until(async () => (await Array.fromAsync(centre.server.views.binds())).length === 1, 'it binds', 10_000);
  await centre.server.deliver(message('hi', { to }), signal);
  assert.equal(hub.draftsOf('message')[0]?.text[''], 'hi');
});
