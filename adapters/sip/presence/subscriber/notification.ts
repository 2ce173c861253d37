// What a NOTIFY says (RFC 6665 s.4.1.3, RFC 3856 s.6.7), once it is known to belong to a dialog of ours.
import { contentOf, MimeError, mediaTypeOf } from '../../../../src/formats/mime.ts';
import { decodePidf, pidfType, xpidfType } from '../../../../src/formats/pidf/index.ts';
import { listType, rlmiType } from '../../../../src/formats/rlmi.ts';
import { XmlError } from '../../../../src/formats/xml.ts';
import { numberIn } from '../../codec/cseq.ts';
import { type Headers, SipParseError, type SipRequest } from '../../codec/message.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { isToken } from '../../codec/scan.ts';
import { decodeContentEncoding } from '../../imdn.ts';
import { type DevicePresence, devicesOf } from '../../mapping/presence.ts';
import { type ListNews, readListNews } from '../list/members.ts';
import { type Ending, endingOf } from './phases.ts';

export const eventPackage = 'presence';
/** What Accept says, best first (RFC 3856 s.6.5). */
export const acceptedBodies: readonly string[] = [pidfType, xpidfType, listType, rlmiType];
const documents: readonly string[] = [pidfType, xpidfType];
const maxBodyBytes = 65_536;
/** What is kept of one document, for the difference to the next: so many devices, and characters of JSON. */
const ofPerson = { count: 16, length: 8192 };
const ofList = { count: 128, length: 65_536 };
const maxEtagLength = 128;

export interface Notification {
  state: 'active' | 'pending' | 'terminated';
  /** Of a terminated subscription. */
  ending: Ending;
  retryAfterMs: number | undefined;
  expiresMs: number | undefined;
  /** Full state; undefined when there was no body, which leaves what is known as it is (RFC 3856 s.6.7). */
  devices: DevicePresence[] | undefined;
  /** In place of these: of a list of presentities (RFC 4662). */
  list?: ListNews;
  /** SIP-ETag: what the notifier calls this state. */
  etag: string | undefined;
}

type Told = Pick<Notification, 'devices' | 'list'>;
const nothing: Told = { devices: undefined };

/** Throws SipParseError with the status the notifier deserves: 400, 413, 415, 489. */
export function readNotification(request: SipRequest): Notification {
  const { headers } = request;
  const event = parseParameterised(headers.get('Event') ?? '');
  if (event.value.toLowerCase() !== eventPackage) throw new SipParseError(`event ${event.value}`, { status: 489 });
  // Ours have no id, so one with an id speaks of another subscription (RFC 6665 s.4.5.2).
  if (event.parameters.has('id')) throw new SipParseError('an event id of no subscription here', { status: 481 });
  const { value, parameters } = parseParameterised(headers.get('Subscription-State') ?? '');
  const word = value.toLowerCase();
  // s.4.1.3: a state that nobody has heard of is as good as active.
  const state = word === 'pending' || word === 'terminated' ? word : 'active';
  return {
    state,
    ending: endingOf(parameters.get('reason')?.toLowerCase()),
    retryAfterMs: milliseconds(parameters.get('retry-after')),
    expiresMs: milliseconds(parameters.get('expires')),
    etag: etagIn(headers),
    ...(state === 'terminated' ? (lenient(() => toldIn(request)) ?? nothing) : toldIn(request)),
  };
}

function toldIn({ headers, body }: SipRequest): Told {
  if (body.length === 0) return nothing;
  const type = headers.get('Content-Type');
  if (type === undefined) throw new SipParseError('a body without Content-Type');
  const encodings = headers.all('Content-Encoding').filter((encoding) => encoding !== '');
  try {
    const part = { headers: [['Content-Type', type] as const], body };
    const isList = mediaTypeOf(part).type === listType;
    if (!isList && !documents.includes(mediaTypeOf(part).type)) {
      throw new SipParseError('a body that was not asked for', { status: 415 });
    }
    const plain = decodeContentEncoding(contentOf(part), encodings, maxBodyBytes);
    if (!isList) return { devices: bounded(devicesOf(decodePidf(plain))).map((device) => inLanguage(device, headers)) };
    const list = readListNews({ ...part, body: plain });
    return { devices: undefined, list: { ...list, members: bounded(list.members, ofList) } };
  } catch (error) {
    if (error instanceof XmlError || error instanceof MimeError) throw new SipParseError(error.message);
    throw error;
  }
}

/** RFC 8048 s.6.3: Content-Language is the language of words that name none. */
function inLanguage(device: DevicePresence, headers: Headers): DevicePresence {
  const language = headers.all('Content-Language')[0] ?? '';
  const { '': unnamed, ...notes } = device.notes ?? {};
  if (unnamed === undefined || Object.hasOwn(notes, language) || !/^[A-Za-z0-9-]{1,35}$/.test(language)) return device;
  return { ...device, notes: { ...notes, [language]: unnamed } };
}

/** What nobody here understands is the first to go, then the words. */
function bounded(devices: readonly DevicePresence[], { count, length } = ofPerson): DevicePresence[] {
  const most = devices.slice(0, count);
  if (JSON.stringify(most).length <= length) return most;
  const bare = most.map(({ extensions: _, ...device }) => device);
  if (JSON.stringify(bare).length <= length) return bare;
  return bare.map(({ resource, availability }) => ({ availability, ...(resource === undefined ? {} : { resource }) }));
}

// An end is an end, whatever was enclosed.
function lenient<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

function etagIn(headers: Headers): string | undefined {
  const etag = headers.get('SIP-ETag');
  return etag !== undefined && etag.length <= maxEtagLength && isToken(etag) ? etag : undefined;
}

function milliseconds(seconds: string | undefined): number | undefined {
  const number = numberIn(seconds);
  return number === undefined ? undefined : number * 1000;
}
