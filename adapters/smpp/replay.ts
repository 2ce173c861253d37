// The far end of an SMPP connection played again: its responses get the sequence numbers of the requests that we send now.
import type { Follower } from '../../src/contract/index.ts';
import { encode, Framer, headerBytes, layoutsById } from './codec/index.ts';

const responseBit = 0x80000000;
const enquireLink = 0x15;
const binds: ReadonlySet<number> = new Set([0x01, 0x02, 0x09]);

export function follow(recorded: readonly Uint8Array[]): Follower {
  return new Replay(recorded.map((bytes) => Buffer.from(bytes)));
}

class Replay implements Follower {
  readonly #framer = new Framer();
  /** Of our recorded requests, the sequence numbers by command_id in the order in which they were sent. */
  readonly #then = new Map<number, number[]>();
  readonly #now = new Map<number, number>();
  readonly #places: number[];
  #heard = 0;

  constructor(recorded: readonly Buffer[]) {
    // Whether a link lives is asked whenever it is quiet, and that differs.
    let place = 0;
    this.#places = recorded.map((frame) => (isKeepAlive(frame) ? place : ++place));
    for (const frame of recorded) {
      if (!isRequest(frame) || isKeepAlive(frame)) continue;
      const id = idOf(frame);
      this.#then.set(id, [...(this.#then.get(id) ?? []), sequenceOf(frame)]);
    }
  }

  heard(chunk: Uint8Array): Uint8Array[] {
    return [...this.#framer.push(Buffer.from(chunk))].flatMap((frame) => this.#take(frame));
  }

  hasHeard(count: number): boolean {
    return this.#heard >= (count === 0 ? 0 : (this.#places[count - 1] ?? 0));
  }

  fit(bytes: Uint8Array): Uint8Array | undefined {
    const frame = Buffer.from(bytes);
    if (frame.length < headerBytes || isRequest(frame)) return frame;
    if (isKeepAlive(frame)) return undefined;
    const sequence = this.#now.get(sequenceOf(frame));
    if (sequence !== undefined) frame.writeUInt32BE(sequence, 12);
    return frame;
  }

  #take(frame: Buffer): Uint8Array[] {
    const id = idOf(frame);
    if (id === enquireLink) return [answerTo(frame)];
    if (isKeepAlive(frame)) return [];
    const then = isRequest(frame) ? this.#then.get(id)?.shift() : undefined;
    // The capture began after the bind: nobody recorded the answer.
    if (then === undefined && binds.has(id)) return [answerTo(frame)];
    this.#heard++;
    if (then !== undefined) this.#now.set(then, sequenceOf(frame));
    return [];
  }
}

const idOf = (frame: Buffer) => frame.readUInt32BE(4);
const sequenceOf = (frame: Buffer) => frame.readUInt32BE(12);
const isRequest = (frame: Buffer) => idOf(frame) < responseBit;
const isKeepAlive = (frame: Buffer) => idOf(frame) % responseBit === enquireLink;

function answerTo(frame: Buffer): Buffer {
  const command = layoutsById.get((idOf(frame) | responseBit) >>> 0)?.command ?? 'generic_nack';
  return encode({ command, sequence_number: sequenceOf(frame) });
}
