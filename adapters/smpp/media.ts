// Files as SMS can show them, and octets for a program on the phone as files that other networks can show.
import type { Message } from '../../src/contract/index.ts';
import type { Content } from './text/index.ts';

type Attachment = NonNullable<Message['attachments']>[number];

const kinds: Readonly<Record<string, string>> = { image: 'picture', video: 'video', audio: 'audio', text: 'text' };
const sizeUnits = ['bytes', 'KB', 'MB', 'GB'] as const;

/** `photo.jpg, picture, 1.2 MB: https://...`, as much of it as is known. A data: URL is no link for a phone. */
export function describeAttachment({ url, name, mediaType, bytes }: Attachment): string {
  const isLink = !url.startsWith('data:');
  const known = [name, mediaType && kindOf(mediaType, name), bytes === undefined ? '' : sizeOf(bytes)].filter(Boolean);
  if (!isLink) return `[${known.join(', ') || 'a file'}]`;
  return known.length === 0 ? url : `${known.join(', ')}: ${url}`;
}

/** Undefined when the name says it already. */
function kindOf(mediaType: string, name = ''): string | undefined {
  const [type = '', subtype = ''] = mediaType.toLowerCase().split(/[/;]/);
  if (name.toLowerCase().endsWith(`.${subtype}`)) return kinds[type];
  return kinds[type] ?? (/^[a-z0-9]{2,5}$/.test(subtype) ? subtype.toUpperCase() : undefined);
}

function sizeOf(bytes: number): string {
  const power = Math.min(sizeUnits.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${sizeUnits[power]}`;
}

/** Applications by port (WAP-259, Smart Messaging): what a person calls it, and its media type. */
const applications: ReadonlyMap<number, readonly [name: string, mediaType: string]> = new Map([
  [226, ['vcard.vcf', 'text/vcard']],
  [228, ['calendar.vcs', 'text/x-vcalendar']],
  [2948, ['wap-push.bin', 'application/vnd.wap.wsp']],
  [2949, ['wap-push.bin', 'application/vnd.wap.wsp']],
  [5505, ['ringtone.rng', 'application/vnd.nokia.ringing-tone']],
  [5506, ['operator-logo.bin', 'application/octet-stream']],
  [5507, ['group-logo.bin', 'application/octet-stream']],
  [5514, ['picture-message.bin', 'application/octet-stream']],
  [9204, ['vcard.vcf', 'text/vcard']],
  [9205, ['calendar.vcs', 'text/x-vcalendar']],
]);

const octets = ['message.bin', 'application/octet-stream'] as const;
const plainText = ['message.txt', 'text/plain'] as const;

/** A data: URL with the octets, or with their characters where they are written text; of a WAP push the pushed document. */
export function attachmentOf({ data, port, said }: NonNullable<Content['binary']>): Attachment {
  const pushed = port === 2948 || port === 2949 ? pushedDocument(data) : undefined;
  const [name, mediaType] = applications.get(port ?? 0) ?? (said === undefined ? octets : plainText);
  const isText = mediaType.startsWith('text/') && said !== undefined;
  const body = pushed?.body ?? (isText ? Buffer.from(said) : data);
  const type = pushed?.mediaType ?? mediaType;
  const charset = isText && type === 'text/plain' ? ';charset=utf-8' : '';
  return { url: `data:${type}${charset};base64,${body.toString('base64')}`, name, mediaType: type, bytes: body.length };
}

const pushPdu = 0x06;
/** WAP-230 s.8.2.4: a transaction id, the type of the PDU, the length of its headers, the content type first of them. */
const contentTypes: ReadonlyMap<number, string> = new Map([
  [0x2d, 'text/vnd.wap.si'],
  [0x2e, 'application/vnd.wap.sic'],
  [0x2f, 'text/vnd.wap.sl'],
  [0x30, 'application/vnd.wap.slc'],
  [0x31, 'text/vnd.wap.co'],
  [0x32, 'application/vnd.wap.coc'],
  [0x36, 'application/vnd.wap.connectivity-wbxml'],
  [0x3e, 'application/vnd.wap.mms-message'],
]);

function pushedDocument(data: Buffer): { body: Buffer; mediaType?: string } | undefined {
  const length = data[2] ?? 0xff;
  // A length of more than one octet is no SMS.
  if (data[1] !== pushPdu || length > 0x7f || 3 + length > data.length) return undefined;
  const headers = data.subarray(3, 3 + length);
  const mediaType = contentType(headers);
  return { body: data.subarray(3 + length), ...(mediaType === undefined ? {} : { mediaType }) };
}

/** s.8.4.2.24: a number with its high bit set, a text, or either behind a length with parameters after it. */
function contentType(headers: Buffer): string | undefined {
  const [first = 0] = headers;
  if (first < 0x1f) return first === 0 ? undefined : contentType(headers.subarray(1));
  if (first >= 0x80) return contentTypes.get(first & 0x7f);
  const text = headers.toString('latin1', 0, Math.max(0, headers.indexOf(0)));
  return /^[\w.+-]+\/[\w.+-]+$/.test(text) ? text : undefined;
}
