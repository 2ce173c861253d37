// What a PUBLISH asks for (RFC 3903 s.4.1, s.6), read before anybody decides about it.

import { MimeError, parseMediaType } from '../../../../src/formats/mime.ts';
import { decodePidf, type PidfDocument, pidfType } from '../../../../src/formats/pidf/index.ts';
import { XmlError } from '../../../../src/formats/xml.ts';
import { parseUint32 } from '../../codec/cseq.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import { tagOf } from '../../codec/name-addr.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { decodeContentEncoding } from '../../imdn.ts';

export interface Publish {
  /** Lower case; empty when it named none. */
  event: string;
  /** Of the publication that it speaks of; undefined for a new one. */
  etag: string | undefined;
  /** Seconds; undefined when it leaves that to us. */
  expires: number | undefined;
  /** Undefined without a body. */
  document: PidfDocument | undefined;
  /** The same for a copy of this request, whenever it comes, and for no other. */
  fingerprint: string;
  /** Who made it, as far as a request without Contact says: the first Via. */
  source: string;
}

/** Throws SipParseError: 400, 413 for too much, 415 for a type that is no presence document. */
export function readPublish(request: SipRequest): Publish {
  const { headers } = request;
  const etags = headers.all('SIP-If-Match');
  if (etags.length > 1 || etags[0]?.includes(',')) throw new SipParseError('more than one SIP-If-Match');
  const event = parseParameterised(headers.get('Event') ?? 'none').value.toLowerCase();
  const expires = headers.get('Expires');
  const callId = headers.get('Call-ID') ?? '';
  return {
    event: headers.has('Event') ? event : '',
    etag: etags[0],
    expires: expires === undefined ? undefined : parseUint32(expires, 'Expires'),
    document: event === 'presence' ? documentIn(request) : undefined,
    fingerprint: JSON.stringify([callId, tagOf(headers.get('From')) ?? '', headers.get('CSeq')]),
    source: /^\S+\s+([^;\s]+)/.exec(headers.all('Via').at(-1) ?? '')?.[1] ?? '',
  };
}

function documentIn({ headers, body }: SipRequest): PidfDocument | undefined {
  if (body.length === 0) return undefined;
  const type = headers.get('Content-Type') ?? '';
  if (!isPidf(type)) throw new SipParseError('not a presence document', { status: 415 });
  try {
    return decodePidf(decodeContentEncoding(body, headers.all('Content-Encoding'), maxBytes));
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    throw new SipParseError(error.message, { status: error.condition === 'policy-violation' ? 413 : 400 });
  }
}

const maxBytes = 262_144;

function isPidf(type: string): boolean {
  try {
    return parseMediaType(type).type === pidfType;
  } catch (error) {
    if (error instanceof MimeError) return false;
    throw error;
  }
}
