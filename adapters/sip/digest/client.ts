// The answering side of digest (RFC 3261 s.22.2, RFC 8760 s.2.4): of each realm's challenges the topmost we can answer.
import { randomBytes } from 'node:crypto';
import { RecentMap } from '../../../src/guards/recent-map.ts';
import { SipParseError } from '../codec/parse-error.ts';
import { quote } from '../codec/scan.ts';
import { formatAuth, parseAuth } from './fields.ts';
import { type Algorithm, digestResponse, parseAlgorithm, secretHash } from './hash.ts';

export interface Challenge {
  realm: string;
  nonce: string;
  algorithm: Algorithm;
  /** As the server wrote it, to be said back; undefined when it said nothing. */
  algorithmName: string | undefined;
  opaque: string | undefined;
  qop: 'auth' | 'auth-int' | undefined;
  /** The credentials were right, only the nonce was old. */
  isStale: boolean;
}

export interface Credentials {
  /** Undefined: for every realm that has no entry of its own. */
  realm?: string;
  user: string;
  password: string;
}

export interface SignedRequest {
  method: string;
  /** The Request-URI. */
  uri: string;
  body: Uint8Array;
}

/** Of one header value; undefined when it is of another scheme, or asks for what we cannot do. Throws nothing. */
export function parseChallenge(value: string): Challenge | undefined {
  return parseChallenges([value])[0];
}

/** Those we can answer, in the order of the server's preference. */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap(readValue).flatMap(({ scheme, fields }) => {
    const realm = fields.get('realm');
    const nonce = fields.get('nonce');
    const algorithmName = fields.get('algorithm');
    const algorithm = parseAlgorithm(algorithmName);
    const offered = fields
      .get('qop')
      ?.toLowerCase()
      .split(/[\s,]+/);
    const qop = (['auth', 'auth-int'] as const).find((known) => offered?.includes(known));
    const isKnown = scheme === 'digest' && (offered === undefined || qop !== undefined);
    if (!isKnown || realm === undefined || nonce === undefined || !algorithm) return [];
    const isStale = fields.get('stale')?.toLowerCase() === 'true';
    return [{ realm, nonce, algorithm, algorithmName, opaque: fields.get('opaque'), qop, isStale }];
  });
}

/**
 * Values for Authorization (or Proxy-Authorization), one a realm; none when we have no credentials for what is asked.
 * @param challenges every WWW-Authenticate (or Proxy-Authenticate) value of the response, in order
 * @param cnonce given by tests alone
 */
export function answerChallenge(
  challenges: readonly string[],
  credentials: readonly Credentials[],
  request: SignedRequest,
  counts: Pick<NonceCounts, 'next'> = new NonceCounts(),
  cnonce?: string,
): string[] {
  const answered = new Set<string>();
  const answers: string[] = [];
  for (const challenge of parseChallenges(challenges)) {
    const own = credentialsFor(credentials, challenge.realm);
    if (!own || answered.has(challenge.realm)) continue;
    answered.add(challenge.realm);
    answers.push(answer(challenge, own, request, counts.next(challenge.nonce), cnonce));
  }
  return answers;
}

/** One answer; the nonce may be used again with the next `count`. */
export function answer(
  challenge: Challenge,
  { user, password }: Credentials,
  { method, uri, body }: SignedRequest,
  count: number,
  cnonce = randomBytes(12).toString('base64url'),
): string {
  const { realm, nonce, algorithm, algorithmName, opaque, qop } = challenge;
  const nc = count.toString(16).padStart(8, '0');
  const ha1 = secretHash(algorithm.base, user, realm, password);
  const response = digestResponse({ algorithm, ha1, nonce, cnonce, nc, qop, method, uri, body });
  const usesCnonce = qop !== undefined || algorithm.isSession;
  return formatAuth('Digest', [
    ['username', quote(user)],
    ['realm', quote(realm)],
    ['nonce', quote(nonce)],
    ['uri', quote(uri)],
    ['response', quote(response)],
    ['algorithm', algorithmName],
    ['cnonce', usesCnonce ? quote(cnonce) : undefined],
    ['opaque', opaque === undefined ? undefined : quote(opaque)],
    ['qop', qop],
    ['nc', qop === undefined ? undefined : nc],
  ]);
}

/** How often each nonce was used: a server takes each count once. Forgets the oldest nonce beyond `size`. */
export class NonceCounts {
  readonly #counts: RecentMap<string, number>;

  constructor(size = 256) {
    this.#counts = new RecentMap(size);
  }

  next(nonce: string): number {
    const count = (this.#counts.get(nonce) ?? 0) + 1;
    this.#counts.set(nonce, count);
    return count;
  }
}

function credentialsFor(credentials: readonly Credentials[], realm: string): Credentials | undefined {
  return credentials.find((own) => own.realm === realm) ?? credentials.find(({ realm: only }) => only === undefined);
}

function readValue(value: string): ReturnType<typeof parseAuth> {
  try {
    return parseAuth(value);
  } catch (error) {
    if (error instanceof SipParseError) return [];
    throw error;
  }
}
