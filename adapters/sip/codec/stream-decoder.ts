// Messages out of a byte stream (RFC 3261 s.18.3), with the keep-alives between them (RFC 5626 s.3.5.1).
import { checkMessage } from './check.ts';
import { about, contentLength, decodeHead, tooLarge } from './decode.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { SipMessage } from './message.ts';
import { SipParseError } from './parse-error.ts';

/** `ping` wants a CRLF in answer; `pong` is the answer to ours. */
export type StreamItem = SipMessage | SipParseError | 'ping' | 'pong';

interface Awaited {
  message: SipMessage;
  fault: SipParseError | undefined;
  length: number;
}

const cr = 13;
const lf = 10;
/** Room that an idle connection may keep. */
const keptBytes = 4096;

export class StreamDecoder {
  readonly #limits: Limits;
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Where the search for the end of the head goes on. */
  #searched = 0;
  #awaited: Awaited | undefined;
  /** The last thing read was a lone CRLF: another one makes it a ping. */
  #isHalfPing = false;
  #isDead = false;

  constructor(limits: Limits = defaultLimits) {
    this.#limits = limits;
  }

  /** Bytes of an unfinished message held back: what a slow peer costs us. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  /**
   * What this chunk completes, in order. A SipParseError with `isFatal` is the last item ever: close the connection.
   * Without it the message was skipped and the stream goes on. Keep-alives in a row count as one.
   */
  push(chunk: Uint8Array): StreamItem[] {
    const items: StreamItem[] = [];
    if (this.#isDead) return items;
    this.#append(chunk);
    try {
      for (;;) {
        const item = this.#next();
        if (item === undefined) break;
        if (typeof item !== 'string' || items.at(-1) !== item) items.push(item);
      }
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      this.#isDead = true;
      this.#buffer = Buffer.alloc(0);
      this.#start = this.#end = 0;
      items.push(error.with({ isFatal: true }));
    }
    return items;
  }

  #next(): StreamItem | undefined {
    if (!this.#awaited) {
      const keepAlive = this.#readKeepAlive();
      if (keepAlive) return keepAlive;
      this.#awaited = this.#readHead();
      if (!this.#awaited) return undefined;
    }
    const { message, fault, length } = this.#awaited;
    if (this.#end - this.#start < length) return undefined;
    message.body = Buffer.from(this.#buffer.subarray(this.#start, this.#start + length));
    this.#advance(length);
    this.#awaited = undefined;
    return fault ?? checked(message);
  }

  #readKeepAlive(): 'ping' | 'pong' | undefined {
    if (!this.#isCrlfAt(this.#start)) {
      const isMaybe = this.#end === this.#start || (this.#end - this.#start === 1 && this.#buffer[this.#start] === cr);
      if (!isMaybe) this.#isHalfPing = false;
      return undefined;
    }
    this.#advance(2);
    if (this.#isHalfPing) {
      this.#isHalfPing = false;
      return 'ping';
    }
    if (this.#isCrlfAt(this.#start)) {
      this.#advance(2);
      return 'ping';
    }
    this.#isHalfPing = true;
    return 'pong';
  }

  #readHead(): Awaited | undefined {
    const from = Math.max(this.#start, this.#searched - 3);
    const end = this.#buffer.subarray(0, this.#end).indexOf('\r\n\r\n', from, 'latin1');
    this.#searched = this.#end;
    if ((end < 0 ? this.#end : end) - this.#start > this.#limits.headBytes) {
      const head = this.#buffer.subarray(this.#start, end < 0 ? this.#end : end);
      throw decodeHead(head, this.#limits).fault ?? new SipParseError('the headers do not end');
    }
    if (end < 0) return undefined;
    const { message, fault } = decodeHead(this.#buffer.subarray(this.#start, end), this.#limits);
    if (fault?.isFatal) throw fault;
    this.#advance(end + 4 - this.#start);
    return { message, fault, length: this.#bodyLength(message, fault) };
  }

  #bodyLength(message: SipMessage, fault: SipParseError | undefined): number {
    try {
      const length = contentLength(message.headers);
      if (length === undefined) throw new SipParseError('no Content-Length on a stream');
      if (length > this.#limits.messageBytes) throw tooLarge(this.#limits);
      return length;
    } catch (error) {
      throw fault ?? about(error, message);
    }
  }

  #isCrlfAt(at: number): boolean {
    return at + 1 < this.#end && this.#buffer[at] === cr && this.#buffer[at + 1] === lf;
  }

  #advance(bytes: number): void {
    this.#start += bytes;
    this.#searched = this.#start;
    if (this.#start !== this.#end) return;
    this.#start = this.#end = this.#searched = 0;
    if (this.#buffer.length > keptBytes) this.#buffer = Buffer.alloc(0);
  }

  // The room doubles, so a peer that sends one byte at a time costs no more copying than one that does not.
  #append(chunk: Uint8Array): void {
    const held = this.#end - this.#start;
    if (this.#end + chunk.length > this.#buffer.length) {
      const needed = held + chunk.length;
      const target = needed * 2 <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(Math.max(needed * 2, 1024));
      this.#buffer.copy(target, 0, this.#start, this.#end);
      this.#buffer = target;
      this.#searched -= this.#start;
      this.#start = 0;
      this.#end = held;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}

function checked(message: SipMessage): StreamItem {
  try {
    checkMessage(message);
    return message;
  } catch (error) {
    return about(error, message);
  }
}
