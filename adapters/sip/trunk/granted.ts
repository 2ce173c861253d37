// What a registrar's answer says of a registration of ours: for how long, under which names, and whether asking soon would help.
import { numberIn } from '../codec/cseq.ts';
import { bareHost, sipHost } from '../codec/host.ts';
import type { SipResponse } from '../codec/message.ts';
import { type NameAddr, parseNameAddr } from '../codec/name-addr.ts';
import { unquote } from '../codec/scan.ts';
import { sameUri } from '../codec/uri.ts';
import { parseVia } from '../codec/via.ts';

export interface Granted {
  /** Seconds; undefined when it does not say. */
  seconds: number | undefined;
  /** Our name for dialogs (RFC 5627). */
  publicGruu: string | undefined;
  /** Flows of one instance are told apart by their reg-id (RFC 5626 s.6). */
  usesOutbound: boolean;
  /** Seconds after which it takes a silent flow for dead (RFC 5626 s.4.4). */
  flowTimer: number | undefined;
}

/** Of a 2xx; `contact` is what we said, of the flow `regId`. */
export function grantedIn(response: SipResponse, contact: string | undefined, regId: number): Granted {
  const { headers } = response;
  const own = ownBinding(response, contact, regId);
  return {
    seconds: numberIn(own?.parameters.get('expires') ?? headers.get('Expires')),
    publicGruu: gruuOf(own),
    usesOutbound: headers.all('Require').includes('outbound'),
    flowTimer: numberIn(headers.get('Flow-Timer')),
  };
}

/** What a provider can make of a registration (RFC 3680 s.4.7.1) that is not our doing. */
export type Ended = 'expired' | 'deactivated' | 'probation' | 'unregistered' | 'rejected';

export interface Place {
  host: string;
  port: number;
}

/**
 * Where the registrar saw us, when that is not where we said. RFC 3581: behind a NAT a registrar that knows no Outbound reaches
 * us only there.
 */
export function seenIn({ headers }: SipResponse, said: Place): Place | undefined {
  const [top] = headers.all('Via');
  if (top === undefined || headers.all('Require').includes('outbound')) return undefined;
  const { received, rport } = parseVia(top);
  const seen = { host: sipHost(received ?? bareHost(said.host)), port: typeof rport === 'number' ? rport : said.port };
  return seen.host === said.host && seen.port === said.port ? undefined : seen;
}

/** What will not get better by asking soon: a wrong password, an account that is none, a method that nobody serves. */
export function isHopeless(status: number): boolean {
  const mayPass = [408, 423, 429, 480, 481, 491];
  return (status >= 400 && status < 500 && !mayPass.includes(status)) || status === 501 || status >= 600;
}

/** Ours among the bindings that a 2xx lists; two flows over one socket have the same URI. */
function ownBinding({ headers }: SipResponse, contact: string | undefined, regId: number): NameAddr | undefined {
  if (contact === undefined) return undefined;
  const same = headers
    .all('Contact')
    .filter((value) => value !== '*')
    .map(parseNameAddr)
    .filter(({ uri }) => sameUri(uri, contact));
  return same.find(({ parameters }) => parameters.get('reg-id') === String(regId)) ?? same[0];
}

/** RFC 5627 s.4.2. The temporary one is for people who hide: nobody does behind a gateway. */
function gruuOf(own: NameAddr | undefined): string | undefined {
  const gruu = unquote(own?.parameters.get('pub-gruu') ?? '');
  return /^sips?:/i.test(gruu) ? gruu : undefined;
}
