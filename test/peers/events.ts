// Events as the hub hands them to an adapter, for tests: what matters is given, the rest is plausible.
import { type Address, type EventOf, type EventType, parseAddress } from '../../src/contract/index.ts';

let number = 0;

/** One event of that type between two addresses. */
export function sampleEvent<T extends EventType>(
  type: T,
  from: string,
  to: string,
  said: Partial<EventOf<T>>,
): EventOf<T> {
  const id = `e${String(++number).padStart(12, '0')}`;
  const people: { from: Address; to: Address } = { from: parseAddress(from), to: parseAddress(to) };
  const envelope = {
    v: 1,
    id,
    type,
    origin: 'elsewhere',
    trace: id,
    at: new Date().toISOString(),
    ...people,
    source: people,
    conversation: `${from}|${to}`,
    hops: 1,
  };
  return { ...envelope, ...said } as unknown as EventOf<T>;
}
