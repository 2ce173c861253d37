// What a submit_sm, data_sm or submit_multi asks for, with every field looked at: each bad one has the status of its own.
import type { SmsHints } from '../../../src/contract/index.ts';
import type { SmeAddress } from '../addresses.ts';
import { versions } from '../binds/versions.ts';
import { type PduOf, parseTime, type StatusName, type Tlv, tlvInt, tlvOctets, tlvs } from '../codec/index.ts';
import { hintsOf } from '../hints.ts';
import {
  capacity,
  type DefaultAlphabet,
  headerBytesOf,
  type PartOf,
  type Piece,
  readDataCoding,
  readSegment,
} from '../text/index.ts';
import { Refusal } from './statuses.ts';

export type SubmitPdu = PduOf<'submit_sm'> | PduOf<'data_sm'> | PduOf<'submit_multi'>;

/** One short message as it was handed in, whoever gets it. */
export interface Submission {
  readonly source: SmeAddress;
  readonly serviceType: string;
  readonly piece: NonNullable<Piece>;
  readonly part?: PartOf;
  /** How many short messages it is to a phone: a message_payload may be many. */
  readonly count: number;
  /** s.5.2.17. */
  readonly registered: number;
  readonly notBefore?: number;
  readonly expiresAt?: number;
  readonly priority: number;
  readonly hints: SmsHints;
  /** Its answer waits for its delivery (s.2.10.3). */
  readonly isTransaction: boolean;
}

export interface Reading {
  readonly alphabet0: DefaultAlphabet;
  /** What the bind declared. */
  readonly version: number;
  readonly now: number;
  /** How long a transaction may take. */
  readonly transactionWaitMs: number;
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
// TS 23.038 s.4: these groups are reserved.
const reservedCodings: readonly [number, number] = [0x80, 0xbf];

/** Throws Refusal. */
export function readSubmission(pdu: SubmitPdu, reading: Reading): Submission {
  const { alphabet0, version } = reading;
  const { body } = pdu;
  checkTlvs(pdu.tlvs);
  checkAddress(body.source_addr_ton, body.source_addr_npi, 'ESME_RINVSRCTON', 'ESME_RINVSRCNPI');
  if ('dest_addr_ton' in body)
    checkAddress(body.dest_addr_ton, body.dest_addr_npi, 'ESME_RINVDSTTON', 'ESME_RINVDSTNPI');
  const isTransaction = readMode(pdu);
  refuseIf((body.registered_delivery & ~registeredBits) !== 0, 'ESME_RINVREGDLVFLG', 'registered_delivery');
  // Receipts of successes only are SMPP 5.0's.
  refuseIf((body.registered_delivery & 3) === 3 && version < versions.v50, 'ESME_RINVREGDLVFLG', 'registered_delivery');
  const coding = readDataCoding(body.data_coding, alphabet0);
  const isReserved = body.data_coding >= reservedCodings[0] && body.data_coding <= reservedCodings[1];
  refuseIf(isReserved || coding.isCompressed, 'ESME_RINVDCS', `data_coding ${body.data_coding}`);
  const octets = userData(pdu);
  const hasHeader = (body.esm_class & udhi) !== 0;
  refuseIf(hasHeader && headerBytesOf(octets) === 0, 'ESME_RINVESMCLASS', 'there is no user data header');
  checkSar(pdu.tlvs);
  const { payload, part, udh } = readSegment(octets, hasHeader, pdu.tlvs, coding);
  // An indication that something waits says it without a text.
  refuseIf(isTransaction && part !== undefined, 'ESME_RINVESMCLASS', 'a text in parts is no transaction');
  refuseIf(payload.length === 0 && !hasHeader && !coding.waiting, 'ESME_RINVMSGLEN', 'there is no text');
  return {
    source: { ton: body.source_addr_ton, npi: body.source_addr_npi, addr: body.source_addr },
    serviceType: body.service_type,
    piece: { payload, dataCoding: body.data_coding, ...(udh ? { udh } : {}) },
    ...(part ? { part } : {}),
    count: countOf(payload.length, coding.alphabet?.isSeptets ?? false, udh?.length ?? 0),
    registered: body.registered_delivery,
    priority: 'priority_flag' in body ? body.priority_flag : 0,
    ...readTimes(pdu, reading, isTransaction),
    hints: hintsOf(pdu),
    isTransaction,
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

function countOf(units: number, isSeptets: boolean, headerBytes: number): number {
  if (units <= capacity({ isSeptets }, headerBytes)) return 1;
  return Math.ceil(units / Math.max(1, capacity({ isSeptets }, headerBytes, 'udh8')));
}

function readTimes(
  pdu: SubmitPdu,
  { now, transactionWaitMs }: Reading,
  isTransaction: boolean,
): Pick<Submission, 'notBefore' | 'expiresAt'> {
  if (pdu.command !== 'data_sm') return readInstants(pdu.body.schedule_delivery_time, pdu.body.validity_period, now);
  // s.5.3.2.61: seconds.
  const seconds = tlvInt(pdu.tlvs, 'qos_time_to_live') || Number.POSITIVE_INFINITY;
  // Whoever waits for the answer would not know what became of it later.
  const lifeMs = Math.min(seconds * 1000, isTransaction ? transactionWaitMs : Number.POSITIVE_INFINITY);
  return Number.isFinite(lifeMs) ? { expiresAt: now + lifeMs } : {};
}

// s.4.4, 4.5: only data_sm knows the transaction mode. Datagrams are kept and tried again like all others.
function readMode({ command, body: { esm_class } }: SubmitPdu): boolean {
  const isTransaction = (esm_class & modeBits) === transactionMode;
  const isWrong = (isTransaction && command !== 'data_sm') || (esm_class & typeBits) !== 0;
  refuseIf(isWrong, 'ESME_RINVESMCLASS', `esm_class 0x${esm_class.toString(16)}`);
  return isTransaction;
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

function refuseIf(isBad: boolean, status: StatusName, why: string): void {
  if (isBad) throw new Refusal(status, why);
}
