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
  /** Digits as they stood there, zone unknown. */
  readonly doneDate?: string;
  /** False: it may be a person's message that looks like one. Only a known id settles that. */
  readonly isCertain: boolean;
}

type Mobile = Extract<Pdu, { command: 'deliver_sm' | 'data_sm' }>;

// s.5.2.12: bit 2 of esm_class marks a receipt, bit 5 an intermediate one; some SMSCs set both.
const receiptBits = 0x24;
const keyPattern = /(?:^|[\s,;|])(id|sub|dlvrd|submit date|done date|stat|err|text)\s*:/gi;
const maxReceiptChars = 1024;

/** `texts`: the message decoded as its data_coding says, and as plain ASCII (some mark ASCII receipts as UCS-2). */
export function parseReceipt(pdu: Mobile, texts: readonly string[]): ParsedReceipt | undefined {
  const fields = texts.map(fieldsOf).find((found) => found.has('stat') || found.has('id')) ?? new Map<string, string>();
  const { tlvs } = pdu;
  const fromTlv = tlvText(tlvs, 'receipted_message_id');
  const state = tlvInt(tlvs, 'message_state');
  const isMarked = (pdu.body.esm_class & receiptBits) !== 0;
  const isCertain = isMarked || (fromTlv !== undefined && state !== undefined);
  const ids = [fromTlv, fields.get('id')].filter((id) => id !== undefined && id !== '') as string[];
  const word = fields.get('stat') ?? (state === undefined ? undefined : stateName(state));
  if (ids.length === 0 || word === undefined) return undefined;
  const networkError = tlvOctets(tlvs, 'network_error_code');
  const code = fields.get('err');
  const doneDate = fields.get('done date');
  return {
    ids: [...new Set(ids)],
    stat: word.toUpperCase(),
    isCertain,
    ...(networkError ? { networkError } : {}),
    ...(code === undefined ? {} : { code }),
    ...(doneDate === undefined ? {} : { doneDate }),
  };
}

export function outcomeOfReceipt({ stat, networkError, code }: ParsedReceipt): Outcome | undefined {
  return outcomeOf(stat, networkError, code);
}

/** Whether esm_class or a parameter says receipt: then it is never shown to a person as a message. */
export function isMarkedReceipt(pdu: Mobile): boolean {
  return (pdu.body.esm_class & receiptBits) !== 0 || tlvOctets(pdu.tlvs, 'message_state') !== undefined;
}

function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  const head = text.slice(0, maxReceiptChars);
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
