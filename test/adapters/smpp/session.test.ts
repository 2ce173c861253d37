// The session, in memory and by a clock that the test moves.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { encode } from '../../../adapters/smpp/codec/index.ts';
import { type Answer, SessionError } from '../../../adapters/smpp/exchange.ts';
import { Session } from '../../../adapters/smpp/session.ts';
import { bench, bound, submit, turn } from './bench.ts';

describe('session', () => {
  test('SMPP 3.4 s.2.2: bound with the positive response to a bind, and not before', async () => {
    const { session, peer } = bench();
    const asked = session.request('bind_transceiver', {});
    assert.equal(session.state, 'open');
    peer.answer(await peer.next('bind_transceiver'));
    await asked;
    assert.equal(session.state, 'bound');
  });
  test('SMPP 3.4 s.4.1: a refused bind is no bind', async () => {
    const { session, peer } = bench();
    const asked = session.request('bind_transceiver', {});
    peer.answer(await peer.next('bind_transceiver'), 0x0e);
    assert.equal((await asked).response.command_status, 0x0e);
    assert.equal(session.state, 'open');
  });
  test('SMPP 3.4 s.5.1.4: responses find their requests in any order', async () => {
    const { session, peer } = await bound();
    const asked = [1, 2, 3].map((n) => session.request('submit_sm', submit(n).body));
    const seen = [await peer.next('submit_sm'), await peer.next('submit_sm'), await peer.next('submit_sm')];
    for (const pdu of seen.reverse()) peer.answer(pdu, 0, { message_id: pdu.body.short_message.toString() });
    const ids = (await Promise.all(asked)).map(({ response }) => response.body);
    assert.deepEqual(ids, [{ message_id: '1' }, { message_id: '2' }, { message_id: '3' }]);
  });
  test('SMPP 3.4 s.4.3: a generic_nack answers the request of its sequence number', async () => {
    const { session, peer } = await bound();
    const asked = session.request('query_sm', {});
    const { sequence_number } = await peer.next('query_sm');
    peer.send({ command: 'generic_nack', command_status: 3, sequence_number });
    assert.equal((await asked).response.command, 'generic_nack');
  });
  test('a response of another kind, or to nothing, is an oddity and answers nothing', async () => {
    const { session, peer, oddities } = await bound();
    const asked = session.request('submit_sm', {});
    const { sequence_number } = await peer.next('submit_sm');
    peer.send({ command: 'enquire_link_resp', sequence_number });
    peer.send({ command: 'submit_sm_resp', sequence_number: 999 });
    peer.send({ command: 'submit_sm_resp', sequence_number, body: { message_id: 'x' } });
    await asked;
    assert.equal(oddities.length, 2);
  });
  test('reference smpp 3: a request without a response in time is rejected as sent, and a late one still tells its context', async () => {
    const { session, peer, clock, late } = await bound();
    const asked = session.request('submit_sm', {}, [], 'mine');
    const pdu = await peer.next('submit_sm');
    clock.now += 5000;
    peer.send({ command: 'enquire_link', sequence_number: 1 });
    await peer.next('enquire_link_resp');
    clock.now += 5000;
    session.tick();
    await assert.rejects(asked, (error) => error instanceof SessionError && error.kind === 'timeout' && error.isSent);
    assert.equal(session.state, 'bound');
    peer.answer(pdu, 0, { message_id: 'late' });
    await turn();
    assert.deepEqual(
      late.map(([response, context]) => [response.body, context]),
      [[{ message_id: 'late' }, 'mine']],
    );
  });
  test('a peer that said nothing since the request is gone, not slow', async () => {
    const { session, peer, clock, closed } = await bound();
    const asked = session.request('submit_sm', {});
    await peer.next('submit_sm');
    clock.now += 10_000;
    session.tick();
    await assert.rejects(asked, SessionError);
    assert.deepEqual(closed, ['silent since submit_sm']);
  });
  test('SMPP 3.4 s.4.11: silence is asked about, an answer settles it, none closes', async () => {
    const { session, peer, clock, closed } = await bound();
    clock.now += 29_000;
    session.tick();
    clock.now += 1000;
    session.tick();
    session.tick();
    peer.answer(await peer.next('enquire_link'));
    await turn();
    clock.now += 30_000;
    session.tick();
    await peer.next('enquire_link');
    assert.deepEqual(closed, []);
    clock.now += 10_000;
    session.tick();
    await turn();
    assert.equal(closed.length, 1);
  });
  test('reference smpp 3: no enquire_link is sent before the bind', async () => {
    const { session, peer, clock } = bench();
    clock.now += 60_000;
    session.tick();
    await turn();
    assert.deepEqual(peer.heard, []);
  });
  test('SMPP 3.4 s.4.11.2: enquire_link is answered in any state', async () => {
    const { peer } = bench();
    peer.send({ command: 'enquire_link', sequence_number: 77 });
    assert.equal((await peer.next('enquire_link_resp')).sequence_number, 77);
  });
  test('SMPP 3.4 s.4.2: unbind says goodbye, waits for the answer and closes', async () => {
    const { session, peer } = await bound();
    const gone = session.unbind();
    peer.answer(await peer.next('unbind'));
    await gone;
    await peer.ended();
    assert.equal(session.state, 'closed');
  });
  test('SMPP 3.4 s.4.2: before we say unbind the peer has its answers, or two seconds have passed', async () => {
    for (const isAnswered of [true, false]) {
      const { session, peer, clock, answerWith } = await bound();
      let take = () => {};
      answerWith(() => new Promise((resolve) => (take = () => resolve({ status: 'ESME_ROK' }))));
      peer.send({ command: 'submit_sm', sequence_number: 4, body: {} });
      await turn();
      const gone = session.unbind();
      await turn();
      if (isAnswered) {
        take();
        assert.equal((await peer.next('submit_sm_resp')).sequence_number, 4);
      } else {
        clock.now += 2000;
        session.tick();
      }
      peer.answer(await peer.next('unbind'));
      await gone;
    }
  });
  test('SMPP 3.4 s.4.2: the unbind of the peer is answered before the end', async () => {
    const { peer, closed } = await bound();
    peer.send({ command: 'unbind', sequence_number: 5 });
    await peer.next('unbind_resp');
    await peer.ended();
    assert.deepEqual(closed, ['the peer unbound']);
  });
  test('SMPP 3.4 s.4.2: what the peer asked before its unbind has its answer, what it asks after is refused', async () => {
    const { peer, answerWith, closed } = await bound();
    let take = () => {};
    answerWith(() => new Promise((resolve) => (take = () => resolve({ status: 'ESME_ROK' }))));
    peer.send({ command: 'submit_sm', sequence_number: 4, body: {} });
    peer.send({ command: 'unbind', sequence_number: 5 });
    peer.send({ command: 'submit_sm', sequence_number: 6, body: {} });
    assert.deepEqual((await peer.next('submit_sm_resp')).sequence_number, 6);
    assert.deepEqual(closed, []);
    take();
    assert.deepEqual((await peer.next('submit_sm_resp')).sequence_number, 4);
    await peer.next('unbind_resp');
    await peer.ended();
  });
  test('SMPP 3.4 s.4.2: what we asked before its unbind may still be answered, for two seconds', async () => {
    const { session, peer, clock, closed } = await bound();
    const asked = [1, 2].map((n) => session.request('submit_sm', submit(n).body));
    const fates = Promise.allSettled(asked);
    const [first] = [await peer.next('submit_sm'), await peer.next('submit_sm')];
    peer.send({ command: 'unbind', sequence_number: 5 });
    peer.answer(first, 0, { message_id: 'a' });
    await turn();
    assert.deepEqual(closed, []);
    clock.now += 2000;
    session.tick();
    await peer.next('unbind_resp');
    await peer.ended();
    assert.deepEqual(
      (await fates).map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });
  test('SMPP 3.4 s.4.2: nothing new is asked of a peer that has said unbind', async () => {
    const { session, peer } = await bound();
    const asked = session.request('submit_sm', submit(1).body);
    const first = await peer.next('submit_sm');
    peer.send({ command: 'unbind', sequence_number: 5 });
    await turn();
    await assert.rejects(session.request('submit_sm', submit(2).body), { kind: 'closed', isSent: false });
    peer.answer(first, 0, { message_id: 'a' });
    assert.equal((await asked).response.command_status, 0);
    await peer.next('unbind_resp');
  });
  test('a peer that reads nothing does not keep the connection for ever once the session is closed', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const socket = new Duplex({ read() {}, write() {} });
    const handler = { request: () => 'silent' as const, closed() {} };
    const session = new Session(socket, { responseTimeoutMs: 10_000, enquireLinkMs: 0 }, handler, () => 0);
    session.say('outbind', {});
    await turn();
    session.close('over');
    assert.ok(!socket.destroyed);
    t.mock.timers.tick(2000);
    assert.ok(socket.destroyed);
  });
  test('SMPP 3.4 s.4.2: an answer that does not come holds up no unbind for longer than a response may take', async () => {
    const { session, peer, clock, answerWith } = await bound();
    answerWith(() => new Promise(() => {}));
    peer.send({ command: 'submit_sm', sequence_number: 4, body: {} });
    peer.send({ command: 'unbind', sequence_number: 5 });
    await turn();
    clock.now += 10_000;
    session.tick();
    await peer.next('unbind_resp');
    await peer.ended();
  });
  test('reference smpp 3: 1000 requests outstanding and the peer drops: all are settled, none is held', async () => {
    const { session, peer } = await bound();
    const asked = Array.from({ length: 1000 }, (_, n) => session.request('submit_sm', submit(n).body));
    await turn();
    peer.drop();
    const fates = await Promise.allSettled(asked);
    assert.ok(fates.every((fate) => fate.status === 'rejected' && (fate.reason as SessionError).isSent));
    assert.equal(session.outstanding, 0);
    await assert.rejects(session.request('submit_sm', {}), (error) => error instanceof SessionError && !error.isSent);
  });
  test('reference smpp 3: a handler that throws answers ESME_RSYSERR, and the next request is served', async () => {
    const { peer, answerWith, oddities } = await bound();
    answerWith(() => {
      throw new Error('a fault of ours');
    });
    peer.send({ command: 'deliver_sm', sequence_number: 1 });
    assert.equal((await peer.next('deliver_sm_resp')).command_status, 0x08);
    answerWith(() => ({ status: 'ESME_ROK' }));
    peer.send({ command: 'deliver_sm', sequence_number: 2 });
    assert.equal((await peer.next('deliver_sm_resp')).command_status, 0);
    assert.match(oddities[0] ?? '', /a fault of ours/);
  });
  test('reference smpp 0, fact 1: all PDUs of one turn leave in one write', async () => {
    const { session, peer } = await bound();
    const chunks: number[] = [];
    peer.stream.on('data', (chunk: Buffer) => chunks.push(chunk.length));
    for (let n = 0; n < 50; n++) session.request('submit_sm', submit(n).body).catch(() => {});
    await turn();
    assert.equal(chunks.length, 1);
    session.close('done');
  });
  test('reference smpp 3: a peer that never reads is cut off, and what waits in memory is bounded', async () => {
    const { session, peer, clock, closed } = await bound();
    peer.stream.pause();
    const octets = Buffer.alloc(250);
    for (let n = 0; n < 3000; n++) session.request('submit_sm', { short_message: octets }).catch(() => {});
    await turn();
    clock.now += 10_001;
    session.tick();
    assert.equal(session.state, 'closed');
    assert.equal(closed.length, 1);
  });
  test('reference smpp 7.6: more requests than we answer stop the reading until we do', async () => {
    const { peer, answerWith, requests } = await bound({ inboundWindow: 10 });
    const waiting: Array<(answer: Answer) => void> = [];
    answerWith(() => new Promise((resolve) => waiting.push(resolve)));
    for (let n = 1; n <= 200; n++) {
      peer.send({ command: 'deliver_sm', sequence_number: n, body: { short_message: Buffer.alloc(200) } });
      if (n % 10 === 0) await turn();
    }
    assert.ok(requests.length < 200);
    while (requests.length < 200 || waiting.length > 0) {
      for (const resolve of waiting.splice(0)) resolve({ status: 'ESME_ROK' });
      await turn();
    }
    assert.equal(peer.heard.filter(({ command }) => command === 'deliver_sm_resp').length, 200);
  });
  test('as a server: a bind is a request like another, and bound() opens the rest', async () => {
    const { session, peer, answerWith } = bench();
    answerWith((pdu) => {
      if (pdu.command === 'bind_transceiver') session.bound();
      return { status: 'ESME_ROK', body: pdu.command === 'submit_sm' ? { message_id: '1' } : { system_id: 'us' } };
    });
    peer.send({ command: 'bind_transceiver', sequence_number: 1 });
    await peer.next('bind_transceiver_resp');
    const payload = { tag: 0x424, value: Buffer.alloc(5000) };
    peer.send({ command: 'submit_sm', sequence_number: 2, tlvs: [payload] });
    assert.deepEqual((await peer.next('submit_sm_resp')).body, { message_id: '1' });
  });
  test('reference smpp 7.6: before a bind a PDU of more than 1 KiB ends the connection', async () => {
    const { peer, closed } = bench();
    peer.raw(encode({ command: 'submit_sm', sequence_number: 2, tlvs: [{ tag: 0x424, value: Buffer.alloc(5000) }] }));
    await peer.next('generic_nack');
    await peer.ended();
    assert.equal(closed.length, 1);
  });
  test('SMPP 3.4 s.4.3.1: a malformed request is answered in its own response, an unknown one with generic_nack', async () => {
    const { peer } = await bound();
    const bad = encode({ command: 'deliver_sm', sequence_number: 4 }).subarray(0, 20);
    const header = Buffer.from(bad);
    header.writeUInt32BE(20, 0);
    peer.raw(header);
    assert.equal((await peer.next('deliver_sm_resp')).command_status, 0x02);
    const unknown = Buffer.alloc(16);
    unknown.writeUInt32BE(16, 0);
    unknown.writeUInt32BE(0x7777, 4);
    peer.raw(unknown);
    assert.equal((await peer.next('generic_nack')).command_status, 0x03);
  });
});
