// application/im-iscomposing+xml (RFC 3994): "is typing", both ways.
import { childOf, parseXml, serializeXml, textOf, XmlError, xml } from '../../src/formats/xml.ts';
import { SipParseError } from './codec/parse-error.ts';

export const composingType = 'application/im-iscomposing+xml';

const namespace = 'urn:ietf:params:xml:ns:im-iscomposing';
/** s.3.3: without a refresh an `active` is worth this long. */
export const defaultRefreshMs = 120_000;
const xmlLimits = { maxLength: 8_192, maxDepth: 8, maxAttributes: 16 };

export interface Composing {
  state: 'active' | 'idle';
  /** Media type of what is being written. */
  contentType?: string;
  /** How long `active` holds unless said again. Milliseconds; the wire has seconds. */
  refreshMs?: number;
  /** Milliseconds since 1970. */
  lastActiveAt?: number;
}

/** A state nobody knows is `idle` (s.3.5). Throws SipParseError(400). */
export function parseComposing(body: Uint8Array): Composing {
  const root = readXml(body);
  if (root.name !== 'isComposing') throw new SipParseError(`isComposing document with <${root.name}>`);
  const composing: Composing = { state: textOf(childOf(root, 'state')).trim() === 'active' ? 'active' : 'idle' };
  const contentType = textOf(childOf(root, 'contenttype')).trim();
  if (contentType !== '') composing.contentType = contentType;
  const refresh = textOf(childOf(root, 'refresh')).trim();
  if (/^\d{1,9}$/.test(refresh)) composing.refreshMs = Number(refresh) * 1000;
  const lastActiveAt = Date.parse(textOf(childOf(root, 'lastactive')).trim());
  if (!Number.isNaN(lastActiveAt)) composing.lastActiveAt = lastActiveAt;
  return composing;
}

export function formatComposing({ state, contentType, refreshMs, lastActiveAt }: Composing): Buffer {
  const element = (name: string, text: string | undefined) =>
    text === undefined ? undefined : xml(name, namespace, {}, text);
  const root = xml(
    'isComposing',
    namespace,
    {},
    element('state', state),
    element('lastactive', lastActiveAt === undefined ? undefined : new Date(lastActiveAt).toISOString()),
    element('contenttype', contentType),
    element('refresh', refreshMs === undefined ? undefined : String(Math.ceil(refreshMs / 1000))),
  );
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${serializeXml(root)}\n`);
}

function readXml(body: Uint8Array) {
  try {
    return parseXml(new TextDecoder().decode(body).trim(), xmlLimits);
  } catch (error) {
    if (error instanceof XmlError) throw new SipParseError(`isComposing: ${error.message}`);
    throw error;
  }
}
