// Seeded mutations of wire samples: the same bytes for the same seed on every machine.
export class Mutator {
  #state: number;
  readonly #samples: readonly Buffer[];

  constructor(samples: readonly Buffer[], seed: number) {
    this.#samples = samples;
    this.#state = seed;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  /** One sample with one to four wounds. */
  next(): Buffer {
    let bytes = this.#sample();
    for (let wounds = 1 + this.below(4); wounds > 0; wounds--) bytes = this.#wound(bytes);
    return bytes;
  }

  #sample(): Buffer {
    return this.#samples[this.below(this.#samples.length)]!;
  }

  #wound(bytes: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    const end = Math.min(bytes.length, at + this.below(24));
    switch (this.below(6)) {
      case 0:
        return Buffer.concat([bytes.subarray(0, at), Buffer.of(this.below(256)), bytes.subarray(at + 1)]);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), this.#morsel(), bytes.subarray(at)]);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
      case 3:
        return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
      case 4:
        return bytes.subarray(0, at);
      default: {
        const other = this.#sample();
        return Buffer.concat([bytes.subarray(0, at), other.subarray(this.below(other.length))]);
      }
    }
  }

  #morsel(): Buffer {
    return Buffer.from(morsels[this.below(morsels.length)]!, 'latin1');
  }
}

const morsels = [
  '\r\n',
  '\r',
  '\n',
  '\r\n ',
  '\0',
  '"',
  '\\',
  '<',
  '>',
  ',',
  ';',
  '=',
  ':',
  '@',
  '%',
  '%zz',
  '[',
  ']',
  '\xff\xfe',
  '\xc3\xa9',
  '\r\n\r\n',
  'Content-Length: 7\r\n',
  'l: 99999999999\r\n',
  'Via: ',
  ';tag',
  ';branch=',
  'SIP/2.0 ',
  '4294967296',
  '  ',
  '*',
];
