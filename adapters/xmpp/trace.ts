// Stanzas for traces, and which parts of them hold what a person wrote.
import type { Socket } from 'node:net';
import type { TraceHop, WireUnit } from '../../src/contract/index.ts';
import { serializeXml, type XmlElement } from '../../src/formats/xml.ts';
import { ns } from './codec/namespaces.ts';

export function traceOf(stanza: XmlElement, direction: TraceHop['direction']): TraceHop {
  const wire = serializeXml(stanza, ns.component);
  const what = [stanza.name, stanza.attributes.type].filter(Boolean).join(' ');
  return { direction, what, wire, hidden: hiddenIn(wire) };
}

type Spans = Array<readonly [start: number, end: number]>;

/** [start, end) in UTF-16 units of a serialised stanza. */
export function hiddenIn(wire: string): Spans {
  // What has styles (XEP-0071) is text at any depth. An element that is empty is left out: for each its end would be sought in vain.
  const written = /<html(?: [^<>]*[^<>/])?>.*?<\/html>|<(?:body|subject|status|url|reaction|text)(?: [^<>]*)?>[^<]+</gs;
  return [...wire.matchAll(written)].flatMap(({ 0: found, index }) => textsIn(found, index));
}

function textsIn(markup: string, offset: number): Spans {
  return [...markup.matchAll(/>([^<]+)</g)].map((match) => {
    const start = offset + match.index + 1;
    return [start, start + (match[1] ?? '').length] as const;
  });
}

/** The same of the codes with which people register (XEP-0077 s.3.1, s.5). */
function secretsIn(wire: string): Spans {
  const codes =
    /<password(?: [^<>]*)?>([^<]+)<|<field(?: [^<>]*)? var=["']password["'](?:(?!<\/field>).){0,500}?<value(?: [^<>]*)?>([^<]+)</gs;
  return [...wire.matchAll(codes)].map((match) => {
    const end = match.index + match[0].length - 1;
    return [end - (match[1] ?? match[2] ?? '').length, end] as const;
  });
}

/** For captures: stanzas as they crossed the component's connection. */
export function wireUnit(socket: Socket, direction: WireUnit['direction'], text: string): WireUnit {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  const octets = (at: number) => Buffer.byteLength(text.slice(0, at));
  const inOctets = (ranges: Spans) => ranges.map(([start, end]) => [octets(start), octets(end)] as const);
  return {
    direction,
    transport: 'tcp',
    local: { address: localAddress ?? '0.0.0.0', port: localPort ?? 0 },
    remote: { address: remoteAddress ?? '0.0.0.0', port: remotePort ?? 0 },
    bytes: Buffer.from(text),
    secrets: inOctets(secretsIn(text)),
    hidden: inOctets(hiddenIn(text)),
  };
}
