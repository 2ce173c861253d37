// How long to wait for what: refreshes spread out, failures further and further apart.

/** RFC 8048 s.8.1: how long an answer to a probe may take. */
export const probeWaitMs = 10_000;
/** A watcher heard within the usual life of a dialog counts as being there. */
export const recentMs = 3_600_000;
/** A subscription that lived so long was no failure. */
export const settledMs = 60_000;
/** What is overdue after a restart is done over so long. */
export const startSpreadMs = 60_000;

const firstPauseMs = 30_000;
const longestPauseMs = 3_600_000;
/** A probe and a transaction fit in (RFC 3261 Timer F is 32 s). */
const leastLeadMs = 45_000;

/** After so many failures in a row; at random, so that those who failed together do not return together. */
export function pauseMs(failures: number, random: () => number): number {
  return Math.min(firstPauseMs * 2 ** failures, longestPauseMs) * (0.75 + random() / 2);
}

/** When to think of a refresh: in the last quarter, at random, so that what began together is not refreshed together. */
export function refreshDelayMs(leftMs: number, random: () => number): number {
  const lead = Math.max(leftMs * (0.1 + random() * 0.15), leastLeadMs);
  return Math.max(leftMs - lead, leftMs / 2);
}
