// Events for tests that care for their order and identity, not for what they say.
import { type GatewayEvent, parseEvent } from '../../src/contract/index.ts';

/** The n-th message; `text` may be long. */
export function sampleEvent(n: number, text = `number ${n}`): GatewayEvent {
  const from = `xmpp:user${n % 50}@example.org`;
  return parseEvent({
    v: 1,
    type: 'message',
    id: sampleId(n),
    origin: 'office',
    trace: sampleId(n),
    at: '2026-01-02T03:04:05.678Z',
    from,
    to: 'tel:+447700900123',
    source: { from, to: 'xmpp:+447700900123@sms.example.org' },
    conversation: `c${n % 50}`,
    hops: 0,
    text: { '': text },
    wants: ['delivered'],
  });
}

export function sampleEvents(from: number, to: number): GatewayEvent[] {
  return Array.from({ length: to - from }, (_, index) => sampleEvent(from + index));
}

export function sampleId(n: number): string {
  return `e${String(n).padStart(9, '0')}`;
}

/** The n of an event of ours. */
export function numberOf(event: { id: string }): number {
  return Number(event.id.slice(1));
}
