// Other options for an adapter that runs: accounts at providers, people who register, limits, and who is believed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { options } from '../../../adapters/sip/config.ts';
import { Door } from '../../../adapters/sip/door.ts';
import type { GatewayError } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { responseTo, type SipPeer, startSipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { create, message, type Opened, open, type Settings, settings, signal } from './adapter-fixtures.ts';

const parse = (more: Settings) => options.parse({ ...settings, ...more });

async function provider(t: TestContext): Promise<SipPeer> {
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  peer.onRequest = (request) => responseTo(request, '200 OK');
  return peer;
}

const trunkAt = ({ port }: SipPeer, domain: string, password = 'x') =>
  ({ aor: `sip:gw@${domain}`, registrar: `sip:127.0.0.1:${port}`, password, watchRegistration: 'off' }) as const;

const registers = ({ heard }: SipPeer) =>
  heard.filter(({ first }) => first.startsWith('REGISTER')).map(({ header }) => header('Expires'));

test('DESIGN 5: reconfigure: a trunk that is new registers, one that is gone unregisters, the others notice nothing', async (t) => {
  const [stays, goes, comes] = await Promise.all([provider(t), provider(t), provider(t)]);
  const kept = trunkAt(stays, 'stays.example');
  const sip = create({ trunks: [kept, trunkAt(goes, 'goes.example')] });
  t.after(() => sip.stop());
  await sip.start(fakeHub());
  await until(() => registers(goes).length === 1 && registers(stays).length === 1, 'both are registered');
  await sip.reconfigure(parse({ trunks: [kept, trunkAt(comes, 'comes.example')] }));
  await until(() => registers(comes).length === 1, 'the new one registers');
  assert.deepEqual([registers(stays), registers(goes), registers(comes)], [['3600'], ['3600', '0'], ['3600']]);
  const isTaken = (to: string) =>
    sip.deliver(message(to), signal).then(
      () => true,
      (error: GatewayError) => {
        if (error.reason === 'unavailable') return false;
        throw error;
      },
    );
  await until(() => isTaken('sip:bob@comes.example'), 'it carries messages');
  assert.ok(await isTaken('sip:bob@stays.example'));
  assert.equal(sip.destination(message('sip:bob@goes.example')), 'goes.example');
});

test('DESIGN 5: reconfigure: an account with another password says goodbye under the old one before it registers anew', async (t) => {
  const peer = await provider(t);
  const sip = create({ trunks: [trunkAt(peer, 'one.example')] });
  t.after(() => sip.stop());
  await sip.start(fakeHub());
  await until(() => registers(peer).length === 1, 'registered');
  await sip.reconfigure(parse({ trunks: [trunkAt(peer, 'one.example', 'other')] }));
  await until(() => registers(peer).length === 3, 'registered anew');
  assert.deepEqual(registers(peer), ['3600', '0', '3600']);
});

const domain = 'native.example';
const h = (text: string) => createHash('md5').update(text).digest('hex');

/** Resolves with the status. */
async function register({ ask }: Pick<Opened, 'ask'>, password: string, callId: string): Promise<string> {
  const uri = `sip:${domain}`;
  const aor = `<sip:bob@${domain}>`;
  const parts = { method: 'REGISTER', uri, from: `${aor};tag=r`, to: aor, body: '' };
  const contact = 'Contact: <sip:bob@192.0.2.7>';
  const challenge = await ask({ ...parts, callId, more: [contact] });
  const nonce = /nonce="([^"]+)"/.exec(challenge.header('WWW-Authenticate'))?.[1] ?? '';
  const answer = h(`${h(`bob:${domain}:${password}`)}:${nonce}:00000001:c:auth:${h(`REGISTER:${uri}`)}`);
  const proof = `Authorization: Digest username="bob", realm="${domain}", nonce="${nonce}", uri="${uri}", algorithm=MD5, response="${answer}", qop=auth, nc=00000001, cnonce="c"`;
  const { first } = await ask({ ...parts, callId: `${callId}-2`, cseq: 2, more: [contact, proof] });
  return first.slice(8, 11);
}

const authOf = (users: Record<string, string>) => ({
  realm: domain,
  algorithms: ['MD5' as const],
  users: Object.fromEntries(Object.entries(users).map(([user, password]) => [user, { password }])),
});

test('DESIGN 5: reconfigure: a person with another password, or of no account any more, is no longer registered, and the old password is worth nothing', async (t) => {
  const native = { nativeDomains: [domain] };
  const opened = await open(t, { ...native, auth: authOf({ bob: 'old' }) });
  const { sip, hub } = opened;
  const isRegistered = () => [...hub.state.entries.keys()].some((key) => key.startsWith('binding/'));
  assert.equal(await register(opened, 'old', 'one'), '200');
  await sip.reconfigure(parse({ ...native, auth: authOf({ bob: 'old', carol: 'x' }) }));
  assert.ok(isRegistered(), 'carol is nothing to bob');
  await sip.reconfigure(parse({ ...native, auth: authOf({ bob: 'new' }) }));
  assert.ok(!isRegistered());
  assert.equal(await register(opened, 'old', 'two'), '401');
  assert.equal(await register(opened, 'new', 'three'), '200');
  await sip.reconfigure(parse({ ...native, auth: authOf({}) }));
  assert.ok(!isRegistered());
  assert.equal(await register(opened, 'new', 'four'), '401');
});

test('DESIGN 5: reconfigure: a user that goes and whose name is no address keeps nobody else registered', async (t) => {
  const native = { nativeDomains: [domain] };
  const opened = await open(t, { ...native, auth: authOf({ 'a@b@c': 'x', bob: 'old' }) });
  assert.equal(await register(opened, 'old', 'one'), '200');
  await opened.sip.reconfigure(parse({ ...native, auth: authOf({}) }));
  assert.ok(![...opened.hub.state.entries.keys()].some((key) => key.startsWith('binding/')));
});

test('DESIGN 5: reconfigure: who is believed, and how often strangers may come, holds for the next request', async (t) => {
  const opened = await open(t, { auth: authOf({}) });
  const { sip, ask } = opened;
  const status = async () => (await ask({})).first.slice(8, 11);
  assert.equal(await status(), '401');
  await sip.reconfigure(parse({ auth: authOf({}), trusted: ['127.0.0.0/8'] }));
  assert.equal(await status(), '202');
  await sip.reconfigure(parse({ rates: { source: { perSecond: 0.001, burst: 1 } } }));
  assert.deepEqual([await status(), await status()], ['202', '503']);
  await sip.reconfigure(parse({}));
  await until(async () => (await status()) === '202', 'the bucket fills as fast as it should now');
});

test('RFC 7616 s.3.3: a nonce outlives other users, and not another realm', () => {
  const door = new Door(parse({ auth: authOf({ bob: 'x' }) }));
  const { digest } = door;
  door.reconfigure(parse({ auth: authOf({ carol: 'x' }) }));
  assert.equal(door.digest, digest);
  door.reconfigure(parse({ auth: { ...authOf({}), realm: 'other' } }));
  assert.notEqual(door.digest, digest);
  door.reconfigure(parse({}));
  assert.equal(door.digest, undefined);
});

test('RFC 3261 s.22.1: credentials for whoever challenges us are those of now', () => {
  const door = new Door(parse({ credentials: [{ user: 'a', password: 'one' }] }));
  door.reconfigure(parse({ credentials: [{ user: 'a', password: 'two', realm: 'r' }] }));
  assert.deepEqual(door.credentials, [{ user: 'a', password: 'two', realm: 'r' }]);
});
