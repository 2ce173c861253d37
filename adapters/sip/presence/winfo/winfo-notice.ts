// A NOTIFY of presence.winfo (RFC 3857 s.4.7): what it says.
import { parseMediaType } from '../../../../src/formats/mime.ts';
import { XmlError } from '../../../../src/formats/xml.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { decodeContentEncoding } from '../../imdn.ts';
import { type Ending, endingOf } from '../subscriber/phases.ts';
import { parseWatcherInfo, type WatcherInfo, watcherInfoType } from './watcher-info.ts';

export const winfoPackage = 'presence.winfo';

export interface WinfoNotice {
  state: 'active' | 'pending' | 'terminated';
  ending: Ending;
  expiresMs: number;
  /** How long to stay away, where it says so. */
  retryMs: number | undefined;
  info: WatcherInfo | undefined;
}

const usualSeconds = 3600;

/** Throws SipParseError: 400, 415, 489. */
export function readWinfo({ headers, body }: SipRequest): WinfoNotice {
  const event = parseParameterised(headers.get('Event') ?? '').value.toLowerCase();
  if (event !== winfoPackage) throw new SipParseError(`event ${event}`, { status: 489 });
  const { value, parameters } = parseParameterised(headers.get('Subscription-State') ?? '');
  const word = value.toLowerCase();
  return {
    state: word === 'pending' || word === 'terminated' ? word : 'active',
    ending: endingOf(parameters.get('reason')?.toLowerCase()),
    expiresMs: 1000 * (secondsIn(parameters.get('expires')) ?? usualSeconds),
    retryMs: 1000 * (secondsIn(parameters.get('retry-after')) ?? 0),
    info:
      body.length === 0 ? undefined : infoIn(headers.get('Content-Type') ?? '', headers.all('Content-Encoding'), body),
  };
}

function infoIn(type: string, encodings: readonly string[], body: Uint8Array): WatcherInfo {
  try {
    if (parseMediaType(type).type !== watcherInfoType) throw new SipParseError('not asked for', { status: 415 });
    return parseWatcherInfo(decodeContentEncoding(body, encodings));
  } catch (error) {
    if (error instanceof XmlError) throw new SipParseError(error.message);
    throw error;
  }
}

function secondsIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
