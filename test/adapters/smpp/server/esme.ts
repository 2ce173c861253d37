// Our SMS centre on a fake hub, and ESMEs that talk to it octet by octet.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import type { Body, CommandName, RequestName, Sendable, Tlv } from '../../../../adapters/smpp/codec/index.ts';
import { options } from '../../../../adapters/smpp/server/config.ts';
import { SmppServer } from '../../../../adapters/smpp/server/index.ts';
import { type FakeHub, fakeHub } from '../../../peers/hub.ts';
import { WirePeer } from '../../../peers/smpp-wire.ts';

export const { signal } = new AbortController();

/** Account `me` with a number, a range, a short code and a name. */
export const me = {
  password: 'secret',
  numbers: ['+447700900100', '+4477009002*', '12345', 'My Bank'],
};

export interface Centre {
  readonly server: SmppServer;
  readonly hub: FakeHub;
  readonly port: number;
  /** A connection that has said nothing yet. */
  connect(): Promise<Esme>;
  bound(as?: BindAs): Promise<Esme>;
}

interface BindAs {
  command?: 'bind_transceiver' | 'bind_transmitter' | 'bind_receiver';
  system_id?: string;
  password?: string;
  interface_version?: number;
}

export class Esme extends WirePeer {
  #sequence = 100;

  constructor(stream: Duplex) {
    super(stream);
    // A well-behaved one, so that a stop need not wait.
    this.onPdu = (pdu) => {
      if (pdu.command === 'unbind') this.answer(pdu);
    };
  }

  ask<C extends RequestName>(command: C, body: Partial<Body<C>> = {}, tlvs: readonly Tlv[] = []) {
    const sequence_number = ++this.#sequence;
    this.send({ command, sequence_number, body, tlvs } as Sendable<CommandName> as Sendable<C>);
    return this.next(`${command}_resp` as CommandName);
  }

  bind({ command = 'bind_transceiver', system_id = 'me', password = 'secret', interface_version = 0x34 }: BindAs = {}) {
    return this.ask(command, { system_id, password, interface_version });
  }
}

export async function open(
  t: TestContext,
  account: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
  hub: FakeHub = fakeHub(),
): Promise<Centre> {
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const settings = options.parse({ listen, accounts: { me: { ...me, ...account } }, ...more });
  const server = new SmppServer('esme', settings);
  t.after(() => server.stop());
  await server.start(hub);
  const [port = 0] = server.ports;
  const centre: Centre = {
    server,
    hub,
    port,
    async connect() {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      t.after(() => socket.destroy());
      await once(socket, 'connect');
      return new Esme(socket);
    },
    async bound(as = {}) {
      const esme = await centre.connect();
      const { command_status } = await esme.bind(as);
      if (command_status !== 0) throw new Error(`bind: ${command_status}`);
      return esme;
    },
  };
  return centre;
}

export const from = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900100' };
export const to = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900123' };

export function submit(text: string, more: Partial<Body<'submit_sm'>> = {}): Partial<Body<'submit_sm'>> {
  return { ...from, ...to, short_message: Buffer.from(text, 'latin1'), ...more };
}

/** Part of a text with a user data header. */
export function part(
  reference: number,
  total: number,
  index: number,
  text: string,
  more: Partial<Body<'submit_sm'>> = {},
) {
  const short_message = Buffer.concat([Buffer.from([5, 0, 3, reference, total, index]), Buffer.from(text, 'latin1')]);
  return submit('', { esm_class: 0x40, short_message, ...more });
}
