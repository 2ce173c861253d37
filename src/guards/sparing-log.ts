// Warnings that a peer can bring about as often as it likes: a few a second of each kind are written, the rest counted.

type Fields = Record<string, unknown>;
export interface Warns {
  warn(fields: Fields, message: string): void;
}

const linesPerSecond = 10;

interface Kind {
  second: number;
  lines: number;
  kept: number;
}

export class SparingLog {
  readonly #log: Warns;
  readonly #now: () => number;
  readonly #kinds = new Map<string, Kind>();

  constructor(log: Warns, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** `kind` is one of few: an instance and a reason, never an address. */
  warn(kind: string, fields: Fields, message: string): void {
    const second = Math.floor(this.#now() / 1000);
    let seen = this.#kinds.get(kind);
    if (!seen) {
      seen = { second, lines: 0, kept: 0 };
      this.#kinds.set(kind, seen);
    }
    if (seen.second !== second) {
      seen.second = second;
      seen.lines = 0;
    }
    if (++seen.lines > linesPerSecond) {
      seen.kept++;
      return;
    }
    const more = seen.kept > 0 ? { alike: seen.kept } : {};
    seen.kept = 0;
    this.#log.warn({ ...fields, ...more }, message);
  }
}
