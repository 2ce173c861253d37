// RFC 7247 s.7, tables 2 and 3, each row through the adapter: what a refusal of the far network is in SIP, and what a
// refusal in SIP is called elsewhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FailureCondition, type Fault, failureConditions, GatewayError } from '../../../src/contract/index.ts';
import { responseTo } from '../../peers/sip-peer.ts';
import { message, type Opened, open, receipt, signal } from './adapter-fixtures.ts';

/** Of one device (a full JID), of the person (a bare JID). Where they differ from table 2 docs/decisions.md says why. */
const table2: Readonly<Record<FailureCondition, readonly [device: number, person: number]>> = {
  'bad-request': [400, 400],
  conflict: [400, 400],
  'feature-not-implemented': [405, 501],
  forbidden: [403, 603],
  gone: [410, 410],
  'internal-server-error': [500, 500],
  'item-not-found': [404, 604],
  'jid-malformed': [400, 400],
  'not-acceptable': [406, 606],
  'not-allowed': [403, 403],
  'not-authorized': [403, 403],
  'policy-violation': [403, 403],
  'recipient-unavailable': [480, 600],
  redirect: [302, 302],
  'registration-required': [403, 403],
  'remote-server-not-found': [404, 404],
  'remote-server-timeout': [504, 504],
  'resource-constraint': [500, 500],
  'service-unavailable': [403, 403],
  'subscription-required': [400, 400],
  'undefined-condition': [400, 400],
  'unexpected-request': [400, 400],
};

/** RFC 7247 s.7.2, as printed; the last of each class stands for what it does not list. */
const table3: Readonly<Record<number, FailureCondition>> = {
  300: 'redirect',
  302: 'redirect',
  305: 'redirect',
  380: 'not-acceptable',
  399: 'redirect',
  400: 'bad-request',
  401: 'not-authorized',
  402: 'bad-request',
  403: 'forbidden',
  404: 'item-not-found',
  405: 'feature-not-implemented',
  406: 'not-acceptable',
  407: 'registration-required',
  408: 'remote-server-timeout',
  410: 'gone',
  413: 'policy-violation',
  414: 'policy-violation',
  415: 'not-acceptable',
  416: 'not-acceptable',
  420: 'feature-not-implemented',
  421: 'not-acceptable',
  423: 'resource-constraint',
  430: 'recipient-unavailable',
  439: 'feature-not-implemented',
  440: 'policy-violation',
  480: 'recipient-unavailable',
  481: 'item-not-found',
  482: 'not-acceptable',
  483: 'not-acceptable',
  484: 'item-not-found',
  485: 'item-not-found',
  486: 'recipient-unavailable',
  487: 'recipient-unavailable',
  488: 'not-acceptable',
  489: 'policy-violation',
  491: 'unexpected-request',
  493: 'bad-request',
  499: 'bad-request',
  500: 'internal-server-error',
  501: 'feature-not-implemented',
  502: 'remote-server-not-found',
  503: 'internal-server-error',
  504: 'remote-server-timeout',
  505: 'not-acceptable',
  513: 'policy-violation',
  599: 'internal-server-error',
  600: 'recipient-unavailable',
  603: 'recipient-unavailable',
  604: 'item-not-found',
  606: 'not-acceptable',
  699: 'recipient-unavailable',
};

/** What a MESSAGE is answered whose recipient's network refuses it while the answer is held. */
async function answerTo({ ask, hub, sip }: Opened, callId: string, fault: Fault, isDevice = false) {
  const uri = `sip:alice%40xmpp.example@gw.example${isDevice ? ';gr=phone' : ''}`;
  const answer = ask({ callId, uri });
  await hub.untilDraft((draft) => draft.type === 'message' && draft.nativeId === callId);
  const failed = { of: callId, state: 'failed', reason: 'not-allowed', text: 'so says her server', fault } as const;
  await sip.deliver(receipt('sip:bob@other.example', failed), signal);
  return answer;
}

