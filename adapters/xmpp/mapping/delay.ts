// XEP-0203: when something was said, where that is not now.
import { type GatewayEvent, splitAddress } from '../../../src/contract/index.ts';
import { childOf, type XmlElement, xml } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';

// What is older than this says when it was said.
const delayedAfterMs = 30_000;

/** ISO 8601; a clock that runs ahead is not believed. `now` in milliseconds since 1970. */
export function saidAt(stanza: XmlElement, now: number): string | undefined {
  const stamp = Date.parse(childOf(stanza, 'delay', ns.delay)?.attributes.stamp ?? '');
  return stamp <= now && stamp > 0 ? new Date(stamp).toISOString() : undefined;
}

export function delayOf({ at, from }: Pick<GatewayEvent, 'at' | 'from'>, now: number): XmlElement | undefined {
  if (now - Date.parse(at) <= delayedAfterMs) return undefined;
  return xml('delay', ns.delay, { from: splitAddress(from).domain, stamp: at });
}
