// What a receipt becomes: the answer that waited for it, a disposition notification (RFC 5438), or a notice in words.
import { type Address, bareAddress, type Hub, type Receipt } from '../../src/contract/index.ts';
import { TokenBuckets } from '../../src/guards/token-buckets.ts';
import type { AskedStore } from './asked.ts';
import type { SipResponse } from './codec/message.ts';
import type { Attempt, Dispatch } from './dispatch.ts';
import { type Holds, holdKey } from './holds.ts';
import { isAnonymous } from './mapping/addresses.ts';
import type { Asked } from './mapping/inbound.ts';
import { fromReceipt, nextHopOf, type Told, toldOf } from './mapping/notification.ts';
import { noticeOf } from './mapping/outbound.ts';
import type { Peers } from './peers.ts';
import { isTypeRefused, saidInRefusal } from './said.ts';

export interface DispositionParts {
  hub: Hub;
  dispatch: Dispatch;
  peers: Peers;
  holds: Holds;
  asked: AskedStore;
  peerOf(address: Address): string;
}

/** Good news beyond this, to one peer, is left out: a phone that was off for a week must not be woken a thousand times. */
const rate = { perSecond: 5, burst: 50 };

export class Disposition {
  readonly #parts: DispositionParts;
  readonly #hasNotices: boolean;
  readonly #buckets: TokenBuckets;

  constructor({ notices }: { notices: boolean }, parts: DispositionParts) {
    this.#hasNotices = notices;
    this.#parts = parts;
    this.#buckets = new TokenBuckets(rate, () => parts.hub.now());
  }

  /** Throws GatewayError. */
  async receipt(event: Receipt, signal: AbortSignal): Promise<void> {
    const { holds, asked } = this.#parts;
    const isWaitedFor = event.state !== 'sent' && event.state !== 'unknown';
    const wasHeld = isWaitedFor && holds.settle(holdKey(event.to, event.of), event);
    const isBad = event.state === 'failed' || event.state === 'expired';
    // s.12.1.3.1: who was refused by the response is not told again; and nobody tells the nameless (s.12.1.1).
    if ((wasHeld && isBad) || isAnonymous(event.to)) return;
    // The answer first: a phone that has not heard it does not know what the notification speaks of.
    if (wasHeld) await new Promise((resolve) => setImmediate(resolve));
    const found = (await asked.find(event.to, event.of)) ?? (await this.#unasked(event));
    const told = found && toldOf(event, found);
    if (told) await this.#notify(event, told, signal);
    else if (isBad && !found && this.#hasNotices) {
      await this.#parts.dispatch.send(event, signal, (attempt) => attempt((context) => noticeOf(event, context)));
    }
  }

  // Linphone asks for nothing and sends its own unasked, so it understands them: by the Call-ID, without CPIM.
  async #unasked({ to, of }: Receipt): Promise<Asked | undefined> {
    const { peers, peerOf } = this.#parts;
    if ((await peers.takes(peerOf(to), 'bareImdn')) !== true) return undefined;
    return {
      messageId: of,
      wants: ['positive-delivery', 'negative-delivery', 'display'],
      recordRoute: [],
      isBare: true,
    };
  }

  async #notify(event: Receipt, told: Told, signal: AbortSignal): Promise<void> {
    const { hub, dispatch, asked } = this.#parts;
    const isGood = told.status === 'delivered' || told.status === 'displayed' || told.status === 'processed';
    if (isGood && this.#buckets.take(bareAddress(event.to)) > 0) {
      hub.metrics.count('notifications_left_out_total', { status: told.status });
      return;
    }
    await dispatch.send(
      event,
      signal,
      (attempt, peer) => this.#inSomeForm(event, told, attempt, peer),
      nextHopOf(event, told),
    );
    if (!told.asked.isBare) await asked.told(event.to, event.of, told);
  }

  /** In CPIM as s.7.2 has it; without it for those who refuse that; and not at all for those who refuse both. */
  async #inSomeForm(event: Receipt, told: Told, attempt: Attempt, peer: string): Promise<SipResponse | undefined> {
    const { peers } = this.#parts;
    if ((await peers.takes(peer, 'imdn')) === false) return undefined;
    let isBare = told.asked.isBare === true || (await peers.takes(peer, 'cpim')) === false;
    let response = await attempt((context) => fromReceipt(event, told, context, isBare));
    if (isTypeRefused(response) && !isBare) {
      const refusal = response;
      isBare = true;
      response = await attempt((context) => fromReceipt(event, told, context, isBare));
      if (response.status < 300)
        await peers.learn(peer, saidInRefusal(refusal, 'MESSAGE', ['cpim']), `${refusal.status}`);
    }
    if (!isTypeRefused(response)) return response;
    await peers.learn(peer, saidInRefusal(response, 'MESSAGE', ['imdn']), `${response.status}`);
    return undefined;
  }
}
