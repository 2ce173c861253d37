// Names of what the presence rooms keep in the store. Addresses may be longer than a key: their digest stands for them.
import { createHash } from 'node:crypto';

/** The same for the same prefix and name, and of one length for all names. */
export function hashedKey(prefix: string, name: string): string {
  return prefix + createHash('sha256').update(name).digest('base64url');
}
