// A process that was held up for a while (a collection, a burst, a suspended machine) and the answers that came meanwhile.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { Headers, type SipRequest } from '../../../adapters/sip/codec/message.ts';
import { options } from '../../../adapters/sip/config.ts';
import { Session } from '../../../adapters/sip/session.ts';
import { sessionOptions } from '../../../adapters/sip/session-options.ts';
import { readFirst } from '../../../adapters/sip/transport/read-first.ts';

const requests = 200;

test('RFC 3261 s.17.1.2.2: what was answered while we were held up is not sent again, however much lies unread', async (t) => {
  const now = () => performance.now();
  let copies = 0;
  const user = {
    onRequest: () => {},
    onClosed: () => {},
    onBroken: () => {},
    count: (name: string) => {
      if (name === 'retransmissions_total') copies++;
    },
  };
  const settings = options.parse({ listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }] });
  const session = new Session(sessionOptions(settings, now), user, now);
  await session.listen();
  t.after(() => session.stop());
  const peer = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  let answered = 0;
  peer.on('message', (bytes, { port, address }) => {
    peer.send(bytes.toString('latin1').replace(/^.*/, 'SIP/2.0 200 OK'), port, address);
    answered++;
    if (answered === requests) setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700));
  });
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  t.after(() => peer.close());
  const flow = await session.transports.flowTo({
    ...{ transport: 'UDP', address: '127.0.0.1', port: peer.address().port, name: '127.0.0.1' },
  });
  const { signal } = new AbortController();
  const responses = await Promise.all(
    Array.from({ length: requests }, (_, each) =>
      session.requester.send({ request: message(each), route: { flow }, signal }),
    ),
  );
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(copies, 0);
});

test('RFC 3261 s.17.1.2.2: the timers wait while the sockets are full, for as long as a full buffer takes and no longer', async () => {
  for (const [turns, isEndless] of [
    [5, false],
    [128, true],
  ] as const) {
    let received = 0;
    let looks = 0;
    const alarm = readFirst(
      () => {
        looks++;
        if (isEndless || looks <= turns) received += 32;
        return received;
      },
      (_, wake) => {
        wake();
        return () => {};
      },
    );
    await new Promise<void>((resolve) => void alarm(0, resolve));
    assert.equal(looks, turns + 1);
  }
});

test('an alarm that is cancelled while the sockets are read does not go off', async () => {
  let ring = () => {};
  const alarm = readFirst(
    () => 0,
    (_, wake) => {
      ring = wake;
      return () => {};
    },
  );
  const cancel = alarm(0, () => assert.fail('it went off'));
  ring();
  cancel();
  await new Promise((resolve) => setImmediate(resolve));
});

function message(each: number): SipRequest {
  const headers = new Headers()
    .add('Max-Forwards', '70')
    .add('From', '<sip:alice@gw.example>;tag=a')
    .add('To', '<sip:bob@127.0.0.1>')
    .add('Call-ID', `stall${each}`)
    .add('CSeq', '1 MESSAGE');
  return { kind: 'request', method: 'MESSAGE', uri: 'sip:bob@127.0.0.1', headers, body: new Uint8Array() };
}
