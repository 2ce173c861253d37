// Events <-> what a submit_sm and a deliver_sm say. Pure: alphabets and parts are in text/, addresses in addresses.ts.
import {
  type Address,
  bareAddress,
  type DraftOf,
  type Message,
  type Receipt,
  type ReceiptState,
  type SmsHints,
  splitAddress,
} from '../../src/contract/index.ts';
import { addressed, fromSme, type SmeAddress, toRecipient, toSme } from './addresses.ts';
import { type Body, formatRelativeTime, formatTime, intTlv, octetsTlv, parseTime, type Tlv } from './codec/index.ts';
import type { SmppOptions } from './config.ts';
import { attachmentOf, describeAttachment } from './media.ts';
import {
  type Content,
  type MessageClass,
  type Part,
  type Plan,
  parseElements,
  planBinary,
  planText,
  type SplitOptions,
} from './text/index.ts';

export type SubmitFields = Partial<Body<'submit_sm'>>;

/** s.5.2.14. */
const priorities = { low: 0, normal: 0, urgent: 2, emergency: 3 } as const;
const udhi = 0x40;

/** All of an event that SMS can say, as one text; what it cannot is put into words. */
export function textOf(message: Message): string {
  const said = message.text[''] ?? Object.values(message.text)[0] ?? '';
  const lines: string[] = [];
  if (message.subject) lines.push(`[${message.subject[''] ?? Object.values(message.subject)[0] ?? ''}]`);
  if (message.retracts !== undefined) lines.push('[took back an earlier message]');
  else if (message.reaction) lines.push(`[reaction] ${message.reaction.emoji.join(' ')}`.trim());
  else if (message.replaces !== undefined) lines.push(`edited: ${said}`);
  else if (said !== '') lines.push(said);
  for (const attachment of message.attachments ?? []) lines.push(describeAttachment(attachment));
  return lines.join('\n');
}

/** How it becomes short messages. Throws GatewayError `too-large`, `unsupported`, or `malformed` for a header that is none. */
export function planOf(event: Message, options: SplitOptions): Plan {
  const { binary, messageClass, udh } = event.sms ?? {};
  if (binary) return planBinary(binary, options.concat, options.maxParts, options.alphabet0);
  const elements = udh === undefined ? [] : parseElements(Buffer.from(udh, 'hex'));
  return planText(textOf(event), options, { messageClass: messageClass as MessageClass | undefined, elements });
}

/** What all parts of one message have in common. */
export function fromEvent(event: Message | Receipt, options: SmppOptions, now: number): SubmitFields {
  const source = toSme(bareAddress(event.from), options.source);
  const destination = toRecipient(bareAddress(event.to), options.destination);
  const message = event.type === 'message' ? event : undefined;
  return {
    service_type: message?.sms?.serviceType ?? options.serviceType,
    ...addressed(source, destination),
    protocol_id: message?.sms?.protocolId ?? 0,
    validity_period: validity(event.expiresAt, options, now),
    priority_flag: priorities[message?.priority ?? 'normal'],
    replace_if_present_flag: message?.sms?.replaceIfPresent ? 1 : 0,
  };
}

/** One part as a PDU. `asks` is registered_delivery (s.5.2.17): 1 for the final outcome, 2 for failures only. */
export function toSubmission(
  { submitWith, setDpf }: Pick<SmppOptions, 'submitWith' | 'setDpf'>,
  common: SubmitFields,
  plan: Plan,
  part: Part,
  asks: 0 | 1 | 2,
  extra: readonly Tlv[] = [],
): { command: SmppOptions['submitWith']; body: SubmitFields; tlvs: readonly Tlv[] } {
  const { short_message, hasHeader } = part;
  // s.5.3.2.29: the alert_notification that follows is heard in inbound.ts.
  const pending = setDpf && asks !== 0 ? [intTlv('set_dpf', 1)] : [];
  const tlvs = [...part.tlvs, ...pending, ...extra];
  const body = { ...common, esm_class: hasHeader ? udhi : 0, registered_delivery: asks, data_coding: plan.dataCoding };
  if (submitWith === 'submit_sm') return { command: submitWith, body: { ...body, short_message }, tlvs };
  // s.4.7.1: a data_sm has its text and its life time in optional parameters.
  const payload = short_message.length > 0 ? [octetsTlv('message_payload', short_message)] : [];
  const life = common.validity_period ? [intTlv('qos_time_to_live', secondsOf(common.validity_period))] : [];
  return { command: submitWith, body, tlvs: [...tlvs, ...payload, ...life] };
}

