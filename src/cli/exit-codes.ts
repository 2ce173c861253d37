// What the shell is told.

export const exitCodes = {
  ok: 0,
  /** The command ran and the answer is no. */
  failed: 1,
  /** Wrong use, or a fault in the configuration. */
  usage: 2,
  /** No gateway answers. */
  unreachable: 3,
} as const;

/** Ends a command with words and a code, without a stack. */
export class CommandError extends Error {
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}
