// Times as SMPP writes them (SMPP 3.4 s.7.1.1): YYMMDDhhmmsstnnp, absolute with its difference from UTC or relative.

const spelling = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d)(\d\d)([R+-])$/;
const quarterMs = 15 * 60_000;
const mostQuarters = 48;
const daySeconds = 86_400;
/** Days are the largest unit of which everybody knows the length. */
const mostDays = 30;

/** Milliseconds since 1970; a relative time counts from `now`. Undefined for what is no such time. */
export function parseTime(text: string, now: number): number | undefined {
  const match = spelling.exec(text);
  if (!match) return undefined;
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0, tenths = 0, quarters = 0] = match
    .slice(1, 9)
    .map(Number);
  if (match[9] === 'R') {
    const from = new Date(now);
    from.setUTCFullYear(from.getUTCFullYear() + years, from.getUTCMonth() + months);
    return from.getTime() + (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
  }
  const local = Date.UTC(2000 + years, months - 1, days, hours, minutes, seconds, tenths * 100);
  const isDate = new Date(local).getUTCMonth() === months - 1 && days > 0 && hours < 24 && minutes < 60 && seconds < 60;
  if (!isDate || quarters > mostQuarters) return undefined;
  // nn says how far local time is ahead of UTC.
  return match[9] === '+' ? local - quarters * quarterMs : local + quarters * quarterMs;
}

/** An instant, absolute in UTC. Years after 2099 cannot be said. */
export function formatTime(ms: number): string {
  const digits = new Date(ms).toISOString().replace(/\D/g, '');
  return `${digits.slice(2, 15)}00+`;
}

/** From now on, 30 days at most: no clock or zone of the other side matters. */
export function formatRelativeTime(seconds: number): string {
  const days = Math.floor(seconds / daySeconds);
  if (days > mostDays) return formatRelativeTime(mostDays * daySeconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `0000${two(days)}${two((seconds % daySeconds) / 3600)}${two((seconds % 3600) / 60)}${two(seconds % 60)}000R`;
}
