// Kannel's `sendsms` parameters as drafts, and its escape codes in the URLs that it calls (user guide, tables 6-9 and 6-10).
import { GatewayError, type Message, type Receipt, type SmsHints } from '../../../src/contract/index.ts';
import type { Submission } from './submission.ts';

/** Bits of dlr-mask. */
export const dlr = { delivered: 1, undelivered: 2, accepted: 8, refused: 16 } as const;

const minuteMs = 60_000;
// `coding`: how a message that is no plain text says it is to be read (TS 23.038 s.4).
const dataCodings = [0x00, 0x04, 0x08] as const;
const priorities = ['low', 'normal', 'urgent', 'emergency'] as const;

/** Throws GatewayError `malformed`, naming the parameter. */
export function fromSendsms(form: ReadonlyMap<string, Buffer>, now: number): Submission {
  const word = (name: string) => form.get(name)?.toString().trim() || undefined;
  const number = (name: string, most: number) => integer(name, word(name), most);
  const to = (word('to') ?? '').split(/[\s,]+/).filter((one) => one !== '');
  if (to.length === 0) throw new GatewayError('malformed', 'to: is missing');
  const dlrMask = number('dlr-mask', 31) ?? number('dlrmask', 31) ?? 0;
  const validity = number('validity', 525_600);
  const deferred = number('deferred', 525_600);
  const priority = number('priority', 3);
  const { text, sms, attachments } = contentOf(form, number);
  return {
    from: word('from'),
    to,
    dlrMask,
    dlrUrl: word('dlr-url') ?? word('dlrurl'),
    message: {
      text,
      wants: wantsOf(dlrMask),
      ...(attachments === undefined ? {} : { attachments }),
      ...(sms === undefined ? {} : { sms }),
      ...(priority === undefined ? {} : { priority: priorities[priority] as (typeof priorities)[number] }),
      ...(validity === undefined ? {} : { expiresAt: after(now, (validity + (deferred ?? 0)) * minuteMs) }),
      ...(deferred === undefined || deferred === 0 ? {} : { notBefore: after(now, deferred * minuteMs) }),
    },
  };
}

/** A POST as Kannel has it: the text is the body, the rest are `X-Kannel-` headers (UDH in hexadecimal). */
export function formOfHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
  contentType: string,
  query: ReadonlyMap<string, Buffer>,
): Map<string, Buffer> {
  const form = new Map([...query, ['text', body] as const]);
  const [, charset] = /;\s*charset="?([^";]+)/i.exec(contentType) ?? [];
  if (charset !== undefined) form.set('charset', Buffer.from(charset.trim()));
  if (/^application\/octet-stream\b/i.test(contentType) && !form.has('coding')) form.set('coding', Buffer.from('1'));
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-kannel-') || typeof value !== 'string') continue;
    const parameter = name.slice('x-kannel-'.length);
    form.set(parameter, Buffer.from(value, parameter === 'udh' ? 'hex' : 'utf8'));
  }
  return form;
}

function contentOf(
  form: ReadonlyMap<string, Buffer>,
  number: (name: string, most: number) => number | undefined,
): Pick<Submission['message'], 'text' | 'sms' | 'attachments'> {
  const coding = number('coding', 2);
  const messageClass = number('mclass', 3);
  const protocolId = number('pid', 255);
  const octets = form.get('text') ?? Buffer.alloc(0);
  const udh = form.get('udh');
  const hints: SmsHints = {
    ...(messageClass === undefined ? {} : { messageClass }),
    ...(protocolId === undefined ? {} : { protocolId }),
  };
  if (coding !== 1 && (udh === undefined || udh.length === 0)) {
    return { text: { '': textOf(octets, coding, form.get('charset')?.toString()) }, ...optional(hints) };
  }
  // Kannel's begins with its length octet; an event has the elements.
  const header = udh && udh.length > 1 ? { udh: udh.toString('hex', 1) } : {};
  const binary = { data: octets.toString('base64'), dataCoding: dataCodings[coding ?? 0] as number, ...header };
  const url = `data:application/octet-stream;base64,${binary.data}`;
  return { text: {}, attachments: [{ url, bytes: octets.length }], ...optional({ ...hints, binary }) };
}

