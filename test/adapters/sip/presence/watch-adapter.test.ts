// Watching through the whole adapter, over UDP: SUBSCRIBE leaves, NOTIFY comes in at the address it named.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleEvent } from '../../../peers/events.ts';
import { type PeerMessage, requestText, responseTo } from '../../../peers/sip-peer.ts';
import { create, type Opened, open, signal } from '../adapter-fixtures.ts';
import { pidf, tagIn, watcher } from './subscriber-fixtures.ts';

const expires = ['Expires: 3600'];

function takesSubscribe({ peer }: Opened): void {
  peer.onRequest = (request) => responseTo(request, '200 OK', expires);
}

const request = (to: string, action: 'request' | 'cancel' | 'fetch' = 'request') =>
  sampleEvent('subscription', watcher, to, { action });

async function subscribeAt({ peer }: Opened): Promise<PeerMessage> {
  return peer.until(({ first }) => first.startsWith('SUBSCRIBE'));
}

/** The NOTIFY of the peer, to the Contact that the SUBSCRIBE named; resolves with the answer's first line. */
async function notify(opened: Opened, state: string, body: string, cseq = 1): Promise<string> {
  const { peer } = opened;
  const subscribe = await subscribeAt(opened);
  const target = /<(sip:[^>]+)>/.exec(subscribe.header('Contact'))?.[1] ?? '';
  const port = Number(/:(\d+)/.exec(target.slice(target.indexOf('@')))?.[1]);
  const text = requestText({
    port: peer.port,
    method: 'NOTIFY',
    uri: target,
    from: `${subscribe.header('To')};tag=peer`,
    to: `<${watcher}>;tag=${tagIn(subscribe.header('From'))}`,
    callId: subscribe.header('Call-ID'),
    cseq,
    type: 'application/pidf+xml',
    body,
    more: [`Contact: <${peer.uri}>`, 'Event: presence', `Subscription-State: ${state}`],
  });
  peer.sendUdp(text, port);
  const answer = await peer.until(
    ({ first, header }) => first.startsWith('SIP/2.0') && header('CSeq') === `${cseq} NOTIFY`,
  );
  return answer.first;
}

test('RFC 8048 s.5.2: request, SUBSCRIBE, NOTIFY, approval, presence, refresh and end, over the wire', async (t) => {
  const opened = await open(t);
  const { sip, hub, peer } = opened;
  takesSubscribe(opened);
  assert.ok(sip.accepts.has('subscription'));
  await sip.deliver(request(peer.uri), signal);
  const { first } = await subscribeAt(opened);
  assert.equal(first, `SUBSCRIBE ${peer.uri} SIP/2.0`);
  assert.equal(hub.drafts.length, 0);
  assert.equal(await notify(opened, 'active;expires=3600', pidf({ phone: 'dnd' })), 'SIP/2.0 200 OK');
  const [approval, presence] = hub.drafts;
  assert.deepEqual(approval?.type === 'subscription' && approval.action, 'approve');
  assert.deepEqual(presence?.type === 'presence' && [presence.from, presence.availability], [
    `${peer.uri};gr=phone`,
    'busy',
  ]);
  await sip.deliver(request(peer.uri, 'cancel'), signal);
  const last = await peer.until(({ header }) => header('CSeq') === '2 SUBSCRIBE');
  assert.equal(last.header('Expires'), '0');
  assert.match(last.header('To'), /;tag=peer$/);
});

test('RFC 6665 s.4.1.3: a NOTIFY to no subscription is 481 at the door', async (t) => {
  const { ask, hub } = await open(t);
  const more = ['Event: presence', 'Subscription-State: active'];
  const { first } = await ask({ method: 'NOTIFY', to: '<sip:alice@gw.example>;tag=x', more });
  assert.match(first, /^SIP\/2\.0 481 /);
  assert.equal(hub.drafts.length, 0);
});

test('RFC 6665 s.4.1: digest is answered inside and outside of the dialog, and each number is used once', async (t) => {
  const opened = await open(t, { credentials: [{ user: 'gw', password: 'secret' }] });
  const { sip, peer } = opened;
  peer.onRequest = (heard) => {
    if (heard.header('Authorization') !== '') return responseTo(heard, '200 OK', expires);
    return responseTo(heard, '401 Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']);
  };
  await sip.deliver(request(peer.uri), signal);
  await peer.until(({ header }) => header('CSeq') === '2 SUBSCRIBE');
  await notify(opened, 'active;expires=3600', pidf({ phone: 'open' }));
  await sip.deliver(request(peer.uri, 'cancel'), signal);
  const numbers = peer.heard.filter(({ first }) => first.startsWith('SUBSCRIBE')).map(({ header }) => header('CSeq'));
  assert.deepEqual(numbers, ['1 SUBSCRIBE', '2 SUBSCRIBE', '3 SUBSCRIBE', '4 SUBSCRIBE']);
});

test('RFC 8048 s.5.1: a subscription goes on in the next process: the same dialog takes the next NOTIFY', async (t) => {
  const opened = await open(t);
  const { sip, hub, peer, port } = opened;
  takesSubscribe(opened);
  await sip.deliver(request(peer.uri), signal);
  await notify(opened, 'active;expires=3600', pidf({ phone: 'open' }));
  await sip.stop();
  const next = create({ listen: [{ transport: 'udp', port }] });
  t.after(() => next.stop());
  await next.start(hub);
  assert.equal(await notify(opened, 'active;expires=3500', pidf({ phone: 'away' }), 2), 'SIP/2.0 200 OK');
  const last = hub.draftsOf('presence').at(-1);
  assert.equal(last?.availability, 'away');
  const rows = await Array.fromAsync(next.views.subscriptions?.() ?? []);
  assert.deepEqual(
    rows.map(({ direction, contact, standing, phase }) => [direction, contact, standing, phase]),
    [['outbound', peer.uri, 'granted', 'live']],
  );
});
