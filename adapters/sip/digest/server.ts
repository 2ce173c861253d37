// The asking side of digest (RFC 3261 s.22.1, RFC 7616, RFC 8760). A nonce proves itself: nothing is stored for a stranger.
// Only a nonce that was answered correctly costs memory, for the counts that keep an answer from being used twice.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { SipParseError } from '../codec/parse-error.ts';
import { quote } from '../codec/scan.ts';
import { sameUri } from '../codec/uri.ts';
import type { SignedRequest } from './client.ts';
import { type AuthFields, formatAuth, parseAuth } from './fields.ts';
import {
  type Algorithm,
  type BaseAlgorithm,
  baseAlgorithms,
  digestResponse,
  parseAlgorithm,
  secretHash,
} from './hash.ts';

/** A password, or H(user:realm:password) in hex for each algorithm that shall work. */
export type UserSecret = { password: string } | { ha1: Partial<Record<BaseAlgorithm, string>> };

export interface DigestServerOptions {
  realm: string;
  users: (user: string) => UserSecret | undefined;
  /** Offered in this order; default: all that OpenSSL has, strongest first. */
  algorithms?: readonly BaseAlgorithm[];
  /** How long a nonce may be used. Default 300,000. */
  nonceLifeMs?: number;
  /** Nonces in use that are remembered. Default 10,000; beyond it the oldest go stale early. */
  maxNonces?: number;
  /** Shared by processes that answer for each other. Default: random. */
  secret?: Uint8Array;
}

export type Verdict = { user: string } | Refusal;

export interface Refusal {
  user?: undefined;
  /** Right but for the nonce: challenge again with `stale`, and nobody needs to be asked for a password. */
  isStale: boolean;
  /** For logs. */
  why: string;
}

interface Use {
  issuedAt: number;
  highest: number;
  /** Bit n: the count `highest - n` was used. */
  seen: number;
}

const windowSize = 32;

export class DigestServer {
  readonly #options: Required<DigestServerOptions>;
  readonly #uses = new Map<string, Use>();
  /** Nonces issued up to here that we do not remember may have been used and forgotten: they are stale. */
  #forgottenUntil = Number.NEGATIVE_INFINITY;