/** The sentence for an SMS sender whose message ended badly; undefined when SMS has nothing to say. */
export function noticeOf(receipt: Receipt): string | undefined {
  if (receipt.state !== 'failed' && receipt.state !== 'expired') return undefined;
  const name = splitAddress(receipt.from).local;
  return `Your message to ${name} was not delivered${receipt.text === undefined ? '.' : `: ${receipt.text}`}`;
}

/** A minute at least: what is about to end is still worth one try. A data_sm counts in seconds and needs the relative form. */
function validity(expiresAt: string | undefined, { validity: form, submitWith }: SmppOptions, now: number): string {
  if (expiresAt === undefined) return '';
  const seconds = Math.max(60, Math.ceil((Date.parse(expiresAt) - now) / 1000));
  const isAbsolute = form === 'absolute' && submitWith === 'submit_sm';
  return isAbsolute ? formatTime(now + seconds * 1000) : formatRelativeTime(seconds);
}

function secondsOf(relative: string): number {
  return (parseTime(relative, 0) ?? 0) / 1000;
}

export interface Mobile {
  readonly source: SmeAddress;
  readonly destination: SmeAddress;
  readonly content: Content;
  readonly hints: SmsHints;
  readonly nativeId: string;
  readonly dedupeKey?: string | undefined;
}

export interface MobileRules {
  readonly defaultCountry?: string | undefined;
  readonly shortCodeContext: string;
}

/** A message from a phone. Throws GatewayError `malformed` when it has no sender or recipient. */
export function toEvent(mobile: Mobile, rules: MobileRules): DraftOf<'message'> {
  return {
    type: 'message',
    from: fromSme(mobile.source, rules),
    to: fromSme(mobile.destination, rules),
    nativeId: mobile.nativeId,
    ...saidBy(mobile.content, mobile.hints),
    wants: [],
    ...(mobile.dedupeKey === undefined ? {} : { dedupeKey: mobile.dedupeKey }),
  };
}

/** What a message says: text, or octets as a file; and what only short messages have. */
export function saidBy(content: Content, hints: SmsHints): Pick<DraftOf<'message'>, 'text' | 'attachments' | 'sms'> {
  const { text, binary } = content;
  const sms = smsOf(content, hints);
  return {
    text: binary ? {} : { '': text },
    ...(binary ? { attachments: [attachmentOf(binary)] } : {}),
    ...(Object.keys(sms).length === 0 ? {} : { sms }),
  };
}

function smsOf(content: Content, hints: SmsHints): SmsHints {
  const { messageClass, udh, binary } = content;
  const octets = binary && {
    data: binary.data.toString('base64'),
    dataCoding: binary.dataCoding,
    ...(binary.udh ? { udh: binary.udh.toString('hex') } : {}),
  };
  return {
    ...hints,
    ...(messageClass === undefined ? {} : { messageClass }),
    ...(udh ? { udh: udh.toString('hex') } : {}),
    ...(octets ? { binary: octets } : {}),
  };
}

/** How one of our messages ended. */
export interface Conclusion {
  readonly event: string;
  /** The message's own: the receipt goes the other way. */
  readonly from: string;
  readonly to: string;
  readonly state: ReceiptState;
  readonly reason?: Receipt['reason'];
  readonly words: string;
}

export function toReceipt({ event, from, to, state, reason, words }: Conclusion): DraftOf<'receipt'> {
  return {
    type: 'receipt',
    // Canonical already: they come from an event.
    from: to as Address,
    to: from as Address,
    of: event,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(state === 'delivered' ? {} : { text: words }),
  };
}
