// The leanest SMSC on our own codec: binds, takes every submit_sm, pours deliver_sm with a window.
import { createServer, type Socket } from 'node:net';
import { decode, encode, Framer, isFault, type Pdu } from '../../adapters/smpp/codec/index.ts';
import { type Load, Meter, ready, runLoad } from './peer.ts';

const meter = new Meter();
const windowSize = 100;
let bound: Socket | undefined;
let outstanding = 0;
let room: (() => void) | undefined;
let messageId = 0;

const server = createServer((socket) => {
  socket.setNoDelay(true);
  const framer = new Framer();
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    const answers: Buffer[] = [];
    for (const frame of framer.push(chunk)) {
      const pdu = decode(frame);
      if (!isFault(pdu)) answer(socket, pdu, answers);
    }
    if (answers.length > 0) socket.write(Buffer.concat(answers));
  });
});

function answer(socket: Socket, pdu: Pdu, out: Buffer[]): void {
  const { sequence_number } = pdu;
  switch (pdu.command) {
    case 'bind_transceiver':
      bound = socket;
      out.push(encode({ command: 'bind_transceiver_resp', sequence_number, body: { system_id: 'bench' } }));
      return;
    case 'submit_sm':
      meter.arrived(pdu.body.short_message.toString('latin1').replaceAll('\0', '@'));
      out.push(
        encode({ command: 'submit_sm_resp', sequence_number, body: { message_id: (++messageId).toString(16) } }),
      );
      return;
    case 'enquire_link':
      out.push(encode({ command: 'enquire_link_resp', sequence_number, body: {} }));
      return;
    case 'unbind':
      out.push(encode({ command: 'unbind_resp', sequence_number, body: {} }));
      return;
    case 'deliver_sm_resp':
      outstanding--;
      room?.();
  }
}

async function pour({ from, to, count, perSecond }: Load): Promise<void> {
  await runLoad(count, perSecond, async (first, howMany) => {
    const out: Buffer[] = [];
    for (let n = first; n < first + howMany; n++) {
      outstanding++;
      const body = {
        source_addr_ton: 1,
        source_addr_npi: 1,
        source_addr: from.replace('#', String(10_000 + (n % 500))).slice(1),
        dest_addr_ton: 1,
        dest_addr_npi: 1,
        destination_addr: to.slice(1),
        short_message: Buffer.from(meter.text(n).replaceAll('@', '\0'), 'latin1'),
      };
      out.push(encode({ command: 'deliver_sm', sequence_number: n + 1, body }));
    }
    bound?.write(Buffer.concat(out));
    while (outstanding >= windowSize) await new Promise<void>((resolve) => (room = resolve));
  });
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => ready(server, meter, pour));
