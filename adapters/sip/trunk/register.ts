// A REGISTER of an account, and the Contact that it says.
import type { SipRequest } from '../codec/message.ts';
import { formatNameAddr } from '../codec/name-addr.ts';
import { quote } from '../codec/scan.ts';
import { formatUri, parseUri, type SipUri } from '../codec/uri.ts';
import { plainRequest } from '../plain-request.ts';
import { type Flow, uriParametersOf } from '../transport/flow.ts';
import type { Place } from './granted.ts';

/** Which of the account's flows it is, and the proxy that it goes through. */
export interface FlowPlace {
  regId: number;
  proxy?: SipUri;
}

export interface RegisterParts {
  aor: string;
  registrar: SipUri;
  callId: string;
  cseq: number;
  /** 0 ends it. */
  seconds: number;
  /** Route headers. */
  through: readonly string[];
  usesOutbound: boolean;
}

/** Without a Contact, which depends on the flow that it takes. */
export function registerRequest(parts: RegisterParts): SipRequest {
  const { aor, registrar, callId, cseq, seconds, through, usesOutbound } = parts;
  const { scheme, host, port } = registrar;
  const uri = formatUri({ scheme, host, parameters: new Map(), ...(port === undefined ? {} : { port }) });
  const request = plainRequest({ method: 'REGISTER', uri, from: aor, to: aor, callId, cseq });
  for (const hop of through) request.headers.add('Route', hop);
  request.headers
    .add('Expires', String(seconds))
    .add('Supported', usesOutbound ? 'path, outbound, gruu' : 'path, gruu');
  return request;
}

/** Our address on that flow, or where the registrar saw us. */
export function contactUri(aor: string, flow: Flow, { host, port }: Place = flow.sentBy): string {
  const { user } = parseUri(aor);
  const parameters = uriParametersOf(flow.transport);
  return formatUri({ scheme: 'sip', host, port, parameters, ...(user === undefined ? {} : { user }) });
}

/** RFC 5626 s.4.2.1; `regId` undefined where the first hop knows no Outbound. */
export function contactValue(uri: string, instanceId: string, regId: number | undefined): string {
  const parameters = new Map([['+sip.instance', quote(`<${instanceId}>`)]]);
  if (regId !== undefined) parameters.set('reg-id', String(regId));
  return formatNameAddr({ uri, parameters });
}
