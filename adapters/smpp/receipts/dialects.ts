// Delivery receipts as carriers write them (SMPP 3.4 Appendix B and its many dialects), and which message_id they mean.
import { type Pdu, tlvInt, tlvOctets, tlvText } from '../codec/index.ts';
import { type Outcome, outcomeOf, stateName } from '../errors.ts';

export interface ParsedReceipt {
  /** As written; the optional parameter first, because the text cuts long ones. */
  readonly ids: readonly string[];
  /** `DELIVRD` and its like. */
  readonly stat: string;
  readonly code?: string;
  readonly networkError?: Buffer;
  /** Digits as they stood there (10, 12 or 14), zone unknown. */
  readonly doneDate?: string;
  /** s.5.2.12: the state so far, while the SMSC goes on trying. */
  readonly isIntermediate?: boolean;
  /** How this SMSC writes receipts: `deliver_sm text, esm_class 0x04`. */
  readonly dialect?: string;
  /** False: it may be a person's message that looks like one. Only a known id settles that. */
  readonly isCertain: boolean;
}

type Mobile = Extract<Pdu, { command: 'deliver_sm' | 'data_sm' }>;

// s.5.2.12: bit 2 of esm_class marks a receipt, bit 5 an intermediate one, bit 3 the acknowledgement of another entity;
// some SMSCs set both of the first, or use the others for plain receipts.
const receiptBit = 0x04;
const intermediateBit = 0x20;
const markedBits = receiptBit | intermediateBit;
const typeBits = markedBits | 0x08;
// An SMSC that marks its last word as intermediate: after these nothing can follow, after UNDELIV another attempt may.
const lastWords: ReadonlySet<string> = new Set(['DELIVRD', 'EXPIRED', 'DELETED', 'REJECTD']);
const keyPattern = /(?:^|[\s,;|])(id|sub|dlvrd|submit date|done date|stat|err|text)\s*:/gi;
const maxReceiptChars = 1024;

/** `texts`: the message decoded as its data_coding says, and as plain ASCII (some mark ASCII receipts as UCS-2). */
export function parseReceipt(pdu: Mobile, texts: readonly string[]): ParsedReceipt | undefined {
  const fields = texts.map(fieldsOf).find((found) => found.has('stat') || found.has('id')) ?? new Map<string, string>();
  const { tlvs } = pdu;
  const fromTlv = tlvText(tlvs, 'receipted_message_id');
  const state = tlvInt(tlvs, 'message_state');
  const { esm_class } = pdu.body;
  const isCertain = (esm_class & typeBits) !== 0 || (fromTlv !== undefined && state !== undefined);
  const ids = [fromTlv, fields.get('id')].filter((id) => id !== undefined && id !== '') as string[];
  const word = fields.get('stat') ?? (state === undefined ? undefined : stateName(state));
  // Without an id only its numbers can tell which message it means, so it must be a receipt beyond doubt.
  if (word === undefined || (ids.length === 0 && !isMarkedReceipt(pdu))) return undefined;
  const networkError = tlvOctets(tlvs, 'network_error_code');
  const code = fields.get('err');
  const doneDate = fields.get('done date');
  return {
    ids: [...new Set(ids)],
    stat: word.toUpperCase(),
    isCertain,
    dialect: dialectOf(pdu, fields.has('stat'), fromTlv !== undefined),
    ...((esm_class & markedBits) === intermediateBit ? { isIntermediate: true } : {}),
    ...(networkError ? { networkError } : {}),
    ...(code === undefined || code === '' ? {} : { code }),
    ...(doneDate === undefined ? {} : { doneDate }),
  };
}

/** How the receipt ends its message, if it does. `errorWords`: the carrier's err codes in words. */
export function outcomeOfReceipt(
  { stat, networkError, code, isIntermediate }: ParsedReceipt,
  errorWords: Readonly<Record<string, string>> = {},
): Outcome | undefined {
  if (isIntermediate && !lastWords.has(stat)) return undefined;
  return outcomeOf(stat, { networkError, code, errorWords });
}

/** Whether esm_class or a parameter says receipt: then it is never shown to a person as a message. */
export function isMarkedReceipt(pdu: Mobile): boolean {
  return (pdu.body.esm_class & markedBits) !== 0 || tlvOctets(pdu.tlvs, 'message_state') !== undefined;
}

function dialectOf({ command, body, tlvs }: Mobile, isText: boolean, isNamed: boolean): string {
  const inPayload = tlvOctets(tlvs, 'message_payload') !== undefined;
  const where = isText ? (inPayload ? 'message_payload' : 'text') : 'parameters';
  const id = isText && isNamed ? ' and receipted_message_id' : '';
  return `${command} ${where}${id}, esm_class 0x${(body.esm_class & 0x3c).toString(16).padStart(2, '0')}`;
}

function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  // Some put an id with the NUL of its field into the text.
  const head = text.slice(0, maxReceiptChars).replaceAll('\0', ' ');
  const keys = [...head.matchAll(keyPattern)];
  for (const [index, match] of keys.entries()) {
    const key = (match[1] ?? '').toLowerCase();
    // What follows `text:` is a person's words, keys among them or not.
    const end = key === 'text' ? head.length : (keys[index + 1]?.index ?? head.length);
    if (!fields.has(key)) fields.set(key, head.slice(match.index + match[0].length, end).trim());
    if (key === 'text') break;
  }
  const [id] = (fields.get('id') ?? '').split(/\s/);
  if (id) fields.set('id', id);
  return fields;
}
