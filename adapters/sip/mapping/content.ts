// The body of a message in the richest form that its reader takes: CPIM with a request for receipts, HTML beside the text.
import type { GatewayDomain, Message } from '../../../src/contract/index.ts';
import { cpimHeader, encodeCpim, formatCpimAddress } from '../../../src/formats/cpim.ts';
import { encodeMultipart, type MimePart } from '../../../src/formats/mime.ts';
import { type Disposition, formatImdnRequest } from '../imdn.ts';
import { uriOf } from './addresses.ts';

export interface Content {
  type: string;
  body: Uint8Array;
}

/** What a form counts on; `none` of both is text/plain, which RFC 3428 s.4 makes everybody understand. */
export interface Form {
  cpim: boolean;
  html: 'none' | 'only' | 'alternative';
}

export const plainForm: Form = { cpim: false, html: 'none' };

/**
 * Behind the event's id in the Call-ID and Message-ID of a form that may be refused. Linphone answers 488 and then sends an
 * IMDN `failed` as well, while the same text is on its way as text/plain: the two must not have one name.
 */
export const richSuffix = '.rich';

/** The next form down; undefined below plain text. Markup goes first: receipts are worth more. */
export function simplerThan({ cpim, html }: Form): Form | undefined {
  if (html !== 'none') return { cpim, html: 'none' };
  return cpim ? plainForm : undefined;
}

/** Whether the event can be said with receipts asked for. */
export function asksReceipts({ wants }: Message): boolean {
  return wants.includes('delivered') || wants.includes('displayed');
}

export function plainContent(text: string): Content {
  return { type: 'text/plain;charset=UTF-8', body: Buffer.from(text) };
}

/** `text` is what the event says in words. */
export function contentIn(
  { cpim, html }: Form,
  event: Message,
  text: string,
  domains: readonly GatewayDomain[],
): Content {
  const plain = plainContent(text);
  const content = event.html === undefined || html === 'none' ? plain : marked(event, plain, event.html, html);
  return cpim ? wrapped(event, content, domains) : content;
}

function marked({ id }: Message, plain: Content, html: string, form: 'only' | 'alternative'): Content {
  const rich: Content = { type: 'text/html;charset=UTF-8', body: Buffer.from(html.toWellFormed()) };
  if (form === 'only') return rich;
  // RFC 2046 s.5.1.4: the best one last.
  const { boundary, body } = encodeMultipart([plain, rich].map(partOf), `alt-${id}`);
  return { type: `multipart/alternative;boundary=${boundary}`, body };
}

function wrapped(event: Message, content: Content, domains: readonly GatewayDomain[]): Content {
  const wants: Disposition[] = ['negative-delivery'];
  if (event.wants.includes('delivered')) wants.unshift('positive-delivery');
  if (event.wants.includes('displayed')) wants.push('display');
  const subjects = Object.entries(event.subject ?? {});
  const headers = [
    cpimHeader('From', formatCpimAddress({ uri: uriOf(event.from, domains) })),
    cpimHeader('To', formatCpimAddress({ uri: uriOf(event.to, domains) })),
    cpimHeader('DateTime', event.at),
    ...subjects.map(([language, text]) => cpimHeader('Subject', oneLine(text), language === '' ? undefined : language)),
    ...formatImdnRequest(event.id + richSuffix, wants),
  ];
  return { type: 'message/cpim', body: encodeCpim({ headers, content: partOf(content) }) };
}

function partOf({ type, body }: Content): MimePart {
  return { headers: [['Content-Type', type]], body };
}

export function oneLine(text: string): string {
  return text.replace(/[\0-\x1f\x7f]+/g, ' ').toWellFormed();
}
