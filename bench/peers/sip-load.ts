// SIP over UDP with nothing read that need not be: pours MESSAGEs of which only the numbers change, with so many unanswered, and
// answers each that comes with a canned 200. The load of bench/sip-messages.ts, its far end, and its floor.
// As load it never sleeps while a run lasts: else whoever is measured would pay for waking it, the slower the more.
import { createSocket } from 'node:dgram';

interface Order {
  to: number;
  count: number;
  window: number;
  /** The Request-URI, with `#` for five digits: 500 recipients. */
  uri: string;
}

const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
const copied = /^(?:via|v|from|f|to|t|call-id|i|cseq)[ \t]*:/i;
const body = 'Hello from the bench: so long is what people write to one another, in the middle of many.';
let order: Order | undefined;
let template = Buffer.alloc(0);
/** Where digits stand that change, and how many. */
let numbers: number[] = [];
let recipients: number[] = [];
let sent = 0;
let answered = 0;
let base = 0;

socket.on('message', (bytes, { port, address }) => {
  // `SIP/2.0 2`
  if (bytes[0] === 0x53 && bytes[3] === 0x2f && bytes[7] === 0x20) {
    if (bytes[8] !== 0x31) hear();
    return;
  }
  if (bytes.length > 4) socket.send(answerTo(bytes), port, address);
});

function answerTo(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n'));
  let head = 'SIP/2.0 200 OK\r\n';
  for (let start = text.indexOf('\r\n') + 2; start > 1; ) {
    const end = text.indexOf('\r\n', start);
    const line = text.slice(start, end < 0 ? text.length : end);
    if (copied.test(line))
      head += /^t/i.test(line) && !line.includes(';tag=') ? `${line};tag=bench\r\n` : `${line}\r\n`;
    start = end < 0 ? 0 : end + 2;
  }
  return Buffer.from(`${head}Content-Length: 0\r\n\r\n`, 'latin1');
}

function hear(): void {
  answered++;
  if (order === undefined) return;
  if (sent < order.count) send(order);
  else if (answered === order.count) {
    order = undefined;
    process.send?.({ done: true });
  }
}

function send({ to }: Order): void {
  const message = Buffer.from(template);
  const digits = String(base + sent).padStart(10, '0');
  for (const at of numbers) message.write(digits, at, 'latin1');
  const recipient = String(10_000 + (sent % 500));
  for (const at of recipients) message.write(recipient, at, 'latin1');
  sent++;
  socket.send(message, to, '127.0.0.1');
}

function begin(next: Order): void {
  const own = socket.address().port;
  const number = '0123456789';
  const uri = next.uri.replace('#', '99999');
  const text = [
    `MESSAGE ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${number};rport`,
    'Max-Forwards: 70',
    `From: "Bob" <sip:bob99999@other.example>;tag=t${number}`,
    `To: <${uri}>`,
    `Call-ID: ${number}@127.0.0.1`,
    'CSeq: 1 MESSAGE',
    'Content-Type: text/plain;charset=UTF-8',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
  template = Buffer.from(text);
  numbers = placesOf(text, number);
  recipients = placesOf(text, '99999');
  order = next;
  base += sent;
  sent = answered = 0;
  for (let first = 0; first < Math.min(next.window, next.count); first++) send(next);
}

function placesOf(text: string, what: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + 1)) places.push(at);
  return places;
}

let isAwake = false;

function stayAwake(): void {
  if (isAwake) setImmediate(stayAwake);
}

process.on('message', (next: Order | { isAwake: boolean }) => {
  if ('to' in next) begin(next);
  else {
    isAwake = next.isAwake;
    stayAwake();
  }
});
process.on('disconnect', () => process.exit());
socket.bind(0, '127.0.0.1', () => process.send?.({ port: socket.address().port }));
