// The SIP stack over loopback UDP: CPU for a MESSAGE in and for one out, and what 64,000 live transactions cost.
// The far end is a process of its own. Prints figures, asserts nothing: node --expose-gc bench/sip-transactions.ts [messages]
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createResponse, Headers, type SipRequest } from '../adapters/sip/codec/message.ts';
import { options } from '../adapters/sip/config.ts';
import { Session } from '../adapters/sip/session.ts';
import { sessionOptions } from '../adapters/sip/session-options.ts';
import { newTag } from '../adapters/sip/tokens.ts';

const messages = Number(process.argv[2] ?? 64_000);
const inFlight = 64;
const body = Buffer.from(`number ${'lorem ipsum dolor sit amet '.repeat(6)}`);

if (process.send) await farEnd();
else await bench();

async function bench(): Promise<void> {
  const now = () => performance.now();
  const settings = options.parse({ listen: [{ transport: 'udp', port: 0 }] });
  const session: Session = new Session(
    sessionOptions(settings, now),
    {
      onRequest: (request, transaction) => void transaction.respond(createResponse(request, 202, { toTag: newTag() })),
      onClosed: () => {},
      onBroken: () => {},
      count: () => {},
    },
    now,
  );
  await session.listen();
  const far = fork(import.meta.filename);
  const port = (await answerOf(far)) as number;
  await inbound(far, session, 4000);
  process.stdout.write(`${messages} messages, ${inFlight} in flight, one process each side\n`);
  const before = liveBytes();
  for (let quarter = 1; quarter <= 4; quarter++) {
    const figure = await inbound(far, session, messages / 4);
    process.stdout.write(`in, ${session.transactions.serverCount} live: ${figure}\n`);
  }
  const each = (liveBytes() - before) / messages;
  process.stdout.write(
    `memory: ${each.toFixed(0)} bytes a transaction, ${((each * 64_000) / 1e6).toFixed(0)} MB for 64,000\n`,
  );
  process.stdout.write(`out: ${await outbound(session, port)}\n`);
  far.kill();
  await session.stop();
}

async function inbound(far: ChildProcess, session: Session, count: number): Promise<string> {
  const meter = startMeter();
  far.send({ port: session.transports.sentByOf('UDP')?.port, count });
  await answerOf(far);
  return meter(count);
}

async function outbound(session: Session, port: number): Promise<string> {
  const { signal } = new AbortController();
  const meter = startMeter();
  let next = 0;
  const worker = async () => {
    while (next < messages) {
      const route = { uri: { scheme: 'sip', host: '127.0.0.1', port, parameters: new Map() } };
      await session.requester.send({ request: requestOf(next++), route, signal });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return meter(messages);
}

function requestOf(index: number): SipRequest {
  const headers = new Headers()
    .add('Max-Forwards', '70')
    .add('From', `<sip:alice%40xmpp.example@gw.example>;tag=${newTag()}`)
    .add('To', '<sip:bob@127.0.0.1>')
    .add('Call-ID', `bench${index}`)
    .add('CSeq', '1 MESSAGE')
    .add('Content-Type', 'text/plain;charset=UTF-8');
  return { kind: 'request', method: 'MESSAGE', uri: 'sip:bob@127.0.0.1', headers, body };
}

/** Exact only with --expose-gc. */
function liveBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function startMeter(): (count: number) => string {
  const cpu = process.cpuUsage();
  const start = performance.now();
  return (count) => {
    const { user, system } = process.cpuUsage(cpu);
    const rate = (count / (performance.now() - start)) * 1000;
    return `${((user + system) / count).toFixed(1)} us CPU a message, ${rate.toFixed(0)}/s`;
  };
}

async function answerOf(far: ChildProcess): Promise<unknown> {
  const [answer] = await once(far, 'message');
  return answer;
}

/** Answers every request with 200, and on demand sends `count` of its own. Parses nothing it need not. */
async function farEnd(): Promise<void> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const own = socket.address().port;
  let sent = 0;
  let goal = 0;
  let heard = 0;
  let to = 0;
  const send = () => {
    sent++;
    const head = [
      'MESSAGE sip:alice%40xmpp.example@gw.example SIP/2.0',
      `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bKbench${sent};rport`,
      'Max-Forwards: 70',
      `From: "Bob" <sip:bob${sent % 1000}@other.example>;tag=t${sent}`,
      'To: <sip:alice%40xmpp.example@gw.example>',
      `Call-ID: bench-${sent}@127.0.0.1`,
      'CSeq: 1 MESSAGE',
      'Content-Type: text/plain;charset=UTF-8',
      `Content-Length: ${body.length}`,
      '',
      '',
    ].join('\r\n');
    socket.send([Buffer.from(head), body], to, '127.0.0.1');
  };
  socket.on('message', (bytes, { port, address }) => {
    const text = bytes.toString('latin1');
    if (text.startsWith('SIP/2.0')) {
      heard++;
      if (sent < goal) send();
      else if (heard === goal) process.send?.('done');
      return;
    }
    const copied = text
      .split('\r\n\r\n')[0]
      ?.match(/^(?:Via|From|To|Call-ID|CSeq):.*$/gm)
      ?.join('\r\n');
    socket.send(`SIP/2.0 200 OK\r\n${copied}\r\nContent-Length: 0\r\n\r\n`, port, address);
  });
  process.on('message', ({ port, count }: { port: number; count: number }) => {
    to = port;
    goal += count;
    for (let first = 0; first < inFlight; first++) send();
  });
  process.send?.(own);
}
