// A PDU as captures keep it: between which addresses, where the password is, and where the words of a person are.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WireUnit } from '../../src/contract/index.ts';
import { secretRanges, textRanges } from './codec/index.ts';

type Ends = Partial<Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>>;

export function wireUnit(socket: Duplex, direction: WireUnit['direction'], frame: Buffer): WireUnit {
  const { localAddress, localPort, remoteAddress, remotePort } = socket as Ends;
  return {
    direction,
    transport: 'tcp',
    local: { address: localAddress ?? '0.0.0.0', port: localPort ?? 0 },
    remote: { address: remoteAddress ?? '0.0.0.0', port: remotePort ?? 0 },
    bytes: frame,
    secrets: secretRanges(frame),
    hidden: textRanges(frame),
  };
}
