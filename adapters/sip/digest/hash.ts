// The arithmetic of RFC 7616 s.3.4 with the algorithms of RFC 8760.
import { getHashes, hash } from 'node:crypto';

/** Strongest first: the order in which we offer them. */
const hashNames = { 'SHA-512-256': 'sha512-256', 'SHA-256': 'sha256', MD5: 'md5' } as const;

export type BaseAlgorithm = keyof typeof hashNames;

const available = new Set(getHashes().map((name) => name.toLowerCase()));
/** What this build of OpenSSL can do. */
export const baseAlgorithms = (Object.keys(hashNames) as BaseAlgorithm[]).filter((name) =>
  available.has(hashNames[name]),
);

export interface Algorithm {
  base: BaseAlgorithm;
  isSession: boolean;
}

/** Nothing said means MD5 (RFC 3261 s.22.4); undefined when we do not know it. */
export function parseAlgorithm(text = 'MD5'): Algorithm | undefined {
  const upper = text.toUpperCase();
  const isSession = upper.endsWith('-SESS');
  const base = baseAlgorithms.find((name) => name === (isSession ? upper.slice(0, -5) : upper));
  return base && { base, isSession };
}

export function digestOf(base: BaseAlgorithm, data: string | Uint8Array): string {
  return hash(hashNames[base], data, 'hex');
}

/** H(user:realm:password): what a user list may hold instead of passwords. */
export function secretHash(base: BaseAlgorithm, user: string, realm: string, password: string): string {
  return digestOf(base, `${user}:${realm}:${password}`);
}

export interface DigestInput {
  algorithm: Algorithm;
  /** H(user:realm:password). */
  ha1: string;
  nonce: string;
  cnonce: string;
  /** Eight hex digits. */
  nc: string;
  /** Undefined for the way of RFC 2069. */
  qop: 'auth' | 'auth-int' | undefined;
  method: string;
  uri: string;
  body: Uint8Array;
}

export function digestResponse(input: DigestInput): string {
  const { algorithm, nonce, cnonce, nc, qop, method, uri, body } = input;
  const h = (data: string | Uint8Array) => digestOf(algorithm.base, data);
  const ha1 = algorithm.isSession ? h(`${input.ha1}:${nonce}:${cnonce}`) : input.ha1;
  const ha2 = h(qop === 'auth-int' ? `${method}:${uri}:${h(body)}` : `${method}:${uri}`);
  return h(qop === undefined ? `${ha1}:${nonce}:${ha2}` : `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`);
}
