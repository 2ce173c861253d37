// A trunk: registered with digest, refreshed, backed off, and left with a goodbye.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponse, type SipResponse } from '../../../adapters/sip/codec/message.ts';
import { options } from '../../../adapters/sip/config.ts';
import { diagnose } from '../../../adapters/sip/diagnose.ts';
import { instanceIdIn } from '../../../adapters/sip/instance-id.ts';
import type { Outgoing, Requester } from '../../../adapters/sip/requester.ts';
import { Registration } from '../../../adapters/sip/trunk/registration.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { type PeerMessage, requestText, responseTo, startSipPeer } from '../../peers/sip-peer.ts';
import { until } from '../../servers/process.ts';
import { create, message, open, signal } from './adapter-fixtures.ts';
import { FakeFlow, fakeClock } from './fixtures.ts';

type Script = (outgoing: Outgoing) => SipResponse | GatewayError | Promise<SipResponse>;

function openTrunk(script: Script) {
  const clock = fakeClock();
  const flow = new FakeFlow(clock);
  const sent: Array<{ at: number; outgoing: Outgoing }> = [];
  const start = clock.now;
  const requester = {
    async send(outgoing: Outgoing) {
      outgoing.prepare?.(outgoing.request, flow);
      sent.push({ at: clock.now - start, outgoing });
      const outcome = script(outgoing);
      if (outcome instanceof GatewayError) throw outcome;
      return outcome;
    },
  } as unknown as Requester;
  const [trunk] = options.parse({ trunks: [{ aor: 'sip:gw@provider.example', password: 'x' }] }).trunks;
  const instanceId = async () => 'urn:uuid:00000000-0000-1000-8000-000a95a0e128';
  const parts = { requester, wheel: clock.wheel, changed: () => {}, instanceId, random: () => 1 };
  return { clock, flow, sent, registration: new Registration(trunk!, parts) };
}

const response = ({ request }: Outgoing, status: number, more: Record<string, string> = {}) => {
  const made = createResponse(request, status);
  for (const [name, value] of Object.entries(more)) made.headers.add(name, value);
  return made;
};
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('RFC 3261 s.10.2.4: it refreshes before what the registrar granted is over, with one Call-ID and rising CSeq', async () => {
  const { clock, sent, registration } = openTrunk((outgoing) =>
    response(outgoing, 200, { Contact: `${outgoing.request.headers.get('Contact')};expires=100` }),
  );
  registration.start();
  await settle();
  assert.ok(registration.isRegistered);
  clock.advance(86_000);
  await settle();
  assert.equal(sent.length, 2);
  assert.ok(sent[1]!.at >= 85_000 && sent[1]!.at <= 86_000);
  const [first, second] = sent.map(({ outgoing }) => outgoing.request.headers);
  assert.equal(first?.get('Call-ID'), second?.get('Call-ID'));
  assert.ok(Number.parseInt(first?.get('CSeq') ?? '', 10) < Number.parseInt(second?.get('CSeq') ?? '', 10));
  assert.match(first?.get('Contact') ?? '', /^<sip:gw@192\.0\.2\.1:5060>;/);
});

test('RFC 3261 s.10.2.8: 423 is answered with what Min-Expires says, once', async () => {
  const { sent, registration } = openTrunk((outgoing) =>
    outgoing.request.headers.get('Expires') === '7200'
      ? response(outgoing, 200)
      : response(outgoing, 423, { 'Min-Expires': '7200' }),
  );
  registration.start();
  await settle();
  await settle();
  assert.ok(registration.isRegistered);
  assert.equal(sent.length, 2);
});

test('RFC 3261 s.10.2.4: who is granted no time is not registered, and asks again after a pause as after a failure', async () => {
  let expires = '0';
  const { clock, sent, registration } = openTrunk((outgoing) => response(outgoing, 200, { Expires: expires }));
  registration.start();
  await settle();
  assert.equal(registration.isRegistered, false);
  assert.match(registration.why, /expires=0/);
  clock.advance(4900);
  await settle();
  assert.equal(sent.length, 1);
  clock.advance(200);
  await settle();
  assert.equal(sent.length, 2);
  clock.advance(9000);
  await settle();
  assert.equal(sent.length, 2);
  expires = '600';
  clock.advance(1100);
  await settle();
  assert.ok(registration.isRegistered);
});

