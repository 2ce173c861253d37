// A way to one peer: a connection, or a UDP socket and the address on the other side (RFC 5626 s.2 calls it a flow).
import type { Trace } from '../../../src/contract/index.ts';
import type { SipMessage, SipParseError } from '../codec/message.ts';
import { newTag } from '../tokens.ts';

export type TransportName = 'UDP' | 'TCP' | 'TLS' | 'WS' | 'WSS';

/** What a URI says of it: nothing of UDP, and of WebSocket, with TLS or without, `ws` (RFC 7118 s.5.2.1). */
export function uriParametersOf(transport: TransportName): Map<string, string> {
  if (transport === 'UDP') return new Map();
  return new Map([['transport', transport === 'WSS' ? 'ws' : transport.toLowerCase()]]);
}

export interface Endpoint {
  /** An IP address, IPv6 without brackets. */
  address: string;
  port: number;
}

export interface Flow {
  readonly id: string;
  readonly transport: TransportName;
  readonly isReliable: boolean;
  readonly isOpen: boolean;
  readonly remote: Endpoint;
  /** What our Via says: host as SIP writes it, and port. */
  readonly sentBy: { readonly host: string; readonly port: number };
  /** Never throws. `onError` is called at most once, when these bytes certainly did not leave. */
  send(bytes: Uint8Array, onError: (error: Error) => void): void;
  close(): void;
  /** Our Via offers it for requests of the other side (RFC 5923). */
  readonly offersAlias?: boolean;
  /** Asks by STUN where the other side sees us, once (RFC 5626 s.4.4.2); only over UDP. No answer is no call. */
  probe?(heard: (seen: Endpoint) => void): void;
  /** The same socket towards another port or address (RFC 3261 s.18.2.2); a connection has only the one it has. */
  at(remote: Endpoint): Flow;
}

/** What transports tell the layer above. */
export interface TransportUser {
  onMessage(message: SipMessage, flow: Flow): void;
  /** Something that is no SIP message; `partial` says whether it can be answered. */
  onBroken(error: SipParseError, flow: Flow): void;
  onClosed(flow: Flow): void;
  /** Where every message goes while somebody captures. */
  readonly trace?: Pick<Trace, 'wire'> | undefined;
}

// Bindings outlive the process in the store; a flow of the last one must not be taken for one of this.
const ofThisProcess = newTag();
let flows = 0;

export function newFlowId(): string {
  flows++;
  return `${ofThisProcess}.${flows.toString(36)}`;
}
