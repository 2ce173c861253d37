// What an ESME hands in as an event, and what is sent to an ESME: messages and the receipts of Appendix B. Pure.
import type { Address, DraftOf, Message, Receipt, SmsHints } from '../../../src/contract/index.ts';
import { type SmeAddress, toSme } from '../addresses.ts';
import { type Body, intTlv, octetsTlv, type Tlv, textTlv } from '../codec/index.ts';
import { textOf } from '../mapping.ts';
import {
  type Concat,
  type DefaultAlphabet,
  type Piece,
  planText,
  readDataCoding,
  textOfPieces,
  toParts,
} from '../text/index.ts';
import type { AccountOptions } from './config.ts';
import { type Entry, formatId } from './ledger.ts';
import { messageStates, networkErrors, type StateWord } from './statuses.ts';
import type { Submission } from './submission.ts';
import { formatReceiptTime } from './times.ts';

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

/** All of it but the text. */
export function toDraft(
  submission: Submission,
  { from, to, nativeId }: Parties,
  isTracked: boolean,
): DraftOf<'message'> {
  const { notBefore, expiresAt, priority, sms, registered } = submission;
  return {
    type: 'message',
    from,
    to,
    nativeId,
    text: {},
    wants: wantsOf(registered, isTracked),
    ...(priorities[priority] === 'normal' ? {} : { priority: priorities[priority] }),
    ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore).toISOString() }),
    ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
    ...(Object.keys(sms).length === 0 ? {} : { sms }),
  };
}

/** The draft with what all pieces say: a text, or octets that are none. */
export function withContent(
  draft: DraftOf<'message'>,
  pieces: readonly Piece[],
  alphabet0: DefaultAlphabet,
  binary: Binary | undefined,
): DraftOf<'message'> {
  if (!binary) return { ...draft, text: { '': textOfPieces(pieces, alphabet0) } };
  const octets = Buffer.concat(pieces.map((piece) => piece?.payload ?? Buffer.alloc(0)));
  const data = octets.toString('base64');
  const attachment = {
    url: `data:application/octet-stream;base64,${data}`,
    name: 'message.bin',
    mediaType: 'application/octet-stream',
    bytes: octets.length,
  };
  return { ...draft, text: {}, attachments: [attachment], sms: { ...draft.sms, binary: { ...binary, data } } };
}

type Binary = Omit<NonNullable<SmsHints['binary']>, 'data'>;

/** Undefined for text. */
export function binaryOf(
  { dataCoding, header, isForApplication }: Pick<Submission, 'dataCoding' | 'header' | 'isForApplication'>,
  alphabet0: DefaultAlphabet,
): Binary | undefined {
  if (!isForApplication && readDataCoding(dataCoding, alphabet0).alphabet) return undefined;
  const udh = header && withoutConcatenation(header);
  return { dataCoding, ...(udh && udh.length > 0 ? { udh: udh.toString('hex') } : {}) };
}

// TS 23.040 s.9.2.3.24.1, 9.2.3.24.8: the whole is no part any more.
function withoutConcatenation(header: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at + 2 <= header.length; ) {
    const end = at + 2 + (header[at + 1] as number);
    if (header[at] !== 0x00 && header[at] !== 0x08) kept.push(header.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

function wantsOf(registered: number, isTracked: boolean): Message['wants'] {
  const wants: Message['wants'] = [];
  if ((registered & intermediate) !== 0) wants.push('sent');
  if (isTracked || (registered & 3) !== 0) wants.push('delivered');
  if ((registered & userAcknowledgement) !== 0) wants.push('displayed');
  return wants;
}

/** How the text begins, in what a receipt can carry. */
export function headOf(payload: Buffer, dataCoding: number, alphabet0: DefaultAlphabet): string {
  const text = textOfPieces([{ payload, dataCoding }], alphabet0);
  return text.slice(0, headLength).replace(/[^ -~]/g, '.');
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
  const dates = `submit date:${formatReceiptTime(entry.at)} done date:${formatReceiptTime(now)}`;
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
  if (sms?.binary) {
    const { data, udh, dataCoding } = sms.binary;
    const header = udh === undefined ? Buffer.alloc(0) : Buffer.from(udh, 'hex');
    const prefix = udh === undefined ? header : Buffer.concat([Buffer.from([header.length]), header]);
    const octets = Buffer.concat([prefix, Buffer.from(data, 'base64')]);
    const body = { esm_class: udh === undefined ? 0 : udhi, data_coding: dataCoding };
    // s.5.3.2.32: what is longer than a short_message travels as a payload.
    return octets.length <= 140 || !takesTlvs
      ? [carry(body, octets, [])]
      : [carry(body, Buffer.alloc(0), [octetsTlv('message_payload', octets)])];
  }
  const concat: Concat = takesTlvs ? options.concat : 'udh8';
  const plan = planText(textOf(event), { ...options, ucs2: true, concat });
  return toParts(plan, concat, reference).map(({ short_message, hasHeader, tlvs }) => {
    return carry({ esm_class: hasHeader ? udhi : 0, data_coding: plan.dataCoding }, short_message, tlvs);
  });
}

function addressed(source: SmeAddress, destination: SmeAddress) {
  return {
    source_addr_ton: source.ton,
    source_addr_npi: source.npi,
    source_addr: source.addr,
    dest_addr_ton: destination.ton,
    dest_addr_npi: destination.npi,
    destination_addr: destination.addr,
  };
}

function strangersOf(sms: SmsHints | undefined): Tlv[] {
  return Object.entries(sms?.tlvs ?? {}).map(([tag, value]) => ({
    tag: Number(tag),
    value: Buffer.from(value, 'hex'),
  }));
}
