// Lists that come in a SUBSCRIBE (RFC 5367): application/resource-lists+xml (RFC 4826 s.3, RFC 5363 s.4), read.
import { contentOf, MimeError, partsByType } from '../../../../src/formats/mime.ts';
import { childrenOf, parseDocument, type XmlElement, XmlError } from '../../../../src/formats/xml.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import { decodeContentEncoding } from '../../imdn.ts';

export const resourceListsType = 'application/resource-lists+xml';

const limits = { maxLength: 256 * 1024, maxDepth: 8, maxAttributes: 16 };

/** The list that a request brings, alone or in a multipart; undefined without one. Throws SipParseError: 400, 415. */
export function listIn({ headers, body }: SipRequest): string[] | undefined {
  const type = headers.get('Content-Type');
  if (type === undefined || body.length === 0) return undefined;
  try {
    const plain = decodeContentEncoding(body, headers.all('Content-Encoding'), limits.maxLength);
    const part = partsByType({ headers: [['Content-Type', type]], body: plain }).get(resourceListsType);
    return part && readResourceLists(contentOf(part));
  } catch (error) {
    if (error instanceof XmlError || error instanceof MimeError) throw new SipParseError(error.message);
    throw error;
  }
}

/**
 * The URIs of all entries, each once, in order, those of lists in lists too. RFC 5363 s.4.1: what points to a list elsewhere
 * is passed over. Throws XmlError.
 */
export function readResourceLists(bytes: string | Uint8Array): string[] {
  const root = parseDocument(bytes, limits);
  if (root.name !== 'resource-lists') throw new XmlError('not-well-formed', 'no resource-lists');
  return [...new Set(entriesIn(root))];
}

function entriesIn(element: XmlElement): string[] {
  return childrenOf(element).flatMap((child) => {
    if (child.name === 'list') return entriesIn(child);
    const uri = child.name === 'entry' ? child.attributes.uri?.trim() : undefined;
    return uri ? [uri] : [];
  });
}
