// Subscriptions that we keep for ourselves, with no watcher behind them who comes and goes: their dialogs, by Call-ID
// (RFC 6665 s.4.4.1: the NOTIFY makes the dialog). Nothing of them is in the store: after a restart they begin anew.
import type { SipRequest } from '../../codec/message.ts';
import { tagOf } from '../../codec/name-addr.ts';
import { advanced, type Dialog, dialogFromRequest } from '../../dialog.ts';
import type { Answer } from '../../endpoint.ts';
import { Timed } from '../../timer-wheel.ts';
import type { Attempt } from './watch.ts';

export abstract class OwnSubscription extends Timed {
  /** A SUBSCRIBE whose NOTIFY has not come yet. */
  attempt: Attempt | undefined;
  dialog: Dialog | undefined;
  /** In a row. */
  failures = 0;

  get callId(): string | undefined {
    return this.dialog?.callId ?? this.attempt?.callId;
  }

  belongs({ headers }: SipRequest): boolean {
    const localTag = this.dialog?.localTag ?? this.attempt?.localTag;
    if (localTag === undefined || tagOf(headers.get('To')) !== localTag) return false;
    return !this.dialog || this.dialog.remoteTag === (tagOf(headers.get('From')) ?? '');
  }
}

export class OwnDialogs<Own extends OwnSubscription> {
  readonly #byCallId = new Map<string, Own>();

  begin(own: Own, attempt: Attempt): void {
    this.#rename(own, () => {
      own.attempt = attempt;
      own.dialog = undefined;
    });
  }

  drop(own: Own): void {
    this.#rename(own, () => {
      own.attempt = undefined;
      own.dialog = undefined;
    });
  }

  /** NOTIFY: what `read` finds in it is for `apply`; undefined when it is somebody else's. Throws SipParseError, as `read` may. */
  async notified<Notice>(
    request: SipRequest,
    read: (request: SipRequest) => Notice,
    apply: (own: Own, notice: Notice) => Promise<Answer>,
  ): Promise<Answer | undefined> {
    const own = this.#byCallId.get(request.headers.get('Call-ID') ?? '');
    if (!own) return undefined;
    if (!own.belongs(request)) return { status: 481 };
    const notice = read(request);
    return this.#advance(own, request) ? apply(own, notice) : { status: 500, reason: 'Out Of Order' };
  }

  /** False when it is out of order. */
  #advance(own: Own, request: SipRequest): boolean {
    const { dialog, attempt } = own;
    const next = dialog
      ? advanced(dialog, request)
      : dialogFromRequest(request, attempt?.localTag ?? '', attempt?.cseq);
    if (!next) return false;
    own.dialog = next;
    own.attempt = undefined;
    return true;
  }

  #rename(own: Own, change: () => void): void {
    if (own.callId !== undefined) this.#byCallId.delete(own.callId);
    change();
    if (own.callId !== undefined) this.#byCallId.set(own.callId, own);
  }
}
