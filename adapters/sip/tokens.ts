// Identifiers that must not meet: branches, tags, Call-IDs.
import { createHmac, randomBytes, randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(8192);
let used = pool.length;
let count = 0;
const secret = randomBytes(16);

/** 64 random bits in hexadecimal. */
export function newTag(): string {
  if (used + 8 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 8;
  return pool.toString('hex', used - 8, used);
}

/** The same for the same seed, and nobody else can tell it (RFC 3261 s.8.2.7). */
export function tagFor(seed: string): string {
  return createHmac('sha256', secret).update(seed).digest('hex').slice(0, 16);
}

/**
 * RFC 3261 s.8.1.1.7: a counter keeps branches of this process apart for certain, 64 random bits those of others. `mark`
 * is said last (RFC 5393 s.4.2.2).
 */
export function newBranch(mark: string): string {
  count++;
  return `z9hG4bK${count.toString(36)}.${newTag()}.${mark}`;
}
