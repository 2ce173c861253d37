// Who may send what to whom, and how often: no open relay, no sips by the way, and a rate for each source and each target.
import { bareAddress, splitAddress } from '../../src/contract/index.ts';
import { type Rate, TokenBuckets } from '../../src/guards/token-buckets.ts';
import { parseNameAddr } from './codec/name-addr.ts';
import type { Answer, Inbound } from './endpoint.ts';
import type { People } from './mapping/inbound.ts';

export interface GuardOptions {
  /** Domains of ours. */
  domains: ReadonlySet<string>;
  acceptSips: boolean;
  rates: { target: Rate };
  now(): number;
}

export class Guard {
  readonly #options: GuardOptions;
  readonly #targets: TokenBuckets;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#targets = new TokenBuckets(options.rates.target, options.now);
  }

  /** Of a MESSAGE; undefined when it may pass. */
  refusal({ request, isTrusted, user }: Inbound, { to }: People): Answer | undefined {
    const { domains, acceptSips } = this.#options;
    const named = parseNameAddr(request.headers.get('To') ?? '').uri;
    // RFC 7247 s.8: what was promised to be secure all the way cannot be kept so. RFC 5630 s.3.2 has the answer.
    if (!acceptSips && [request.uri, named].some((uri) => /^sips:/i.test(uri))) {
      return { status: 480, headers: [['Warning', '380 dragoman "SIPS Not Allowed"']] };
    }
    if (isTrusted) return undefined;
    // RFC 7247 s.8: strangers reach people of ours, and nobody else through us.
    const isOurs = domains.has(splitAddress(to).domain);
    if (!isOurs && user === undefined) return { status: 403, reason: 'Relaying Denied' };
    const waitMs = this.#targets.take(bareAddress(to));
    if (waitMs === 0) return undefined;
    // Not 503: that would be about us, and a proxy would send nobody's messages here any more.
    return { status: 480, reason: 'Too Many Messages', headers: [['Retry-After', String(Math.ceil(waitMs / 1000))]] };
  }
}
