// The npm library `smpp` as an ESME: binds to a server of ours, hands in, and keeps what is sent to it.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import type { NpmPdu, NpmSession } from './smpp-npm.ts';

interface NpmClient {
  bind_transceiver(fields: Record<string, unknown>, answered: (response: NpmPdu) => void): boolean;
  send(pdu: NpmPdu): boolean;
  on(event: 'pdu', listener: (pdu: NpmPdu) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'close', listener: () => void): void;
  destroy(): void;
  [command: string]: unknown;
}
const npm = createRequire(import.meta.url)('smpp') as {
  connect(options: object, connected?: () => void): NpmClient;
  createServer(options: object, onSession: (session: NpmSession & NpmClient) => void): Server;
};

export interface NpmEsme {
  /** deliver_sm and data_sm, oldest first; each was answered with ESME_ROK. */
  readonly heard: NpmPdu[];
  /** Resolves with the response. Texts are Buffers. */
  ask(command: string, fields?: Record<string, unknown>): Promise<NpmPdu>;
  readonly isClosed: boolean;
  destroy(): void;
}

export interface NpmEsmeOptions {
  port: number;
  command?: 'bind_transceiver' | 'bind_transmitter' | 'bind_receiver';
  systemId?: string;
  password?: string;
  /** PEM; anything but undefined means TLS. */
  tls?: { ca: string; cert?: string; key?: string };
}

/** Resolves when bound; rejects with the status of a bind that was refused, or with what the connection met. */
export async function npmEsme(options: NpmEsmeOptions): Promise<NpmEsme> {
  const { port, tls, command = 'bind_transceiver', systemId = 'npm', password = 'secret' } = options;
  const at = { host: '127.0.0.1', port, ...(tls ? { tls: true, rejectUnauthorized: true, ...tls } : {}) };
  const heard: NpmPdu[] = [];
  let isClosed = false;
  const client = npm.connect(at);
  const failed = new Promise<never>((_, reject) => {
    client.on('error', reject);
    client.on('close', () => {
      isClosed = true;
      reject(new Error('closed'));
    });
  });
  failed.catch(() => {});
  client.on('pdu', (pdu) => {
    if (pdu.command === 'deliver_sm' || pdu.command === 'data_sm') heard.push(pdu);
    if (['deliver_sm', 'data_sm', 'enquire_link', 'unbind'].includes(pdu.command)) client.send(pdu.response());
  });
  const ask = (name: string, fields: Record<string, unknown> = {}) =>
    Promise.race([
      failed,
      new Promise<NpmPdu>((resolve) => {
        (client[name] as NpmClient['bind_transceiver']).call(client, fields, resolve);
      }),
    ]);
  const { command_status } = await ask(command, { system_id: systemId, password, interface_version: 0x34 });
  if (command_status !== 0) throw new Error(`bind refused: ${command_status}`);
  return {
    heard,
    ask,
    get isClosed() {
      return isClosed;
    },
    destroy: () => client.destroy(),
  };
}

export interface NpmWaitingEsme {
  readonly port: number;
  /** Those that are connected. */
  readonly sessions: ReadonlySet<NpmSession>;
  readonly outbinds: NpmPdu[];
  readonly heard: NpmPdu[];
  close(): Promise<void>;
}

/** Listens, binds as receiver where it is called with outbind, and unbinds when it has heard something. */
export async function npmWaitingEsme(systemId: string, password: string): Promise<NpmWaitingEsme> {
  const [outbinds, heard]: [NpmPdu[], NpmPdu[]] = [[], []];
  const sessions = new Set<NpmSession>();
  const server = npm.createServer({}, (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.on('pdu', (pdu: NpmPdu) => {
      if (pdu.command === 'outbind') {
        outbinds.push(pdu);
        const bind = session.bind_receiver as NpmClient['bind_transceiver'];
        bind.call(session, { system_id: systemId, password, interface_version: 0x34 }, () => {});
      }
      if (pdu.command === 'deliver_sm') heard.push(pdu);
      if (pdu.command === 'deliver_sm' || pdu.command === 'enquire_link') session.send(pdu.response());
      if (pdu.command === 'deliver_sm') session.unbind(() => session.destroy());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sessions,
    outbinds,
    heard,
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