test('RFC 5626 s.4.5: failures are tried again after pauses that double, a wrong password after half an hour', async () => {
  let status = 0;
  const { clock, sent, registration } = openTrunk((outgoing) =>
    status === 0 ? new GatewayError('unreachable', 'nobody there') : response(outgoing, status),
  );
  registration.start();
  await settle();
  assert.match(registration.why, /nobody there/);
  for (const pause of [5000, 10_000, 20_000]) {
    const before = sent.length;
    clock.advance(pause - 20);
    await settle();
    assert.equal(sent.length, before);
    clock.advance(50);
    await settle();
    assert.equal(sent.length, before + 1);
  }
  status = 403;
  clock.advance(41_000);
  await settle();
  const before = sent.length;
  clock.advance(1_700_000);
  assert.equal(sent.length, before);
  assert.match(registration.why, /403/);
});

test('RFC 5626 s.4.4.1: over UDP the way through a NAT is kept open', async () => {
  const { clock, flow, registration } = openTrunk((outgoing) => response(outgoing, 200));
  registration.start();
  await settle();
  clock.advance(60_000);
  assert.deepEqual(
    flow.sent.map(({ text }) => text),
    ['\r\n\r\n', '\r\n\r\n'],
  );
});

test('RFC 5626 s.4.2.1: REGISTER says which instance it is and by which of its ways, and that it knows Path, Outbound and GRUU', async () => {
  const { sent, registration } = openTrunk((outgoing) => response(outgoing, 200));
  registration.start();
  await settle();
  const { headers } = sent[0]!.outgoing.request;
  assert.equal(headers.get('Supported'), 'path, outbound, gruu');
  assert.equal(
    headers.get('Contact'),
    '<sip:gw@192.0.2.1:5060>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>";reg-id=1',
  );
  assert.equal(registration.contact, 'sip:gw@192.0.2.1:5060');
});

test('RFC 5626 s.4.3, RFC 5627 s.4.4: where Outbound is in force dialogs keep to the flow (ob), and a public GRUU is our Contact', async () => {
  const { sent, registration } = openTrunk((outgoing) => {
    const contact = outgoing.request.headers.get('Contact') ?? '';
    if (sent.length < 2) return response(outgoing, 200, { Require: 'outbound', Contact: contact });
    const gruus = `${contact};pub-gruu="sip:gw@provider.example;gr=urn:uuid:1";temp-gruu="sip:tgruu.x@provider.example;gr"`;
    return response(outgoing, 200, { Contact: gruus });
  });
  registration.start();
  await settle();
  assert.equal(registration.contact, 'sip:gw@192.0.2.1:5060;ob');
  assert.equal(registration.isContact('sip:gw@192.0.2.1:5060'), true);
  registration.start();
  await settle();
  assert.equal(registration.contact, 'sip:gw@provider.example;gr=urn:uuid:1');
  assert.equal(registration.isContact('sip:gw@provider.example;gr=urn:uuid:1'), true);
  assert.equal(
    registration.isContact('sip:tgruu.x@provider.example;gr'),
    false,
    'the temporary one is not ours to use',
  );
});

test('RFC 5626 s.4.4.1: Flow-Timer says how often the flow is kept alive', async () => {
  const { clock, flow, registration } = openTrunk((outgoing) => response(outgoing, 200, { 'Flow-Timer': '100' }));
  registration.start();
  await settle();
  clock.advance(79_000);
  assert.equal(flow.sent.length, 0);
  clock.advance(8000);
  assert.equal(flow.sent.length, 1);
});

