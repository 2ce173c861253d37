// NOTIFY on its way in (RFC 6665 s.4.1.3): whose it is, what it tells the watcher, and an answer only when that is durable.
import { type FailureReason, GatewayError, type Hub } from '../../../../src/contract/index.ts';
import { Turns } from '../../../../src/guards/turns.ts';
import type { SipRequest } from '../../codec/message.ts';
import { tagOf } from '../../codec/name-addr.ts';
import { advanced, type Dialog, dialogFromRequest } from '../../dialog.ts';
import { type Answer, type Inbound, oneLine } from '../../endpoint.ts';
import { hopsOf } from '../../mapping/hops.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import { traceMessage } from '../../wire-trace.ts';
import { afterNews, type ListNews } from '../list/members.ts';
import type { Life } from './life.ts';
import { eventPackage, type Notification, readNotification } from './notification.ts';
import type { WatchStore } from './store.ts';
import type { Teller } from './teller.ts';
import type { Watching } from './watch.ts';

export interface NotifiedParts {
  hub: Hub;
  store: WatchStore;
  teller: Teller;
  life: Life;
}

/**
 * What a notifier is told when the hub refuses. 404, 481 and 489 end its subscription (RFC 6665 s.4.2.2), so what will pass
 * must be none of those: nor 480, which says `unavailable` elsewhere.
 */
const refusals: Readonly<Record<FailureReason, number>> = {
  'not-found': 404,
  'not-allowed': 481,
  expired: 481,
  unsupported: 489,
  malformed: 400,
  'too-large': 413,
  throttled: 503,
  unreachable: 503,
  unavailable: 503,
  internal: 500,
};
const endsIt: ReadonlySet<number> = new Set([404, 481, 489]);
/** A dialog whose end moves by less is not written down again. */
const worthKeepingMs = 60_000;
const retryAfterMs = 5000;

export class Notified {
  readonly #parts: NotifiedParts;
  /** How long a subscription lasts when nobody says. */
  readonly #seconds: number;
  readonly #turns = new Turns();

  constructor(seconds: number, parts: NotifiedParts) {
    this.#seconds = seconds;
    this.#parts = parts;
  }

  /** Throws SipParseError. */
  async handle({ request }: Pick<Inbound, 'request'>): Promise<Answer> {
    const callId = request.headers.get('Call-ID') ?? '';
    const watching = this.#parts.store.findByCallId(callId);
    if (!watching || !belongs(request, watching)) return { status: 481 };
    const notification = readNotification(request);
    const before = watching.watch.dialog;
    const dialog = before ? advanced(before, request) : this.#begun(watching, request);
    if (!dialog) return { status: 500, reason: 'Out Of Order' };
    watching.watch.dialog = dialog;
    watching.attempt = undefined;
    // Each in its turn: the second must not find what the first has not told yet.
    return this.#turns.take(callId, () => this.#apply(watching, notification, request, before === undefined));
  }

  // RFC 3856 s.6.9: of several that a forked SUBSCRIBE has reached, the first to notify makes the one dialog.
  #begun(watching: Watching, request: SipRequest): Dialog {
    const { localTag = '', cseq = 0 } = watching.attempt ?? {};
    watching.beganAt = this.#parts.hub.now();
    watching.watch.expiresAt = 0;
    watching.listVersion = undefined;
    return dialogFromRequest(request, localTag, cseq);
  }

  async #apply(watching: Watching, news: Notification, request: SipRequest, isNew: boolean): Promise<Answer> {
    if (watching.phase === 'over') return { status: 481 };
    try {
      const devices = news.list ? membersAfter(watching, news.list) : news.devices;
      const event = await this.#tell(watching, { ...news, devices }, hopsOf(request.headers.get('Max-Forwards')));
      const isMoved = this.#extend(watching, news);
      if (news.state === 'terminated') await this.#parts.life.ended(watching, news.ending, news.retryAfterMs);
      else if (watching.watch.standing !== 'polled') {
        this.#parts.life.happen(watching, 'notified');
        // RFC 4662 s.5.2: something was missed, and the answer to a refresh is whole.
        if (news.list && devices === undefined) this.#parts.life.happen(watching, 'due');
        if (isNew || isMoved || event !== undefined) await this.#parts.store.save(watching);
      }
      if (event === undefined) return { status: 200 };
      traceMessage(this.#parts.hub, event, 'inbound', request);
      return { status: 200, event };
    } catch (error) {
      if (error instanceof GatewayError) return this.#refusal(watching, error);
      throw error;
    }
  }

  /** The id of an event that it became, if any. */
  async #tell(
    watching: Watching,
    { state, devices, list, etag }: Notification,
    hops: number,
  ): Promise<string | undefined> {
    const { watch, phase } = watching;
    const { teller } = this.#parts;
    if (phase === 'leaving') return undefined;
    if (watch.standing === 'polled') {
      if (state !== 'pending') await teller.repeat(devices ?? [], watch, watch.watcher);
      return undefined;
    }
    // RFC 8048 s.5.2.1: nothing of a contact who has not said yes, whatever is enclosed.
    if (state !== 'active') return undefined;
    const isFirst = watch.standing === 'asked';
    if (isFirst) {
      await teller.answer(watch, 'approve', hops);
      watch.standing = 'granted';
      // Without a document nothing is known; later ones without leave what is known.
      if (devices === undefined && watch.devices.length === 0) return teller.unknown(watch, hops);
    }
    if (devices === undefined) return undefined;
    const event = await teller.tell(devices, isFirst ? [] : watch.devices, watch, hops);
    watch.devices = devices;
    // Of a list that counts its versions the whole is what a refresh is for.
    watch.etag = list ? undefined : etag;
    return event;
  }

  // The NOTIFY's own word on how long decides (RFC 6665 s.4.1.3), and never lengthens what was asked for.
  #extend({ watch }: Watching, { expiresMs }: Notification): boolean {
    const mostMs = (watch.seconds ?? this.#seconds) * 1000;
    if (expiresMs === undefined && watch.expiresAt > 0) return false;
    const expiresAt = this.#parts.hub.now() + Math.min(expiresMs ?? mostMs, mostMs);
    const isMoved = Math.abs(expiresAt - watch.expiresAt) > worthKeepingMs;
    watch.expiresAt = expiresAt;
    return isMoved;
  }

  async #refusal(
    watching: Watching,
    { reason, message, retryAfterMs: asked = retryAfterMs }: GatewayError,
  ): Promise<Answer> {
    const status = refusals[reason];
    if (endsIt.has(status)) await this.#parts.life.forget(watching);
    else if (watching.watch.standing !== 'polled') this.#parts.life.happen(watching, 'notified');
    const headers: Array<readonly [string, string]> = [];
    if (status === 503) headers.push(['Retry-After', String(Math.ceil(asked / 1000))]);
    if (status === 489) headers.push(['Allow-Events', eventPackage]);
    return { status, reason: oneLine(message), headers };
  }
}

function membersAfter(watching: Watching, list: ListNews): DevicePresence[] | undefined {
  const members = afterNews({ version: watching.listVersion, members: watching.watch.devices }, list);
  watching.listVersion = members && list.version;
  return members;
}

function belongs({ headers }: SipRequest, { watch, attempt }: Watching): boolean {
  const localTag = watch.dialog?.localTag ?? attempt?.localTag;
  if (localTag === undefined || tagOf(headers.get('To')) !== localTag) return false;
  return !watch.dialog || watch.dialog.remoteTag === (tagOf(headers.get('From')) ?? '');
}
