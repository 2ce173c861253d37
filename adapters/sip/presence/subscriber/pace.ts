// How long to wait for what: refreshes spread out, failures further and further apart.

/**
 * A watcher whose network says nothing counts as being there for so long after the last sign: a day at work. Networks that
 * know say so, and then this is never asked.
 */
export const recentMs = 12 * 3_600_000;
/** A subscription that lived so long was no failure. */
export const settledMs = 60_000;
/** What is overdue after a restart is done over so long. */
export const startSpreadMs = 60_000;

const longestProbeMs = 10_000;
const shortestProbeMs = 2000;
const firstPauseMs = 30_000;
const longestPauseMs = 3_600_000;
/** A probe and a transaction fit in (RFC 3261 Timer F is 32 s). */
const leastLeadMs = 45_000;
const leastRefreshMs = 30_000;

/** After so many failures in a row; at random, so that those who failed together do not return together. */
export function pauseMs(failures: number, random: () => number): number {
  return Math.min(firstPauseMs * 2 ** failures, longestPauseMs) * (0.75 + random() / 2);
}

/** RFC 8048 s.8.1: how long an answer to a probe may take, while the subscription lasts `leftMs`. */
export function probeWaitMs(leftMs: number): number {
  return Math.max(Math.min(longestProbeMs, leftMs / 4), shortestProbeMs);
}

/** When to think of a refresh: in the last quarter, at random, so that what began together is not refreshed together. */
export function refreshDelayMs(leftMs: number, random: () => number): number {
  const lead = Math.max(leftMs * (0.1 + random() * 0.15), leastLeadMs);
  // A notifier that grants moments is not asked every moment.
  return Math.max(leftMs - lead, leftMs / 2, leastRefreshMs);
}
