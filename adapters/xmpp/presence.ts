// Presence, a first cut until presence events come: whoever subscribes to somebody here is told yes, and available, so that
// clients write without a warning.
import type { XmlElement } from '../../src/formats/xml.ts';
import { reply } from './replies.ts';

/** The stanzas that answer a presence stanza (RFC 6121 s.3, s.4.3). */
export function answerPresence(presence: XmlElement): XmlElement[] {
  // Subscriptions are between bare JIDs (RFC 6121 s.3.1.2).
  const to = presence.attributes.to?.replace(/\/.*$/s, '');
  const head = { name: 'presence', attributes: { ...presence.attributes, ...(to === undefined ? {} : { to }) } };
  const types = answers.get(presence.attributes.type ?? 'available') ?? [];
  return types
    .map((type) => reply(head, type === 'available' ? undefined : type))
    .filter((stanza) => stanza !== undefined);
}

const answers: ReadonlyMap<string, readonly string[]> = new Map([
  ['subscribe', ['subscribed', 'available']],
  ['probe', ['available']],
  ['unsubscribe', ['unsubscribed', 'unavailable']],
]);
