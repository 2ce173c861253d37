// The configurations that the README prints, run: behind a Kamailio, at a provider with digest, and phones behind an edge.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { options } from '../../adapters/sip/config.ts';
import { SipAdapter } from '../../adapters/sip/index.ts';
import { message, signal } from '../adapters/sip/adapter-fixtures.ts';
import { fakeHub } from '../peers/hub.ts';
import { startBrowserPhone } from '../peers/sip-browser.ts';
import { requestText, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { needs } from '../servers/debian.ts';
import { type Kamailio, startKamailio, startKamailioFrom } from '../servers/kamailio.ts';
import { freePorts, until } from '../servers/process.ts';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'adapters/sip/README.md'), 'utf8');

/** The block under that heading, at the addresses of this test. */
function printed(heading: string, addresses: Record<string, string>) {
  const [, block = ''] = new RegExp(`### ${heading}\\n[^#]*?\`\`\`yaml\\n([^\`]*)\`\`\``).exec(readme) ?? [];
  let text = block;
  for (const [documented, real] of Object.entries(addresses)) text = text.replaceAll(documented, real);
  const { protocol, ...settings } = parse(
    text.replaceAll(/port: 5060/g, 'port: GATEWAY').replaceAll('GATEWAY', addresses.gateway ?? '0'),
  );
  assert.equal(protocol, 'sip');
  return options.parse(settings);
}

async function gateway(t: TestContext, heading: string, addresses: Record<string, string>) {
  const hub = fakeHub();
  const sip = new SipAdapter(printed(heading, { '192.0.2.20': '127.0.0.1', ...addresses }));
  t.after(() => sip.stop());
  await sip.start(hub);
  await hub.untilStatus('up');
  return { hub, sip };
}

async function phoneOf(t: TestContext): Promise<SipPeer> {
  const phone = await startSipPeer();
  t.after(() => phone.stop());
  return phone;
}

/** A phone that knows the password registers with whoever is at that port. */
async function register(phone: SipPeer, port: number, aor: string, realm: string, more: readonly string[] = []) {
  const [user = '', domain = ''] = aor.slice('sip:'.length).split('@');
  const parts = {
    port: phone.port,
    method: 'REGISTER',
    uri: `sip:${domain}`,
    from: `<${aor}>;tag=r`,
    to: `<${aor}>`,
    body: '',
  };
  const contact = [`Contact: <sip:${user}@127.0.0.1:${phone.port}>${more[0] ?? ''}`, 'Expires: 600', ...more.slice(1)];
  const callId = `register-${phone.port}`;
  phone.sendUdp(requestText({ ...parts, callId, more: contact }), port);
  const challenge = await phone.until(({ first, header }) => first.includes(' 401 ') && header('Call-ID') === callId);
  const offers = challenge.text.split('\r\n').filter((one) => /^WWW-Authenticate:/i.test(one));
  const line = offers.find((one) => /algorithm=MD5/i.test(one) || !/algorithm=/i.test(one)) ?? '';
  const nonce = /nonce="([^"]+)"/.exec(line)?.[1] ?? '';
  const h = (text: string) => createHash('md5').update(text).digest('hex');
  const [ha1, ha2] = [h(`${user}:${realm}:secret`), h(`REGISTER:sip:${domain}`)];
  const response = /qop=/.test(line) ? h(`${ha1}:${nonce}:00000001:c:auth:${ha2}`) : h(`${ha1}:${nonce}:${ha2}`);
  const qop = /qop=/.test(line) ? ', qop=auth, nc=00000001, cnonce="c"' : '';
  const proof = `Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="sip:${domain}", algorithm=MD5, response="${response}"${qop}`;
  phone.sendUdp(requestText({ ...parts, callId, cseq: 2, more: [...contact, proof] }), port);
  const made = await phone.until(({ first, header }) => first.includes(' 200 ') && header('CSeq') === '2 REGISTER');
  return made;
}

const isMessage = ({ first }: { first: string }) => first.startsWith('MESSAGE');
const finalOf = (phone: SipPeer, callId: string) =>
  phone.until(({ first, header }) => header('Call-ID') === callId && /^SIP\/2\.0 [2-6]/.test(first), 10_000);

test('RFC 3428 s.6: behind a Kamailio, with the lines of config/kamailio.cfg: messages go both ways', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const [port = 0] = await freePorts(1);
  const lines = readFileSync(join(root, 'config/kamailio.cfg'), 'utf8')
    .replaceAll('192.0.2.20:5060', `127.0.0.1:${port}`)
    .replaceAll('192.0.2.20', '127.0.0.1');
  const gatewayDomain = { domain: 'gw.example.org', uri: '' };
  const kamailio = await startKamailio({ domain: 'pbx.example', password: 'secret', gateway: gatewayDomain, lines });
  t.after(() => kamailio.stop());
  const addresses = { '192.0.2.10:5060': `127.0.0.1:${kamailio.port}`, '192.0.2.10': '127.0.0.1', gateway: `${port}` };
  const { hub, sip } = await gateway(t, 'Behind a Kamailio', addresses);
  const phone = await phoneOf(t);
  await register(phone, kamailio.port, 'sip:bob@pbx.example', 'pbx.example');
  await sip.deliver(message('sip:bob@pbx.example', { text: { '': 'x'.repeat(2000) }, wants: ['delivered'] }), signal);
  assert.match((await phone.until(isMessage)).body, /x{2000}$/);
  const parts = { uri: 'sip:alice@gw.example.org', from: '<sip:bob@pbx.example>;tag=1', callId: 'back' };
  phone.sendUdp(requestText({ port: phone.port, ...parts }), kamailio.port);
  assert.match((await finalOf(phone, 'back')).first, / 202 /);
  assert.deepEqual([hub.drafts[0]?.from, hub.drafts[0]?.to], ['sip:bob@pbx.example', 'sip:alice@gw.example.org']);
});

