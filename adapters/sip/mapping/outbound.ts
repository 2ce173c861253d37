// Events as MESSAGE requests: text, CPIM with a request for receipts, IMDN, isComposing, and notices in words.
import type { EventOf, GatewayDomain, GatewayEvent, Message, Receipt } from '../../../src/contract/index.ts';
import { cpimHeader, encodeCpim, formatCpimAddress } from '../../../src/formats/cpim.ts';
import { Headers, type SipRequest } from '../codec/message.ts';
import { formatNameAddr } from '../codec/name-addr.ts';
import { composingType, defaultRefreshMs, formatComposing } from '../composing.ts';
import {
  type Disposition,
  encodeNotification,
  formatImdnRequest,
  type ImdnStatus,
  type Notification,
} from '../imdn.ts';
import { newTag } from '../tokens.ts';
import { uriOf } from './addresses.ts';
import { maxForwardsOf } from './hops.ts';
import type { Asked } from './inbound.ts';
import { readable } from './readable.ts';

export interface OutboundContext {
  now: number;
  domains: readonly GatewayDomain[];
  /** The peer takes message/cpim. */
  takesCpim: boolean;
  /** What From says in place of the sender. */
  showAs?: string | undefined;
  /** What the Request-URI says in place of the recipient. */
  target?: string | undefined;
}

interface Content {
  type: string;
  body: Uint8Array;
}

/** Whether the event can be said with receipts asked for. */
export function asksReceipts({ wants }: Message): boolean {
  return wants.includes('delivered') || wants.includes('displayed');
}

/**
 * RFC 7572 s.4, trap 1: the Call-ID is the event's own and never a thread's, and every attempt has a tag of its own, so
 * that a repeated attempt is no merged request (RFC 3261 s.8.2.2.2) to a peer that still remembers the first.
 */
export function fromMessage(event: Message, context: OutboundContext): SipRequest {
  const { language, text } = readable(event);
  const plain: Content = { type: 'text/plain;charset=UTF-8', body: Buffer.from(text) };
  const isCpim = context.takesCpim && asksReceipts(event);
  const content = isCpim ? wrapped(event, plain, context) : plain;
  const request = newRequest(event, event.id, content, context);
  const { headers } = request;
  const subject = event.subject?.[''] ?? Object.values(event.subject ?? {})[0];
  if (subject) headers.add('Subject', oneLine(subject));
  if (language !== '') headers.add('Content-Language', language);
  if (event.priority && event.priority !== 'normal') {
    headers.add('Priority', event.priority === 'low' ? 'non-urgent' : event.priority);
  }
  // RFC 3428 s.4: with Expires a Date. RFC 3261 s.20.21: the Call-ID of what it answers, where the thread is one.
  headers.add('Date', new Date(event.at).toUTCString());
  if (event.expiresAt !== undefined) {
    const left = Math.ceil((Date.parse(event.expiresAt) - Date.parse(event.at)) / 1000);
    headers.add('Expires', String(Math.max(left, 1)));
  }
  if (event.thread !== undefined && isCallId(event.thread)) headers.add('In-Reply-To', event.thread);
  return request;
}

/** What to put in an IMDN; undefined when the sender asked for nothing of the kind (RFC 5438 s.7.2.1.1). */
export function toldOf({ state, reason }: Receipt, asked: Asked): Told | undefined {
  const wants = new Set(asked.wants);
  if (state === 'displayed') {
    return wants.has('display') ? { asked, notification: 'display', status: 'displayed' } : undefined;
  }
  if (state === 'delivered') {
    return wants.has('positive-delivery') ? { asked, notification: 'delivery', status: 'delivered' } : undefined;
  }
  if ((state !== 'failed' && state !== 'expired') || !wants.has('negative-delivery')) return undefined;
  const status = reason === 'not-allowed' ? 'forbidden' : reason === 'internal' ? 'error' : 'failed';
  return { asked, notification: 'delivery', status };
}

export interface Told {
  asked: Asked;
  notification: Notification;
  status: ImdnStatus;
}

