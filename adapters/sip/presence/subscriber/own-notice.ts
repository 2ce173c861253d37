// A NOTIFY of a subscription that we keep for ourselves: what it says of the subscription, and its document.
import { MimeError, parseMediaType } from '../../../../src/formats/mime.ts';
import { XmlError } from '../../../../src/formats/xml.ts';
import { numberIn } from '../../codec/cseq.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { decodeContentEncoding } from '../../imdn.ts';
import { type Ending, endingOf } from './phases.ts';

export interface OwnNotice<Info> {
  state: 'active' | 'pending' | 'terminated';
  ending: Ending;
  expiresMs: number;
  /** How long to stay away, where it says so. */
  retryMs: number;
  /** Undefined without a body. */
  info: Info | undefined;
}

export interface NoticeForm<Info> {
  /** Event package. */
  event: string;
  type: string;
  usualSeconds: number;
  /** Throws XmlError. */
  parse(document: Uint8Array): Info;
}

/** Throws SipParseError: 400, 415, 489. */
export function readNotice<Info>({ headers, body }: SipRequest, form: NoticeForm<Info>): OwnNotice<Info> {
  const event = parseParameterised(headers.get('Event') ?? '').value.toLowerCase();
  if (event !== form.event) throw new SipParseError(`event ${event}`, { status: 489 });
  const { value, parameters } = parseParameterised(headers.get('Subscription-State') ?? '');
  const word = value.toLowerCase();
  return {
    state: word === 'pending' || word === 'terminated' ? word : 'active',
    ending: endingOf(parameters.get('reason')?.toLowerCase()),
    expiresMs: 1000 * (numberIn(parameters.get('expires')) ?? form.usualSeconds),
    retryMs: 1000 * (numberIn(parameters.get('retry-after')) ?? 0),
    info:
      body.length === 0
        ? undefined
        : infoIn(headers.get('Content-Type') ?? '', headers.all('Content-Encoding'), body, form),
  };
}

function infoIn<Info>(
  type: string,
  encodings: readonly string[],
  body: Uint8Array,
  { type: wanted, parse }: NoticeForm<Info>,
): Info {
  try {
    if (parseMediaType(type).type !== wanted) throw new SipParseError('not asked for', { status: 415 });
    return parse(decodeContentEncoding(body, encodings));
  } catch (error) {
    if (error instanceof XmlError || error instanceof MimeError) throw new SipParseError(error.message);
    throw error;
  }
}
