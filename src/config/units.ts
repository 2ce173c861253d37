// Durations as people write them in the configuration: 500ms 10s 5m 24h 30d.
import { z } from 'zod';

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const spelling = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const expected = 'write a duration such as 500ms, 10s, 5m, 24h or 30d';

/** Milliseconds from `10s` and the like; both ends are durations too. */
export function duration(least: string, most: string) {
  const [leastMs, mostMs] = [milliseconds(least), milliseconds(most)];
  return z
    .string(expected)
    .regex(spelling, expected)
    .transform(milliseconds)
    .refine((ms) => ms >= leastMs && ms <= mostMs, `write a duration from ${least} to ${most}`);
}

/** `text` is one by now. */
export function milliseconds(text: string): number {
  const [, number, unit = ''] = spelling.exec(text) ?? [];
  return Math.round(Number(number) * (unitsMs[unit] ?? Number.NaN));
}
