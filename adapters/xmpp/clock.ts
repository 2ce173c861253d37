// Time as a session sees it, so that a test can move it.
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs once after so many milliseconds; the result takes it back. */
  after(ms: number, run: () => void): () => void;
}

/** The machine's timers beside the hub's time. */
export function clockOf(now: () => number): Clock {
  return {
    now,
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
}
