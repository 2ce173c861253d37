// What one call costs.

/** Least microseconds of processor time a call, of ten rounds. */
export function microseconds(work: () => unknown, calls = 20_000): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const before = process.cpuUsage();
    for (let call = 0; call < calls; call++) work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / calls);
  }
  return best;
}
