// A sandbox carrier: an SMSC on the npm package `smpp`, with handsets that read, write and confirm.
// Alone: node demo/carrier.ts [port]   then write lines like  +447700900123 > +447700900001 hello
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { createInterface } from 'node:readline';
import { Ears, type Heard, type Person, type Told, type Unlisten } from './peer.ts';
import { cut, Joiner, type Segment } from './sms-text.ts';

// The package brings no types; this is the part of it that we use.
interface Pdu {
  command: string;
  command_status: number;
  source_addr: string;
  destination_addr: string;
  esm_class: number;
  data_coding: number;
  registered_delivery: number;
  short_message?: Buffer;
  message_payload?: Buffer;
  system_id?: string;
  response(fields?: Record<string, unknown>): Pdu;
}
interface Session {
  on(event: 'pdu', listener: (pdu: Pdu) => void): void;
  on(event: 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  send(pdu: Pdu): boolean;
  deliver_sm(fields: Record<string, unknown>, onResponse: (pdu: Pdu) => void): boolean;
  destroy(): void;
}
interface Filtered {
  filter?: unknown;
}
interface SmppLibrary {
  createServer(options: { noDelay: boolean }, listener: (session: Session) => void): Server;
  commands: Record<string, { params: Record<string, Filtered> }>;
  tlvs: Record<string, Filtered>;
  errors: Record<string, number>;
}

const smpp = createRequire(import.meta.url)('smpp') as SmppLibrary;
// Its own text code takes alphabets for one another: octets in, octets out.
for (const command of ['submit_sm', 'deliver_sm']) delete smpp.commands[command]?.params.short_message?.filter;
delete smpp.tlvs.message_payload?.filter;

export interface CarrierOptions {
  /** Default 0: any free one. */
  port?: number;
  host?: string;
  /** How long a handset takes to confirm. */
  receiptAfterMs?: number;
  /** Hears what the carrier does, for people. */
  log?(line: string): void;
}

export interface Sms extends Heard {
  to: string;
}

export interface Carrier {
  readonly port: number;
  /** Turns that number on: messages to numbers that are off come back UNDELIV. */
  onMessage(number: string, heard: (sms: Sms) => void): Unlisten;
  /** Resolves when the ESME answered ESME_ROK to every part; rejects with its status otherwise. */
  sendFrom(number: string, to: string, text: string): Promise<void>;
  /** That number as a person of the demo. */
  handset(name: string, number: string): Person;
  stop(): Promise<void>;
}

const answerTimeoutMs = 10_000;
const canReceive = new Set(['bind_transceiver', 'bind_receiver']);

export async function startCarrier(options: CarrierOptions = {}): Promise<Carrier> {
  const centre = new MessageCentre(options);
  const server = smpp.createServer({ noDelay: true }, (session) => centre.welcome(session));
  server.on('error', (error) => centre.log(error.message));
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    onMessage: (number, heard) => centre.turnOn(number).add(heard),
    sendFrom: (number, to, text) => centre.deliver(number, to, text),
    handset: (name, number) => handset(centre, name, number),
    async stop() {
      centre.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function handset(centre: MessageCentre, name: string, number: string): Person {
  const receipts = new Ears<Told>();
  let sent = 0;
  return {
    name,
    network: 'SMS',
    address: number,
    onMessage: (heard) => centre.turnOn(number).add(heard),
    onReceipt: receipts.add,
    async send(to, text) {
      const of = `${number}/${++sent}`;
      await centre.deliver(number, to, text);
      // A mobile phone is told no more than this: its own carrier got rid of it.
      queueMicrotask(() => receipts.tell({ of, state: 'accepted' }));
      return of;
    },
    stop: async () => {},
  };
}

class MessageCentre {
  readonly log: (line: string) => void;
  readonly #handsets = new Map<string, Ears<Sms>>();
  readonly #sessions = new Map<Session, { isReceiver: boolean }>();
  readonly #joiner = new Joiner();
  readonly #receiptAfterMs: number;
  #messageId = 0x0a00;
  #reference = 0;

  constructor(options: CarrierOptions) {
    this.log = options.log ?? (() => {});
    this.#receiptAfterMs = options.receiptAfterMs ?? 200;
  }

  turnOn(number: string): Ears<Sms> {
    const ears = this.#handsets.get(digits(number)) ?? new Ears<Sms>();
    this.#handsets.set(digits(number), ears);
    return ears;
  }

  welcome(session: Session): void {
    this.#sessions.set(session, { isReceiver: false });
    session.on('close', () => {
      this.#sessions.delete(session);
      // The library never calls back what a lost connection left unanswered.
      for (const lose of unanswered.get(session) ?? []) lose();
    });
    // After an error the library's session is deaf for ever: end it.
    session.on('error', (error) => {
      this.log(`session ended: ${error.message}`);
      session.destroy();
    });
    session.on('pdu', (pdu) => this.#answer(session, pdu));
  }

  close(): void {
    for (const session of this.#sessions.keys()) session.destroy();
  }

  async deliver(number: string, to: string, text: string): Promise<void> {
    const session = this.#receiver();
    if (!session) throw new Error('nobody is bound to the carrier');
    for (const segment of cut(text, ++this.#reference)) {
      await deliverSm(session, {
        ...addresses(number, to),
        esm_class: segment.hasHeader ? 0x40 : 0,
        data_coding: segment.dataCoding,
        short_message: segment.bytes,
      });
    }
    this.log(`${number} > ${to}: ${text}`);
  }

  #answer(session: Session, pdu: Pdu): void {
    if (pdu.command.startsWith('bind_')) {
      this.#sessions.set(session, { isReceiver: canReceive.has(pdu.command) });
      this.log(`${pdu.command} from ${pdu.system_id}`);
      session.send(pdu.response({ system_id: 'sandbox', sc_interface_version: 0x34 }));
    } else if (pdu.command === 'submit_sm') {
      this.#submit(session, pdu);
    } else if (pdu.command === 'enquire_link' || pdu.command === 'unbind') {
      session.send(pdu.response());
    } else if (!pdu.command.endsWith('_resp') && pdu.command !== 'generic_nack') {
      session.send(pdu.response({ command_status: smpp.errors.ESME_RINVCMDID }));
    }
  }

  #submit(session: Session, pdu: Pdu): void {
    const id = (++this.#messageId).toString(16).padStart(8, '0');
    const submitted = new Date();
    session.send(pdu.response({ message_id: id }));
    const { source_addr: from, destination_addr: to } = pdu;
    const ears = this.#handsets.get(digits(to));
    const text = this.#joiner.add(`${from} ${to}`, segmentOf(pdu));
    if (text !== undefined) {
      this.log(`${from} > ${to}: ${text}${ears ? '' : ' (no such handset)'}`);
      ears?.tell({ from: international(from), to: international(to), text });
    }
    if ((pdu.registered_delivery & 3) === 0) return;
    setTimeout(() => this.#confirm(id, pdu, submitted, ears !== undefined), this.#receiptAfterMs).unref();
  }

  // SMPP 3.4 appendix B: the receipt is text, and goes the other way round.
  #confirm(id: string, pdu: Pdu, submitted: Date, isHere: boolean): void {
    const session = this.#receiver();
    if (!session) return;
    const [stat, err, state] = isHere ? ['DELIVRD', '000', 2] : ['UNDELIV', '001', 5];
    const text = `id:${id} sub:001 dlvrd:00${isHere ? 1 : 0} submit date:${stamp(submitted)} done date:${stamp(new Date())} stat:${stat} err:${err} text:`;
    deliverSm(session, {
      ...addresses(pdu.destination_addr, pdu.source_addr),
      esm_class: 0x04,
      data_coding: 0,
      short_message: Buffer.from(text, 'ascii'),
      receipted_message_id: id,
      message_state: state,
    }).catch((error: Error) => this.log(`receipt ${id}: ${error.message}`));
  }

  #receiver(): Session | undefined {
    for (const [session, { isReceiver }] of this.#sessions) if (isReceiver) return session;
    return undefined;
  }
}

const unanswered = new WeakMap<Session, Set<() => void>>();

function deliverSm(session: Session, fields: Record<string, unknown>): Promise<void> {
  const pending = unanswered.get(session) ?? new Set();
  unanswered.set(session, pending);
  return new Promise((resolve, reject) => {
    const lose = () => reject(new Error('the connection is gone'));
    const timer = setTimeout(() => reject(new Error('no deliver_sm_resp')), answerTimeoutMs);
    pending.add(lose);
    const isSent = session.deliver_sm(fields, ({ command_status: status }) => {
      clearTimeout(timer);
      pending.delete(lose);
      if (status === 0) return resolve();
      const [name = `0x${status.toString(16)}`] = Object.entries(smpp.errors).find(([, code]) => code === status) ?? [];
      reject(new Error(`deliver_sm_resp ${name}`));
    });
    if (isSent) return;
    clearTimeout(timer);
    pending.delete(lose);
    lose();
  });
}

function segmentOf(pdu: Pdu): Segment {
  const { short_message: short, message_payload: payload = Buffer.alloc(0) } = pdu;
  return {
    dataCoding: pdu.data_coding,
    hasHeader: (pdu.esm_class & 0x40) !== 0,
    bytes: short?.length ? short : payload,
  };
}

function addresses(from: string, to: string) {
  return {
    source_addr_ton: 1,
    source_addr_npi: 1,
    source_addr: digits(from),
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    destination_addr: digits(to),
  };
}

function digits(number: string): string {
  return number.replace(/^tel:/, '').replace(/^\+/, '');
}

function international(number: string): string {
  return /^\d{7,}$/.test(number) ? `+${number}` : number;
}

function stamp(date: Date): string {
  return date.toISOString().replace(/\D/g, '').slice(2, 12);
}

async function main(): Promise<void> {
  const [port = '2775', host = '127.0.0.1'] = process.argv.slice(2);
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const carrier = await startCarrier({ port: Number(port), host, log: say });
  carrier.onMessage('+447700900123', () => {});
  say(`sandbox carrier on ${host}:${carrier.port}; handset +447700900123 is on. Write: FROM > TO text`);
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [, from, to, text] = /^\s*(\+\d+)\s*>\s*(\+\d+)\s+(.+)$/.exec(line) ?? [];
    if (!from || !to || !text) {
      say('write it like: +447700900123 > +447700900001 hello');
      return;
    }
    carrier.onMessage(from, () => {});
    carrier.sendFrom(from, to, text).catch((error: Error) => say(error.message));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => carrier.stop().then(() => process.exit()));
}

if (import.meta.main) await main();