test('RFC 3261 s.22.2: at an ITSP: digest for registration and messages, numbers both ways, and what is pinned is never tried', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const [port = 0] = await freePorts(1);
  const itsp = await startKamailioFrom(join(root, 'test/servers/itsp.cfg'), { '192.0.2.30:5060': '' });
  t.after(() => itsp.stop());
  const addresses = { '192.0.2.30:5060': `127.0.0.1:${itsp.port}`, gateway: `${port}` };
  const { hub, sip } = await gateway(t, 'At an ITSP', addresses);
  const phone = await phoneOf(t);
  await register(phone, itsp.port, 'sip:+447700900123@itsp.example', 'itsp.example');
  await sip.deliver(message('tel:+447700900123', { wants: ['delivered'] }), signal);
  const arrived = await phone.until(isMessage);
  assert.equal(arrived.header('Content-Type'), 'text/plain;charset=UTF-8');
  assert.match(arrived.header('From'), /^<sip:442079460000@itsp\.example>/);
  const uri = 'sip:442079460000@itsp.example';
  phone.sendUdp(
    requestText({ port: phone.port, uri, callId: 'in', from: '<sip:+447700900999@else.example>;tag=1' }),
    itsp.port,
  );
  assert.match((await finalOf(phone, 'in')).first, / 202 /);
  assert.deepEqual([hub.drafts[0]?.from, hub.drafts[0]?.to], ['sip:+447700900999@else.example', uri]);
  const learnt = await Array.fromAsync(sip.views.peers?.() ?? []);
  assert.ok(learnt.some(({ peer, until: to }) => peer === 'itsp.example' && to === 'pinned'));
});

/** An edge in front of a gateway that is the registrar. */
async function edge(t: TestContext): Promise<{ kamailio: Kamailio } & Awaited<ReturnType<typeof gateway>>> {
  const [port = 0] = await freePorts(1);
  const file = join(root, 'config/kamailio-edge.cfg');
  const kamailio = await startKamailioFrom(file, { '192.0.2.10:5060': '', '192.0.2.20:5060': `127.0.0.1:${port}` });
  t.after(() => kamailio.stop());
  return { kamailio, ...(await gateway(t, 'Phones behind an edge', { gateway: `${port}` })) };
}

test('RFC 3327, RFC 5626: behind an edge a phone registers with Path and Outbound, and is reached by its flow', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const { kamailio, sip } = await edge(t);
  const phone = await phoneOf(t);
  const instance = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>";reg-id=1';
  const made = await register(phone, kamailio.port, 'sip:bob@phones.example.org', 'phones.example.org', [
    instance,
    'Supported: path, outbound, gruu',
  ]);
  assert.equal(made.header('Require'), 'outbound');
  assert.match(made.header('Contact'), /pub-gruu="sip:bob@phones\.example\.org;gr=urn:uuid:/);
  await sip.deliver(message('sip:bob@phones.example.org'), signal);
  const arrived = await phone.until(isMessage);
  assert.equal(arrived.body, 'hello');
  assert.equal(arrived.text.match(/^Via:/gm)?.length, 2, 'through the edge');
});

test('RFC 7118: a browser phone behind the WebSocket edge registers, is written to, writes, and reaches another phone of ours', async (t) => {
  if (!needs(t, 'kamailio')) return;
  const { kamailio, sip, hub } = await edge(t);
  const browser = await startBrowserPhone(`ws://127.0.0.1:${kamailio.port}`, 'sip:carol@phones.example.org', 'secret');
  t.after(() => browser.stop());
  assert.equal(await browser.register(), 200);
  await sip.deliver(message('sip:carol@phones.example.org', { text: { '': 'hello 👋' } }), signal);
  assert.equal(browser.heard[0]?.body, 'hello 👋');
  assert.equal(await browser.send('sip:alice@gw.example.org', 'and back'), 202);
  assert.equal(hub.draftsOf('message')[0]?.from, 'sip:carol@phones.example.org');
  const phone = await phoneOf(t);
  await register(phone, kamailio.port, 'sip:bob@phones.example.org', 'phones.example.org');
  assert.equal(await browser.send('sip:bob@phones.example.org', 'to a neighbour'), 200);
  assert.equal((await phone.until(isMessage)).body, 'to a neighbour');
  await until(() => hub.drafts.length === 1, 'and the hub heard nothing of it');
});
