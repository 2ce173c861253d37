// A hostile SMSC on a live socket: after whatever it sends, the adapter answers or closes, and then works again.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { encode, type RequestName, statuses } from '../../../adapters/smpp/codec/index.ts';
import { adapter } from '../../../adapters/smpp/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { type WirePeer, wireSmsc } from '../../peers/smpp-wire.ts';
import { until } from '../../servers/process.ts';
import { message } from './event.ts';

const pdu = (length: number, id: number, body = Buffer.alloc(0)) => {
  const octets = Buffer.concat([Buffer.alloc(16), body]);
  octets.writeUInt32BE(length, 0);
  octets.writeUInt32BE(id, 4);
  octets.writeUInt32BE(42, 12);
  return octets;
};
const delivering = (text: string) =>
  encode({
    command: 'deliver_sm',
    sequence_number: 42,
    body: {
      source_addr_ton: 1,
      source_addr: '447700900123',
      destination_addr: '12345',
      short_message: Buffer.from(text),
    },
  });
const deliver = delivering('hi');
const withTail = (tail: string, head = deliver) => {
  const octets = Buffer.concat([head, Buffer.from(tail, 'hex')]);
  octets.writeUInt32BE(octets.length, 0);
  return octets;
};
const payload = `04249c40${'61'.repeat(40_000)}`;
const lying = Buffer.from(deliver);
lying[lying.length - 3] = 200;

/** What is sent, and what comes back: a PDU, or the end of the connection. */
const probes: Array<[what: string, octets: Buffer, answer: 'closed' | [command: string, status: number]]> = [
  ['command_length 0', pdu(0, 5), 'closed'],
  ['command_length 4', pdu(4, 5), 'closed'],
  ['command_length 8', pdu(8, 5), 'closed'],
  ['command_length 15', pdu(15, 5), 'closed'],
  ['command_length 0x7fffffff', pdu(0x7fffffff, 5), 'closed'],
  ['command_length 0xffffffff', pdu(0xffffffff, 5), 'closed'],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'closed'],
  ['a TLS client hello', Buffer.from('16030100f4010000f00303', 'hex'), 'closed'],
  ['a deliver_sm without a body', pdu(16, 5), ['deliver_sm_resp', statuses.ESME_RINVCMDLEN]],
  ['sm_length 200 with 2 octets', lying, ['deliver_sm_resp', statuses.ESME_RINVMSGLEN]],
  ['a TLV of 65,535 octets with 1', withTail('0424ffff00'), ['deliver_sm_resp', statuses.ESME_RINVOPTPARSTREAM]],
  ['a message_payload of 40,000 octets', withTail(payload, delivering('')), ['deliver_sm_resp', statuses.ESME_ROK]],
  ['a TLV of length 0 for a number', withTail('020c0000'), ['deliver_sm_resp', statuses.ESME_ROK]],
  ['an unknown command', pdu(16, 0x4242), ['generic_nack', statuses.ESME_RINVCMDID]],
  [
    'a submit_sm, which an ESME does not take',
    encode({ command: 'submit_sm', sequence_number: 42 }),
    ['submit_sm_resp', statuses.ESME_RINVCMDID],
  ],
  ...(['broadcast_sm', 'query_broadcast_sm', 'cancel_broadcast_sm'] as const).map(
    (command): [string, Buffer, [string, number]] => [
      `a ${command} of SMPP 5.0`,
      encode({ command, sequence_number: 42 }),
      [`${command}_resp`, statuses.ESME_RINVCMDID],
    ],
  ),
  [
    'a second bind',
    encode({ command: 'bind_transceiver', sequence_number: 42 }),
    ['bind_transceiver_resp', statuses.ESME_RINVCMDID],
  ],
  [
    'a message without a sender',
    encode({ command: 'deliver_sm', sequence_number: 42 }),
    ['deliver_sm_resp', statuses.ESME_RX_P_APPN],
  ],
];

