// The leanest SIP agent over UDP: answers every MESSAGE with a canned 200 from slices of it, pours MESSAGEs with a window.
import { createSocket } from 'node:dgram';
import { type Load, Meter, ready, runLoad } from './peer.ts';

const meter = new Meter();
const windowSize = 64;
const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
const gatewayPort = Number(process.argv[2]);
let outstanding = 0;
let room: (() => void) | undefined;

socket.on('message', (bytes, { port, address }) => {
  const text = bytes.toString('latin1');
  if (text.startsWith('SIP/2.0')) {
    if (text.startsWith('SIP/2.0 1')) return;
    outstanding--;
    room?.();
    return;
  }
  const end = text.indexOf('\r\n\r\n');
  const copied = text
    .slice(0, end)
    .split('\r\n')
    .filter((line) => /^(via|v|from|f|to|t|call-id|i|cseq)\s*:/i.test(line));
  const tagged = copied.map((line) =>
    /^(to|t)\s*:/i.test(line) && !line.includes(';tag=') ? `${line};tag=bench` : line,
  );
  socket.send(
    Buffer.from(`SIP/2.0 200 OK\r\n${tagged.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, 'latin1'),
    port,
    address,
  );
  if (text.startsWith('MESSAGE')) meter.arrived(text);
});

async function pour({ from, to, count, perSecond }: Load): Promise<void> {
  const own = socket.address().port;
  const run = process.hrtime.bigint().toString(36);
  await runLoad(count, perSecond, async (first, howMany) => {
    for (let n = first; n < first + howMany; n++) {
      while (outstanding >= windowSize) await new Promise<void>((resolve) => (room = resolve));
      outstanding++;
      const body = meter.text(n);
      const sender = from.replace('#', String(10_000 + (n % 500)));
      const message = `MESSAGE ${to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${own};rport;branch=z9hG4bK${run}${n}\r\nMax-Forwards: 70\r\nFrom: <${sender}>;tag=${run}\r\nTo: <${to}>\r\nCall-ID: ${run}-${n}@bench\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      socket.send(message, gatewayPort, '127.0.0.1');
    }
  });
}

socket.bind(Number(process.argv[3] ?? 0), '127.0.0.1', () => ready(socket, meter, pour));
