// Events as MESSAGE requests: what was written, isComposing, and notices in words. Receipts are in notification.ts.
import type { EventOf, GatewayDomain, GatewayEvent, Message, Receipt } from '../../../src/contract/index.ts';
import { Headers, type SipRequest } from '../codec/message.ts';
import { formatNameAddr } from '../codec/name-addr.ts';
import { noParameters } from '../codec/parameters.ts';
import { composingType, defaultRefreshMs, formatComposing } from '../composing.ts';
import { newTag } from '../tokens.ts';
import { uriOf } from './addresses.ts';
import { type Content, contentIn, type Form, oneLine, plainContent, richSuffix } from './content.ts';
import { maxForwardsOf } from './hops.ts';
import { readable } from './readable.ts';

export interface OutboundContext {
  now: number;
  domains: readonly GatewayDomain[];
  /** What From says in place of the sender. */
  showAs?: string | undefined;
  /** What the Request-URI says in place of the recipient. */
  target?: string | undefined;
}

/**
 * RFC 7572 s.4, trap 1: the Call-ID is the event's own and never a thread's, that of a form which may
 * be refused says so, and every attempt has a tag of its own, so
 * that a repeated attempt is no merged request (RFC 3261 s.8.2.2.2) to a peer that still remembers the first.
 */
export function fromMessage(event: Message, form: Form, context: OutboundContext): SipRequest {
  const { language, text } = readable(event);
  const isPlain = !form.cpim && form.html === 'none';
  const callId = isPlain ? event.id : event.id + richSuffix;
  const request = newRequest(event, callId, contentIn(form, event, text, context.domains), context);
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
  return newRequest(event, event.id, plainContent(text.toWellFormed()), context);
}

export function newRequest(
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
    .add('To', formatNameAddr({ uri: recipient.startsWith('tel:') ? uri : recipient, parameters: noParameters }))
    .add('Call-ID', callId)
    .add('CSeq', '1 MESSAGE')
    .add('Content-Type', type);
  return { kind: 'request', method: 'MESSAGE', uri, headers, body };
}

// RFC 3261 s.25.1 `callid`.
function isCallId(text: string): boolean {
  return (
    text.length <= 256 &&
    /^[A-Za-z0-9\-.!%*_+`'~()<>:\\"/[\]?{}]+(@[A-Za-z0-9\-.!%*_+`'~()<>:\\"/[\]?{}]+)?$/.test(text)
  );
}
