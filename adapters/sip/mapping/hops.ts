// Max-Forwards <-> hops. A gateway costs seven, so that the ten gateways the hub allows use up the seventy of RFC 3261
// s.8.1.1.6, while the proxies of one honest path do not count as gateways.

const start = 70;
const perGateway = 7;

export function maxForwardsOf(hops: number): number {
  return Math.max(start - hops * perGateway, 0);
}

export function hopsOf(maxForwards: string | undefined): number {
  const left = maxForwards === undefined ? start : Number(maxForwards);
  return Math.max(Math.floor((start - left) / perGateway), 0);
}
