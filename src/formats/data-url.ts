// Files that travel inside the message (RFC 2397), as people of a network without such files can be shown them.

export interface EnclosedFile {
  readonly url: string;
  readonly name?: string | undefined;
  readonly bytes?: number | undefined;
}

const longestText = 4000;
const longestName = 80;

/** Undefined for a link. `text` where it is one, in UTF-8. */
export function readDataUrl(url: string): { mediaType: string; octets: Buffer; text?: string } | undefined {
  const [, type = '', encoding, data = ''] = /^data:([^,;]*(?:;[^,;=]+=[^,;]*)*)(;base64)?,(.*)$/is.exec(url) ?? [];
  if (!/^data:/i.test(url)) return undefined;
  const mediaType = (type.split(';')[0] ?? '').toLowerCase() || 'text/plain';
  const octets = encoding === undefined ? Buffer.from(unescaped(data)) : Buffer.from(data, 'base64');
  if (!mediaType.startsWith('text/')) return { mediaType, octets };
  const text = octets.toString('utf8');
  return text.includes('\ufffd') || /[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text)
    ? { mediaType, octets }
    : { mediaType, octets, text };
}

/** What a person reads in place of a data: URL: its text behind its name, or `[ring.rng, 120 bytes]`. Undefined for a link. */
export function enclosedInWords({ url, name, bytes }: EnclosedFile): string | undefined {
  const file = readDataUrl(url);
  if (!file) return undefined;
  const called = (name ?? file.mediaType).slice(0, longestName);
  const { text } = file;
  if (text !== undefined && text.length <= longestText) return `${called}:\n${text.replaceAll('\r\n', '\n').trimEnd()}`;
  return `[${called}, ${bytes ?? file.octets.length} bytes]`;
}

function unescaped(data: string): string {
  try {
    return decodeURIComponent(data);
  } catch {
    return data;
  }
}
