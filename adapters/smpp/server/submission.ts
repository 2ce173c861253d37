// What a submit_sm, data_sm or submit_multi asks for, with every field looked at: each bad one has the status of its own.
import type { SmsHints } from '../../../src/contract/index.ts';
import type { SmeAddress } from '../addresses.ts';
import { type PduOf, type StatusName, type Tlv, tlvInt, tlvOctets, tlvs } from '../codec/index.ts';
import { type DefaultAlphabet, readDataCoding, readSegment } from '../text/index.ts';
import { Refusal } from './statuses.ts';
import { parseTime } from './times.ts';

export type SubmitPdu = PduOf<'submit_sm'> | PduOf<'data_sm'> | PduOf<'submit_multi'>;

/** One short message as it was handed in, whoever gets it. */
export interface Submission {
  readonly source: SmeAddress;
  readonly serviceType: string;
  readonly payload: Buffer;
  readonly dataCoding: number;
  /** The user data header, without its length octet. */
  readonly header?: Buffer;
  readonly part?: { readonly reference: string; readonly total: number; readonly index: number };
  readonly isForApplication: boolean;
  /** s.5.2.17. */
  readonly registered: number;
  readonly notBefore?: number;
  readonly expiresAt?: number;
  readonly priority: number;
  readonly sms: SmsHints;
}

export interface Reading {
  readonly alphabet0: DefaultAlphabet;
  /** What the bind declared. */
  readonly version: number;
  readonly now: number;
}

const udhi = 0x40;
// s.5.2.12: bits 0-1 messaging mode, 2-5 type, 6-7 GSM features.
const modeBits = 0x03;
const transactionMode = 2;
const typeBits = 0x3c;
const registeredBits = 0x1f;
// s.5.2.5, 5.2.6.
const highestTon = 6;
const numberingPlans: ReadonlySet<number> = new Set([0, 1, 3, 4, 6, 8, 9, 10, 14, 18]);
const version5 = 0x50;
// TS 23.038 s.4: these groups are reserved.
const reservedCodings: readonly [number, number] = [0x80, 0xbf];
const known: ReadonlySet<number> = new Set(Object.values(tlvs).map(([tag]) => tag));

/** Throws Refusal. */
export function readSubmission(pdu: SubmitPdu, { alphabet0, version, now }: Reading): Submission {
  const { body } = pdu;
  checkTlvs(pdu.tlvs);
  checkAddress(body.source_addr_ton, body.source_addr_npi, 'ESME_RINVSRCTON', 'ESME_RINVSRCNPI');
  if ('dest_addr_ton' in body)
    checkAddress(body.dest_addr_ton, body.dest_addr_npi, 'ESME_RINVDSTTON', 'ESME_RINVDSTNPI');
  checkClass(body.esm_class);
  refuseIf((body.registered_delivery & ~registeredBits) !== 0, 'ESME_RINVREGDLVFLG', 'registered_delivery');
  // Receipts of successes only are SMPP 5.0's.
  refuseIf((body.registered_delivery & 3) === 3 && version < version5, 'ESME_RINVREGDLVFLG', 'registered_delivery');
  const coding = readDataCoding(body.data_coding, alphabet0);
  const isReserved = body.data_coding >= reservedCodings[0] && body.data_coding <= reservedCodings[1];
  refuseIf(isReserved || coding.isCompressed, 'ESME_RINVDCS', `data_coding ${body.data_coding}`);
  const octets = userData(pdu);
  const hasHeader = (body.esm_class & udhi) !== 0;
  refuseIf(hasHeader && 1 + (octets[0] ?? 255) > octets.length, 'ESME_RINVESMCLASS', 'there is no user data header');
  checkSar(pdu.tlvs);
  const segment = readSegment(octets, hasHeader, pdu.tlvs, coding);
  refuseIf(segment.payload.length === 0 && !hasHeader, 'ESME_RINVMSGLEN', 'there is no text');
  return {
    source: { ton: body.source_addr_ton, npi: body.source_addr_npi, addr: body.source_addr },
    serviceType: body.service_type,
    payload: segment.payload,
    dataCoding: body.data_coding,
    ...(hasHeader ? { header: octets.subarray(1, 1 + (octets[0] as number)) } : {}),
    ...(segment.part ? { part: segment.part } : {}),
    isForApplication: segment.isForApplication,
    registered: body.registered_delivery,
    priority: 'priority_flag' in body ? body.priority_flag : 0,
    ...readTimes(pdu, now),
    sms: readHints(pdu, coding.messageClass),
  };
}

/** What a replace_sm may change. Throws Refusal. */
export function checkAddress(ton: number, npi: number, badTon: StatusName, badNpi: StatusName): void {
  refuseIf(ton > highestTon, badTon, `TON ${ton}`);
  refuseIf(!numberingPlans.has(npi), badNpi, `NPI ${npi}`);
}