async function bindTo(peer: WirePeer): Promise<void> {
  peer.answer(await peer.next('bind_transceiver'), 0, { system_id: 'hostile' });
}

async function open(t: { after(done: () => Promise<void>): void }, more: Record<string, unknown> = {}) {
  const smsc = await wireSmsc();
  const hub = fakeHub();
  const options = { port: smsc.port, systemId: 'me', reconnect: { firstMs: 10, maxMs: 20 }, ...more };
  const smpp = adapter.create('carrier', adapter.options.parse(options));
  t.after(async () => {
    await smsc.close();
    await smpp.stop();
  });
  const started = smpp.start(hub);
  const peer = await smsc.accepted();
  await bindTo(peer);
  await started;
  return { smsc, hub, smpp, peer };
}

/** It takes a message and acknowledges it. */
async function works(peer: WirePeer): Promise<void> {
  const before = peer.heard.length;
  peer.raw(deliver);
  await until(
    () => peer.heard.slice(before).some((heard) => heard.command === 'deliver_sm_resp' && heard.command_status === 0),
    'an answer to a good deliver_sm',
  );
}

describe('a hostile SMSC', () => {
  for (const [what, octets, answer] of probes) {
    test(`reference smpp 3: ${what}: ${answer === 'closed' ? 'generic_nack, close, and bound again' : answer.join(' ')}`, async (t) => {
      const { smsc, hub, peer } = await open(t);
      peer.raw(octets);
      if (answer === 'closed') {
        assert.equal((await peer.next('generic_nack')).command_status, statuses.ESME_RINVCMDLEN);
        await peer.ended();
        const again = await smsc.accepted();
        await bindTo(again);
        await works(again);
      } else {
        const said = await peer.next(answer[0] as RequestName);
        assert.deepEqual([said.command, said.command_status, said.sequence_number], [...answer, 42]);
        await works(peer);
      }
      await hub.untilStatus('up');
      const connections = promisify(smsc.server.getConnections.bind(smsc.server));
      await until(async () => (await connections()) === 1, 'one connection and no more');
    });
  }

  test('octets before the answer to the bind end that attempt, and the next one is made', async (t) => {
    const smsc = await wireSmsc();
    const options = { port: smsc.port, systemId: 'me', reconnect: { firstMs: 10, maxMs: 20 } };
    const smpp = adapter.create('carrier', adapter.options.parse(options));
    t.after(async () => {
      await smsc.close();
      await smpp.stop();
    });
    const hub = fakeHub();
    void smpp.start(hub);
    const first = await smsc.accepted();
    first.raw(pdu(0, 0));
    await first.ended();
    const second = await smsc.accepted();
    await bindTo(second);
    await hub.untilStatus('up');
    await works(second);
  });

  test('a deliver_sm in the same segment as the answer to the bind is taken, one before it is not', async (t) => {
    const smsc = await wireSmsc();
    const smpp = adapter.create('carrier', adapter.options.parse({ port: smsc.port, systemId: 'me' }));
    t.after(async () => {
      await smsc.close();
      await smpp.stop();
    });
    const hub = fakeHub();
    void smpp.start(hub);
    const peer = await smsc.accepted();
    const { sequence_number } = await peer.next('bind_transceiver');
    const resp = encode({ command: 'bind_transceiver_resp', sequence_number, body: { system_id: 'x' } });
    peer.raw(Buffer.concat([deliver, resp, deliver]));
    assert.equal((await peer.next('deliver_sm_resp')).command_status, statuses.ESME_RINVBNDSTS);
    assert.equal((await peer.next('deliver_sm_resp')).command_status, statuses.ESME_ROK);
    assert.equal(hub.drafts.length, 1);
  });

  test('reference smpp 3: a hub that throws nonsense answers that message and not the session', async (t) => {
    const { hub, peer } = await open(t);
    hub.onPublish = () => {
      throw new TypeError('a fault of ours');
    };
    peer.raw(deliver);
    assert.equal((await peer.next('deliver_sm_resp')).command_status, statuses.ESME_RX_T_APPN);
    hub.onPublish = undefined;
    await works(peer);
  });

  test('SMPP 3.4 s.4.12: alert_notification is heard and has no response', async (t) => {
    const { peer } = await open(t);
    const before = peer.heard.length;
    peer.raw(encode({ command: 'alert_notification', sequence_number: 42 }));
    peer.raw(encode({ command: 'enquire_link', sequence_number: 43 }));
    await until(() => peer.heard.length > before, 'an answer');
    assert.deepEqual(
      peer.heard.slice(before).map(({ command, sequence_number }) => [command, sequence_number]),
      [['enquire_link_resp', 43]],
    );
    await works(peer);
  });

  test('reference smpp 3: a carrier that never reads: no more in flight than the window, cut off, and each message has a fate', async (t) => {
    const { smsc, smpp, hub, peer } = await open(t, { window: 200, responseTimeoutMs: 300, unknownOutcome: 'report' });
    peer.stream.pause();
    const before = process.memoryUsage().rss;
    const giveUp = new AbortController();
    const texts = Array.from({ length: 2000 }, (_, n) => message(`${n} ${'x'.repeat(100)}`));
    const fates = texts.map((event) =>
      smpp.deliver(event, giveUp.signal).then(
        () => 'taken or unknown',
        ({ reason }) => reason as string,
      ),
    );
    const again = await smsc.accepted();
    giveUp.abort();
    await bindTo(again);
    const ends = await Promise.all(fates);
    const unknown = hub.draftsOf('receipt').filter(({ state }) => state === 'unknown').length;
    assert.ok(unknown > 0 && unknown <= 200, `${unknown}`);
    assert.deepEqual([ends.filter((end) => end === 'taken or unknown').length, new Set(ends).size], [unknown, 2]);
    assert.ok(ends.includes('unavailable') || ends.includes('throttled'));
    assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
    await works(again);
  });

  test('reference smpp 3: a connection that is reset in the middle of a PDU ends that bind, and it is bound again', async (t) => {
    const { smsc, peer, hub } = await open(t);
    peer.raw(deliver.subarray(0, 20));
    (peer.stream as Socket).resetAndDestroy();
    const again = await smsc.accepted();
    await bindTo(again);
    await works(again);
    await hub.untilStatus('up');
  });

  const count = Number(process.env.DRAGOMAN_FUZZ ?? 20_000);
  test(`reference smpp 0, fact 2: ${count} mutated PDUs on one live socket after the other: never deaf, never a leak, never a crash`, async (t) => {
    const { smsc, hub, peer } = await open(t);
    const good = [deliver, withTail('001e00033132000427000102'), withTail('020c00020001020e000102020f000101')];
    let seed = 99;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 0x1_0000_0000) * below);
    };
    let current = peer;
    for (let sent = 0; sent < count; ) {
      const chunk: Buffer[] = [];
      for (let n = 0; n < 100; n++, sent++) {
        const octets = Buffer.from(good[random(good.length)] as Buffer);
        // The length and the command stay, mostly, so that what is behind them is reached.
        const from = random(200) === 0 ? 0 : 8;
        for (let hits = 1 + random(5); hits > 0; hits--) octets[from + random(octets.length - from)] = random(256);
        chunk.push(octets);
      }
      if (!current.isEnded) current.raw(Buffer.concat(chunk));
      await new Promise(setImmediate);
      if (current.isEnded) {
        current = await smsc.accepted();
        await bindTo(current);
      }
    }
    if (!current.isEnded) current.drop();
    const last = await smsc.accepted();
    await bindTo(last);
    await works(last);
    await hub.untilStatus('up');
    const connections = promisify(smsc.server.getConnections.bind(smsc.server));
    await until(async () => (await connections()) === 1, 'one connection and no more');
  });
});