test('RFC 5626 s.4.5: a flow that fails is made anew at once, another one is nothing to us', async () => {
  const { clock, flow, sent, registration } = openTrunk((outgoing) => response(outgoing, 200));
  registration.start();
  await settle();
  registration.closed(new FakeFlow(clock, 'TCP'));
  clock.advance(100);
  await settle();
  assert.equal(sent.length, 1);
  registration.closed(flow);
  clock.advance(30);
  await settle();
  assert.equal(sent.length, 2);
});

test('RFC 3581 s.4: behind a NAT, where no Outbound helps, the Contact is where the registrar saw us', async () => {
  const { sent, registration } = openTrunk((outgoing) =>
    response(outgoing, 200, { Via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=203.0.113.7;rport=40000' }),
  );
  registration.start();
  await settle();
  await settle();
  assert.equal(sent.length, 3);
  assert.match(sent[2]!.outgoing.request.headers.get('Contact') ?? '', /^<sip:gw@203\.0\.113\.7:40000>/);
  assert.ok(registration.isRegistered);
});

test('RFC 3261 s.10.2.2: where the registrar saw us elsewhere, the Contact that we said at first is taken back, and a goodbye meanwhile ends the other', async () => {
  const seenElsewhere = { Via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=203.0.113.7;rport=40000' };
  const never = Promise.withResolvers<SipResponse>();
  const { sent, registration } = openTrunk((outgoing) =>
    sent.length === 3 ? never.promise : response(outgoing, 200, seenElsewhere),
  );
  registration.start();
  await settle();
  await settle();
  assert.equal(sent.length, 3);
  await registration.stop();
  const said = sent.map(({ outgoing: { request } }) => [
    request.headers.get('Expires'),
    request.headers.get('Contact')?.replace(/;\+sip.*/, ''),
  ]);
  assert.deepEqual(said, [
    ['3600', '<sip:gw@192.0.2.1:5060>'],
    ['0', '<sip:gw@192.0.2.1:5060>'],
    ['3600', '<sip:gw@203.0.113.7:40000>'],
    ['0', '<sip:gw@203.0.113.7:40000>'],
  ]);
});

test('RFC 3261 s.10.2: a REGISTER that is wanted while another has no answer follows that answer', async () => {
  let answer = Promise.withResolvers<SipResponse>();
  const { clock, sent, registration } = openTrunk((outgoing) =>
    sent.length === 1 ? response(outgoing, 200) : answer.promise,
  );
  registration.start();
  await settle();
  registration.doubt();
  clock.advance(30);
  await settle();
  assert.equal(sent.length, 2);
  registration.ended('deactivated', undefined, undefined);
  await settle();
  assert.equal(sent.length, 2);
  const { resolve } = answer;
  answer = Promise.withResolvers();
  resolve(response(sent[1]!.outgoing, 200));
  await settle();
  assert.equal(sent.length, 3);
});

test('RFC 5626 s.4.1: the instance is the same after a restart', async () => {
  const { state } = fakeHub();
  const first = await instanceIdIn(state)();
  assert.match(first, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.equal(await instanceIdIn(state)(), first);
});

test('RFC 3261 s.10.2: several accounts: each domain goes by its own, with its own password and identity', async (t) => {
  const providers = await Promise.all([startSipPeer(), startSipPeer()]);
  for (const provider of providers) {
    t.after(() => provider.stop());
    provider.onRequest = (request) => responseTo(request, '200 OK');
  }
  const [one, two] = providers as [(typeof providers)[0], (typeof providers)[0]];
  const hub = fakeHub();
  const sip = create({
    trunks: [
      { aor: 'sip:gw@one.example', registrar: `sip:127.0.0.1:${one.port}`, password: 'x', asserts: 'account' },
      { aor: 'sip:gw@two.example', registrar: `sip:127.0.0.1:${two.port}`, password: 'y', asserts: 'sender' },
    ],
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  for (const domain of ['two', 'one']) {
    const isTaken = () =>
      sip.deliver(message(`sip:bob@${domain}.example`), signal).then(
        () => true,
        () => false,
      );
    await until(isTaken, `registered at ${domain}`);
  }
  const asserted = providers.map(({ heard }) =>
    heard.find(({ first }) => first.startsWith('MESSAGE'))?.header('P-Asserted-Identity'),
  );
  assert.deepEqual(asserted, ['<sip:gw@one.example>', '<sip:alice%40xmpp.example@gw.example>']);
});

test('RFC 3325 s.5: a provider is believed unless the operator says otherwise, and whom a message is for stands in To', async (t) => {
  for (const trusted of [true, false]) {
    const provider = await startSipPeer();
    t.after(() => provider.stop());
    provider.onRequest = (request) => responseTo(request, '200 OK');
    const hub = fakeHub();
    const registrar = `sip:127.0.0.1:${provider.port}`;
    const trunk = { aor: 'sip:gw@provider.example', registrar, password: 'x', trusted };
    const sip = create({ trunks: [trunk], auth: { realm: 'gw', users: {} } });
    t.after(() => sip.stop());
    await sip.start(hub);
    await hub.untilStatus('up');
    const contact = /<([^>]+)>/.exec(provider.heard[0]!.header('Contact'))?.[1] ?? '';
    const more = ['P-Asserted-Identity: <sip:+447700900001@provider.example>'];
    const to = '<sip:+442079460000@provider.example>';
    provider.sendUdp(requestText({ port: provider.port, uri: contact, to, more }), sip.portOf('UDP'));
    const answer = await provider.until(
      ({ first, header }) => header('CSeq') === '1 MESSAGE' && /^SIP\/2\.0 [2-6]/.test(first),
    );
    assert.match(answer.first, trusted ? /202/ : /401/);
    const expected = trusted ? [['sip:+447700900001@provider.example', 'sip:+442079460000@provider.example']] : [];
    assert.deepEqual(
      hub.drafts.map(({ from, to: recipient }) => [from, recipient]),
      expected,
    );
  }
});

test('RFC 3608 s.6.1: a trunk registers with digest, carries messages by its Service-Route, and says goodbye', async (t) => {
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  peer.onRequest = (request) => {
    if (!request.first.startsWith('REGISTER')) return responseTo(request, '202 Accepted');
    if (request.header('Authorization') === '') {
      return responseTo(request, '401 Who', [
        'WWW-Authenticate: Digest realm="provider", nonce="n", qop="auth", algorithm=MD5',
      ]);
    }
    return responseTo(request, '200 OK', [
      `Contact: ${request.header('Contact')};expires=600`,
      `Service-Route: <sip:127.0.0.1:${peer.port};lr>`,
    ]);
  };
  const hub = fakeHub();
  const sip = create({
    trunks: [
      {
        aor: 'sip:gw@provider.example',
        registrar: `sip:127.0.0.1:${peer.port}`,
        password: 'x',
        showAs: 'account',
        watchRegistration: 'off',
      },
    ],
  });
  await sip.start(hub);
  await hub.untilStatus('up');
  await sip.deliver(message('tel:+447700900123'), signal);
  const sent = peer.heard.at(-1) as PeerMessage;
  assert.equal(sent.first, 'MESSAGE sip:+447700900123@provider.example;user=phone SIP/2.0');
  assert.equal(sent.header('Route'), `<sip:127.0.0.1:${peer.port};lr>`);
  assert.match(sent.header('From'), /^<sip:gw@provider\.example>;tag=/);
  await sip.stop();
  assert.equal(peer.heard.at(-1)?.header('Expires'), '0');
  assert.deepEqual(
    hub.statuses.map(({ state }) => state),
    ['connecting', 'up', 'down'],
  );
});

test('DESIGN 5: while its only trunk is refused the adapter is down, and says why', async (t) => {
  const { peer } = await open(t);
  peer.onRequest = (request) => responseTo(request, '403 Forbidden');
  const hub = fakeHub();
  const sip = create({
    trunks: [{ aor: 'sip:gw@provider.example', registrar: `sip:127.0.0.1:${peer.port}`, password: 'x' }],
  });
  t.after(() => sip.stop());
  await sip.start(hub);
  await hub.untilStatus('down');
  assert.match(hub.statuses.at(-1)?.why ?? '', /gw@provider\.example: 403 Forbidden/);
  await assert.rejects(
    sip.deliver(message('sip:x@provider.example'), signal),
    (error: unknown) => error instanceof GatewayError && error.reason === 'unavailable',
  );
});

test('RFC 3261 s.11: the outbound proxy is asked whether it is there: down with the reason while it is not, up when it answers', async (t) => {
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  peer.onRequest = (request) => responseTo(request, '503 Starting');
  const hub = fakeHub();
  const sip = create({ outboundProxy: peer.uri }, 30);
  t.after(() => sip.stop());
  await sip.start(hub);
  await hub.untilStatus('down');
  assert.match(hub.statuses.at(-1)?.why ?? '', /503 Starting/);
  peer.onRequest = (request) => responseTo(request, '404 Nobody here');
  await hub.untilStatus('up');
  peer.onRequest = () => undefined;
  await hub.untilStatus('down');
  assert.match(hub.statuses.at(-1)?.why ?? '', /does not answer/);
  assert.deepEqual(
    hub.statuses.map(({ state }) => state),
    ['connecting', 'down', 'up', 'down'],
  );
});

test('RFC 3261 s.22.2: a nonce that has gone stale is answered once more, a password that was wrong is not', async (t) => {
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  const nonces: string[] = [];
  const challenge = (nonce: string, isStale: boolean) => {
    const stale = isStale ? ', stale=true' : '';
    return `WWW-Authenticate: Digest realm="provider", nonce="${nonce}", qop="auth", algorithm=SHA-256${stale}`;
  };
  let acceptsAt = 3;
  let isStale = true;
  peer.onRequest = (request) => {
    nonces.push(/nonce="([^"]+)"/.exec(request.header('Authorization'))?.[1] ?? '');
    if (nonces.length >= acceptsAt) return responseTo(request, '200 OK', [`Contact: ${request.header('Contact')}`]);
    return responseTo(request, '401 Who', [challenge(`n${nonces.length}`, isStale && nonces.length > 1)]);
  };
  const start = async () => {
    const hub = fakeHub();
    const trunk = { aor: 'sip:gw@provider.example', registrar: `sip:127.0.0.1:${peer.port}`, password: 'x' };
    const sip = create({ trunks: [{ ...trunk, watchRegistration: 'off' }], t1Ms: 500, t2Ms: 4000 });
    t.after(() => sip.stop());
    await sip.start(hub);
    return hub;
  };
  await (await start()).untilStatus('up');
  assert.deepEqual(nonces, ['', 'n1', 'n2']);
  nonces.length = 0;
  acceptsAt = 10;
  isStale = false;
  await (await start()).untilStatus('down');
  assert.deepEqual(nonces, ['', 'n1']);
});

test('RFC 3261 s.10.2.3: the doctor asks for what is registered, through each outbound proxy, and changes nothing', async (t) => {
  const [good, bad] = await Promise.all([startSipPeer(), startSipPeer()]);
  t.after(() => Promise.all([good.stop(), bad.stop()]));
  bad.onRequest = (request) => responseTo(request, '403 No');
  const outboundProxies = [good, bad].map(({ port }) => `sip:127.0.0.1:${port};lr`);
  const settings = options.parse({ trunks: [{ aor: 'sip:gw@provider.example', password: 'x', outboundProxies }] });
  const findings = await Array.fromAsync(diagnose(settings, signal));
  assert.deepEqual(
    findings.filter(({ what }) => what.includes(' through ')).map(({ state, what }) => `${state} ${what}`),
    [
      `ok sip:gw@provider.example at provider.example through ${outboundProxies[0]} answers 200`,
      `failed sip:gw@provider.example at provider.example through ${outboundProxies[1]} answers 403`,
    ],
  );
  const [asked] = good.heard;
  assert.deepEqual([asked?.header('Contact'), asked?.header('Route')], ['', `<${outboundProxies[0]}>`]);
});
