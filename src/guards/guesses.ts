// Addresses that guess passwords wait longer and longer. Bounded: the oldest are forgotten first.
import { isIPv6 } from 'node:net';
import { RecentMap } from './recent-map.ts';

export interface GuessLimits {
  /** Wrong passwords in a row that cost nothing. */
  readonly maxFailures: number;
  /** The first pause; each further one is twice as long. */
  readonly firstMs: number;
  readonly maxMs: number;
}

interface Failures {
  count: number;
  blockedUntil: number;
}

const maxSources = 10_000;

export class Guesses {
  readonly #limits: () => GuessLimits;
  readonly #now: () => number;
  readonly #failures = new RecentMap<string, Failures>(maxSources);

  /** `limits`: as they are when they are asked, where they may change. */
  constructor(limits: GuessLimits | (() => GuessLimits), now: () => number) {
    this.#limits = typeof limits === 'function' ? limits : () => limits;
    this.#now = now;
  }

  /** How long nothing from that address is looked at, in milliseconds; 0 when it may try. */
  pauseMs(ip: string): number {
    const { blockedUntil } = this.#failures.get(sourceOf(ip)) ?? { blockedUntil: 0 };
    return Math.max(0, blockedUntil - this.#now());
  }

  failed(ip: string): void {
    const source = sourceOf(ip);
    const { maxFailures, firstMs, maxMs } = this.#limits();
    const count = (this.#failures.get(source)?.count ?? 0) + 1;
    const over = count - maxFailures;
    const pauseMs = over < 0 ? 0 : Math.min(maxMs, firstMs * 2 ** Math.min(over, 20));
    this.#failures.set(source, { count, blockedUntil: this.#now() + pauseMs });
  }

  succeeded(ip: string): void {
    this.#failures.delete(sourceOf(ip));
  }
}

/** Who one address stands for when strangers are counted: itself, in IPv6 its network of 64 bits. */
export function sourceOf(ip: string): string {
  if (!isIPv6(ip)) return ip;
  const [head = ''] = ip.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  return ip.includes('::') && groups.length < 4 ? ip : `${groups.slice(0, 4).join(':')}::/64`;
}
