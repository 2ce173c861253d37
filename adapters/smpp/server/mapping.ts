// What an ESME hands in as an event, and what is sent to an ESME: messages and the receipts of Appendix B. Pure.
import type { Address, DraftOf, Message, Receipt, SmsHints } from '../../../src/contract/index.ts';
import { addressed, toSme } from '../addresses.ts';
import { type Body, formatTime, intTlv, octetsTlv, type Tlv, textTlv } from '../codec/index.ts';
import { planOf, saidBy } from '../mapping.ts';
import { type Concat, type Content, type DefaultAlphabet, type Piece, textOfPieces, toParts } from '../text/index.ts';
import type { AccountOptions } from './config.ts';
import { type Entry, formatId } from './ledger.ts';
import { messageStates, networkErrors, type StateWord } from './statuses.ts';
import type { Submission } from './submission.ts';

/** s.5.2.14, GSM: 0 is low, 1 normal, 2 urgent, 3 emergency. */
const priorities = ['normal', 'normal', 'urgent', 'emergency'] as const;
// s.5.2.17.
const successAndFailure = 1;
const failureOnly = 2;
const successOnly = 3;
const userAcknowledgement = 0x08;
const intermediate = 0x10;
/** s.5.2.12, for deliver_sm. */
const classes = { receipt: 0x04, read: 0x10, intermediate: 0x20 } as const;
const udhi = 0x40;
const headLength = 20;

export interface Parties {
  readonly from: Address;
  readonly to: Address;
  /** Opaque to everybody else. */
  readonly nativeId: string;
}

/** All of it but what it says. */
export function toDraft(
  submission: Submission,
  { from, to, nativeId }: Parties,
  isTracked: boolean,
): DraftOf<'message'> {
  const { notBefore, expiresAt, priority, hints, registered, isTransaction } = submission;
  return {
    type: 'message',
    from,
    to,
    nativeId,
    text: {},
    wants: wantsOf(registered, isTracked || isTransaction),
    ...(priorities[priority] === 'normal' ? {} : { priority: priorities[priority] }),
    ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore).toISOString() }),
    ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
    ...(Object.keys(hints).length === 0 ? {} : { sms: hints }),
  };
}

/** The draft with what all pieces say. */
export function withContent(draft: DraftOf<'message'>, content: Content): DraftOf<'message'> {
  return { ...draft, ...saidBy(content, draft.sms ?? {}) };
}

function wantsOf(registered: number, isTracked: boolean): Message['wants'] {
  const wants: Message['wants'] = [];
  if ((registered & intermediate) !== 0) wants.push('sent');
  if (isTracked || (registered & 3) !== 0) wants.push('delivered');
  if ((registered & userAcknowledgement) !== 0) wants.push('displayed');
  return wants;
}

/** How the text begins, in what a receipt can carry. */
export function headOf(piece: Piece, alphabet0: DefaultAlphabet): string {
  return textOfPieces([piece], alphabet0)
    .slice(0, headLength)
    .replace(/[^ -~]/g, '.');
}

/** Whether the ESME asked to hear of it. */
export function isAsked(registered: number, receipt: Receipt['state'], word: StateWord): boolean {
  if (receipt === 'displayed') return (registered & userAcknowledgement) !== 0;
  if (receipt === 'sent') return (registered & intermediate) !== 0;
  const asked = registered & 3;
  if (word === 'DELIVRD') return asked === successAndFailure || asked === successOnly;
  return asked === successAndFailure || asked === failureOnly;
}

export interface DeliverPdu {
  readonly command: 'deliver_sm' | 'data_sm';
  readonly body: Partial<Body<'deliver_sm'>>;
  readonly tlvs: readonly Tlv[];
}

/** Appendix B, and the same in optional parameters (s.5.3.2.12, 31, 35). */
export function toReceiptPdu(
  entry: Entry,
  { state, reason }: Pick<Receipt, 'state' | 'reason'>,
  word: StateWord,
  { messageIds }: Pick<AccountOptions, 'messageIds'>,
  now: number,
): DeliverPdu {
  const id = formatId(entry.id, messageIds);
  const error = reason === undefined || word === 'DELIVRD' ? 0 : networkErrors[reason];
  const dates = `submit date:${receiptTime(entry.at)} done date:${receiptTime(now)}`;
  const counts = `sub:001 dlvrd:${word === 'DELIVRD' ? '001' : '000'}`;
  const code = String(error).padStart(3, '0');
  const text = `id:${id} ${counts} ${dates} stat:${word} err:${code} text:${entry.head}`;
  const tlvs = [textTlv('receipted_message_id', id), intTlv('message_state', messageStates[word])];
  if (error !== 0) tlvs.push(octetsTlv('network_error_code', Buffer.from([3, error >> 8, error & 0xff])));
  return {
    command: 'deliver_sm',
    body: {
      service_type: entry.serviceType,
      ...addressed(entry.destination, entry.source),
      esm_class: state === 'displayed' ? classes.read : state === 'sent' ? classes.intermediate : classes.receipt,
      short_message: Buffer.from(text, 'latin1'),
    },
    tlvs,
  };
}

export interface Carriage {
  readonly options: AccountOptions;
  /** False for SMPP 3.3: no optional parameters. */
  readonly takesTlvs: boolean;
  readonly reference: number;
}

/** All PDUs of one message. Throws GatewayError `too-large`. */
export function toDeliverPdus(event: Message, { options, takesTlvs, reference }: Carriage): DeliverPdu[] {
  const { sms } = event;
  const common = {
    service_type: sms?.serviceType ?? '',
    ...addressed(toSme(event.from), toSme(event.to)),
    protocol_id: sms?.protocolId ?? 0,
    priority_flag: Math.max(0, priorities.indexOf(event.priority === 'low' ? 'normal' : (event.priority ?? 'normal'))),
  };
  const extra = takesTlvs ? strangersOf(sms) : [];
  const carry = (body: DeliverPdu['body'], short_message: Buffer, tlvs: readonly Tlv[]): DeliverPdu => {
    const all = [...tlvs, ...extra];
    if (options.deliverWith === 'deliver_sm' || !takesTlvs) {
      return { command: 'deliver_sm', body: { ...common, ...body, short_message }, tlvs: all };
    }
    const payload = short_message.length > 0 ? [octetsTlv('message_payload', short_message)] : [];
    return { command: 'data_sm', body: { ...common, ...body }, tlvs: [...all, ...payload] };
  };
  const concat: Concat = takesTlvs ? options.concat : 'udh8';
  const plan = planOf(event, { ...options, ucs2: true, concat });
  return toParts(plan, concat, reference).map(({ short_message, hasHeader, tlvs }) => {
    return carry({ esm_class: hasHeader ? udhi : 0, data_coding: plan.dataCoding }, short_message, tlvs);
  });
}

/** `YYMMDDhhmm`, in UTC. */
function receiptTime(ms: number): string {
  return formatTime(ms).slice(0, 10);
}

function strangersOf(sms: SmsHints | undefined): Tlv[] {
  return Object.entries(sms?.tlvs ?? {}).map(([tag, value]) => ({
    tag: Number(tag),
    value: Buffer.from(value, 'hex'),
  }));
}
