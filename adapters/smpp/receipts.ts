// Delivery receipts as carriers write them (SMPP 3.4 Appendix B and its many dialects), and which message_id they mean.
import { type Pdu, tlvInt, tlvOctets, tlvText } from './codec/index.ts';
import { type Outcome, outcomeOf, stateName } from './errors.ts';

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

/** How a receipt's id has to be read to find that of the response. */
export const idRules = ['same', 'decimal-to-hex', 'hex-to-decimal'] as const;
export type IdRule = (typeof idRules)[number];

const longestNumber = 40;

const longestKey = 200;

/** The key under which a message_id of a response is kept: case folded, leading zeros stripped. */
export function idKey(id: string): string {
  const folded = id.trim().toLowerCase();
  return folded.replace(/^0+(?=.)/, '').slice(0, longestKey);
}

/** The keys that a receipt's id may mean, by rule. No two are equal. */
export function candidateKeys(id: string): Array<readonly [IdRule, string]> {
  const same = idKey(id);
  const keys: Array<readonly [IdRule, string]> = [['same', same]];
  if (same.length > longestNumber) return keys;
  const add = (rule: IdRule, key: string) => {
    if (!keys.some(([, known]) => known === key)) keys.push([rule, key]);
  };
  if (/^\d+$/.test(same)) add('decimal-to-hex', BigInt(same).toString(16));
  if (/^[0-9a-f]+$/.test(same)) add('hex-to-decimal', BigInt(`0x${same}`).toString(10));
  return keys;
}

/** The same subscriber, in whichever of national and international form: the shorter ends the longer. */
export function isSameNumber(one: string, other: string): boolean {
  const [shorter = '', longer = ''] = [one, other]
    .map((text) => text.replace(/\D/g, '').replace(/^0+/, ''))
    .sort((a, b) => a.length - b.length);
  return shorter.length >= 3 && longer.endsWith(shorter);
}

export function isOneOf(number: string, numbers: readonly string[]): boolean {
  return numbers.some((other) => isSameNumber(number, other));
}
