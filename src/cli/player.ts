// Plays one recorded conversation: says what the far end said, when as much has been heard as had been said before it.
import { setTimeout as pause } from 'node:timers/promises';
import type { Follower } from '../contract/index.ts';
import type { Said } from './conversations.ts';

/** A connection to whom it is played. */
export interface Line {
  send(bytes: Uint8Array): void;
  onData(heard: (chunk: Buffer) => void): void;
  onClosed(closed: () => void): void;
  close(): void;
}

export interface Played {
  readonly sent: number;
  /** The connection ended before the recording. */
  readonly isCut: boolean;
  /** Something that had been said then was not heard in time. */
  readonly isShort: boolean;
}

export interface Patience {
  /** For what is to be heard before the next message. */
  readonly hearingMs: number;
  /** Recorded pauses are cut down to this. */
  readonly pauseMs: number;
}

const patient: Patience = { hearingMs: 5000, pauseMs: 1000 };
const lookMs = 5;

export async function play(
  messages: readonly Said[],
  line: Line,
  follower?: Follower,
  { hearingMs, pauseMs }: Patience = patient,
): Promise<Played> {
  let isCut = false;
  let isShort = false;
  let sent = 0;
  let recorded = 0;
  line.onClosed(() => {
    isCut = true;
  });
  line.onData((chunk) => {
    try {
      for (const answer of follower?.heard(chunk) ?? []) line.send(answer);
    } catch {
      // What is no message of that protocol cannot be followed.
      isCut = true;
    }
  });
  const hear = async () => {
    const until = performance.now() + hearingMs;
    while (follower && !follower.hasHeard(recorded) && !isCut && performance.now() < until) await pause(lookMs);
    if (follower && !follower.hasHeard(recorded)) isShort = true;
  };
  for (const [index, { direction, at, bytes }] of messages.entries()) {
    if (direction === 'outbound') {
      recorded++;
      continue;
    }
    await hear();
    await pause(Math.min(pauseMs, at - (messages[index - 1]?.at ?? at)));
    if (isCut) break;
    const fitting = follower ? follower.fit(bytes) : bytes;
    if (fitting) line.send(fitting);
    sent++;
  }
  const wasCut = isCut;
  await hear();
  // What nobody follows may still be on its way.
  if (!follower) await pause(pauseMs);
  line.close();
  return { sent, isCut: wasCut, isShort };
}
