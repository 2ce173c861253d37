// Lists of resources whose states travel together (RFC 4662): application/rlmi+xml in a multipart/related, read and written.
import { contentOf, headerOf, MimeError, type MimePart, mediaTypeOf, readMultipart } from './mime.ts';
import { childrenOf, escapeText, escapeValue, parseDocument, textOf, type XmlElement, XmlError } from './xml.ts';

export const rlmiType = 'application/rlmi+xml';
export const listType = 'multipart/related';

export interface RlmiInstance {
  id: string;
  state: 'active' | 'pending' | 'terminated';
  reason?: string;
  /** Of the part that holds its state, without brackets; absent when there is none. */
  cid?: string;
}

export interface RlmiResource {
  uri: string;
  /** What people call it; the first name given. */
  name?: string;
  instances: RlmiInstance[];
}

/** s.5: one list at one moment. */
export interface Rlmi {
  uri: string;
  version: number;
  /** Every resource is named; else only those that have changed (s.5.2). */
  fullState: boolean;
  resources: RlmiResource[];
}

/** A NOTIFY's body: the list, and the parts that its instances speak of. */
export interface ListNotice {
  rlmi: Rlmi;
  /** By Content-ID, without brackets. */
  parts: ReadonlyMap<string, MimePart>;
}

const limits = { maxLength: 256 * 1024, maxDepth: 8, maxAttributes: 16 };
const maxParts = 256;
const namespace = 'urn:ietf:params:xml:ns:rlmi';
const states: ReadonlySet<string> = new Set(['active', 'pending', 'terminated']);

/** A part whose type is multipart/related. Throws MimeError and XmlError. */
export function readListNotice(whole: MimePart): ListNotice {
  const { type, parameters } = mediaTypeOf(whole);
  if (type !== listType) throw new MimeError(`${type} is no list`);
  const all = readMultipart(whole.body, parameters.get('boundary') ?? '', {
    ...{ depth: 1, parts: maxParts, headerBytes: 16_384 },
  });
  const start = unbracketed(parameters.get('start') ?? '');
  const root = all.find((part) => start !== '' && contentIdOf(part) === start) ?? all[0];
  if (!root || mediaTypeOf(root).type !== rlmiType) throw new MimeError('a list without its RLMI');
  const parts = new Map<string, MimePart>();
  for (const part of all) {
    const cid = contentIdOf(part);
    // s.5.5: one part for one Content-ID; the first has it.
    if (part !== root && cid !== '' && !parts.has(cid)) parts.set(cid, part);
  }
  return { rlmi: parseRlmi(contentOf(root)), parts };
}

/** Throws XmlError. */
export function parseRlmi(bytes: string | Uint8Array): Rlmi {
  const root = parseDocument(bytes, limits);
  const { uri = '', version = '', fullState = '' } = root.attributes;
  if (root.name !== 'list' || !/^\d{1,10}$/.test(version)) {
    throw new XmlError('not-well-formed', 'no list with a version');
  }
  const resources = childrenOf(root, 'resource').flatMap(readResource);
  return { uri, version: Number(version), fullState: /^(true|1)$/.test(fullState.trim()), resources };
}

function readResource(element: XmlElement): RlmiResource[] {
  const uri = element.attributes.uri?.trim() ?? '';
  if (uri === '') return [];
  const resource: RlmiResource = { uri, instances: childrenOf(element, 'instance').flatMap(readInstance) };
  const name = textOf(childrenOf(element, 'name')[0]).trim();
  if (name !== '') resource.name = name;
  return [resource];
}

function readInstance({ attributes }: XmlElement): RlmiInstance[] {
  const { id, state = '', reason, cid } = attributes;
  if (id === undefined || !states.has(state)) return [];
  const instance: RlmiInstance = { id, state: state as RlmiInstance['state'] };
  if (reason !== undefined) instance.reason = reason;
  if (cid !== undefined) instance.cid = unbracketed(cid);
  return [instance];
}

/**
 * A whole body and its type. `boundary` is a token that stands in none of the contents, and is not quoted: Linphone takes the
 * quotes for a part of it. The root's Content-ID is `rlmi@` and the boundary. `plainIds` are for Linphone too: it compares
 * them, and the name of their header, octet for octet, and `cid` has no brackets.
 */
export function formatListNotice(
  rlmi: Rlmi,
  contents: ReadonlyMap<string, { type: string; content: string }>,
  { boundary, plainIds = false }: { boundary: string; plainIds?: boolean },
): { type: string; content: string } {
  const root = `rlmi@${boundary}`;
  const part = (cid: string, type: string, text: string) =>
    `--${boundary}\r\nContent-Transfer-Encoding: binary\r\n${plainIds ? `Content-Id: ${cid}` : `Content-ID: <${cid}>`}\r\n` +
    `Content-Type: ${type}\r\n\r\n${text}\r\n`;
  let content = part(root, `${rlmiType};charset="UTF-8"`, formatRlmi(rlmi));
  for (const [cid, { type, content: text }] of contents) content += part(cid, type, text);
  return {
    type: `${listType};type="${rlmiType}";start="<${root}>";boundary=${boundary}`,
    content: `${content}--${boundary}--\r\n`,
  };
}

export function formatRlmi({ uri, version, fullState, resources }: Rlmi): string {
  let body = '';
  for (const { uri: resource, name, instances } of resources) {
    body += `<resource uri="${escapeValue(resource)}">`;
    if (name !== undefined) body += `<name>${escapeText(name)}</name>`;
    for (const { id, state, reason, cid } of instances) {
      body += `<instance id="${escapeValue(id)}" state="${state}"`;
      if (reason !== undefined) body += ` reason="${escapeValue(reason)}"`;
      if (cid !== undefined) body += ` cid="${escapeValue(cid)}"`;
      body += '/>';
    }
    body += '</resource>';
  }
  const attributes = `uri="${escapeValue(uri)}" version="${version}" fullState="${fullState}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<list xmlns="${namespace}" ${attributes}>${body}</list>\n`;
}

function contentIdOf(part: MimePart): string {
  return unbracketed(headerOf(part, 'Content-ID') ?? '');
}

function unbracketed(text: string): string {
  return text.trim().replace(/^<(.*)>$/s, '$1');
}
