// The little of CPIM (RFC 3862) and IMDN (RFC 5438) that a telephone needs. Shared with nobody, as both ends of the wire
// must not be one code.

export interface Cpim {
  /** The message headers, names in lower case. */
  headers: ReadonlyMap<string, string>;
  contentType: string;
  body: string;
}

export interface Notification {
  of: string;
  state: 'delivered' | 'displayed' | 'failed';
}

export function parseCpim(text: string): Cpim {
  const [first = '', ...rest] = text.split(/\r?\n\r?\n/);
  const [second = '', ...body] = rest;
  const headers = parseHeaders(first);
  const mime = parseHeaders(second);
  return { headers, contentType: mime.get('content-type') ?? 'text/plain', body: body.join('\r\n\r\n') };
}

/** A text that asks to be told when it arrives and when it is read. */
export function formatText(from: string, to: string, id: string, text: string): string {
  const ask = ['NS: imdn <urn:ietf:params:imdn>', `imdn.Message-ID: ${id}`];
  ask.push('imdn.Disposition-Notification: positive-delivery, negative-delivery, display');
  return format(from, to, ask, 'text/plain; charset=utf-8', text);
}

export function formatNotification(from: string, to: string, { of, state }: Notification): string {
  const kind = state === 'displayed' ? 'display' : 'delivery';
  const xml = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn">',
    `<message-id>${of.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</message-id>`,
    `<datetime>${new Date().toISOString()}</datetime>`,
    `<${kind}-notification><status><${state}/></status></${kind}-notification>`,
    '</imdn>',
  ].join('\r\n');
  const mark = ['NS: imdn <urn:ietf:params:imdn>', `imdn.Message-ID: n-${crypto.randomUUID()}`];
  return format(from, to, mark, 'message/imdn+xml', xml, ['Content-Disposition: notification']);
}

/** Undefined when it is none, or speaks of something else (processing, storing). */
export function parseNotification(xml: string): Notification | undefined {
  const of = /<(?:\w+:)?message-id>\s*([^<]+?)\s*</.exec(xml)?.[1];
  const status = /<(?:\w+:)?status>\s*<(?:\w+:)?(\w+)/.exec(xml)?.[1];
  if (of === undefined || status === undefined) return undefined;
  if (status === 'delivered' || status === 'displayed') return { of, state: status };
  return status === 'failed' || status === 'forbidden' || status === 'error' ? { of, state: 'failed' } : undefined;
}

function format(from: string, to: string, extra: string[], type: string, body: string, mime: string[] = []): string {
  const length = Buffer.byteLength(body);
  const headers = [`From: <${from}>`, `To: <${to}>`, `DateTime: ${new Date().toISOString()}`, ...extra];
  return [...headers, '', `Content-Type: ${type}`, ...mime, `Content-Length: ${length}`, '', body].join('\r\n');
}

function parseHeaders(block: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}
