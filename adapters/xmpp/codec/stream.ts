// XEP-0114 on the wire: the stream header, the handshake, and what a stream error says. Stanzas are read by formats/xml-stream.ts.
import { createHash } from 'node:crypto';
import { childOf, childrenOf, serializeXml, textOf, type XmlElement } from '../../../src/formats/xml.ts';
import { ns } from './namespaces.ts';

/** XEP-0114 s.3: the header names the component, and the server answers in its name. */
export function encodeHeader(domain: string): string {
  return `<?xml version='1.0'?><stream:stream xmlns='${ns.component}' xmlns:stream='${ns.stream}' to='${domain}'>`;
}

export const streamEnd = '</stream:stream>';

/** The secret is hashed as UTF-8 (Prosody takes no other), in lower-case hex. */
export function encodeHandshake(streamId: string, secret: string): string {
  const proof = createHash('sha1').update(`${streamId}${secret}`, 'utf8').digest('hex');
  return `<handshake>${proof}</handshake>`;
}

/** A stanza as a component sends it: in the stream's own namespace, with nothing in it that could end the stream. */
export function encodeStanza(stanza: XmlElement): string {
  return serializeXml(stanza, ns.component);
}

/** RFC 6120 s.4.9: why the server ends the stream. */
export function readStreamError(element: XmlElement): { condition: string; text: string } {
  const condition = childrenOf(element).find((child) => child.ns === ns.streamErrors && child.name !== 'text');
  return { condition: condition?.name ?? 'undefined-condition', text: textOf(childOf(element, 'text')) };
}

/** RFC 6120 s.4.9, to say why we end it. */
export function encodeStreamError(condition: string): string {
  return `<stream:error><${condition} xmlns='${ns.streamErrors}'/></stream:error>${streamEnd}`;
}
