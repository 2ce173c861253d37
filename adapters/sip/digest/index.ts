// Digest authentication, both sides (RFC 3261 s.22, RFC 7616, RFC 8760).
export {
  answer,
  answerChallenge,
  type Challenge,
  type Credentials,
  NonceCounts,
  parseChallenge,
  parseChallenges,
  type SignedRequest,
} from './client.ts';
export { type BaseAlgorithm, baseAlgorithms, secretHash } from './hash.ts';
export { DigestServer, type DigestServerOptions, type Refusal, type UserSecret, type Verdict } from './server.ts';
