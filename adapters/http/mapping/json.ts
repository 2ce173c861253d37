// POST /messages as drafts, and events as the JSON that webhooks get.
import { z } from 'zod';
import { GatewayError, type Message, type Receipt } from '../../../src/contract/index.ts';
import { type Submission, writtenOf } from './submission.ts';

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString());

const body = z.strictObject({
  from: z.string().max(200).optional(),
  to: z.union(
    [
      z
        .string()
        .max(2000)
        .transform((one) => [one]),
      z.array(z.string().max(2000)).min(1),
    ],
    'write a recipient, or a list of them',
  ),
  text: z.string().default(''),
  /** BCP 47. */
  language: z.string().max(35).default(''),
  subject: z.string().optional(),
  attachments: z
    .array(z.strictObject({ url: z.url(), name: z.string().optional(), mediaType: z.string().optional() }))
    .max(16)
    .optional(),
  wants: z.array(z.enum(['sent', 'delivered', 'displayed'])).default([]),
  priority: z.enum(['low', 'normal', 'urgent', 'emergency']).optional(),
  expiresAt: instant.optional(),
  notBefore: instant.optional(),
  flash: z.boolean().default(false),
  binary: z
    .strictObject({
      data: z.base64(),
      udh: z.hex().optional(),
      dataCoding: z.number().int().min(0).max(255).default(4),
    })
    .optional(),
});

/** `now`: ms since 1970. Throws GatewayError `malformed`, naming the member. */
export function fromJson(value: unknown, now: number): Submission {
  const parsed = body.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new GatewayError('malformed', `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`);
  }
  const { from, to, text, language, subject, attachments = [], wants, flash, binary, ...timing } = parsed.data;
  if (text === '' && attachments.length === 0 && binary === undefined)
    throw new GatewayError('malformed', 'text: is missing, and there is no attachment either');
  const { expiresAt, notBefore } = timing;
  const begin = notBefore === undefined ? now : Math.max(now, Date.parse(notBefore));
  if (expiresAt !== undefined && Date.parse(expiresAt) <= begin)
    throw new GatewayError('malformed', 'expiresAt: lies before the message could go');
  const sms = { ...(flash ? { messageClass: 0 } : {}), ...(binary ? { binary } : {}) };
  const octets = binary && { url: `data:application/octet-stream;base64,${binary.data}` };
  const files = [...attachments, ...(octets ? [octets] : [])];
  const message: Submission['message'] = {
    text: text === '' ? {} : { [language]: text },
    wants,
    ...(subject === undefined ? {} : { subject: { [language]: subject } }),
    ...(files.length > 0 ? { attachments: files } : {}),
    ...(Object.keys(sms).length > 0 ? { sms } : {}),
    ...timing,
  };
  return { from, to, message, dlrMask: 0, dlrUrl: undefined };
}

/** An inbound message, for a webhook. */
export function messageJson(event: Message): object {
  const { id, from, to, at, text, subject, attachments, sms, replyTo } = event;
  const [language = '', words = ''] = Object.entries(text)[0] ?? [];
  return {
    type: 'message',
    id,
    from: writtenOf(from),
    to: writtenOf(to),
    at,
    text: words,
    ...(language === '' ? {} : { language }),
    ...(subject === undefined ? {} : { subject: Object.values(subject)[0] }),
    ...(attachments === undefined ? {} : { attachments }),
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(sms?.binary === undefined ? {} : { binary: sms.binary }),
  };
}

/** A receipt for a message of the application's own, for a webhook. */
export function receiptJson({ id, of, at, from, to, state, reason, text }: Receipt): object {
  return {
    type: 'receipt',
    id,
    of,
    at,
    from: writtenOf(to),
    to: writtenOf(from),
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(text === undefined ? {} : { text }),
  };
}
