// What a SIP message is once it is off the wire, and the door through which the rest of the adapter reads and writes it.
import type { Headers } from './headers.ts';

export interface SipRequest {
  kind: 'request';
  method: string;
  /** The Request-URI as written. */
  uri: string;
  headers: Headers;
  /** The octets as they came; of a datagram, a view into it. */
  body: Uint8Array;
  /** All of a datagram, as it came. */
  wire?: Uint8Array;
}

export interface SipResponse {
  kind: 'response';
  status: number;
  reason: string;
  headers: Headers;
  body: Uint8Array;
  wire?: Uint8Array;
}

export type SipMessage = SipRequest | SipResponse;

export { decodeMessage } from './decode.ts';
export { encodeMessage } from './encode.ts';
export { Headers } from './headers.ts';
export { defaultLimits, type Limits } from './limits.ts';
export { SipParseError } from './parse-error.ts';
export { createResponse, reasonPhrase } from './response.ts';
export { StreamDecoder } from './stream-decoder.ts';
