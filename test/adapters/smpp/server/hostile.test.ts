// A hostile ESME on a live socket: whatever it sends is answered right or ends its own connection, and nobody else's.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { encode, type RequestName, statuses, statusName } from '../../../../adapters/smpp/codec/index.ts';
import { until } from '../../../servers/process.ts';
import { type Centre, type Esme, from, open, part, submit, to } from './esme.ts';

const pdu = (length: number, id: number, body = Buffer.alloc(0)) => {
  const octets = Buffer.concat([Buffer.alloc(16), body]);
  octets.writeUInt32BE(length, 0);
  octets.writeUInt32BE(id, 4);
  octets.writeUInt32BE(42, 12);
  return octets;
};
const good = encode({ command: 'submit_sm', sequence_number: 42, body: submit('hi') });
const withTail = (tail: string, head = good) => {
  const octets = Buffer.concat([head, Buffer.from(tail, 'hex')]);
  octets.writeUInt32BE(octets.length, 0);
  return octets;
};
const lying = Buffer.from(good);
lying[lying.length - 3] = 200;
const bare = encode({ command: 'submit_sm', sequence_number: 42, body: submit('') });
const payload = `04249c40${'61'.repeat(40_000)}`;
const asked = (command: RequestName) => encode({ command, sequence_number: 42 });

/** What is sent, and what comes back: a PDU, nothing, or the end of the connection. */
const probes: Array<[what: string, octets: Buffer, answer: 'closed' | 'nothing' | [command: string, status: number]]> =
  [
    ['command_length 0', pdu(0, 4), 'closed'],
    ['command_length 4', pdu(4, 4), 'closed'],
    ['command_length 8', pdu(8, 4), 'closed'],
    ['command_length 15', pdu(15, 4), 'closed'],
    ['command_length 0x7fffffff', pdu(0x7fffffff, 4), 'closed'],
    ['command_length 0xffffffff', pdu(0xffffffff, 4), 'closed'],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'closed'],
    ['a TLS client hello', Buffer.from('16030100f4010000f00303', 'hex'), 'closed'],
    ['a submit_sm with no body (16 octets)', pdu(16, 4), ['submit_sm_resp', statuses.ESME_RINVCMDLEN]],
    ['sm_length 200 with 2 octets', lying, ['submit_sm_resp', statuses.ESME_RINVMSGLEN]],
    ['a TLV of length 65535 with 1', withTail('0424ffff00'), ['submit_sm_resp', statuses.ESME_RINVOPTPARSTREAM]],
    ['a TLV that is cut in its header', withTail('0424ff'), ['submit_sm_resp', statuses.ESME_RINVOPTPARSTREAM]],
    ['a TLV with length 0 for an int8', withTail('020e0000'), ['submit_sm_resp', statuses.ESME_RINVPARLEN]],
    ['a message_payload of 40,000 octets', withTail(payload, bare), ['submit_sm_resp', statuses.ESME_ROK]],
    ['an unknown TLV', withTail('14010001ff'), ['submit_sm_resp', statuses.ESME_ROK]],
    ['an unknown command', pdu(16, 0x4242), ['generic_nack', statuses.ESME_RINVCMDID]],
    ['broadcast_sm', asked('broadcast_sm'), ['broadcast_sm_resp', statuses.ESME_RINVCMDID]],
    ['query_broadcast_sm', asked('query_broadcast_sm'), ['query_broadcast_sm_resp', statuses.ESME_RINVCMDID]],
    ['cancel_broadcast_sm', asked('cancel_broadcast_sm'), ['cancel_broadcast_sm_resp', statuses.ESME_RINVCMDID]],
    ['a deliver_sm, which an SMSC does not take', asked('deliver_sm'), ['deliver_sm_resp', statuses.ESME_RINVCMDID]],
    ['a second bind', asked('bind_transceiver'), ['bind_transceiver_resp', statuses.ESME_RALYBND]],
    ['an outbind from an ESME', asked('outbind'), 'nothing'],
    ['an alert_notification from an ESME', asked('alert_notification'), 'nothing'],
    ['a response to nothing', pdu(17, 0x80000005, Buffer.from([0])), 'nothing'],
    ['a generic_nack', pdu(16, 0x80000000), 'nothing'],
  ];

