// How often a watcher wants to be notified (RFC 6446): at most, at least, and at least on average.
import type { Parameters } from '../../codec/parameters.ts';

/** NOTIFY a second. Absent: the watcher leaves that to us. */
export interface Rates {
  /** `max-rate` */
  most?: number;
  /** `min-rate` */
  least?: number;
  /** `adaptive-min-rate` */
  average?: number;
}

const names = { most: 'max-rate', least: 'min-rate', average: 'adaptive-min-rate' } as const;
const kinds = Object.keys(names) as Array<keyof Rates>;

/** What nobody asked for is not repeated more often than this, whatever the pause of the package. */
const shortestRepeatMs = 1000;
/** `period` of s.7.4, in notifications at the average rate. */
const averagedOver = 10;
const mostRemembered = 50;

/** Of an Event header; undefined without any. What is no rate (s.9.2: 0 is none) is as good as absent. */
export function readRates(parameters: Parameters): Rates | undefined {
  const rates: Rates = {};
  for (const kind of kinds) {
    const text = parameters.get(names[kind]) ?? '';
    if (/^\d{1,2}(\.\d{1,10})?$/.test(text) && Number(text) > 0) rates[kind] = Number(text);
  }
  return Object.keys(rates).length > 0 ? rates : undefined;
}

/**
 * The rates that are in force (s.5.3, s.8), where news may come every `pauseMs` and the subscription lasts `leftMs`: a pause
 * is never longer than the subscription, and what is asked for at least is not more than what may come at most.
 */
export function agreedRates(asked: Rates | undefined, pauseMs: number, leftMs: number): Rates {
  if (!asked) return {};
  const ours = 1000 / Math.max(pauseMs, shortestRepeatMs);
  const { most, least, average } = asked;
  const agreed: Rates = {};
  if (most !== undefined) agreed.most = Math.max(pauseMs > 0 ? Math.min(most, 1000 / pauseMs) : most, 1000 / leftMs);
  const limit = Math.min(ours, agreed.most ?? ours);
  if (average !== undefined) agreed.average = Math.min(average, limit);
  const isBelow = least !== undefined && (average === undefined || least < average);
  if (isBelow) agreed.least = Math.min(least, limit);
  return agreed;
}

/** For Subscription-State (s.5.2). */
export function addRates(parameters: Map<string, string | undefined>, agreed: Rates): void {
  for (const kind of kinds) {
    const rate = agreed[kind];
    if (rate !== undefined) parameters.set(names[kind], rate.toFixed(10).replace(/\.?0+$/, ''));
  }
}

/** When NOTIFY left, as far as the average that is asked for wants to know; `now` is in milliseconds. */
export function withSent(
  { rates, sent }: { rates: Rates | undefined; sent: readonly number[] | undefined },
  now: number,
): readonly number[] | undefined {
  const average = rates?.average;
  if (average === undefined) return undefined;
  const apartMs = 1000 / average;
  // s.7.2: at first the average is as good as kept.
  const before = sent ?? Array.from({ length: averagedOver - 1 }, (_, at) => now - (averagedOver - 1 - at) * apartMs);
  const isRecent = (at: number) => at > now - averagedOver * apartMs;
  return [...before, now].filter(isRecent).slice(-mostRemembered);
}

/** How long after a NOTIFY the state is told again though nothing is new (s.6.2, s.7.4); Infinity: never. */
export function repeatMs({ least, average, most }: Rates, sent: readonly number[] | undefined): number {
  const atLeast = least === undefined ? Number.POSITIVE_INFINITY : 1000 / least;
  if (average === undefined) return atLeast;
  const count = sent?.length ?? averagedOver;
  const paced = (count / averagedOver) * (1000 / average);
  return Math.min(atLeast, Math.max(paced, most === undefined ? 0 : 1000 / most));
}