const optional = (sms: SmsHints) => (Object.keys(sms).length === 0 ? {} : { sms });

/** UTF-8 unless a charset is named; with coding 2 UTF-16BE octets, as Kannel takes them. */
function textOf(octets: Buffer, coding: number | undefined, charset: string | undefined): string {
  try {
    return new TextDecoder(charset ?? (coding === 2 ? 'utf-16be' : 'utf-8'), { fatal: true, ignoreBOM: true }).decode(
      octets,
    );
  } catch (error) {
    const why = error instanceof RangeError ? `charset ${charset?.slice(0, 40)} is not known` : 'is not in its charset';
    throw new GatewayError('malformed', error instanceof RangeError ? why : `text: ${why}`);
  }
}

function wantsOf(mask: number): Message['wants'] {
  const wants: Message['wants'] = [];
  // Without it nobody could tell what the network refused (16) from what it lost (2).
  if (mask & (dlr.accepted | dlr.refused)) wants.push('sent');
  if (mask & dlr.delivered) wants.push('delivered');
  return wants;
}

/** What a receipt is as a DLR value; undefined when it is none. */
export function dlrOf({ state, reason }: Pick<Receipt, 'state' | 'reason'>, wasSent: boolean): number | undefined {
  switch (state) {
    case 'sent':
      return dlr.accepted;
    case 'delivered':
      return dlr.delivered;
    case 'failed':
    case 'expired':
      return wasSent || reason === 'expired' ? dlr.undelivered : dlr.refused;
    default:
      return undefined;
  }
}

export interface UrlFacts {
  readonly from: string;
  readonly to: string;
  readonly text: string;
  /** Our id of it. */
  readonly id: string;
  readonly account: string;
  /** The instance, as Kannel's smsc-id. */
  readonly smsc: string;
  readonly at: number;
  readonly dlr?: number | undefined;
  /** Of a message that is no text: its octets, and its user data header in hexadecimal, without the length octet. */
  readonly binary?: { readonly data: string; readonly udh?: string | undefined } | undefined;
}

/** The URL with Kannel's escape codes filled in, percent-encoded; a code that means nothing here is empty. */
export function fillUrl(url: string, facts: UrlFacts): string {
  const [word = '', ...rest] = facts.text.trim().split(/\s+/);
  const codes: Readonly<Record<string, string>> = {
    a: facts.text,
    A: facts.text,
    b: facts.text,
    k: word,
    r: rest.join(' '),
    s: rest.join(' '),
    p: facts.from,
    P: facts.to,
    q: facts.from,
    Q: facts.to,
    t: new Date(facts.at).toISOString().slice(0, 19).replace('T', ' '),
    T: String(Math.floor(facts.at / 1000)),
    i: facts.smsc,
    I: facts.id,
    F: facts.id,
    d: facts.dlr === undefined ? '' : String(facts.dlr),
    n: facts.account,
    o: facts.account,
    c: facts.binary ? '1' : '0',
    C: 'UTF-8',
  };
  const octets = octetsOf(facts);
  // `%` and two hexadecimal digits is the URL's own escape, `%A` at its end or before anything else Kannel's.
  return url.replace(/%([0-9a-fA-F]{2})|%%|%([a-zA-Z])/g, (whole, hex?: string, code?: string) => {
    if (hex !== undefined) return whole;
    return code === undefined ? '%25' : (octets[code] ?? encodeURIComponent(codes[code]?.toWellFormed() ?? ''));
  });
}

// As `udh` at its door, Kannel's %u begins with the length octet.
function octetsOf({ binary }: UrlFacts): Readonly<Record<string, string>> {
  if (!binary) return {};
  const header = Buffer.from(binary.udh ?? '', 'hex');
  const escaped = (octets: Buffer) => octets.toString('hex').replace(/../g, '%$&');
  return {
    b: escaped(Buffer.from(binary.data, 'base64')),
    u: header.length === 0 ? '' : escaped(Buffer.from([header.length, ...header])),
  };
}

function integer(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text) || Number(text) > most)
    throw new GatewayError('malformed', `${name}: a number from 0 to ${most}`);
  return Number(text);
}

const after = (now: number, ms: number) => new Date(now + ms).toISOString();