/** It hands in a message and gets its id. */
async function works(esme: Esme): Promise<void> {
  assert.equal((await esme.ask('submit_sm', submit('still here'))).command_status, 0);
}

async function binds({ server }: Centre): Promise<number> {
  return (await Array.fromAsync(server.views.binds())).length;
}

describe('reference smpp 3: a hostile ESME', () => {
  for (const [what, octets, answer] of probes) {
    const says = typeof answer === 'string' ? answer : `${answer[0]} ${statusName(answer[1])}`;
    test(`reference smpp 3: ${what}: ${says}, and the other sessions go on`, async (t) => {
      const centre = await open(t);
      const other = await centre.bound();
      const esme = await centre.bound();
      esme.raw(octets);
      if (answer === 'closed') {
        assert.equal((await esme.next('generic_nack')).command_status, statuses.ESME_RINVCMDLEN);
        await esme.ended();
        await until(async () => (await binds(centre)) === 1, 'one bind and no more');
        await works(await centre.bound());
      } else {
        if (answer !== 'nothing') {
          const said = await esme.next(answer[0] as RequestName);
          assert.deepEqual([said.command, said.command_status, said.sequence_number], [...answer, 42]);
        }
        await works(esme);
      }
      await works(other);
    });

    test(`reference smpp 3: ${what}, before a bind: the listener and the others go on`, async (t) => {
      const centre = await open(t);
      const other = await centre.bound();
      const stranger = await centre.connect();
      stranger.raw(octets);
      // Whoever is not bound has a kilobyte for a PDU.
      if (answer === 'closed' || octets.length > 1024) await stranger.ended();
      else if (answer !== 'nothing') assert.notEqual((await stranger.next(answer[0] as RequestName)).command_status, 0);
      await works(other);
      await works(await centre.bound());
    });
  }

  test('reference smpp 3: a connection that ends in the middle of a PDU leaves nothing behind', async (t) => {
    const centre = await open(t);
    const esme = await centre.bound();
    esme.raw(good.subarray(0, 30));
    esme.drop();
    await until(async () => (await binds(centre)) === 0, 'no bind');
  });

  test('reference smpp 3: a connection that is reset, before a bind and after, is forgotten', async (t) => {
    const centre = await open(t);
    const other = await centre.bound();
    for (const one of [await centre.connect(), await centre.bound()]) {
      one.raw(good.subarray(0, 30));
      (one.stream as Socket).resetAndDestroy();
    }
    await until(async () => (await binds(centre)) === 1, 'one bind');
    await works(other);
  });

  test('reference smpp 3: two requests of one sequence number have an answer each', async (t) => {
    const { bound } = await open(t);
    const esme = await bound();
    esme.raw(Buffer.concat([good, good]));
    const answers = [await esme.next('submit_sm_resp'), await esme.next('submit_sm_resp')];
    assert.deepEqual(
      answers.map(({ sequence_number, command_status }) => [sequence_number, command_status]),
      [
        [42, 0],
        [42, 0],
      ],
    );
    assert.equal(new Set(answers.map(({ body }) => body.message_id)).size, 2);
  });

  test('reference smpp 7.6: an ESME that reads nothing is cut off, and holds no memory meanwhile', async (t) => {
    const centre = await open(t, { window: 10_000 }, { responseTimeoutMs: 300, enquireLinkMs: 0 });
    const other = await centre.bound();
    const deaf = await centre.bound();
    deaf.stream.pause();
    const chunk = Buffer.concat(Array.from({ length: 20_000 }, () => asked('enquire_link')));
    const before = process.memoryUsage().rss;
    await until(
      async () => {
        if (!deaf.isEnded && deaf.stream.writableLength < 1024 * 1024) deaf.raw(chunk);
        return (await binds(centre)) === 1;
      },
      'the deaf one is gone',
      30_000,
    );
    assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
    await works(other);
  });

  test('reference smpp 7.6: what it may have in the air is bounded: above its window we read no further', async (t) => {
    const { hub, bound } = await open(t, { window: 5 });
    const esme = await bound();
    let held: Array<() => void> = [];
    let most = 0;
    hub.onPublish = async () => {
      await new Promise<void>((resolve) => {
        held.push(resolve);
        most = Math.max(most, held.length);
      });
      return undefined;
    };
    for (let n = 0; n < 50; n++) {
      esme.raw(good);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until(() => held.length >= 5, 'a full window');
    // One chunk of the socket may bring a few more.
    assert.ok(most < 50, `${most} at once`);
    const free = setInterval(() => {
      for (const go of held.splice(0)) go();
    }, 1);
    await until(() => esme.heard.filter(({ command }) => command === 'submit_sm_resp').length === 50, 'all answers');
    clearInterval(free);
    held = [];
  });

  test('reference smpp 3: a hub that throws nonsense answers that message and not the session', async (t) => {
    const { hub, bound } = await open(t);
    const esme = await bound();
    hub.onPublish = () => {
      throw new TypeError('a fault of ours');
    };
    assert.equal(statusName((await esme.ask('submit_sm', submit('x'))).command_status), 'ESME_RSYSERR');
    hub.onPublish = undefined;
    await works(esme);
  });

  test('nothing of a text or a password is ever logged', async (t) => {
    const { hub, bound, connect } = await open(t);
    const esme = await bound();
    await esme.ask('submit_sm', submit('Mumble Secretly', { source_addr: '1' }));
    await esme.ask('submit_sm', submit('Mumble Secretly'));
    await (await connect()).bind({ password: 'hunter2' });
    assert.ok(!/Mumble|hunter2|"secret"/.test(JSON.stringify([hub.logs, [...hub.counters]])));
    const hidden = hub.hops.find(({ hop }) => hop.what === 'submit_sm')?.hop.hidden;
    assert.equal(hidden?.length, 1);
  });

  const count = Number(process.env.DRAGOMAN_FUZZ ?? 20_000);
  test(`reference smpp 7.6: ${count} mutated PDUs: never deaf, never a leak, never a crash, and the neighbour is served`, async (t) => {
    const centre = await open(
      t,
      { ratePerSecond: 1_000_000 },
      { enquireLinkMs: 0, logins: { maxFailures: 1_000_000 } },
    );
    const neighbour = await centre.bound();
    const corpus = [
      good,
      withTail('020c00020001020e000102020f000101'),
      encode({ command: 'submit_sm', sequence_number: 42, body: part(1, 2, 1, 'x') }),
      encode({ command: 'query_sm', sequence_number: 42, body: { message_id: '1000000000' } }),
      encode({ command: 'cancel_sm', sequence_number: 42, body: { message_id: '1000000000', ...to } }),
      encode({ command: 'replace_sm', sequence_number: 42, body: { message_id: '1000000000' } }),
      encode({
        command: 'submit_multi',
        sequence_number: 42,
        body: { ...from, dest_address: [to, { dl_name: 'x' }], short_message: Buffer.from('x') },
      }),
      encode({ command: 'data_sm', sequence_number: 42, body: { ...from, ...to } }),
    ];
    let seed = 99;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 0x1_0000_0000) * below);
    };
    let current = await centre.bound();
    for (let sent = 0; sent < count; ) {
      const chunk: Buffer[] = [];
      for (let n = 0; n < 100; n++, sent++) {
        const octets = Buffer.from(corpus[random(corpus.length)] as Buffer);
        // The length and the command stay, mostly, so that what is behind them is reached.
        const start = random(200) === 0 ? 0 : 8;
        for (let hits = 1 + random(5); hits > 0; hits--) octets[start + random(octets.length - start)] = random(256);
        chunk.push(octets);
      }
      if (!current.isEnded) current.raw(Buffer.concat(chunk));
      await new Promise(setImmediate);
      if (current.isEnded) current = await centre.bound();
    }
    current.drop();
    await works(neighbour);
    await works(await centre.bound());
    await until(async () => (await binds(centre)) === 2, 'two binds and no more');
  });
});
