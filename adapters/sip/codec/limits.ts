// How much of a peer's message we are willing to read.

export interface Limits {
  /** Start line, headers and body together. Default 64 KiB. */
  messageBytes: number;
  /** Start line and headers. Default 32 KiB. */
  headBytes: number;
  /** Header lines, after unfolding. Default 256. */
  headers: number;
  /** One header, its continuation lines included, in characters. Default 16 Ki. */
  headerLength: number;
  /** The Request-URI, in characters. Default 2 Ki. */
  uriLength: number;
}

export const defaultLimits: Readonly<Limits> = {
  messageBytes: 65_536,
  headBytes: 32_768,
  headers: 256,
  headerLength: 16_384,
  uriLength: 2_048,
};
