// Who may send what to whom, and how often: no open relay, and a rate for each target.
import { bareAddress, splitAddress } from '../../src/contract/index.ts';
import { type Rate, TokenBuckets } from '../../src/guards/token-buckets.ts';
import type { Answer, Inbound } from './endpoint.ts';
import type { People } from './mapping/inbound.ts';

export interface GuardOptions {
  /** Domains of ours. */
  domains: ReadonlySet<string>;
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
  refusal({ isTrusted, user }: Inbound, { to }: People): Answer | undefined {
    const { domains } = this.#options;
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
