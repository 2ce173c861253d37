// What a NOTIFY says of its subscription (RFC 6665 s.4.1.3, s.8.2.3), and by which mark its body is known (RFC 5839 s.4).
import { createHash } from 'node:crypto';
import type { SipRequest } from '../../codec/message.ts';
import { formatParameterised } from '../../codec/parameters.ts';
import type { Body } from './package.ts';
import { addRates } from './rates.ts';
import type { Subscription } from './subscription.ts';

/** No NOTIFY follows: it has ended, or was a poll. */
export function isLast({ reason, expiresAt }: Subscription): boolean {
  return reason !== undefined || expiresAt === 0;
}

/** Adds what RFC 6665 wants to a request of the subscription's dialog. */
export function fillNotify(
  request: SipRequest,
  subscription: Subscription,
  now: number,
  body: Body | undefined,
  etag: string | undefined,
): void {
  const { headers } = request;
  const { extension } = subscription.eventPackage;
  headers.add('Event', eventOf(subscription)).add('Subscription-State', stateOf(subscription, now));
  if (extension !== undefined) headers.add('Require', extension);
  if (!body || etag === undefined) return;
  headers.add('SIP-ETag', etag);
  if (isKnown(subscription, etag)) return;
  subscription.knows = undefined;
  headers.add('Content-Type', body.type);
  for (const [name, value] of body.headers ?? []) headers.add(name, value);
  request.body = Buffer.from(body.content);
}

/** RFC 5839 s.5.2: the watcher has said that it has this state, or wants none. */
export function isKnown({ knows }: Pick<Subscription, 'knows'>, etag: string | undefined): boolean {
  return knows === '*' || (knows !== undefined && knows === etag);
}

/** The same words have the same mark, for whomever they are. */
export function etagOf({ type, content, headers = [] }: Body): string {
  return createHash('sha1').update(type).update(headers.join()).update(content).digest('base64url').slice(0, 16);
}

function eventOf(subscription: Subscription): string {
  const { eventPackage, eventId, spelled } = subscription;
  const name = eventPackage.nameFor?.(subscription) ?? spelled ?? eventPackage.name;
  return eventId === undefined ? name : `${name};id=${eventId}`;
}

function stateOf(subscription: Subscription, now: number): string {
  const { state, reason, expiresAt } = subscription;
  const parameters = new Map<string, string | undefined>();
  if (isLast(subscription)) {
    parameters.set('reason', reason ?? 'timeout');
    return formatParameterised({ value: 'terminated', parameters });
  }
  parameters.set('expires', String(Math.max(Math.round((expiresAt - now) / 1000), 0)));
  addRates(parameters, subscription.agreedRates(now));
  return formatParameterised({ value: state, parameters });
}
