// Times as SMPP writes them (SMPP 3.4 s.7.1.1) <-> milliseconds since 1970.

const spelling = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d)(\d{2})([R+-])$/;
const quarterMs = 15 * 60_000;
const lastQuarter = 48;

/** Absolute (`YYMMDDhhmmsstnn+`) or relative (`...000R`) as an instant. Undefined when it is no such time. */
export function parseTime(text: string, now: number): number | undefined {
  const match = spelling.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, tenth = 0, quarters = 0] = match
    .slice(1, 9)
    .map(Number);
  if (match[9] === 'R') return relative(now, [year, month, day, hour, minute, second]);
  const ms = Date.UTC(2000 + year, month - 1, day, hour, minute, second, tenth * 100);
  const date = new Date(ms);
  const isReal =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal || quarters > lastQuarter) return undefined;
  // The difference says how far local time is ahead of UTC.
  return ms - (match[9] === '+' ? quarters : -quarters) * quarterMs;
}

function relative(now: number, [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0]: number[]) {
  const date = new Date(now);
  date.setUTCFullYear(date.getUTCFullYear() + years, date.getUTCMonth() + months);
  return date.getTime() + (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** Absolute, in UTC. */
export function formatTime(ms: number): string {
  const digits = new Date(ms).toISOString().replace(/\D/g, '');
  return `${digits.slice(2, 15)}00+`;
}

/** Appendix B: `YYMMDDhhmm`, in UTC. */
export function formatReceiptTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\D/g, '').slice(2, 12);
}
