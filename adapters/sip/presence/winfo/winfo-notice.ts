// A NOTIFY of presence.winfo (RFC 3857 s.4.7): what it says.
import type { SipRequest } from '../../codec/message.ts';
import { type OwnNotice, readNotice } from '../subscriber/own-notice.ts';
import { parseWatcherInfo, type WatcherInfo, watcherInfoType } from './watcher-info.ts';

export const winfoPackage = 'presence.winfo';

export type WinfoNotice = OwnNotice<WatcherInfo>;

const form = { event: winfoPackage, type: watcherInfoType, usualSeconds: 3600, parse: parseWatcherInfo };

/** Throws SipParseError: 400, 415, 489. */
export function readWinfo(request: SipRequest): WinfoNotice {
  return readNotice(request, form);
}
