// Durations and sizes as people write them in the configuration: 500ms 10s 5m 24h 30d, 64KiB 4MiB.
import { z } from 'zod';

const durations = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizes = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** Milliseconds from `10s` and the like. */
export const duration = unit(durations, 'a duration such as 500ms, 10s, 5m, 24h or 30d');

/** Bytes from `64KiB` and the like. */
export const size = unit(sizes, 'a size such as 512B, 64KiB or 4MiB');

function unit(factors: Readonly<Record<string, number>>, expected: string) {
  const pattern = new RegExp(`^(\\d+(?:\\.\\d+)?)(${Object.keys(factors).join('|')})$`);
  return z
    .string(`write ${expected}`)
    .regex(pattern, `write ${expected}`)
    .transform((text) => {
      const [, number, name = ''] = pattern.exec(text) ?? [];
      return Math.round(Number(number) * (factors[name] ?? 0));
    });
}
