// A stream of octets -> whole PDUs. The length is checked before anything is buffered; every octet is copied at most once.
import { headerBytes } from './decode.ts';

/** Room for a message_payload of 65,535 octets and all mandatory fields. */
export const maxPduBytes = 68 * 1024;
/** Before a bind nothing longer has any business here. */
export const maxUnboundPduBytes = 1024;

/** The stream cannot be followed any more: there is no telling where the next PDU begins. */
export class FramingLost extends Error {}

export class Framer {
  /** Longest PDU taken, in octets. */
  limit: number = maxPduBytes;
  readonly #header = Buffer.allocUnsafe(4);
  #headerFill = 0;
  #partial: Buffer | undefined;
  #fill = 0;

  /** The PDUs that are whole now. Throws FramingLost; the frames share memory with `chunk`. */
  *push(chunk: Buffer): Generator<Buffer, void> {
    let offset = 0;
    while (offset < chunk.length) {
      if (!this.#partial && this.#headerFill === 0 && chunk.length - offset >= 4) {
        const length = this.#check(chunk.readUInt32BE(offset));
        if (chunk.length - offset >= length) {
          yield chunk.subarray(offset, offset + length);
          offset += length;
          continue;
        }
      }
      offset = this.#partial ? this.#keep(this.#partial, chunk, offset) : this.#keepHeader(chunk, offset);
      if (this.#partial && this.#fill === this.#partial.length) {
        const frame = this.#partial;
        this.#partial = undefined;
        yield frame;
      }
    }
  }

  #keepHeader(chunk: Buffer, offset: number): number {
    const taken = chunk.copy(this.#header, this.#headerFill, offset);
    this.#headerFill += taken;
    if (this.#headerFill === 4) {
      this.#partial = Buffer.allocUnsafe(this.#check(this.#header.readUInt32BE(0)));
      this.#header.copy(this.#partial);
      this.#fill = 4;
      this.#headerFill = 0;
    }
    return offset + taken;
  }

  #keep(partial: Buffer, chunk: Buffer, offset: number): number {
    const taken = chunk.copy(partial, this.#fill, offset);
    this.#fill += taken;
    return offset + taken;
  }

  #check(length: number): number {
    if (length >= headerBytes && length <= this.limit) return length;
    throw new FramingLost(`command_length ${length} is not in ${headerBytes}..${this.limit}`);
  }
}
