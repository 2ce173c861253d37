// A NAT for UDP on loopback: what comes in leaves from another port, and it may forget which.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface Nat {
  /** Where those behind it send to. */
  readonly port: number;
  /** Datagrams of those behind it so far. */
  readonly passed: readonly Buffer[];
  /** Takes another port outside; what comes back to the old one is lost. */
  forget(): Promise<void>;
  stop(): void;
}

/** Between one client and that port of loopback. */
export async function startNat(server: number): Promise<Nat> {
  const inside = createSocket('udp4');
  inside.bind(0, '127.0.0.1');
  await once(inside, 'listening');
  const passed: Buffer[] = [];
  let client = 0;
  let outside: Socket;
  const open = async () => {
    outside = createSocket('udp4');
    outside.on('message', (bytes) => inside.send(bytes, client, '127.0.0.1'));
    outside.bind(0, '127.0.0.1');
    await once(outside, 'listening');
  };
  await open();
  inside.on('message', (bytes, { port }) => {
    client = port;
    passed.push(bytes);
    outside.send(bytes, server, '127.0.0.1');
  });
  return {
    port: inside.address().port,
    passed,
    async forget() {
      outside.close();
      await open();
    },
    stop() {
      inside.close();
      outside.close();
    },
  };
}
