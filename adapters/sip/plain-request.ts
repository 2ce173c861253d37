// A request outside any dialog with nothing but what RFC 3261 s.8.1.1 demands.
import { formatCSeq } from './codec/cseq.ts';
import { Headers, type SipRequest } from './codec/message.ts';
import { formatNameAddr } from './codec/name-addr.ts';
import { noParameters } from './codec/parameters.ts';
import { newTag } from './tokens.ts';

export interface PlainParts {
  method: string;
  /** Request-URI. */
  uri: string;
  from: string;
  to: string;
  callId?: string;
  cseq?: number;
}

export function plainRequest({ method, uri, from, to, callId, cseq = 1 }: PlainParts): SipRequest {
  const headers = new Headers()
    .add('Max-Forwards', '70')
    .add('From', formatNameAddr({ uri: from, parameters: new Map([['tag', newTag()]]) }))
    .add('To', formatNameAddr({ uri: to, parameters: noParameters }))
    .add('Call-ID', callId ?? newTag() + newTag())
    .add('CSeq', formatCSeq({ number: cseq, method }));
  return { kind: 'request', method, uri, headers, body: new Uint8Array(0) };
}