export function fromReceipt(event: Receipt, { asked, ...told }: Told, context: OutboundContext): SipRequest {
  const { messageId, dateTime, originalTo, recordRoute } = asked;
  const recipientUri = uriOf(event.from, context.domains);
  const imdn = {
    messageId,
    recipientUri,
    ...(dateTime === undefined ? {} : { dateTime }),
    ...(originalTo === undefined ? {} : { originalRecipientUri: originalTo }),
    ...told,
  };
  const envelope = { from: recipientUri, to: uriOf(event.to, context.domains), at: context.now, messageId: event.id };
  const body = encodeNotification(imdn, envelope, { messageId, wants: new Set(), recordRoute });
  return newRequest(event, event.id, { type: 'message/cpim', body }, context);
}

export function fromTyping(event: EventOf<'typing'>, context: OutboundContext): SipRequest {
  const isActive = event.state === 'composing';
  const body = formatComposing({
    state: isActive ? 'active' : 'idle',
    contentType: 'text/plain',
    ...(isActive ? { refreshMs: defaultRefreshMs } : {}),
  });
  return newRequest(event, event.id, { type: composingType, body }, context);
}

/** For a sender who was told 2xx and could not ask for more: what became of the message, in words. */
export function noticeOf(event: Receipt, context: OutboundContext): SipRequest {
  const why = event.text ?? event.reason ?? event.state;
  const text = `Your message to ${event.from.replace(/^sips?:/, '')} was not delivered: ${why}`;
  return newRequest(
    event,
    event.id,
    { type: 'text/plain;charset=UTF-8', body: Buffer.from(text.toWellFormed()) },
    context,
  );
}

function newRequest(
  event: GatewayEvent,
  callId: string,
  { type, body }: Content,
  context: OutboundContext,
): SipRequest {
  const recipient = uriOf(event.to, context.domains);
  const uri = context.target ?? recipient;
  const from = context.showAs ?? uriOf(event.from, context.domains);
  const headers = new Headers()
    .add('Max-Forwards', String(maxForwardsOf(event.hops)))
    .add('From', formatNameAddr({ uri: from, parameters: new Map([['tag', newTag()]]) }))
    // A phone is asked for by its Contact and called by its name; a provider knows a number only by its own form of it.
    .add('To', formatNameAddr({ uri: recipient.startsWith('tel:') ? uri : recipient, parameters: new Map() }))
    .add('Call-ID', callId)
    .add('CSeq', '1 MESSAGE')
    .add('Content-Type', type);
  return { kind: 'request', method: 'MESSAGE', uri, headers, body };
}

function wrapped(event: Message, plain: Content, { domains }: OutboundContext): Content {
  const wants: Disposition[] = ['negative-delivery'];
  if (event.wants.includes('delivered')) wants.unshift('positive-delivery');
  if (event.wants.includes('displayed')) wants.push('display');
  const subjects = Object.entries(event.subject ?? {});
  const headers = [
    cpimHeader('From', formatCpimAddress({ uri: uriOf(event.from, domains) })),
    cpimHeader('To', formatCpimAddress({ uri: uriOf(event.to, domains) })),
    cpimHeader('DateTime', event.at),
    ...subjects.map(([language, text]) => cpimHeader('Subject', oneLine(text), language === '' ? undefined : language)),
    ...formatImdnRequest(event.id, wants),
  ];
  return {
    type: 'message/cpim',
    body: encodeCpim({ headers, content: { headers: [['Content-Type', plain.type]], body: plain.body } }),
  };
}

function oneLine(text: string): string {
  return text.replace(/[\0-\x1f\x7f]+/g, ' ').toWellFormed();
}

// RFC 3261 s.25.1 `callid`.
function isCallId(text: string): boolean {
  return (
    text.length <= 256 &&
    /^[A-Za-z0-9\-.!%*_+`'~()<>:\\"/[\]?{}]+(@[A-Za-z0-9\-.!%*_+`'~()<>:\\"/[\]?{}]+)?$/.test(text)
  );
}
