// The npm library `smpp` as an SMSC of its own making: takes submits, keeps them, and says what a test tells it to say.
// Texts go through it as Buffers with an explicit data_coding, its own text code switched off, so that it blurs nothing.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface NpmPdu {
  command: string;
  command_status: number;
  sequence_number: number;
  response(fields?: Record<string, unknown>): NpmPdu;
  [field: string]: unknown;
}
export interface NpmSession {
  socket: Socket;
  send(pdu: NpmPdu, answered?: (response: NpmPdu) => void): boolean;
  deliver_sm(fields: Record<string, unknown>, answered?: (response: NpmPdu) => void): boolean;
  data_sm(fields: Record<string, unknown>, answered?: (response: NpmPdu) => void): boolean;
  enquire_link(answered?: (response: NpmPdu) => void): boolean;
  unbind(answered?: (response: NpmPdu) => void): boolean;
  outbind(fields: Record<string, unknown>): boolean;
  alert_notification(fields: Record<string, unknown>): boolean;
  on(event: string, listener: (pdu: NpmPdu) => void): void;
  close(): void;
  destroy(): void;
}
interface NpmSmpp {
  filters: { message: { decode: (value: unknown) => unknown } };
  connect(options: Record<string, unknown>): NpmSession;
  createServer(options: Record<string, unknown>, onSession: (session: NpmSession) => void): Server;
}

const npm = createRequire(import.meta.url)('smpp') as NpmSmpp;
npm.filters.message.decode = (value) => value;

export interface Submit extends NpmPdu {
  source_addr: string;
  destination_addr: string;
  source_addr_ton: number;
  dest_addr_ton: number;
  esm_class: number;
  data_coding: number;
  registered_delivery: number;
  short_message: Buffer;
}

export interface NpmSmsc {
  readonly port: number;
  readonly submits: Submit[];
  readonly binds: NpmPdu[];
  readonly sessions: NpmSession[];
  /** Decides about each submit: a message_id, a command_status, or undefined for no answer at all. */
  onSubmit: (submit: Submit, session: NpmSession) => { message_id?: string; command_status?: number } | undefined;
  onBind: (bind: NpmPdu) => { command_status?: number };
  /** Sends a request on the newest session that is bound to receive, and resolves with the response. */
  tell(command: 'deliver_sm' | 'data_sm', fields: Record<string, unknown>): Promise<NpmPdu>;
  /** Cuts every connection. */
  drop(): void;
  close(): Promise<void>;
}

export interface NpmSmscOptions {
  /** PEM. */
  tls?: { key: Buffer; cert: Buffer; ca?: Buffer; requestCert?: boolean; rejectUnauthorized?: boolean };
}

/** The library as the side that connects. */
export function npmConnect(options: Record<string, unknown>): NpmSession {
  return npm.connect(options);
}

const bindings = ['bind_transceiver', 'bind_transmitter', 'bind_receiver'];

export async function npmSmsc(options: NpmSmscOptions = {}): Promise<NpmSmsc> {
  let number = 0;
  const receivers: NpmSession[] = [];
  const server = npm.createServer(options.tls ? { tls: true, ...options.tls } : {}, (session) => {
    smsc.sessions.push(session);
    session.on('error', () => session.destroy());
    session.on('pdu', (pdu) => {
      if (bindings.includes(pdu.command)) {
        smsc.binds.push(pdu);
        const { command_status = 0 } = smsc.onBind(pdu);
        session.send(pdu.response({ command_status, system_id: 'npm' }));
        if (command_status === 0 && pdu.command !== 'bind_transmitter') receivers.push(session);
      } else if (pdu.command === 'submit_sm' || pdu.command === 'data_sm') {
        smsc.submits.push(pdu as Submit);
        const answer = smsc.onSubmit(pdu as Submit, session);
        if (answer) session.send(pdu.response(answer));
      } else if (pdu.command === 'enquire_link' || pdu.command === 'unbind') session.send(pdu.response());
    });
  });
  server.on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const smsc: NpmSmsc = {
    port: (server.address() as AddressInfo).port,
    submits: [],
    binds: [],
    sessions: [],
    onSubmit: () => ({ message_id: (++number).toString() }),
    onBind: () => ({}),
    tell: (command, fields) =>
      new Promise((resolve) => {
        receivers.at(-1)?.[command](fields, resolve);
      }),
    drop() {
      for (const session of smsc.sessions.splice(0)) session.destroy();
      receivers.length = 0;
    },
    async close() {
      smsc.drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return smsc;
}
