// The far end of an SMPP connection, octet by octet: a test sees every PDU and answers with whatever it likes, good or bad.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import {
  type CommandName,
  decode,
  encode,
  Framer,
  isFault,
  type Pdu,
  type PduOf,
  type Sendable,
} from '../../adapters/smpp/codec/index.ts';

/** One connection, seen from the other side. */
export class WirePeer {
  readonly stream: Duplex;
  readonly heard: Pdu[] = [];
  /** Called for each PDU in place of being looked at with `next`. */
  onPdu: ((pdu: Pdu) => void) | undefined;
  isEnded = false;
  #looked = 0;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
    const framer = new Framer();
    stream.on('data', (chunk: Buffer) => {
      for (const frame of framer.push(chunk)) {
        const pdu = decode(Buffer.from(frame));
        if (isFault(pdu)) throw new Error(`the peer under test sent a bad PDU: ${pdu.fault}`);
        this.heard.push(pdu);
        this.onPdu?.(pdu);
      }
      this.#wake?.();
    });
    const ended = () => {
      this.isEnded = true;
      this.#wake?.();
    };
    stream.on('end', ended).on('close', ended).on('error', ended);
  }

  /** The next PDU that was not looked at yet, which must be that command. */
  async next<C extends CommandName>(command: C): Promise<PduOf<C>> {
    await this.#until(() => this.heard.length > this.#looked || this.isEnded);
    const pdu = this.heard[this.#looked++];
    if (pdu?.command !== command) throw new Error(`expected ${command}, got ${pdu?.command ?? 'the end'}`);
    return pdu as unknown as PduOf<C>;
  }

  async ended(): Promise<void> {
    await this.#until(() => this.isEnded);
  }

  send<C extends CommandName>(pdu: Sendable<C>): void {
    this.stream.write(encode(pdu));
  }

  answer(request: Pdu, command_status = 0, body?: Record<string, unknown>): void {
    const command = `${request.command}_resp` as CommandName;
    const { sequence_number } = request;
    this.stream.write(encode({ command, command_status, sequence_number, ...(body ? { body } : {}) }));
  }

  raw(octets: Buffer): void {
    this.stream.write(octets);
  }

  drop(): void {
    this.stream.destroy();
  }

  async #until(claim: () => boolean): Promise<void> {
    while (!claim()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Two ends of one connection in memory: one for a session, one for the peer. */
export function wirePair(): [Duplex, WirePeer] {
  const [one, other] = duplexPair();
  return [one, new WirePeer(other)];
}

export interface WireSmsc {
  readonly port: number;
  readonly server: Server;
  /** Every connection so far. */
  readonly peers: WirePeer[];
  /** The next connection. */
  accepted(): Promise<WirePeer>;
  close(): Promise<void>;
}

/** An SMSC on loopback that says nothing by itself. */
export async function wireSmsc(): Promise<WireSmsc> {
  const peers: WirePeer[] = [];
  const sockets = new Set<Socket>();
  let taken = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    peers.push(new WirePeer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    server,
    peers,
    async accepted() {
      while (peers.length <= taken) {
        await once(server, 'connection');
        await new Promise(setImmediate);
      }
      return peers[taken++] as WirePeer;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
