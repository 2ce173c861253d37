// Receipts as disposition notifications (RFC 5438): which one a sender is owed, and the MESSAGE that carries it.
import {
  type Address,
  type GatewayDomain,
  GatewayError,
  parseAddress,
  type Receipt,
} from '../../../src/contract/index.ts';
import type { SipRequest } from '../codec/message.ts';
import { encodeNotification, formatImdn, type Imdn, type ImdnStatus, imdnType, type Notification } from '../imdn.ts';
import { uriOf } from './addresses.ts';
import type { Asked } from './inbound.ts';
import { newRequest, type OutboundContext } from './outbound.ts';

export interface Told {
  asked: Asked;
  notification: Notification;
  status: ImdnStatus;
}

/**
 * What to put in an IMDN; undefined when the sender asked for nothing of the kind (s.7.2.1), or was told of that kind
 * before. We are a gateway: what we took and passed on is `processed` (s.8.1), and what a peer took is never `delivered`
 * for that alone (s.12.2).
 */
export function toldOf({ state, reason }: Receipt, asked: Asked): Told | undefined {
  const due = dueOf(state, reason);
  if (!due) return undefined;
  const { disposition, ...told } = due;
  const isOwed = asked.wants.includes(disposition) && !asked.told?.includes(told.notification);
  return isOwed ? { asked, ...told } : undefined;
}

type Due = Omit<Told, 'asked'> & { disposition: string };

function dueOf(state: Receipt['state'], reason: Receipt['reason']): Due | undefined {
  switch (state) {
    case 'sent':
      return { disposition: 'processing', notification: 'processing', status: 'processed' };
    case 'delivered':
      return { disposition: 'positive-delivery', notification: 'delivery', status: 'delivered' };
    case 'displayed':
      return { disposition: 'display', notification: 'display', status: 'displayed' };
    case 'failed':
    case 'expired': {
      const status = reason === 'not-allowed' ? 'forbidden' : reason === 'internal' ? 'error' : 'failed';
      return { disposition: 'negative-delivery', notification: 'delivery', status };
    }
    case 'unknown':
      return undefined;
  }
}

/** `isBare`: the document alone, for those who take no CPIM and for those who write so themselves (Linphone). */
export function fromReceipt(event: Receipt, told: Told, context: OutboundContext, isBare: boolean): SipRequest {
  const { recordRoute } = told.asked;
  const imdn = imdnOf(event, told, context.domains);
  if (isBare) return newRequest(event, event.id, { type: imdnType, body: formatImdn(imdn) }, context);
  const to = uriOf(event.to, context.domains);
  const envelope = { from: uriOf(event.from, context.domains), to, at: context.now, messageId: event.id };
  const body = encodeNotification(imdn, envelope, recordRoute);
  const isOnTheWay = nextHopOf(event, told) !== event.to;
  const target = context.target ?? (isOnTheWay ? recordRoute[0] : undefined);
  return newRequest(event, event.id, { type: 'message/cpim', body }, { ...context, target });
}

/** RFC 5438 s.7.2.1: to the URI in the top IMDN-Route. One that leads nowhere we know is passed over. */
export function nextHopOf({ to }: Receipt, { asked: { recordRoute } }: Told): Address {
  const [first] = recordRoute;
  if (first === undefined) return to;
  try {
    return parseAddress(first);
  } catch (error) {
    if (error instanceof GatewayError) return to;
    throw error;
  }
}

function imdnOf(event: Receipt, { asked, notification, status }: Told, domains: readonly GatewayDomain[]): Imdn {
  const { messageId, dateTime, originalTo } = asked;
  const imdn: Imdn = { messageId, recipientUri: uriOf(event.from, domains), notification, status };
  if (dateTime !== undefined) imdn.dateTime = dateTime;
  if (originalTo !== undefined) imdn.originalRecipientUri = originalTo;
  return imdn;
}