/** Empty means now, or for as long as we like. Throws Refusal. */
export function readInstants(
  schedule: string,
  validity: string,
  now: number,
): Pick<Submission, 'notBefore' | 'expiresAt'> {
  const notBefore = schedule === '' ? undefined : parseTime(schedule, now);
  refuseIf(schedule !== '' && (notBefore === undefined || notBefore < now), 'ESME_RINVSCHED', 'schedule_delivery_time');
  // s.5.2.16: a relative validity counts from the submission.
  const expiresAt = validity === '' ? undefined : parseTime(validity, now);
  const isOver = expiresAt !== undefined && expiresAt <= (notBefore ?? now);
  refuseIf(validity !== '' && (expiresAt === undefined || isOver), 'ESME_RINVEXPIRY', 'validity_period');
  return {
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function readTimes(pdu: SubmitPdu, now: number): Pick<Submission, 'notBefore' | 'expiresAt'> {
  if (pdu.command !== 'data_sm') return readInstants(pdu.body.schedule_delivery_time, pdu.body.validity_period, now);
  // s.5.3.2.61: seconds.
  const seconds = tlvInt(pdu.tlvs, 'qos_time_to_live');
  return seconds === undefined || seconds === 0 ? {} : { expiresAt: now + seconds * 1000 };
}

function checkClass(esm_class: number): void {
  const isTransaction = (esm_class & modeBits) === transactionMode;
  refuseIf(isTransaction || (esm_class & typeBits) !== 0, 'ESME_RINVESMCLASS', `esm_class 0x${esm_class.toString(16)}`);
}

// s.5.3.2.32: the text stands in short_message or in message_payload, never in both.
function userData(pdu: SubmitPdu): Buffer {
  const payload = tlvOctets(pdu.tlvs, 'message_payload');
  if (pdu.command === 'data_sm') {
    if (!payload) throw new Refusal('ESME_RMISSINGOPTPARAM', 'a data_sm has its text in message_payload');
    return payload;
  }
  const { body } = pdu;
  refuseIf(body.priority_flag > 3, 'ESME_RINVPRTFLG', `priority_flag ${body.priority_flag}`);
  refuseIf(body.replace_if_present_flag > 1, 'ESME_RINVREPFLAG', `replace_if_present ${body.replace_if_present_flag}`);
  refuseIf(body.sm_default_msg_id !== 0, 'ESME_RINVDFTMSGID', 'there are no predefined messages here');
  refuseIf(
    payload !== undefined && body.short_message.length > 0,
    'ESME_ROPTPARNOTALLWD',
    'short_message and message_payload',
  );
  return payload ?? body.short_message;
}

// s.5.3.2: an integer has the length of its table; our own peers are told when it has not.
function checkTlvs(all: readonly Tlv[]): void {
  for (const { tag, value } of all) {
    const entry = entries.get(tag);
    if (!entry) continue;
    const [, kind, bytes] = entry;
    const isWrong = kind === 'int' ? value.length !== bytes : value.length > bytes;
    refuseIf(isWrong, 'ESME_RINVPARLEN', `TLV 0x${tag.toString(16)} of ${value.length} octets`);
  }
}
const entries = new Map(Object.values(tlvs).map((entry) => [entry[0] as number, entry]));

// s.5.3.2.22 to 24: three that make sense only together.
function checkSar(all: readonly Tlv[]): void {
  const sar = [
    tlvInt(all, 'sar_msg_ref_num'),
    tlvInt(all, 'sar_total_segments'),
    tlvInt(all, 'sar_segment_seqnum'),
  ] as const;
  if (sar.every((value) => value === undefined)) return;
  const [, total = 0, index = 0] = sar;
  refuseIf(sar.includes(undefined), 'ESME_RMISSINGOPTPARAM', 'one of the sar_ parameters is missing');
  refuseIf(total < 1 || index < 1 || index > total, 'ESME_RINVOPTPARAMVAL', `segment ${index} of ${total}`);
}

function readHints(pdu: SubmitPdu, messageClass: 0 | 1 | 2 | 3 | undefined): SmsHints {
  const { service_type } = pdu.body;
  const strangers = pdu.tlvs.filter(({ tag }) => !known.has(tag));
  const named = strangers.map(({ tag, value }) => [`0x${tag.toString(16).padStart(4, '0')}`, value.toString('hex')]);
  return {
    ...(messageClass === undefined ? {} : { messageClass }),
    ...(service_type === '' ? {} : { serviceType: service_type }),
    ...('protocol_id' in pdu.body && pdu.body.protocol_id !== 0 ? { protocolId: pdu.body.protocol_id } : {}),
    ...('replace_if_present_flag' in pdu.body && pdu.body.replace_if_present_flag === 1
      ? { replaceIfPresent: true }
      : {}),
    ...(named.length === 0 ? {} : { tlvs: Object.fromEntries(named) }),
  };
}

function refuseIf(isBad: boolean, status: StatusName, why: string): void {
  if (isBad) throw new Refusal(status, why);
}
