// Stanzas that answer a stanza.
import type { FailureReason, Fault } from '../../src/contract/index.ts';
import { type XmlElement, xml } from '../../src/formats/xml.ts';
import type { StanzaHead } from '../../src/formats/xml-stream.ts';
import { ns } from './codec/namespaces.ts';
import { errorElement } from './errors.ts';

/** Undefined for what must not be answered with an error: another error, an answer, a stanza from nowhere (RFC 6120 s.8.3.1). */
export function errorReply(
  stanza: StanzaHead,
  reason: FailureReason,
  text?: string,
  fault?: Fault,
): XmlElement | undefined {
  const { type } = stanza.attributes;
  if (type === 'error' || type === 'result') return undefined;
  return reply(stanza, 'error', errorElement(reason, text, fault));
}

export function reply(stanza: StanzaHead, type: string | undefined, ...children: XmlElement[]): XmlElement | undefined {
  const { from, to, id } = stanza.attributes;
  // ejabberd closes the stream at a stanza without `to`, Prosody 13 at one without `from`.
  if (!from || !to) return undefined;
  return xml(stanza.name, ns.component, { from: to, to: from, id, type }, ...children);
}
