// What a queue keeps of an event: its JSON, and what becomes of a body that cannot be read any more.
import { randomBytes } from 'node:crypto';
import { asGatewayError, type GatewayEvent, parseEvent } from '../contract/index.ts';
import type { DeadLetter } from './queue.ts';

export type Read = { event: GatewayEvent } | { letter: DeadLetter };

/** The event of a stored body (JSON text, or JSON already parsed), or the dead letter that it becomes. */
export function readStored(body: unknown, instance: string): Read {
  let found = body;
  try {
    if (typeof body === 'string') found = JSON.parse(body);
    return { event: parseEvent(found) };
  } catch (error) {
    return { letter: unreadable(found, instance, asGatewayError(error).message) };
  }
}

/** An event that was given up before a person saw it: filed under its own id where it has one. */
function unreadable(found: unknown, instance: string, text: string): DeadLetter {
  const id = typeof found === 'object' && found !== null && 'id' in found ? found.id : undefined;
  return {
    id: typeof id === 'string' && id !== '' ? id : `x${randomBytes(12).toString('hex')}`,
    instance,
    at: new Date().toISOString(),
    reason: 'malformed',
    text,
    event: found,
  };
}
