// Event ids: a letter, then lower-case letters and digits, so that one id serves as stanza id, SIP token and job id.
import { createHash, randomFillSync } from 'node:crypto';

const alphabet = '0123456789abcdefghijklmnopqrstuv';
const pool = Buffer.alloc(8192);
let used = pool.length;

/** A new id: 9 characters of time, so that ids sort by age, and 80 random bits. */
export function newEventId(now: number): string {
  if (used + 10 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = base32(pool.subarray(used, used + 10));
  used += 10;
  return `e${now.toString(32).padStart(9, '0')}${random}`;
}

/** The same id for the same key of the same instance, for ever: what a network repeats meets its first copy. */
export function derivedEventId(instance: string, key: string): string {
  const digest = createHash('sha256').update(instance).update('\0').update(key).digest();
  return `d${base32(digest.subarray(0, 20))}`;
}

function base32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) out += alphabet[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? out + alphabet[(value << (5 - bits)) & 31] : out;
}
