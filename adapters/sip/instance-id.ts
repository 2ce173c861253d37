// The name of this gateway as a SIP instance (RFC 5626 s.4.1): a UUID, made once and kept over restarts.
import { randomUUID } from 'node:crypto';
import type { State } from '../../src/contract/index.ts';

const key = 'instance-id';

/** Asks the store once. */
export function instanceIdIn(state: State): () => Promise<string> {
  let known: Promise<string> | undefined;
  return () => {
    known ??= readOrMake(state);
    known.catch(() => {
      known = undefined;
    });
    return known;
  };
}

async function readOrMake(state: State): Promise<string> {
  await state.setIfAbsent(key, `urn:uuid:${randomUUID()}`);
  return (await state.get(key)) ?? '';
}
