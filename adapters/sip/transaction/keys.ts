// What a message is matched to its transaction by (RFC 3261 s.17.1.3, 17.2.3, 8.2.2.2).
import { crc32 } from 'node:zlib';
import { parseCSeq } from '../codec/cseq.ts';
import type { SipRequest, SipResponse } from '../codec/message.ts';
import { parseVia, type Via } from '../codec/via.ts';
import { newTag } from '../tokens.ts';

const cookie = 'z9hG4bK';

/** Branch, sent-by and method; for peers of RFC 2543 all that they keep the same. An ACK has the key of its INVITE. */
export function serverKey(request: SipRequest, via: Readonly<Via> = request.headers.topVia()): string {
  const method = request.method === 'ACK' ? 'INVITE' : request.method;
  const { branch, host, port } = via;
  if (branch?.startsWith(cookie) && branch.length > cookie.length) {
    return flat(`${branch}|${host.toLowerCase()}:${port ?? 5060}|${method}`);
  }
  const { headers, uri } = request;
  const { number } = parseCSeq(headers.get('CSeq') ?? '');
  return flat(
    [uri, headers.from().parameters.get('tag'), headers.get('Call-ID'), number, headers.all('Via')[0], method].join(
      '|',
    ),
  );
}

const answered = ['INVITE', 'MESSAGE', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'REGISTER', 'OPTIONS'];

/** Of what a CANCEL may be for: it does not say the method (s.9.1). */
export function cancelledKeys(request: SipRequest, via = request.headers.topVia()): string[] {
  return answered.map((method) => serverKey({ ...request, method }, via));
}

/** Our branches are unique; the method tells a CANCEL from what it cancels. */
export function clientKey(branch: string, method: string): string {
  return `${branch}|${method}`;
}

export function responseKey({ headers }: SipResponse): string {
  return clientKey(headers.topVia().branch ?? '', parseCSeq(headers.get('CSeq') ?? '').method);
}

/** The same request that came by two ways has the same of this and different branches. Undefined inside a dialog. */
export function mergedKey({ headers }: SipRequest): string | undefined {
  if (headers.to().parameters.get('tag') !== undefined) return undefined;
  return flat(`${headers.get('Call-ID')}|${headers.from().parameters.get('tag') ?? ''}|${headers.get('CSeq')}`);
}

const ofThisProcess = newTag();

/**
 * The same for a request that has come back to us as it left (RFC 5393 s.4.2.2): what decides where it goes, and whose it
 * is. One that comes back for somebody else is a spiral, which ends by Max-Forwards.
 */
export function loopMark({ uri, headers }: SipRequest): string {
  const whose = `${headers.get('From')}|${headers.get('To')}|${headers.get('Call-ID')}|${headers.get('CSeq')}`;
  return crc32(`${ofThisProcess}|${uri}|${whose}`).toString(36);
}

export function isLooped(request: SipRequest): boolean {
  const vias = request.headers.all('Via');
  if (vias.length < 2) return false;
  const mark = `.${loopMark(request)}`;
  return vias.some((via) => via.includes(mark) && parseVia(via).branch?.endsWith(mark) === true);
}

const scratch = Buffer.alloc(1024);

// A string cut out of a message keeps the whole message alive, and a key lives for 32 s: this one is a copy.
function flat(text: string): string {
  const length = text.length <= scratch.length ? scratch.write(text, 'latin1') : 0;
  const copy = scratch.toString('latin1', 0, length);
  return copy === text ? copy : text;
}
