// The leanest SMSC on our own codec: binds, takes every submit_sm, pours deliver_sm with a window: messages, or the receipts
// of all that it took, in random order.
import { createServer, type Socket } from 'node:net';
import { decode, encode, Framer, isFault, type Pdu } from '../../adapters/smpp/codec/index.ts';
import { type Load, Meter, ready, runLoad } from './peer.ts';

const meter = new Meter();
const windowSize = 100;
let bound: Socket | undefined;
let outstanding = 0;
let room: (() => void) | undefined;
let messageId = 0;
/** Who asked for a receipt, and of what. */
const owed: Array<{ id: string; from: string; to: string }> = [];

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
    case 'submit_sm': {
      meter.arrived(pdu.body.short_message.toString('latin1').replaceAll('\0', '@'));
      const id = (++messageId).toString(16);
      const { registered_delivery, source_addr, destination_addr } = pdu.body;
      if (registered_delivery !== 0) owed.push({ id, from: source_addr, to: destination_addr });
      out.push(encode({ command: 'submit_sm_resp', sequence_number, body: { message_id: id } }));
      return;
    }
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

async function pour(load: Load): Promise<void> {
  if (load.isReceipts) return pourReceipts();
  const { from, to, count, perSecond } = load;
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

/** Counted when they are answered. */
async function pourReceipts(): Promise<void> {
  // Fisher and Yates, seeded: every run has the same disorder.
  let seed = 1;
  for (let i = owed.length - 1; i > 0; i--) {
    seed = (Math.imul(seed, 48_271) >>> 0) % 0x7fffffff;
    const j = seed % (i + 1);
    [owed[i], owed[j]] = [owed[j] as (typeof owed)[number], owed[i] as (typeof owed)[number]];
  }
  await runLoad(owed.length, 0, async (first, howMany) => {
    const frames = owed.slice(first, first + howMany).map(({ id, from, to }, i) => {
      outstanding++;
      const short_message = Buffer.from(
        `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:`,
      );
      const people = { source_addr_ton: 1, source_addr: to, dest_addr_ton: 1, destination_addr: from };
      const body = { ...people, esm_class: 4, short_message };
      return encode({ command: 'deliver_sm', sequence_number: first + i + 1, body });
    });
    bound?.write(Buffer.concat(frames));
    while (outstanding >= windowSize) await new Promise<void>((resolve) => (room = resolve));
    for (let i = 0; i < howMany; i++) meter.arrived('');
  });
  owed.length = 0;
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => ready(server, meter, pour));