async function faultOf(
  { sip, peer }: Opened,
  status: number,
  more: readonly string[] = [],
): Promise<Fault | undefined> {
  peer.onRequest = (request) => responseTo(request, `${status} No`, more);
  const error = await sip.deliver(message(peer.uri), signal).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  assert.equal(error.message, `${status} No`, 'the Reason-Phrase is what people are told');
  return error.fault;
}

test('RFC 7247 s.7.1: each condition of table 2 is its status, of a device and of a person, with its text as Reason-Phrase', async (t) => {
  const opened = await open(t, { holdMs: 3000, rates: { source: { perSecond: 0 } } });
  assert.deepEqual(Object.keys(table2), [...failureConditions]);
  for (const condition of failureConditions) {
    for (const isDevice of [true, false]) {
      const { first, header } = await answerTo(opened, `${condition}-${isDevice}`, { condition }, isDevice);
      const status = table2[condition][isDevice ? 0 : 1];
      assert.equal(first, `SIP/2.0 ${status} so says her server`, condition);
      assert.equal(header('Contact'), '', condition);
      assert.equal(header('Allow') !== '', status === 405, 'RFC 3261 s.21.4.6');
    }
  }
});

test('RFC 7247 s.7.1, note 3: gone with an address is 301 and says it, gone without is 410', async (t) => {
  const opened = await open(t, { holdMs: 3000 });
  const answered = async (condition: 'gone' | 'redirect', movedTo: string) => {
    const { first, header } = await answerTo(opened, `${condition}-${movedTo}`.replace(/[^\w-]/g, ''), {
      condition,
      movedTo,
    });
    return `${first.slice(8, 11)} ${header('Contact')}`;
  };
  assert.equal(await answered('gone', 'xmpp:juliet@afterlife.example'), '301 <xmpp:juliet@afterlife.example>');
  assert.equal(await answered('gone', 'xmpp:jürg@afterlife.example'), '301 <xmpp:j%C3%BCrg@afterlife.example>');
  assert.equal(await answered('redirect', 'sip:juliet@new.example'), '302 <sip:juliet@new.example>');
  for (const none of ['nowhere', 'sip:a b', 'sip:a>\r\nX-Evil: 1', 'xmpp:"a"']) {
    assert.equal(await answered('gone', none), '410 ', none);
  }
});

test('RFC 7247 s.7.2: each status of table 3 is its condition, what is not listed that of its class', async (t) => {
  const opened = await open(t);
  for (const [status, condition] of Object.entries(table3)) {
    assert.deepEqual(await faultOf(opened, Number(status)), { condition }, status);
  }
});

test('RFC 7247 s.7.2, note 1: 301 is gone with the new address, 410 never has one, 302 says where to', async (t) => {
  const opened = await open(t);
  // Followed once (RFC 3261 s.8.1.3.4), and not at all to what is no SIP.
  const contact = ['Contact: <mailto:bob@other.example>'];
  const movedTo = 'mailto:bob@other.example';
  assert.deepEqual(await faultOf(opened, 301, contact), { condition: 'gone', movedTo });
  assert.deepEqual(await faultOf(opened, 302, contact), { condition: 'redirect', movedTo });
  assert.deepEqual(await faultOf(opened, 410, contact), { condition: 'gone' });
  assert.deepEqual(await faultOf(opened, 301), { condition: 'redirect' }, 'gone without an address would be 410');
});

test('RFC 7247 s.7: 401 and 407 are answered with a password first, and mapped when it does not help', async (t) => {
  const opened = await open(t, { credentials: [{ realm: 'pbx', user: 'gw', password: 'wrong' }] });
  const { peer } = opened;
  const challenge = 'Digest realm="pbx", nonce="n1", algorithm=SHA-256, qop="auth"';
  assert.deepEqual(await faultOf(opened, 401, [`WWW-Authenticate: ${challenge}`]), { condition: 'not-authorized' });
  assert.notEqual(peer.heard.at(-1)?.header('Authorization'), '');
  assert.deepEqual(await faultOf(opened, 407, [`Proxy-Authenticate: ${challenge}`]), {
    condition: 'registration-required',
  });
  assert.notEqual(peer.heard.at(-1)?.header('Proxy-Authorization'), '');
});
