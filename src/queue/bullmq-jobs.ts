// The jobs that a consumer has in hand: which of their events are settled, and which of that Redis has yet to hear.
import { type Read, readStored } from './stored.ts';

export interface TakenJob {
  readonly id: string;
  readonly reads: readonly Read[];
  /** Places of events that are settled, durably or not yet. */
  readonly done: Set<number>;
  isRedelivered: boolean;
  /** Settled events that Redis has not been told of. */
  untold: number;
  /** A handler has had one of its events. */
  isStarted: boolean;
}

/** A job as Redis has it. What cannot be read at all is one event, which becomes a dead letter. */
export function readJob(id: string, data: string, progress: string | undefined, instance: string): TakenJob {
  return {
    id,
    reads: eventsOf(data).map((body) => readStored(body, instance)),
    done: new Set(doneIn(progress)),
    isRedelivered: false,
    untold: 0,
    isStarted: false,
  };
}

export function progressOf(job: TakenJob): string {
  return JSON.stringify({ done: [...job.done] });
}

function eventsOf(data: string): readonly unknown[] {
  const parsed = tryParse(data);
  const events = typeof parsed === 'object' && parsed !== null && 'events' in parsed ? parsed.events : undefined;
  return Array.isArray(events) ? events : [data];
}

function doneIn(progress: string | undefined): number[] {
  const parsed = tryParse(progress ?? '');
  const done = typeof parsed === 'object' && parsed !== null && 'done' in parsed ? parsed.done : undefined;
  return Array.isArray(done) ? done.filter((place) => Number.isInteger(place)) : [];
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
