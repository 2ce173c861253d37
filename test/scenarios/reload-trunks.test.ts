// An operator changes the SIP instance in the file and says SIGHUP: a trunk is added, a password is changed, an address is
// believed; who stays notices nothing, and the log says what needs a restart.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requestText, responseTo, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';
import { GatewayProcess } from './gateway-process.ts';

const domain = 'phones.example';

async function peer(t: TestContext): Promise<SipPeer> {
  const started = await startSipPeer();
  t.after(() => started.stop());
  started.onRequest = (request) => responseTo(request, '200 OK');
  return started;
}

const registers = ({ heard }: SipPeer) =>
  heard.filter(({ first }) => first.startsWith('REGISTER')).map(({ header }) => header('Expires'));
const trunkAt = ({ port }: SipPeer, name: string) => ({
  aor: `sip:gw@${name}`,
  registrar: `sip:127.0.0.1:${port};transport=tcp`,
  password: 'x',
  watchRegistration: 'off',
  // The phone has the address of the provider.
  trusted: false,
});

/** A phone shows that password; resolves with the status. */
async function register(phone: SipPeer, port: number, password: string): Promise<string> {
  const h = (text: string) => createHash('md5').update(text).digest('hex');
  const aor = `<sip:bob@${domain}>`;
  const parts = { port: phone.port, method: 'REGISTER', uri: `sip:${domain}`, from: `${aor};tag=r`, to: aor, body: '' };
  const contact = `Contact: <sip:bob@127.0.0.1:${phone.port}>`;
  const answerTo = async (callId: string, cseq: number, more: string[]) => {
    phone.sendUdp(requestText({ ...parts, callId, cseq, more: [contact, ...more] }), port);
    return phone.until(
      ({ first, header }) =>
        /^SIP\/2\.0 [2-6]/.test(first) && header('CSeq') === `${cseq} REGISTER` && header('Call-ID') === callId,
    );
  };
  const callId = `${password}-${phone.heard.length}`;
  const challenge = await answerTo(callId, 1, []);
  const nonce = /nonce="([^"]+)"/.exec(challenge.header('WWW-Authenticate'))?.[1] ?? '';
  const answer = h(`${h(`bob:${domain}:${password}`)}:${nonce}:00000001:c:auth:${h(`REGISTER:sip:${domain}`)}`);
  const proof = `Authorization: Digest username="bob", realm="${domain}", nonce="${nonce}", uri="sip:${domain}", algorithm=MD5, response="${answer}", qop=auth, nc=00000001, cnonce="c"`;
  return (await answerTo(callId, 2, [proof])).first.slice(8, 11);
}

test('DESIGN 5: SIGHUP: a trunk is added and one is removed, a password is another one, and who stays notices nothing', async (t) => {
  const folder = temporaryFolder('reload-trunks');
  t.after(() => folder.remove());
  const [port = 0] = await freePorts(1);
  const [stays, goes, comes, phone] = await Promise.all([peer(t), peer(t), peer(t), peer(t)]);
  const settings = (trunks: object[], password: string, more: object = {}) => ({
    data: join(folder.path, 'data'),
    routes: [{ to: 'im:*', via: 'echo' }],
    instances: {
      main: {
        protocol: 'sip',
        listen: [
          { transport: 'udp', port },
          { transport: 'tcp', port },
        ],
        nativeDomains: [domain],
        auth: { realm: domain, algorithms: ['MD5'], users: { bob: { password } } },
        trunks,
        ...more,
      },
      echo: { protocol: 'loopback', domain: 'echo.example' },
    },
  });
  const kept = trunkAt(stays, 'stays.example');
  const gateway = await GatewayProcess.prepare(folder.path, settings([kept, trunkAt(goes, 'goes.example')], 'old'));
  await gateway.start();
  t.after(() => gateway.stop());
  await until(() => registers(goes).length === 1 && registers(stays).length === 1, 'both accounts are registered');
  assert.equal(await register(phone, port, 'old'), '200');

  const trunks = [kept, trunkAt(comes, 'comes.example')];
  const said = await gateway.reload(settings(trunks, 'new', { trusted: ['192.0.2.0/24'], idleMs: 700_000 }));
  assert.deepEqual(said.sort(), [
    'main.auth: taken over',
    'main.idleMs: needs a restart',
    'main.trunks: taken over',
    'main.trusted: taken over',
  ]);
  await until(() => registers(comes).length === 1 && registers(goes).length === 2, 'one comes, one goes');
  assert.deepEqual([registers(stays), registers(goes), registers(comes)], [['3600'], ['3600', '0'], ['3600']]);
  assert.equal(await register(phone, port, 'old'), '401');
  assert.equal(await register(phone, port, 'new'), '200');
  assert.deepEqual(await gateway.reload(settings(trunks, 'new', { trusted: ['192.0.2.0/24'] })), []);
});
