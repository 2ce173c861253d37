// Stanzas for traces, and which parts of them hold what a person wrote.
import type { TraceHop } from '../../src/contract/index.ts';
import { serializeXml, type XmlElement } from '../../src/formats/xml.ts';
import { ns } from './codec/namespaces.ts';

export function traceOf(stanza: XmlElement, direction: TraceHop['direction']): TraceHop {
  const wire = serializeXml(stanza, ns.component);
  const what = [stanza.name, stanza.attributes.type].filter(Boolean).join(' ');
  return { direction, what, wire, hidden: hiddenIn(wire) };
}

/** [start, end) in UTF-16 units of a serialised stanza. */
export function hiddenIn(wire: string): Array<readonly [start: number, end: number]> {
  return [...wire.matchAll(/<(body|subject|status|url|reaction|text)(?: [^<>]*)?>([^<]+)</g)].map((match) => {
    const end = match.index + match[0].length - 1;
    return [end - (match[2] ?? '').length, end] as const;
  });
}