  constructor(options: DigestServerOptions) {
    this.#options = {
      algorithms: baseAlgorithms,
      nonceLifeMs: 300_000,
      maxNonces: 10_000,
      secret: randomBytes(32),
      ...options,
    };
  }

  get noncesInUse(): number {
    return this.#uses.size;
  }

  /** Values for WWW-Authenticate or Proxy-Authenticate, each on a line of its own. */
  challenge(now: number, isStale = false): string[] {
    const nonce = this.#makeNonce(now);
    return this.#options.algorithms.map((algorithm) =>
      formatAuth('Digest', [
        ['realm', quote(this.#options.realm)],
        ['nonce', quote(nonce)],
        ['algorithm', algorithm],
        // auth-int is taken as well, but some clients choke on a list here.
        ['qop', '"auth"'],
        ['stale', isStale ? 'true' : undefined],
      ]),
    );
  }

  /** Judges every Authorization (or Proxy-Authorization) value of a request; that of our realm decides. Throws nothing. */
  verify(authorizations: readonly string[], request: SignedRequest, now: number): Verdict {
    const ours = authorizations.flatMap(read).find(({ scheme, fields }) => {
      return scheme === 'digest' && fields.get('realm') === this.#options.realm;
    });
    if (!ours) return refused('no credentials for our realm');
    const fields = ours.fields;
    const algorithm = parseAlgorithm(fields.get('algorithm'));
    if (!algorithm || !this.#options.algorithms.includes(algorithm.base))
      return refused('an algorithm we do not offer');
    const count = this.#checkAnswer(fields, algorithm, request);
    if (typeof count !== 'number') return count;
    return this.#useNonce(fields.get('nonce') ?? '', count, now) ?? { user: fields.get('username')! };
  }

  /** The count this answer was made for, 0 for the way of RFC 2069; or why it is wrong. */
  #checkAnswer(fields: Map<string, string>, algorithm: Algorithm, request: SignedRequest): number | Refusal {
    const { uri = '', nonce = '', cnonce = '', nc = '', response = '' } = Object.fromEntries(fields);
    const qop = (['auth', 'auth-int'] as const).find((known) => known === fields.get('qop')?.toLowerCase());
    if (fields.has('qop') && qop === undefined) return refused('a qop nobody knows');
    if (qop !== undefined && !(/^[0-9a-f]{8}$/i.test(nc) && Number.parseInt(nc, 16) > 0)) return refused('no count');
    if (uri !== request.uri && !sameUri(uri, request.uri)) return refused('credentials made for another URI');
    const user = fields.get('username') ?? '';
    const secret = this.#options.users(user);
    const ha1 = this.#secretHash(user, secret, algorithm.base);
    const isRight = isSame(
      digestResponse({ algorithm, ha1, nonce, cnonce, nc, qop, ...request, uri }),
      response.toLowerCase(),
    );
    if (!isRight || !secret || ha1 === '') return refused('a wrong answer');
    return qop === undefined ? 0 : Number.parseInt(nc, 16);
  }

  /** Empty when the user has none for that algorithm. A stranger's is worked out too: nobody learns from the clock who exists. */
  #secretHash(user: string, secret: UserSecret | undefined, base: BaseAlgorithm): string {
    if (secret && 'ha1' in secret) return secret.ha1[base]?.toLowerCase() ?? '';
    return secretHash(base, user, this.#options.realm, secret?.password ?? '');
  }

  /** Undefined when that nonce and count are good and are now used up. */
  #useNonce(nonce: string, count: number, now: number): Refusal | undefined {
    const issuedAt = this.#issuedAt(nonce);
    if (issuedAt === undefined) return { isStale: true, why: 'a nonce we did not make' };
    if (now - issuedAt > this.#options.nonceLifeMs || issuedAt > now)
      return { isStale: true, why: 'the nonce expired' };
    const use = this.#uses.get(nonce);
    if (!use && issuedAt <= this.#forgottenUntil) return { isStale: true, why: 'the nonce is forgotten' };
    // Without a count nothing tells an answer from its copy, so such a nonce is good for one request.
    if (use && (count === 0 || !isFresh(use, count))) return { isStale: true, why: 'a count used before' };
    if (use) return undefined;
    this.#forget(now);
    this.#uses.set(nonce, { issuedAt, highest: Math.max(count, 1), seen: 1 });
    return undefined;
  }

  // In order of first use, which is nearly the order of issue.
  #forget(now: number): void {
    for (const [nonce, { issuedAt }] of this.#uses) {
      const isExpired = now - issuedAt > this.#options.nonceLifeMs;
      if (!isExpired && this.#uses.size < this.#options.maxNonces) return;
      if (!isExpired) this.#forgottenUntil = Math.max(this.#forgottenUntil, issuedAt);
      this.#uses.delete(nonce);
    }
  }

  #makeNonce(now: number): string {
    const stamp = Buffer.alloc(16);
    stamp.writeDoubleBE(now, 0);
    randomBytes(8).copy(stamp, 8);
    return Buffer.concat([stamp, this.#seal(stamp)]).toString('base64url');
  }

  #issuedAt(nonce: string): number | undefined {
    const bytes = nonce.length === 43 ? Buffer.from(nonce, 'base64url') : Buffer.alloc(0);
    // A nonce has one spelling: the decoder would forgive others, and each would be counted on its own.
    if (bytes.length !== 32 || bytes.toString('base64url') !== nonce) return undefined;
    const stamp = bytes.subarray(0, 16);
    return timingSafeEqual(this.#seal(stamp), bytes.subarray(16)) ? stamp.readDoubleBE(0) : undefined;
  }

  #seal(stamp: Buffer): Buffer {
    return createHmac('sha256', this.#options.secret)
      .update(this.#options.realm)
      .update('\0')
      .update(stamp)
      .digest()
      .subarray(0, 16);
  }
}

/** Marks the count as used. Requests overtake each other, so those a little behind the highest are good once. */
function isFresh(use: Use, count: number): boolean {
  if (count > use.highest) {
    const steps = count - use.highest;
    use.seen = (steps < windowSize ? use.seen << steps : 0) | 1;
    use.highest = count;
    return true;
  }
  const behind = use.highest - count;
  if (behind >= windowSize || (use.seen & (1 << behind)) !== 0) return false;
  use.seen |= 1 << behind;
  return true;
}

function isSame(one: string, other: string): boolean {
  const a = Buffer.from(one);
  const b = Buffer.from(other);
  return a.length === b.length && timingSafeEqual(a, b);
}

function refused(why: string): Refusal {
  return { isStale: false, why };
}

function read(value: string): AuthFields[] {
  try {
    return parseAuth(value);
  } catch (error) {
    if (error instanceof SipParseError) return [];
    throw error;
  }
}
